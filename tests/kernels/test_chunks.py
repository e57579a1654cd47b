"""What a chunk of steps does at its start: nothing that belongs to its epoch or its fit."""

import functools
import inspect

import builders
import numpy as np
import pytest
from fastnn.kernels.jitted.execution import entry
from fastnn.kernels.jitted.loader.tables import entry_point
from fastnn.kernels.jitted.step.loop import run_steps

import fastnn
from fastnn import Activation, BatchNorm, Dense, Network, kernels
from fastnn.network.description import state_of
from fastnn.training.fit_config import FitConfig
from fastnn.training.loop import Trainer
from fastnn.training.shared_data import DataSettings, SharedData
from fastnn.training.short_fits import ShortTrainer

jitted = kernels.get("jitted")


@pytest.fixture
def one_step(monkeypatch):
    """Make every chunk one step long, as it is where a step takes longer than a chunk may."""
    monkeypatch.setattr("fastnn.training.loop.CHUNK_SECONDS", 0.0)
    monkeypatch.setattr(kernels.get("jitted"), "first_steps", lambda ops, m: 1)


def problem(m=60, n=3):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(m, n)).astype("float32")
    return X, (X[:, 0] > 0).astype(int)


small = functools.partial(builders.network, seed=3)


def normed():
    """A network whose full batch always goes through all layers at once."""
    return Network([Dense(4), BatchNorm(), Activation("relu"), Dense(1, "sigmoid")], seed=3)


