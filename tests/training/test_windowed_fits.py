"""Fits on rows that are read in windows: the same as in memory where the order is the same."""

import re

import numpy as np
import pytest
import streamed
from fastnn.kernels.csr import SparseRows
from streamed import ArrayRows, FailingRows, classes

import fastnn
from fastnn import BatchNorm, Dense, Dropout, Network, Normalization, kernels
from fastnn.errors import DataError, DivergenceError, SettingError, ShapeError
from fastnn.network.description import state_of
from fastnn.training.windows import class_mix
from fastnn.training.windows.keep import KeptNetwork
from fastnn.training.windows.plan import WindowPlan
from fastnn.training.windows.rows import CheckedRows

SMALL = 6000  # bytes: windows of some 100 rows
TINY = 2500  # of some 40 rows


def network(K=1, **settings):
    layers = [Normalization(), Dense(8, "tanh"), Dropout(0.3)]
    output = Dense(1, "sigmoid") if K == 1 else Dense(K, "softmax")
    return Network([*layers, output], **settings)


def same(one, other):
    """Whether two networks have the same parameters, statistics and histories, bit for bit."""
    return (
        np.array_equal(one.program.theta, other.program.theta)
        and np.array_equal(one.program.state, other.program.state)
        and one.history == other.history
    )


class TestSameBits:
    """Not shuffled, the order is that in memory; windows end within batches and within pieces."""

    @pytest.mark.parametrize("piece_rows", [1, 15, 700])
    @pytest.mark.parametrize("K", [1, 3])
    def test_as_in_memory(self, backend, K, piece_rows, monkeypatch):
        monkeypatch.setattr("fastnn.training.windows.targets.BLOCK", 64)  # of which there are four
        X, y = classes(200, K=K)
        w = np.random.default_rng(2).uniform(0.2, 3, len(X))
        settings = {
            "epochs": 2, "batch_size": 32, "shuffle": False, "sample_weight": w, "l2": 0.1,
            "class_weight": "balanced", "validation_split": 0.2, "progress": False,
            "metrics": ["f1", "auc"] if K == 1 else ["f1"],
        }  # fmt: skip
        whole, read = network(K), network(K)
        whole.fit(X, y, **settings)
        read.fit(ArrayRows(X, piece_rows), y, window=TINY, **settings)
        assert same(whole, read)

    def test_several_sigmoids_and_values(self, backend):
        X, _ = classes(200)
        for output, y in (
            ("sigmoid", (X[:, :3] > 0.4).astype(int)), ("identity", X[:, :3] ** 2)
        ):  # fmt: skip
            settings = {"epochs": 2, "batch_size": 20, "shuffle": False, "progress": False}
            if output == "sigmoid":
                settings["class_weight"] = "balanced"
            nets = [Network.mlp([5, 6, 3], output=output) for _ in range(2)]
            nets[0].fit(X, y, **settings)
            nets[1].fit(ArrayRows(X, 9), y, window=TINY, **settings)
            assert same(*nets)

    @pytest.mark.parametrize("dtype", ["uint8", "float64"])
    def test_of_other_dtypes(self, backend, dtype):
        X, y = classes(200)
        X = (30 * X + 128).astype(dtype)
        settings = {"epochs": 2, "batch_size": 16, "shuffle": False, "progress": False}
        whole, read = network(), network()
        whole.fit(X, y, **settings)
        read.fit(ArrayRows(X, 13), y, window=120 * X.itemsize + 800, **settings)
        assert same(whole, read)

    def test_what_fits_is_loaded(self):
        X, y = classes()
        rows, whole, read = ArrayRows(X), network(), network()
        whole.fit(X, y, epochs=2, progress=False)
        read.fit(rows, y, epochs=2, progress=False)
        assert same(whole, read)
        assert rows.spans == [(0, len(X))]

    def test_shuffled_as_in_memory_in_that_order(self, monkeypatch):
        """By a backend whose shuffle in memory is made to give the order of the windows."""
        X, y = classes()
        k, plans = kernels.get("vectorized"), []
        made = WindowPlan.epoch
        monkeypatch.setattr(
            WindowPlan, "epoch", lambda plan, *args: (plans.append(plan), made(plan, *args))[1]
        )
        with fastnn.backend("vectorized"):
            read, whole = network(), network()
            settings = {"epochs": 2, "batch_size": 32, "progress": False}
            read.fit(ArrayRows(X, 10), y, window=SMALL, **settings)
            shuffle, plan = k.shuffle, plans[-1]

            def as_in_windows(order, seed, epoch):
                order[...] = np.concatenate([*orders(plan, epoch, shuffle)])

            monkeypatch.setattr(k, "shuffle", as_in_windows)
            whole.fit(X, y, **settings)
        assert same(whole, read)


