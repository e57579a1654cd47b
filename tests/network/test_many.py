"""Many networks at once: each ends as by its own fit, whatever becomes of the others."""

import os
import signal
import threading
import tracemalloc

import numpy as np
import pytest

import fastnn
from fastnn import (
    LBFGS,
    Activation,
    Adam,
    AdamW,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    GradientDescent,
    Momentum,
    Network,
    Normalization,
    RMSprop,
    errors,
    kernels,
)
from fastnn.callbacks import EarlyStopping
from fastnn.network import many
from fastnn.network.description import state_of
from fastnn.schedules import Cosine, Plateau
from fastnn.training import shared_data, shared_progress, subset
from fastnn.training.exclusive_fit import _busy
from fastnn.training.fit_config import FitConfig
from fastnn.training.loop import Trainer
from fastnn.training.subset_trainer import SubsetTrainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 5))
Y = (X[:, 0] + 0.3 * RNG.normal(size=120) > 0).astype(int)
W = RNG.uniform(0.5, 2, size=120)


def small(seed=0, **settings):
    return Network.mlp([5, 6, 1], output="sigmoid", seed=seed, **settings)


def ends_like(net, other):
    """Assert that two networks have the same bits in all that a later fit depends on."""
    one, two = state_of(net), state_of(other)
    for name in ("theta", "state"):
        np.testing.assert_array_equal(getattr(one.program, name), getattr(two.program, name))
    np.testing.assert_array_equal(one.training.slots, two.training.slots)
    np.testing.assert_array_equal(one.training.counters, two.training.counters)
    assert one.training.epoch == two.training.epoch
    assert one.training.optimizer == two.training.optimizer
    assert one.training.schedule == two.training.schedule
    assert one.metrics == two.metrics
    assert one.history == two.history


@pytest.fixture(params=[1, 2])
def threads(request):
    """Let so many threads be used."""
    before = fastnn.get_num_threads()
    fastnn.set_num_threads(request.param)
    yield request.param
    fastnn.set_num_threads(before)


#: For each network how it is made and the settings of its fit.
KINDS = {
    "seed": (lambda: small(seed=3), {}),
    "dropout": (lambda: Network.mlp([5, 9, 4, 1], output="sigmoid", dropout=0.3, seed=1), {}),
    "batchnorm": (
        lambda: Network([Dense(7), BatchNorm(), Activation("tanh"), Dense(1, "sigmoid")]),
        {"batch_size": 40, "optimizer": Momentum(0.05)},
    ),
    "noise": (lambda: Network([GaussianNoise(0.2), Dense(3, "relu"), Dense(1, "sigmoid")]), {}),
    "normalization": (
        lambda: Network([Normalization(), Dense(4, "elu"), Dense(1, "sigmoid")]),
        {"sample_weight": W, "class_weight": "balanced"},
    ),
    "softmax": (
        lambda: Network.mlp([5, 8, 2], output="softmax", dtype="float64"),
        {"optimizer": AdamW(0.02), "l2": 0.1, "l1": 0.01},
    ),
    "values": (
        lambda: Network.mlp([5, 4, 1], output="identity"),
        {"optimizer": RMSprop(0.01), "clip_norm": 0.5, "shuffle": False},
    ),
    "full batch": (lambda: small(seed=5), {"batch_size": None, "epochs": 30}),
    "schedule": (small, {"schedule": Cosine(4), "optimizer": "sgd"}),
    "plateau": (small, {"schedule": Plateau("cost", patience=1), "clip_value": 0.1}),
    "split": (lambda: small(seed=2), {"validation_split": 0.25}),
    "validation": (lambda: small(seed=4), {"validation_data": (X[:30], Y[:30], W[:30])}),
    "stopping": (
        lambda: small(seed=6),
        {"validation_split": 0.25, "callbacks": [EarlyStopping(patience=1)], "epochs": 40},
    ),
    "lbfgs": (lambda: small(seed=7), {"optimizer": LBFGS(), "epochs": 6}),
    "nothing": (small, {"epochs": 0}),
}
#: What `Network.fit` takes where a kind does not say.
DEFAULTS = {
    "epochs": 5, "batch_size": 32, "optimizer": None, "schedule": None, "l2": 0.0, "l1": 0.0,
    "clip_norm": None, "clip_value": None, "sample_weight": None, "class_weight": None,
    "validation_data": None, "validation_split": 0.0, "shuffle": True, "callbacks": [],
}  # fmt: skip


