"""The promises about training: stop and go, same bits, divergence, weights, history, Ctrl-C."""

import os
import signal
import threading

import numpy as np
import pytest

import fastnn
from fastnn import Dense, Network, Normalization, kernels
from fastnn.errors import DivergenceError
from fastnn.network.description import state_of
from fastnn.tuning.claims import Claims

FAST = ("vectorized", "jitted")


def problem(m=200, n=6, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, n))
    return X, (X[:, 0] * X[:, 1] > 0).astype(int)


def small(**settings):
    return Network.mlp([6, 8, 1], output="sigmoid", **settings)


class TestStopAndGo:
    @pytest.mark.parametrize("batch_size", [None, 32, 7])
    @pytest.mark.parametrize("optimizer", [fastnn.GradientDescent(0.1), fastnn.Adam()], ids=repr)
    def test_calls_of_one_epoch_equal_one_call(self, backend, batch_size, optimizer):
        X, y = problem(60)
        whole, parts = small(), small()
        settings = {"batch_size": batch_size, "optimizer": optimizer, "progress": False}
        whole.fit(X, y, epochs=4, **settings)
        for _ in range(4):
            parts.fit(X, y, epochs=1, **settings)
        np.testing.assert_array_equal(parts.program.theta, whole.program.theta)
        np.testing.assert_array_equal(parts.history["cost"], whole.history["cost"])

    def test_length_of_chunks_does_not_matter(self, monkeypatch):
        X, y = problem()
        whole, chopped = small(), small()
        whole.fit(X, y, epochs=5, batch_size=16, progress=False)
        monkeypatch.setattr("fastnn.training.loop.CHUNK_SECONDS", 0.0)
        chopped.fit(X, y, epochs=5, batch_size=16, progress=False)
        np.testing.assert_array_equal(chopped.program.theta, whole.program.theta)
        np.testing.assert_array_equal(chopped.history["cost"], whole.history["cost"])

    def test_other_settings_start_fresh_slots(self):
        X, y = problem()
        net = small()
        net.fit(X, y, epochs=1, batch_size=128, optimizer=fastnn.Adam(0.01), progress=False)
        old = state_of(net).training.slots
        net.fit(X, y, epochs=1, batch_size=128, optimizer=fastnn.Adam(0.01), progress=False)
        assert state_of(net).training.slots is old
        net.fit(X, y, epochs=1, batch_size=128, optimizer=fastnn.Adam(0.02), progress=False)
        assert state_of(net).training.slots is not old
        assert state_of(net).training.counters[0] == 2


class TestSameBits:
    @pytest.mark.medium
    @pytest.mark.parametrize("threads", [2, 3, 4])
    def test_at_any_number_of_threads(self, threads, monkeypatch):
        monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
        X, y = problem(700, 70)
        y = y + (X[:, 2] > 1)
        results = []
        before = fastnn.get_num_threads()
        for n in (1, threads):
            fastnn.set_num_threads(n)
            net = Network.mlp([70, 40, 20, 3], output="softmax")
            net.fit(X, y, epochs=2, batch_size=600, l2=0.1, validation_split=0.2, progress=False)
            results.append((net.program.theta.copy(), net.history["validation_cost"]))
        fastnn.set_num_threads(before)
        for one, many in zip(*results, strict=True):
            np.testing.assert_array_equal(many, one)

    def test_same_seed_same_network(self, backend):
        X, y = problem(40)
        one, two = small(seed=4), small(seed=4)
        for net in (one, two):
            net.fit(X, y, epochs=2, batch_size=16, progress=False)
        np.testing.assert_array_equal(one.program.theta, two.program.theta)

    def test_in_a_pool_of_threads(self):
        from concurrent.futures import ThreadPoolExecutor

        X, y = problem()

        def train(_):
            net = small()
            net.fit(X, y, epochs=3, progress=False)
            return net.program.theta.tobytes()

        alone = train(0)
        with ThreadPoolExecutor(4) as pool:
            assert set(pool.map(train, range(8))) == {alone}

    @pytest.mark.forks
    def test_in_a_forked_child(self, monkeypatch):
        monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
        X, y = problem()
        net = small()
        net.fit(X, y, epochs=3, progress=False)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            other = small()
            other.fit(X, y, epochs=3, progress=False)
            os.write(write, other.program.theta.tobytes())
            os._exit(0)
        os.waitpid(child, 0)
        assert os.read(read, 10**6) == net.program.theta.tobytes()
        os.close(read)
        os.close(write)