def orders(plan, number, shuffle):
    """The rows of an epoch, window by window."""
    epoch = plan.epoch(number, shuffle)
    rows = np.concatenate([np.arange(*plan.bounds[p : p + 2]) for p in epoch.pieces])
    for k in range(plan.windows):
        begin, end, _ = epoch.window(k)
        order = np.empty(end - begin, int)
        epoch.arrange(order, k)
        yield rows[begin:end][order]


class TestResume:
    def test_calls_of_one_epoch_equal_one_call(self, backend):
        X, y = classes(200)
        whole, parts = network(), network()
        settings = {"window": TINY, "batch_size": 32, "progress": False}
        whole.fit(ArrayRows(X), y, epochs=3, **settings)
        for _ in range(3):
            parts.fit(ArrayRows(X), y, epochs=1, **settings)
        assert same(whole, parts)

    def test_from_a_checkpoint(self, tmp_path):
        X, y = classes()
        whole, part = network(), network()
        settings = {"window": SMALL, "batch_size": 32, "progress": False}
        whole.fit(ArrayRows(X), y, epochs=5, **settings)
        path = tmp_path / "state.safetensors"
        part.fit(ArrayRows(X), y, epochs=3, callbacks=[
            fastnn.callbacks.Checkpoint(path, every=2)], **settings)  # fmt: skip
        part = fastnn.load(path)
        part.fit(ArrayRows(X), y, epochs=3, **settings)
        assert same(whole, part)

    def test_lengths_of_chunks_do_not_matter(self, monkeypatch):
        X, y = classes()
        whole, chopped = network(), network()
        settings = {"window": SMALL, "batch_size": 8, "epochs": 2, "progress": False}
        whole.fit(ArrayRows(X), y, optimizer=fastnn.Momentum(0.1), **settings)
        monkeypatch.setattr("fastnn.training.loop.CHUNK_SECONDS", 0.0)
        chopped.fit(ArrayRows(X), y, optimizer=fastnn.Momentum(0.1), **settings)
        assert same(whole, chopped)


class TestValidation:
    @pytest.mark.parametrize("read_too", [False, True])
    def test_is_read_after_every_epoch(self, backend, read_too):
        """Its cost is a sum in another order than in memory; its accuracy counts."""
        X, y = classes(200)
        given = X if not read_too else ArrayRows(X)
        net, whole = network(), network()
        settings = {"epochs": 3, "shuffle": False, "batch_size": 32, "progress": False}
        rows = ArrayRows(X[:150], 7)
        net.fit(given, y, validation_data=(rows, y[:150]), window=TINY, **settings)
        whole.fit(X, y, validation_data=(X[:150], y[:150]), **settings)
        assert np.array_equal(net.program.theta, whole.program.theta)
        np.testing.assert_allclose(
            net.history["validation_cost"], whole.history["validation_cost"], rtol=1e-6
        )
        np.testing.assert_allclose(
            net.history["validation_accuracy"], whole.history["validation_accuracy"], rtol=1e-14
        )

    def test_stops_early_as_in_memory(self):
        X, y = classes()
        stop = [fastnn.callbacks.EarlyStopping(patience=1)]
        settings = {"epochs": 40, "batch_size": 600, "optimizer": fastnn.Adam(0.5)}
        settings |= {"shuffle": False, "callbacks": stop, "progress": False}
        net, whole = network(), network()
        net.fit(X, y, validation_data=(ArrayRows(X[:400]), 1 - y[:400]), window=4000, **settings)
        whole.fit(X, y, validation_data=(X[:400], 1 - y[:400]), **settings)
        assert net.history.epochs == whole.history.epochs < 40
        assert not streamed.readers()

    def test_a_cost_that_is_not_finite_names_the_layer(self):
        X, y = classes(300)
        far = np.full((300, 5), 3e38, "f")
        net = Network([Dense(4, "relu"), Dense(1)])
        errors = []
        for scored in (far, ArrayRows(far)):
            with pytest.raises(DivergenceError, match="the validation cost is not finite") as found:
                net.copy().fit(
                    X, y, epochs=2, validation_data=(scored, y), window=1000 + 5000 * (
                    scored is far), shuffle=False, progress=False,
                )  # fmt: skip
            errors.append((str(found.value), found.value.layer))
        assert errors[0] == errors[1]