class TestBits:
    @pytest.mark.medium
    def test_of_networks_of_all_kinds_are_those_of_fit(self, threads):
        self.check(list(KINDS))

    def test_of_short_fits_are_those_of_fit(self, monkeypatch, threads):
        """More than are prepared at a time, of several widths, rates and numbers of steps."""
        ran, run_all = [], kernels.get("jitted").run_all

        def noted(runs):
            ran.append(len(runs))
            return run_all(runs)

        monkeypatch.setattr(kernels.get("jitted"), "run_all", noted)

        def make():
            return [Network.mlp([5, 3 + k % 3, 1], output="sigmoid", seed=k) for k in range(20)]

        nets, settings = make(), {"batch_size": 50, "validation_split": 0.2, "progress": False}
        rates, epochs = np.geomspace(1e-3, 1e-1, 20).tolist(), [1 + k % 4 for k in range(20)]
        optimizers = [Adam(rate) if k % 2 else Momentum(rate) for k, rate in enumerate(rates)]
        fastnn.fit_many(nets, X, Y, epochs=epochs, optimizer=optimizers, **settings)
        assert sum(ran) == 20
        assert max(ran) > 1
        for net, alone, own, optimizer in zip(nets, make(), epochs, optimizers, strict=True):
            alone.fit(X, Y, epochs=own, optimizer=optimizer, **settings)
            ends_like(net, alone)

    @pytest.mark.medium
    @pytest.mark.parametrize("threads", [1], indirect=True)
    def test_of_large_batches_take_memory_for_one_at_a_time(self, threads):
        rows = np.random.default_rng(0).normal(size=(20_000, 20)).astype("f4")
        nets = [Network.mlp([20, 4, 1], output="sigmoid", seed=s) for s in range(16)]
        settings = {"epochs": 1, "batch_size": None, "progress": False}
        peaks = []
        for some in (nets[:1], nets[:1], nets):  # the first one compiles
            tracemalloc.start()
            fastnn.fit_many(some, rows, rows[:, 0] > 0, **settings)
            peaks.append(tracemalloc.get_traced_memory()[1])
            tracemalloc.stop()
        assert peaks[2] < 2 * peaks[1]

    @pytest.mark.medium
    @pytest.mark.parametrize("backend", ["loops", "vectorized"])
    def test_of_networks_of_other_backends_are_those_of_fit(self, backend, threads):
        with fastnn.backend(backend):
            self.check(["dropout", "schedule", "lbfgs", "split"], epochs=1)

    @staticmethod
    def check(names, **settings):
        """Assert that networks of these kinds end as by their own fits."""
        kinds = {name: (KINDS[name][0], {**KINDS[name][1], **settings}) for name in names}
        made = [make() for make, _ in kinds.values()]
        given = [{**DEFAULTS, **settings} for _, settings in kinds.values()]
        columns = {name: [each[name] for each in given] for name in DEFAULTS}
        histories = fastnn.fit_many(made, X, Y, **columns, progress=False)
        for (make, settings), net, history in zip(kinds.values(), made, histories, strict=True):
            alone = make()
            expected = alone.fit(X, Y, **{**DEFAULTS, **settings}, progress=False)
            assert history == expected == net.history
            assert (history.converged, history.message) == (expected.converged, expected.message)
            ends_like(net, alone)
            again = {**DEFAULTS, **settings, "epochs": 1}
            for each in (net, alone):
                each.fit(X, Y, **again, progress=False)
            ends_like(net, alone)

    @pytest.mark.parametrize("metrics", [["f1", "auc"], "f1"])
    def test_of_metrics(self, metrics):
        nets, alone = [small(seed=s) for s in range(3)], small(seed=1)
        alone.fit(X, Y, epochs=3, validation_split=0.3, metrics=metrics, progress=False)
        fastnn.fit_many(nets, X, Y, epochs=3, validation_split=0.3, metrics=metrics, progress=False)
        ends_like(nets[1], alone)

    @pytest.mark.slow
    def test_of_what_users_register(self):
        fastnn.activations.register("many_square", lambda z: z * z / 2, lambda z: z)

        def make(k):
            layers = [Dense(4, "many_square" if k < 2 else "tanh"), Dense(1)]
            return Network(layers, inputs=5, seed=k)

        nets, settings = [make(k) for k in range(3)], {"epochs": 3, "progress": False}
        fastnn.fit_many(nets, X, Y, **settings)
        for k, net in enumerate(nets):
            alone = make(k)
            alone.fit(X, Y, **settings)
            ends_like(net, alone)

    def test_of_folds(self):
        order = np.random.default_rng(1).permutation(120)
        folds = [(np.delete(order, slice(i, i + 30)), order[i : i + 30]) for i in (0, 30, 60)]
        mask = np.zeros(120, bool)
        mask[folds[2][0]] = True
        given = [*folds[:2], (mask, ~mask), (order[:50], None)]
        nets = [Network([Normalization(), Dropout(0.1), Dense(1, "sigmoid")]) for _ in range(4)]
        settings = {"epochs": 4, "class_weight": "balanced", "progress": False}
        fastnn.fit_many(nets, X, Y, folds=iter(given), sample_weight=W, **settings)
        for net, (train, test) in zip(nets, given, strict=True):
            alone, held = Network(list(net.layers)), None
            if test is not None:
                held = (X[test], Y[test], W[test])
            alone.fit(X[train], Y[train], sample_weight=W[train], validation_data=held, **settings)
            ends_like(net, alone)

    @pytest.mark.medium
    def test_of_networks_that_all_threads_share(self, monkeypatch, threads):
        """Of three large ones on two threads, two are dealt and one is fitted by both."""
        entry = "fastnn.kernels.jitted.execution.entry"
        monkeypatch.setattr(f"{entry}.MIN_FLOPS_PER_STEP", 1)
        monkeypatch.setattr(f"{entry}.MIN_STEPS_TO_START", 0)
        seen, run = [], many.MemberFit.run

        def noted(fit, *rest):
            seen.append(fastnn.get_num_threads())
            run(fit, *rest)

        monkeypatch.setattr(many.MemberFit, "run", noted)
        nets = [small(seed=s) for s in range(3)]
        fastnn.fit_many(nets, X, Y, epochs=2, progress=False)
        assert sorted(seen) == [1, 1, threads]
        for seed, net in enumerate(nets):
            alone = small(seed=seed)
            alone.fit(X, Y, epochs=2, progress=False)
            ends_like(net, alone)