class TestSearches:
    @pytest.mark.forks
    def test_a_forked_child_claims_none_of_its_parents_trials(self, tmp_path):
        mine, other = (Claims(str(tmp_path / "a")) for _ in range(2))
        assert mine.take(0)
        (begun, say), (read, write) = os.pipe(), os.pipe()
        child = os.fork()
        if child == 0:
            os.write(say, b"x")
            os.read(read, 1)
            os._exit(0)
        os.read(begun, 1)
        for file in mine._files.values():  # as the end of a process does
            file.close()
        taken = other.take(0)
        os.write(write, b"x")
        os.waitpid(child, 0)
        other.release_all()
        assert taken


class TestHistory:
    def test_full_batch_cost_is_the_one_before_the_step(self, backend):
        X, y = problem(30)
        net = small(dtype="float64")
        first, _ = net.cost_and_gradients(X, y, l2=0.5)
        history = net.fit(
            X, y, epochs=2, batch_size=None, l2=0.5, optimizer=fastnn.GradientDescent(0.1),
            progress=False,
        )  # fmt: skip
        assert history["cost"][0] == pytest.approx(first, rel=1e-12)
        assert history["cost"][1] < first

    def test_one_step_is_theta_minus_rate_times_gradient(self, backend):
        X, y = problem(30)
        net = small(dtype="float64")
        theta = {n: v.copy() for n, v in net.parameters.items()}
        _, gradients = net.cost_and_gradients(X, y)
        net.fit(
            X, y, epochs=1, batch_size=None, optimizer=fastnn.GradientDescent(0.3), progress=False
        )
        for name, value in net.parameters.items():
            np.testing.assert_allclose(value, theta[name] - 0.3 * gradients[name], rtol=1e-12)

    def test_mini_batches_count_by_size(self, backend):
        """Rate 0 is not allowed, a tiny one is: then the epoch's mean is the whole cost."""
        X, y = problem(50)
        net = small(dtype="float64")
        whole, _ = net.cost_and_gradients(X, y)
        history = net.fit(
            X, y, epochs=1, batch_size=16, optimizer=fastnn.GradientDescent(1e-12), progress=False
        )
        assert history["cost"][0] == pytest.approx(whole, rel=1e-9)
        assert history["accuracy"][0] == pytest.approx(net.evaluate(X, y)["accuracy"])

    def test_accuracy_and_evaluate_agree_with_predict(self, backend):
        X, y = problem(60)
        net = small()
        net.fit(X, y, epochs=3, progress=False)
        scores = net.evaluate(X, y)
        assert scores["accuracy"] == (net.predict(X) == y).mean()
        p = np.clip(net.predict_proba(X)[np.arange(60), y], 1e-12, 1)
        assert scores["cost"] == pytest.approx(-np.log(p).mean(), rel=1e-4)

    def test_validation_is_scored_after_the_epoch(self, backend):
        X, y = problem(80)
        net = small()
        history = net.fit(X, y, epochs=2, validation_data=(X[:30], y[:30]), l2=1, progress=False)
        scores = net.evaluate(X[:30], y[:30])
        assert history["validation_cost"][-1] == pytest.approx(scores["cost"], rel=1e-6)
        assert history["validation_accuracy"][-1] == pytest.approx(scores["accuracy"])

    def test_validation_split_holds_out_by_the_seed(self):
        X, y = problem(100)
        net = small()
        history = net.fit(X, y, epochs=1, validation_split=0.3, progress=False)
        assert "validation_accuracy" in history
        again = small()
        again.fit(X, y, epochs=1, validation_split=0.3, progress=False)
        np.testing.assert_array_equal(again.program.theta, net.program.theta)

    def test_accumulates_over_fits_and_reads_well(self):
        X, y = problem()
        net = small()
        one = net.fit(X, y, epochs=2, progress=False)
        two = net.fit(X, y, epochs=3, progress=False)
        assert (one.epochs, two.epochs, net.history.epochs) == (2, 3, 5)
        np.testing.assert_array_equal(net.history["cost"][2:], two["cost"])
        assert "3 epochs; last: cost" in repr(two)
        assert not two["cost"].flags.writeable
        with pytest.raises(KeyError, match="it holds cost, accuracy"):
            two["validation_cost"]

    def test_regression_has_no_accuracy(self):
        X, _ = problem()
        net = Network([Dense(1)])
        history = net.fit(X, X[:, 0], epochs=2, progress=False)
        assert set(history) == {"cost", "learning_rate"}
        assert set(net.evaluate(X, X[:, 0])) == {"cost"}