class TestDivergence:
    def test_before_the_first_step_scores_nothing(self):
        X, y = classes(300)
        scored = ArrayRows(X)
        with pytest.raises(DivergenceError, match="diverged in step 0"):
            Network([Dense(4, "relu"), Dense(1)]).fit(
                np.full((300, 5), 3e38, "f"), y, validation_data=(scored, y), window=1000,
                progress=False,
            )  # fmt: skip
        assert scored.spans == []

    def test_keeps_the_parameters_from_before_that_step(self, backend):
        X, y = classes(200)
        X[185] = 1e30
        outcomes = []
        for rows, window in ((X, "256 MB"), (ArrayRows(X, 11), TINY)):
            net = Network([Dense(6, "relu"), Dense(1)], inputs=5)
            with pytest.raises(DivergenceError) as found:
                net.fit(
                    rows, y, epochs=2, batch_size=32, shuffle=False, window=window, progress=False
                )
            outcomes.append((str(found.value), net.program.theta.tobytes()))
        assert outcomes[0] == outcomes[1]
        assert not streamed.readers()


def kept(net):
    """All that a fit may change in a network."""
    state = state_of(net)
    training, program = state.training, state.lowered
    vectors = () if program is None else (program.theta.tobytes(), program.state.tobytes())
    return (
        *vectors, training.slots.tobytes(), training.counters.tobytes(), training.epoch,
        training.schedule, training.since, training.optimizer, state.scaled, state.metrics,
        {name: curve.tobytes() for name, curve in net.history.items()},
    )  # fmt: skip


class TestRowsRefusedLate:
    @pytest.mark.parametrize("value", [np.nan, np.inf])
    @pytest.mark.parametrize("fitted", [False, True])
    def test_leave_the_network_as_it_was(self, backend, fitted, value):
        X, y = classes(200)
        net = Network([Dense(8, "tanh"), BatchNorm(), Dense(1, "sigmoid")])
        settings = {"batch_size": 32, "window": TINY, "progress": False}
        if fitted:
            net.fit(ArrayRows(X), y, epochs=2, **settings)
        before, bad = kept(net), X.copy()
        bad[195, 2] = value
        for optimizer in (fastnn.Adam(), fastnn.Momentum()):
            with pytest.raises(DataError, match=rf"X holds {value} in row 195;"):
                net.fit(
                    ArrayRows(bad), y, epochs=2, optimizer=optimizer, shuffle=False,
                    schedule=fastnn.schedules.Cosine(2), metrics=["f1"], **settings,
                )  # fmt: skip
            assert kept(net) == before
        other = Network([Dense(8, "tanh"), BatchNorm(), Dense(1, "sigmoid")])
        if fitted:
            other.fit(ArrayRows(X), y, epochs=2, **settings)
        for each in (net, other):
            each.fit(ArrayRows(X), y, epochs=1, **settings)
        assert same(net, other)

    def test_in_a_later_epoch_and_in_validation_rows(self):
        X, y = classes()
        bad = X.copy()
        bad[-1] = np.nan
        cases = [
            (FailingRows(X, DataError("the file has changed"), 800), {}, "the file has changed"),
            (X, {"validation_data": (ArrayRows(bad), y)}, "validation_data: X holds nan in row"),
        ]
        for rows, settings, message in cases:
            net = network()
            before = kept(net)
            with pytest.raises(DataError, match=message):
                net.fit(rows, y, epochs=9, batch_size=32, window=SMALL, progress=False, **settings)
            assert kept(net) == before

    @pytest.mark.parametrize("error", [MemoryError(), OSError("no such device")])
    def test_whatever_reading_raises(self, error):
        X, y = classes()
        net = network()
        before = kept(net)
        with pytest.raises(type(error)):
            net.fit(
                FailingRows(X, error, 800), y, epochs=9, batch_size=32, window=SMALL,
                progress=False,
            )  # fmt: skip
        assert kept(net) == before

    def test_where_two_readers_fail(self):
        """The error that ends the fit may be the one that was raised first."""
        X, _ = classes()
        rows = CheckedRows(FailingRows(X, DataError("gone"), 0), np.dtype("f4"))
        errors = []
        for _ in range(2):
            rows.source.failure = DataError("gone")
            with pytest.raises(DataError) as caught:
                rows.read([(0, 3)], np.empty((3, 5), np.float32))
            errors.append(caught.value)
        net = network().build(5)
        before = kept(net)
        keeper = KeptNetwork(state_of(net), [rows])
        keeper.__enter__()
        net.program.theta[...] = 1
        keeper.__exit__(DataError, errors[0], None)
        assert kept(net) == before

    def test_in_the_pass_that_learns_the_scaling(self):
        X, y = classes()
        X[300] = np.nan
        net = network()
        before = kept(net)
        with pytest.raises(DataError, match="in row 300"):
            net.fit(ArrayRows(X), y, batch_size=32, window=SMALL, progress=False)
        assert kept(net) == before
        assert net.inputs is None

    def test_an_error_of_a_callback_is_none_of_the_rows(self):
        X, y = classes()
        net = network()

        def refuse(network, history):
            raise DataError("I refuse")

        with pytest.raises(DataError, match="I refuse"):
            net.fit(
                ArrayRows(X), y, batch_size=32, window=SMALL, callbacks=[refuse], progress=False
            )
        assert net.history.epochs == 1
        assert not streamed.readers()