class TestSettings:
    def test_are_one_for_all_or_one_for_each(self):
        nets = [small() for _ in range(3)]
        histories = fastnn.fit_many(
            nets, X, Y, epochs=[1, 2, 3], optimizer=[Adam(r) for r in (0.1, 0.2, 0.3)],
            l2=np.array([0, 0.1, 0.2]), sample_weight=[None, W, np.ones(120)], progress=False,
        )  # fmt: skip
        assert [history.epochs for history in histories] == [1, 2, 3]
        assert [state_of(net).training.optimizer.learning_rate for net in nets] == [0.1, 0.2, 0.3]

    @pytest.mark.parametrize("weights", [W, W.tolist(), [W, W], np.stack([W, W])])
    def test_weights_may_be_a_vector_or_rows(self, weights):
        nets, alone = [small(), small()], small()
        fastnn.fit_many(nets, X, Y, sample_weight=weights, epochs=1, progress=False)
        alone.fit(X, Y, sample_weight=W, epochs=1, progress=False)
        for net in nets:
            ends_like(net, alone)

    def test_data_are_encoded_once(self, monkeypatch):
        encoded, encode = [], shared_data.targets_of

        def noted(*arguments):
            encoded.append(encode(*arguments))
            return encoded[-1]

        monkeypatch.setattr(shared_data, "targets_of", noted)
        nets = [small(seed=s) for s in range(4)]
        fastnn.fit_many(nets, X, Y, epochs=1, validation_data=(X, Y), progress=False)
        assert len(encoded) == 1

    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"epochs": [1, 2]}, r"epochs has 2 entries for 3 networks; give one for each"),
            ({"optimizer": [Adam()] * 4}, "optimizer has 4 entries for 3 networks"),
            ({"l2": np.zeros(2)}, "l2 has 2 entries"),
            ({"l2": [0, 0, -1]}, r"networks\[2\]: l2 must be a finite number of at least 0"),
            ({"sample_weight": np.ones((2, 120))}, "sample_weight has 2 entries for 3 networks"),
            ({"sample_weight": [W, W[:5], W]}, r"networks\[1\]: sample_weight must have shape"),
            ({"folds": [(np.arange(5), None)]}, "folds has 1 entries for 3 networks"),
            ({"folds": ([], np.arange(5))}, "leaves no row to train on"),
            ({"folds": (np.arange(121), None)}, "whole numbers from 0 to 119"),
            ({"folds": (np.ones(5, bool), None)}, "a mask \\(120,\\)"),
            ({"folds": [3, 3, 3]}, "a fold must be a pair"),
            (
                {"folds": (np.arange(9), None), "validation_split": 0.1},
                "leave out validation_data and validation_split",
            ),
            ({"callbacks": [[], []]}, "callbacks has 2 entries for 3 networks"),
            ({"callbacks": [EarlyStopping()]}, "EarlyStopping remembers what it saw of one"),
            ({"callbacks": [[e := EarlyStopping("cost")], [e], []]}, "callbacks of two networks"),
            ({"validation_data": [(X, Y), (X, Y)]}, "validation_data has 2 entries"),
            ({"optimizer": LBFGS(), "clip_norm": 1.0}, "LBFGS takes no clip_norm"),
            ({"metrics": ["r3"]}, "metric 'r3' does not exist"),
            ({"progress": 3}, "progress must be"),
        ],
    )
    def test_that_break_a_rule_change_nothing(self, settings, message):
        nets = [Network([Dense(1, "sigmoid")], seed=s) for s in range(3)]
        with pytest.raises(errors.FastnnError, match=message):
            fastnn.fit_many(nets, X, Y, **settings)
        assert all(net.inputs is None and not net.history.epochs for net in nets)
        assert not _busy

    @pytest.mark.parametrize(
        ("networks", "message"),
        [
            ([], "networks is empty"),
            ([small(), 3], r"networks\[1\] must be an object like"),
            ([net := small(), small(), net], r"networks\[2\] is networks\[0\] again"),
            ([small(), Network.mlp([4, 1], output="sigmoid")], r"networks\[1\]: .*\(m, 4\)"),
            ([small(), Network.mlp([5, 3], output="sigmoid")], r"networks\[1\]: y must have shape"),
        ],
    )
    def test_networks_that_do_not_suit(self, networks, message):
        with pytest.raises(errors.FastnnError, match=message):
            fastnn.fit_many(networks, X, Y, epochs=1)

    def test_a_network_that_is_being_fitted_is_refused(self):
        nets = [small(), small()]

        def fit_another(network, history):
            fastnn.fit_many([small(), nets[1]], X, Y, epochs=1)

        with pytest.raises(errors.SettingError, match="being fitted already"):
            nets[1].fit(X, Y, epochs=1, callbacks=[fit_another], progress=False)
        assert not _busy

    def test_an_argument_of_another_library_is_explained(self):
        with pytest.raises(TypeError, match=r"fit_many.. got an unexpected keyword argument 'lr'"):
            fastnn.fit_many([small()], X, Y, lr=0.1)