class TestWeights:
    def test_a_weight_of_two_is_an_example_twice(self, backend):
        X, y = problem(20)
        net = small(dtype="float64")
        w = np.ones(20)
        w[3], w[7] = 2, 0
        keep = [i for i in range(20) if i != 7] + [3]
        weighted = net.cost_and_gradients(X, y, l2=0.4, sample_weight=w)
        doubled = net.cost_and_gradients(X[keep], y[keep], l2=0.4)
        assert weighted[0] == pytest.approx(doubled[0], rel=1e-12)
        for name, value in doubled[1].items():
            np.testing.assert_allclose(weighted[1][name], value, rtol=1e-10, atol=1e-14)

    def test_a_batch_of_weight_zero_is_skipped(self, backend):
        X, y = problem(20)
        net, other = small(dtype="float64"), small(dtype="float64")
        w = np.r_[np.ones(10), np.zeros(10)]
        settings = {"epochs": 2, "batch_size": 10, "shuffle": False, "progress": False}
        net.fit(X, y, sample_weight=w, **settings)
        other.fit(X[:10], y[:10], **settings)
        np.testing.assert_allclose(net.program.theta, other.program.theta, rtol=1e-12)
        np.testing.assert_allclose(net.history["cost"], other.history["cost"], rtol=1e-12)

    def test_class_weights_multiply(self):
        X, y = problem(40)
        y[:30] = 0
        balanced, by_hand = small(dtype="float64"), small(dtype="float64")
        counts = np.bincount(y)
        given = {c: 40 / (2 * counts[c]) for c in (0, 1)}
        for net, weights in ((balanced, "balanced"), (by_hand, given)):
            net.fit(X, y, epochs=2, class_weight=weights, progress=False)
        np.testing.assert_allclose(balanced.program.theta, by_hand.program.theta, rtol=1e-12)


class TestNormalization:
    def test_learns_once_and_from_training_rows_only(self, backend):
        X, y = problem(50)
        X = X * [1, 5, 0.1, 1, 1, 0] + [0, 100, 1e6, 0, 0, 3]
        net = Network([Normalization(), Dense(1, "sigmoid")], dtype="float64")
        net.fit(X, y, epochs=1, validation_data=(X * 9, y), progress=False)
        scaled = net.activations(X)[0]
        np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-7)
        np.testing.assert_allclose(scaled[:, :5].std(axis=0), 1, rtol=1e-7)
        np.testing.assert_array_equal(scaled[:, 5], 0)  # a constant feature is only shifted
        net.fit(X * 2, y, epochs=1, progress=False)
        np.testing.assert_array_equal(net.activations(X)[0], scaled)

    @pytest.mark.parametrize("mean", [1e6, 1.7e9])
    def test_large_means_do_not_cancel_in_float32(self, backend, mean):
        X, y = problem(50)
        X = X + mean
        net = Network([Normalization(), Dense(1, "sigmoid")])
        net.fit(X, y, epochs=1, progress=False)
        expected = (X - X.mean(0)) / X.std(0)
        np.testing.assert_allclose(net.activations(X)[0], expected, atol=1e-5)
        W, b = net.parameters["W1"].astype("d"), net.parameters["b1"].astype("d")
        p = 1 / (1 + np.exp(-(expected @ W + b)))
        np.testing.assert_allclose(net.predict_proba(X)[:, 1:], p, atol=1e-5)

    def test_needs_a_fit(self):
        net = Network([Normalization(), Dense(1)], inputs=2)
        with pytest.raises(fastnn.errors.NotBuiltError, match="learns its mean"):
            net.predict(np.ones((3, 2)))