class TestRefused:
    def refuse(self, error, match, rows=None, y=None, **settings):
        X, labels = classes()
        rows, net = ArrayRows(X) if rows is None else rows, network()
        with pytest.raises(error, match=match):
            net.fit(rows, labels if y is None else y, **{"window": SMALL} | settings)
        assert isinstance(rows, np.ndarray) or not rows.spans  # before anything is read
        assert net.inputs is None

    def test_what_takes_all_rows_at_once(self):
        self.refuse(SettingError, r"X has \d+.* KB and a window holds 6 KB", batch_size=None)
        self.refuse(SettingError, r"LBFGS takes all rows at once", optimizer="lbfgs")
        X, y = classes()
        scored = ArrayRows(X), y
        self.refuse(SettingError, "LBFGS scores", rows=X, optimizer="lbfgs", validation_data=scored)

    def test_a_window_smaller_than_a_batch(self):
        self.refuse(
            SettingError, r"a window of 6 KB holds 100 rows with their targets, fewer than a "
            "batch of 128; give a larger window, or a smaller batch_size", batch_size=128,
        )  # fmt: skip

    def test_targets_as_in_memory(self):
        X, y = classes()
        for wrong in (y[:9], y + 1, y.astype(str), np.where(np.arange(600) == 123, 7, y)):
            with pytest.raises((DataError, ShapeError)) as expected:
                network().fit(X, wrong)
            self.refuse(type(expected.value), re.escape(str(expected.value)), y=wrong)
        soft = np.where(np.arange(600) == 321, 0.25, y)
        self.refuse(DataError, r"y\[321\] is", y=soft, class_weight="balanced", window=11_000)
        self.refuse(DataError, r"no example has a weight", sample_weight=y * 1e-60)

    def test_other_shapes(self):
        X, y = classes()
        net = Network.mlp([4, 1], output="sigmoid")
        with pytest.raises(ShapeError, match=r"\(m, 4\), got \(600, 5\)"):
            net.fit(ArrayRows(X), y, window=SMALL)
        scored = ArrayRows(X[:, :4].copy()), y
        for rows in (X, ArrayRows(X)):
            with pytest.raises(ShapeError, match=r"validation_data: .*\(m, 5\), got \(600, 4\)"):
                network().fit(rows, y, validation_data=scored, window=SMALL, batch_size=32)


def test_sparse_rows_in_memory_are_no_source():
    X, y = classes(200)
    places, ends = np.tile(np.arange(5, dtype=np.int32), 200), np.arange(0, 1001, 5, np.int32)
    sparse = SparseRows(X.ravel(), places, ends, X.shape)
    nets = [Network.mlp([5, 4, 1], output="sigmoid") for _ in range(2)]
    for net, settings in zip(nets, ({}, {"window": "1 KB"}), strict=True):
        net.fit(sparse, y, epochs=1, progress=False, **settings)
    assert same(*nets)


class TestSortedRows:
    @pytest.mark.parametrize(
        ("n", "shares"), [(1700, [0.01, 0.99]), (1000, [0.01, 0.99]), (1000, [0.1] * 10)]
    )
    def test_random_rows_are_not_taken_for_sorted_ones(self, n, shares):
        rng, shares = np.random.default_rng(0), np.array(shares)
        found = [class_mix.distance(rng.multinomial(n, shares), shares) for _ in range(2000)]
        assert max(found) < class_mix.FAR

    def problem(self, K=2):
        X, y = classes(4000, K=K)
        order = np.argsort(y, kind="stable")
        return X[order], y[order]

    @pytest.mark.parametrize("K", [2, 5])
    def test_are_warned_of_once(self, K):
        X, y = self.problem(K)
        with pytest.warns(UserWarning, match=r"of class \d, which has \d+% of all") as seen:
            network(K=5).fit(
                ArrayRows(X, 300), y, epochs=3, batch_size=16, window=40_000, progress=False
            )
        assert len(seen) == 1

    @pytest.mark.parametrize("settings", [{}, {"shuffle": False}])
    def test_are_mixed_by_many_pieces_or_kept(self, settings):
        X, y = self.problem()
        rows = ArrayRows(X, 1 if not settings else 300)
        network().fit(rows, y, epochs=2, batch_size=16, window=40_000, progress=False, **settings)