class TestDivergence:
    def test_leaves_the_others_alone(self, threads):
        def make():
            return [Network.mlp([5, 4, 1], output="identity", seed=s) for s in range(4)]

        rates = [0.01, 1e30, 0.02, 1e30]
        optimizers, nets = [GradientDescent(rate) for rate in rates], make()
        with pytest.warns(RuntimeWarning, match="2 of 4 networks diverged.* networks: 1, 3. They"):
            histories = fastnn.fit_many(nets, X, Y, optimizer=optimizers, progress=False)
        for net, alone, optimizer, history in zip(nets, make(), optimizers, histories, strict=True):
            if optimizer.learning_rate > 1:
                with pytest.raises(errors.DivergenceError) as caught:
                    alone.fit(X, Y, optimizer=optimizer, progress=False)
                assert (history.converged, history.message) == (False, str(caught.value))
                assert history == caught.value.history
            else:
                alone.fit(X, Y, optimizer=optimizer, progress=False)
                assert history.converged is None
                assert history.epochs == 10
            ends_like(net, alone)


class TestCallbacks:
    def test_are_called_with_their_network_one_at_a_time(self, threads):
        lock, pause, called = threading.Lock(), threading.Event(), []

        def note(network, history):
            assert lock.acquire(blocking=False)
            pause.wait(0.005)  # lets other threads go on
            called.append((nets.index(network), history.epochs))
            lock.release()

        nets = [small(seed=s) for s in range(4)]
        stop = [lambda network, history: history.epochs == 2]
        histories = fastnn.fit_many(
            nets, X, Y, epochs=4, callbacks=[[note], [note, *stop], [], [note]], progress=False
        )
        assert [history.epochs for history in histories] == [4, 2, 4, 4]
        expected = [(k, e) for k, n in ((0, 4), (1, 2), (3, 4)) for e in range(1, n + 1)]
        assert sorted(called) == expected

    def test_metrics_of_users_are_called_one_at_a_time(self, threads):
        lock, pause = threading.Lock(), threading.Event()

        def unlocked(true, predicted):
            assert lock.acquire(blocking=False)
            pause.wait(0.005)  # lets other threads go on
            lock.release()
            return 0.0

        fastnn.metrics.register("unlocked", unlocked)
        nets = [small(seed=s) for s in range(4)]
        fastnn.fit_many(nets, X, Y, epochs=3, metrics=["unlocked"], progress=False)
        assert nets[3].history["unlocked"].tolist() == [0.0] * 3

    def test_an_error_ends_all_and_lets_the_networks_go(self, threads):
        def fail(network, history):
            raise LookupError("broken")

        nets = [small(seed=s) for s in range(3)]
        with pytest.raises(LookupError, match="broken"):
            fastnn.fit_many(nets, X, Y, epochs=10**6, callbacks=[[fail], [], []], progress=False)
        assert not _busy
        assert nets[0].history.epochs == 1
        assert nets[1].history.epochs < 10**6
        assert not any(net.history.interrupted for net in nets)  # nobody pressed Ctrl-C
        for net in nets:
            net.fit(X, Y, epochs=1, progress=False)

    @pytest.mark.parametrize("threads", [1], indirect=True)
    @pytest.mark.parametrize("where", ["in the notes", "in the runs"])
    def test_an_error_leaves_no_short_fit_without_its_notes(self, monkeypatch, threads, where):
        """Networks whose steps were taken have their epochs in their histories."""
        run_all, ran = kernels.get("jitted").run_all, 5 if where == "in the notes" else 2

        def broken(*_, **__):
            raise OSError("the terminal is gone")

        def ends_early(runs):
            for k, step in enumerate(run_all(runs)):
                if k == ran:
                    broken()
                yield step

        monkeypatch.setattr(kernels.get("jitted"), "run_all", ends_early)
        if where == "in the notes":
            monkeypatch.setattr(shared_progress.SharedProgress, "advance", broken)
        nets = [small(seed=s) for s in range(5)]
        with pytest.raises(OSError, match="terminal"):
            fastnn.fit_many(nets, X, Y, epochs=3, progress=False)
        for k, net in enumerate(nets[:ran]):
            alone = small(seed=k)
            alone.fit(X, Y, epochs=3, progress=False)
            ends_like(net, alone)
        assert [net.history.epochs for net in nets[ran:]] == [0] * (5 - ran)