class TestDivergence:
    @pytest.mark.parametrize("rate", [1e3, 1e30, 1e300])
    @pytest.mark.parametrize("batch_size", [None, 16])
    def test_keeps_the_parameters_before_the_step(self, backend, rate, batch_size):
        X, _ = problem(60)
        y = X[:, 0] * 50
        net = Network([Dense(8, "relu", name="first"), Dense(8, "relu"), Dense(1)], seed=1)
        with pytest.raises(DivergenceError, match="learning_rate") as caught:
            net.fit(
                X, y, epochs=60, batch_size=batch_size, progress=False,
                optimizer=fastnn.GradientDescent(rate),
            )  # fmt: skip
        assert np.isfinite(net.program.theta).all()
        assert caught.value.layer in {"first", "dense2", "dense3", "loss", "input"}
        assert caught.value.history.epochs == net.history.epochs
        assert all(np.isfinite(curve).all() for curve in net.history.values())

    def test_equals_stopping_before(self, monkeypatch):
        monkeypatch.setattr("fastnn.training.loop.CHUNK_SECONDS", 1e9)  # all in few chunks
        X, _ = problem(60)
        y = X[:, 0]
        settings = {
            "batch_size": None, "progress": False, "optimizer": fastnn.GradientDescent(1e6)
        }  # fmt: skip
        net, other = (Network([Dense(1)], seed=1) for _ in range(2))
        with pytest.raises(DivergenceError) as caught:
            net.fit(X, y, epochs=50, **settings)
        assert 0 < caught.value.history.epochs < 50
        other.fit(X, y, epochs=caught.value.history.epochs, **settings)
        np.testing.assert_array_equal(net.program.theta, other.program.theta)


class TestCallbacks:
    def test_called_after_every_epoch_and_may_stop(self):
        X, y = problem()
        seen = []

        def callback(network, history):
            seen.append((network.history.epochs, history.epochs))
            return len(seen) == 3

        net = small()
        net.fit(X, y, epochs=2, progress=False)
        history = net.fit(X, y, epochs=10, callbacks=[callback], progress=False)
        assert seen == [(3, 1), (4, 2), (5, 3)]
        assert history.epochs == 3

    def test_an_error_leaves_the_last_finished_epoch(self):
        X, y = problem()

        def fail(network, history):
            if history.epochs == 2:
                raise RuntimeError("no disk")

        net, other = small(), small()
        with pytest.raises(RuntimeError, match="no disk"):
            net.fit(X, y, epochs=5, callbacks=[fail], progress=False)
        other.fit(X, y, epochs=2, progress=False)
        np.testing.assert_array_equal(net.program.theta, other.program.theta)
        for each in (net, other):
            each.fit(X, y, epochs=1, progress=False)
        np.testing.assert_array_equal(net.program.theta, other.program.theta)


class TestCtrlC:
    def test_returns_a_usable_network_with_its_history(self):
        X, y = problem()
        net = small()

        def interrupt(network, history):
            if history.epochs == 3:
                os.kill(os.getpid(), signal.SIGINT)

        history = net.fit(X, y, epochs=10**6, callbacks=[interrupt], progress=False)
        assert history.interrupted
        assert 3 <= history.epochs < 10**6
        assert net.predict(X).shape == (200,)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler

    def test_stops_a_run_without_callbacks(self, ctrl_c):
        X, y = problem()
        net = small()
        history = net.fit(X, y, epochs=10**9, batch_size=None, progress=False)
        ctrl_c.join()
        assert history.interrupted
        assert history.epochs == net.history.epochs > 0


class TestProgress:
    def test_shows_cost_and_accuracy(self, capfd):
        X, y = problem()
        small().fit(X, y, epochs=3, progress=True)
        text = capfd.readouterr().err
        assert "3/3" in text
        assert "accuracy" in text

    @pytest.mark.parametrize("mode", [False, "auto"])
    def test_silent_off_screen(self, capfd, mode):
        X, y = problem()
        small().fit(X, y, epochs=3, progress=mode)
        captured = capfd.readouterr()
        assert (captured.out, captured.err) == ("", "")


class TestBackend:
    def test_context_manager_restores(self):
        with fastnn.backend("loops"):
            assert fastnn._runtime.backend.active() is kernels.get("loops")
            with fastnn.backend("vectorized"):
                assert fastnn._runtime.backend.active() is kernels.get("vectorized")
            assert fastnn._runtime.backend.active() is kernels.get("loops")
        assert fastnn._runtime.backend.active() is kernels.get("jitted")

    def test_is_per_thread(self):
        found = []
        with fastnn.backend("loops"):
            thread = threading.Thread(target=lambda: found.append(fastnn._runtime.backend.active()))
            thread.start()
            thread.join()
        assert found == [kernels.get("jitted")]

    def test_threads(self):
        before = fastnn.get_num_threads()
        fastnn.set_num_threads(3)
        assert fastnn.get_num_threads() == 3
        fastnn.set_num_threads(before)
        with pytest.raises(fastnn.errors.SettingError, match="n must be"):
            fastnn.set_num_threads(0)