class TestOrder:
    """The order of an epoch is one shuffle's work and lasts until the next epoch."""

    @pytest.mark.parametrize("name", ["loops", "vectorized"])
    def test_one_shuffle_an_epoch(self, one_step, monkeypatch, name):
        ops, asked = kernels.get(name), []
        shuffle = ops.shuffle

        def counted(order, seed, epoch):
            asked.append((seed, epoch))
            shuffle(order, seed, epoch)

        monkeypatch.setattr(ops, "shuffle", counted)
        net, (X, y) = small(), problem()
        with fastnn.backend(name):
            net.fit(X, y, epochs=2, batch_size=7, progress=False)
            net.fit(X, y, epochs=1, batch_size=60, progress=False)
        assert asked == [(3, 0), (3, 1), (3, 2)]

    def test_lasts_from_chunk_to_chunk(self, backend, one_step, monkeypatch):
        """A chunk that begins inside an epoch takes the order as it finds it, even a wrong one."""
        seen, before = [], Trainer._run

        def spied(self, start, stop, record):
            inside = start % self.steps != 0
            if inside:
                self.order[...] = np.roll(self.order, 1)
            found = self.order.copy()
            done = before(self, start, stop, record)
            seen.append((inside, start // self.steps, found, self.order.copy()))
            return done

        monkeypatch.setattr(Trainer, "_run", spied)
        small().fit(*problem(), epochs=2, batch_size=20, progress=False)
        assert [inside for inside, *_ in seen] == [False, True, True] * 2
        for inside, epoch, found, left in seen:
            expected = found
            if not inside:
                expected = np.empty_like(found)
                kernels.get("loops").shuffle(expected, 3, epoch)
            np.testing.assert_array_equal(left, expected)

    def test_without_a_shuffle_is_that_of_the_rows(self, backend, one_step):
        X, y = problem()
        chopped, whole = small(), small()
        chopped.fit(X, y, epochs=2, batch_size=7, shuffle=False, progress=False)
        for _ in range(2):
            for i in range(0, len(X), 7):
                part = X[i : i + 7], y[i : i + 7]
                whole.fit(*part, epochs=1, batch_size=None, progress=False)
        np.testing.assert_array_equal(chopped.program.theta, whole.program.theta)


class TestFullBatch:
    """A full batch is laid out once in a fit."""

    @pytest.mark.skipif(not jitted.available, reason="Numba's compiler is switched off")
    @pytest.mark.parametrize("make", [small, normed])
    def test_is_read_once(self, one_step, monkeypatch, make):
        (X, y), before = problem(), Trainer._run
        kept, whole, spoilt = X.copy(), make(), make()
        costs = whole.fit(X, y, epochs=5, batch_size=None, progress=False)["cost"]

        def spoil(self, start, stop, record):
            done = before(self, start, stop, record)
            X[...] = 1e3
            return done

        monkeypatch.setattr(Trainer, "_run", spoil)
        found = spoilt.fit(X, y, epochs=5, batch_size=None, progress=False)["cost"]
        assert not (kept == X).any()
        np.testing.assert_array_equal(found, costs)

    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("make", [small, normed])
    def test_bits_do_not_depend_on_chunks(self, backend, monkeypatch, make, threads):
        monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
        (X, y), nets, before = problem(), [make(), make()], fastnn.get_num_threads()
        weight = np.random.default_rng(1).uniform(size=len(X))
        fastnn.set_num_threads(threads)
        try:
            for net, seconds in zip(nets, (0.0, 1e9), strict=True):
                monkeypatch.setattr("fastnn.training.loop.CHUNK_SECONDS", seconds)
                for batch in (None, 60):  # a batch of all that is shuffled is laid out anew
                    net.fit(
                        X, y, epochs=5, batch_size=batch, l2=0.1, sample_weight=weight,
                        validation_split=0.2 if batch else 0.0, progress=False,
                    )  # fmt: skip
        finally:
            fastnn.set_num_threads(before)
        one, other = nets
        np.testing.assert_array_equal(one.program.theta, other.program.theta)
        np.testing.assert_array_equal(one.history["cost"], other.history["cost"])


@pytest.mark.skipif(not jitted.available, reason="Numba's compiler is switched off")
class TestCompiledCall:
    """The call around the compiled steps."""

    def test_looks_at_validation_rows_where_an_epoch_ends(self, one_step, monkeypatch):
        run = entry_point("step.loop.run_steps", np.dtype(np.float32))
        place = list(inspect.signature(run_steps.py_func).parameters).index("validation")
        sizes, run_parallel = [], entry.run_parallel

        def spied(function, args, n_threads):
            if function is run:
                sizes.append(len(args[place][0].row_indices))
            return run_parallel(function, args, n_threads)

        monkeypatch.setattr(entry, "run_parallel", spied)
        (X, y), net = problem(), small()
        history = net.fit(X, y, epochs=2, batch_size=20, validation_data=(X, y), progress=False)
        assert sizes == [0, 0, 60] * 2
        cost = net.evaluate(X, y)["cost"]
        np.testing.assert_allclose(history["validation_cost"][-1], cost, rtol=1e-6)

    def test_refuses_an_order_or_a_workspace_that_does_not_fit(self, monkeypatch):
        (X, y), before = problem(), Trainer._run

        def run_with(**changes):
            def changed(self, start, stop, record):
                vars(self).update(changes)
                return before(self, start, stop, record)

            monkeypatch.setattr(Trainer, "_run", changed)
            small().fit(X, y, epochs=1, batch_size=20, progress=False)

        with pytest.raises(ValueError, match=r"shape \(60,\) of int64"):
            run_with(order=np.arange(59))
        with pytest.raises(ValueError, match=r"shape \(60,\) of int64"):
            run_with(order=np.arange(60.0))
        with pytest.raises(ValueError, match="too small"):
            run_with(work=np.empty(3, "float32"))


def test_several_fits_are_runs_one_after_the_other(backend):
    ops, (X, y), found = kernels.get(backend), problem(), []
    for alone in (True, False):
        nets, runs = [small(inputs=3) for _ in range(3)], []
        for net, batch in zip(nets, (7, 60, 20), strict=True):
            config = FitConfig.checked(2, batch, "adam", 0.0, 0.0, True, None, None, None)
            train, *_ = SharedData(X, y).part(
                state_of(net), DataSettings(None, None, None, 0.0, None)
            )
            trainer = ShortTrainer(state_of(net), ops, config, train, None)
            runs.append(trainer.whole_run())
        ends = [ops.run(*run) for run in runs] if alone else list(ops.run_all(runs))
        found.append((ends, [net.parameters["W1"].tolist() for net in nets]))
    assert found[0] == found[1]
    assert found[0][0] == [18, 2, 6]