class TestCtrlC:
    def test_leaves_networks_that_can_be_used(self, threads):
        pressed = []  # once: a second Ctrl-C would end the call at once

        def press(network, history):
            if history.epochs == 3 and not pressed:
                pressed.append(network)
                os.kill(os.getpid(), signal.SIGINT)

        nets = [small(seed=s) for s in range(5)]
        histories = fastnn.fit_many(nets, X, Y, epochs=10**6, callbacks=[press], progress=False)
        assert all(history.interrupted for history in histories)
        assert all(net.history.interrupted for net in nets)
        assert 3 <= max(history.epochs for history in histories) < 10**6
        assert histories[-1].epochs == 0
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        assert not _busy
        for net, history in zip(nets, histories, strict=True):
            assert net.history.epochs == history.epochs
            assert net.predict(X).shape == (120,)
            net.fit(X, Y, epochs=1, progress=False)

    def test_stops_compiled_steps(self, ctrl_c, threads):
        nets = [small(seed=s) for s in range(3)]
        histories = fastnn.fit_many(nets, X, Y, epochs=10**9, batch_size=None, progress=False)
        ctrl_c.join()
        assert all(history.interrupted for history in histories)
        assert histories[0].epochs == nets[0].history.epochs > 0

    def test_a_second_one_leaves_no_network_held(self, threads):
        def press(network, history):
            for _ in range(2):
                signal.raise_signal(signal.SIGINT)

        nets = [small(seed=s) for s in range(3)]
        with pytest.raises(KeyboardInterrupt):
            fastnn.fit_many(nets, X, Y, epochs=10**6, callbacks=[press], progress=False)
        assert not _busy
        for net in nets:
            net.fit(X, Y, epochs=1, progress=False)

    @pytest.mark.parametrize("threads", [1], indirect=True)
    def test_between_short_fits_ends_those_to_come(self, monkeypatch, threads):
        run_all = kernels.get("jitted").run_all

        def pressed(runs):
            for k, step in enumerate(run_all(runs)):
                if k == 2:
                    signal.raise_signal(signal.SIGINT)
                yield step

        monkeypatch.setattr(kernels.get("jitted"), "run_all", pressed)
        nets, alone = [small(seed=s) for s in range(5)], small(seed=1)
        nets[4].fit(X, Y, epochs=1, optimizer=Momentum(0.1), progress=False)
        before = nets[4].copy()
        histories = fastnn.fit_many(nets, X, Y, epochs=3, progress=False)
        assert [history.epochs for history in histories] == [3, 3, 3, 0, 0]
        assert [history.interrupted for history in histories] == [False, False, True, True, True]
        alone.fit(X, Y, epochs=3, progress=False)
        ends_like(nets[1], alone)
        ends_like(nets[4], before)

    @pytest.mark.parametrize("threads", [1], indirect=True)
    def test_networks_that_were_done_are_not_interrupted(self, threads):
        def press(network, history):
            os.kill(os.getpid(), signal.SIGINT)

        nets = [small(seed=s) for s in range(2)]
        done, stopped = fastnn.fit_many(
            nets, X, Y, epochs=[500, 10], callbacks=[[], [press]], progress=False
        )
        assert not done.interrupted
        assert done.epochs == 500
        assert stopped.interrupted


def test_progress_counts_epochs_and_networks(capfd):
    nets = [small(seed=s) for s in range(2)]
    fastnn.fit_many(nets, X, Y, epochs=[2, 3], progress=True)
    assert capfd.readouterr().err.splitlines()[-1].endswith("networks 2/2")
    fastnn.fit_many(nets, X, Y, epochs=2, progress=False)
    assert capfd.readouterr().err == ""


class TestFoldsOfManyRows:
    """Rows of a fold that are read where they lie, as those of more than 16 MB are."""

    @pytest.fixture(params=[0, 2**24], ids=["read in place", "copied"], autouse=True)
    def most(self, request, monkeypatch):
        monkeypatch.setattr(subset, "MOST_COPIED", request.param)

    @pytest.mark.medium
    @pytest.mark.parametrize(
        "settings",
        [
            {"optimizer": AdamW(0.01), "schedule": Cosine(6, per="step")},
            {"sample_weight": W, "class_weight": "balanced", "l2": 0.1},
            {"shuffle": False},
            {"batch_size": None},
            {"optimizer": LBFGS()},
            {"metrics": ["f1"]},
        ],
        ids=lambda settings: next(iter(settings)),
    )
    def test_end_as_those_of_a_copy(self, settings, threads):
        rng = np.random.default_rng(2)
        parts = [rng.permutation(120), rng.integers(0, 120, 90), np.r_[0:120, 0:90]]
        folds = [(rows[30:], rows[:30]) for rows in parts] + [(parts[0][:77], None)]
        layers = [Normalization(), Dense(6, "mish"), Dropout(0.2), Dense(1, "sigmoid")]
        if "optimizer" in settings and settings["optimizer"] == LBFGS():
            del layers[2]
        nets = [Network(layers, seed=k) for k in range(4)]
        weight = settings.get("sample_weight")
        given = {"epochs": 6, "progress": False, "batch_size": 16, **settings}
        watchers = [[EarlyStopping(patience=100)] if test is not None else [] for _, test in folds]
        fastnn.fit_many(nets, X, Y, folds=folds, callbacks=watchers, **given)
        for k, (net, (train, test)) in enumerate(zip(nets, folds, strict=True)):
            alone, held = Network(layers, seed=k), None
            if weight is not None:
                given["sample_weight"] = weight[train]
            if test is not None:
                held = (X[test], Y[test], *([] if weight is None else [weight[test]]))
            watchers = [] if held is None else [EarlyStopping(patience=100)]
            alone.fit(X[train], Y[train], validation_data=held, callbacks=watchers, **given)
            ends_like(net, alone)

    @pytest.mark.parametrize("rows", [np.asfortranarray(X), X.astype("float32")], ids=["F", "f"])
    def test_of_other_arrays(self, rows):
        fold, nets = (np.arange(10, 120), np.arange(10)), [small(), small()]
        fastnn.fit_many(nets[:1], rows, Y, folds=fold, epochs=3, progress=False)
        held = rows[:10], Y[:10]
        nets[1].fit(rows[10:], Y[10:], validation_data=held, epochs=3, progress=False)
        ends_like(*nets)

    def test_of_values_in_the_unit_of_the_training_rows(self):
        fold, y = (np.arange(10, 120), np.arange(10)), 1e3 * X[:, 0] + 5e3
        nets = [Network([Dense(4, "mish"), Dense(1)], scale_target=True) for _ in range(2)]
        fastnn.fit_many(nets[:1], X, y, folds=fold, epochs=3, progress=False)
        nets[1].fit(X[10:], y[10:], validation_data=(X[:10], y[:10]), epochs=3, progress=False)
        ends_like(*nets)
        np.testing.assert_array_equal(nets[0].predict(X), nets[1].predict(X))

    def test_a_batch_has_the_examples_of_a_copy(self):
        net, rows = small(), np.random.default_rng(3).permutation(120)[:100]
        net.build(5)
        state, config = state_of(net), FitConfig.checked(1, 16, "adam")
        given = shared_data.DataSettings(W, None, None, 0.0, (rows, None))
        train, *_ = shared_data.SharedData(X, Y).part(state, given)
        jitted = kernels.get("jitted")
        one = SubsetTrainer(state, jitted, config, train, None)
        two = Trainer(state, jitted, config, subset.copied(train), None)
        one._boundary(0)
        jitted.shuffle(two.order, state.seed, 0)
        for step in (0, 6):
            found, wanted = (
                (batch.X[batch.row_indices], batch.Y[batch.row_indices], batch.numbers)
                for batch in (one._batch_at(step), two._batch_at(step))
            )
            for mine, theirs in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(mine, theirs)

    def test_that_diverge_name_the_layer(self):
        fold, rows = (np.arange(10, 120), np.arange(10)), X.copy()
        rows[50] = 3e38
        nets = [small(), small()]
        with pytest.raises(errors.DivergenceError) as one:
            fastnn.fit_many(nets[:1], rows, Y, folds=fold, epochs=3, on_divergence="raise")
        held = rows[:10], Y[:10]
        with pytest.raises(errors.DivergenceError) as two:
            nets[1].fit(rows[10:], Y[10:], validation_data=held, epochs=3)
        assert str(one.value) == str(two.value)
        np.testing.assert_array_equal(nets[0].program.theta, nets[1].program.theta)


@pytest.mark.medium
@pytest.mark.parametrize(("most", "copies"), [(0, 0.5), (2**24, 1.5)], ids=["in place", "copied"])
def test_folds_take_the_memory_of_one_copy_a_thread(most, copies, monkeypatch, threads):
    monkeypatch.setattr(subset, "MOST_COPIED", most)
    rows = np.zeros((2_000, 200))
    parts = np.array_split(np.random.default_rng(0).permutation(2_000), 8)
    folds = [(np.setdiff1d(np.arange(2_000), part), part) for part in parts]
    nets = [Network.mlp([200, 4, 1], output="sigmoid", seed=k) for k in range(8)]
    fastnn.fit_many(nets, rows, rows[:, 0], folds=folds, epochs=1, progress=False)
    tracemalloc.start()
    fastnn.fit_many(nets, rows, rows[:, 0], folds=folds, epochs=1, progress=False)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < copies * threads * rows.nbytes
