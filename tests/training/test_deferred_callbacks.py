"""Callbacks that only follow the history are called after several epochs at once, unnoticed."""

import signal

import builders
import numpy as np
import pytest

import fastnn
from fastnn import Adam, BatchNorm, Dense, Network, errors, kernels
from fastnn.callbacks import EarlyStopping
from fastnn.history import History
from fastnn.network.description import state_of
from fastnn.training import loop
from fastnn.training.callback_list import CallbackList

RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(100, 4))
LABELS = (ROWS[:, 0] * ROWS[:, 1] + 0.3 * RNG.normal(size=100) > 0).astype(int)
X, Y, HELD = ROWS[:60], LABELS[:60], (ROWS[60:], LABELS[60:])


def normed(**settings):
    """A network with statistics that a fit changes."""
    return Network([Dense(6, "relu"), BatchNorm(), Dense(1, "sigmoid")], seed=1, **settings)


def watched(*watchers, make=normed, epochs=40, **settings):
    """Return a network fitted under the eyes of callbacks."""
    net = make()
    net.fit(
        X, Y, epochs=epochs, batch_size=16, validation_data=HELD, optimizer=Adam(0.05),
        callbacks=watchers, progress=False, **settings,
    )  # fmt: skip
    return net


def bystander(network, history):
    """A user's callback: with it, all callbacks are called after every epoch."""


def facts(net, stop):
    """What a fit leaves behind."""
    state = state_of(net)
    return (
        state.program.theta.tolist(), state.program.state.tolist(), dict(net.history),
        state.training.slots.tolist(), state.training.counters[0], state.training.epoch,
        stop.best, stop.best_epoch, stop.monitor,
    )  # fmt: skip


@pytest.fixture(autouse=True)
def long_chunks(monkeypatch):
    """Let a chunk take as long as it likes, so that its steps do not depend on the machine."""
    monkeypatch.setattr(loop, "CHUNK_SECONDS", 1e9)


@pytest.fixture
def calls(monkeypatch):
    """The epochs that callbacks had seen at each of their calls."""
    seen, call = [], CallbackList.after_epoch

    def noted(self, history):
        seen.append(history.epochs)
        return call(self, history)

    monkeypatch.setattr(CallbackList, "after_epoch", noted)
    return seen


@pytest.mark.parametrize("patience", [1, 3, 1000])
@pytest.mark.parametrize("monitor", ["validation_cost", "validation_accuracy", "val_loss"])
def test_a_fit_ends_as_if_they_were_called_after_every_epoch(monitor, patience):
    found = []
    for others in ([], [bystander]):
        stop = EarlyStopping(monitor, patience)
        found.append(facts(watched(stop, *others), stop))
    np.testing.assert_equal(found[0], found[1])
    assert found[0][-2] < 39
    assert found[0][-2] > 0 or patience < 1000


@pytest.mark.parametrize("monitor", ["cost", "accuracy", "validation_cost"])
def test_so_does_one_that_brings_nothing_back(monitor, calls):
    found = []
    for others in ([], [bystander]):
        stop = EarlyStopping(monitor, 4, restore_best=False)
        found.append(facts(watched(stop, *others), stop))
    np.testing.assert_equal(found[0], found[1])
    first_fit = calls[: calls.index(1, 1)] if 1 in calls[1:] else calls
    assert len(first_fit) < first_fit[-1]


@pytest.mark.parametrize("monitor", ["cost", "accuracy"])
def test_one_that_brings_weights_back_by_training_rows_is_called_after_every_epoch(monitor, calls):
    stop = EarlyStopping(monitor, 10)
    net = watched(stop)
    assert calls == list(range(1, calls[-1] + 1))
    wanted = watched(epochs=stop.best_epoch + 1)
    np.testing.assert_array_equal(net.program.theta, wanted.program.theta)


@pytest.mark.medium
def test_on_every_backend(backend, calls):
    found = []
    for others in ([], [bystander]):
        stop = EarlyStopping("validation_cost", 100)
        found.append(facts(watched(stop, *others, epochs=12), stop))
    np.testing.assert_equal(found[0], found[1])
    assert calls[-12:] == list(range(1, 13))
    assert len(calls) < 12 + 8


def test_a_second_fit_goes_on_the_same_way():
    found = []
    for others in ([], [bystander]):
        stop = EarlyStopping("validation_cost", 5)
        net = watched(stop, *others)
        net.fit(X, Y, epochs=3, optimizer=Adam(0.05), progress=False)
        found.append(facts(net, stop))
    np.testing.assert_equal(found[0], found[1])


def test_they_are_called_rarely(calls):
    watched(EarlyStopping("validation_cost", 1000), epochs=300)
    assert calls[-1] == 300
    assert len(calls) < 10


class Counting(EarlyStopping):
    """A user's own: it wants to be called after every epoch."""

    calls = 0

    def __call__(self, network, history):
        self.calls += 1
        return super().__call__(network, history)


def test_a_subclass_is_called_after_every_epoch():
    stop = Counting("validation_cost", 50)
    watched(stop)
    assert stop.calls == 40


@pytest.mark.parametrize(
    "others",
    [[lambda: EarlyStopping("validation_accuracy", 500)], [lambda: bystander]],
    ids=["another that keeps weights", "a function"],
)
def test_beside_others_they_are_called_after_every_epoch(others, calls):
    stop = EarlyStopping("validation_cost", 500)
    watched(*(make() for make in others), stop)
    assert calls == list(range(1, 41))


def test_so_they_are_where_metrics_are_recorded(calls):
    watched(EarlyStopping("validation_f1", 500), metrics=["f1"])
    assert calls == list(range(1, 41))


def test_so_they_are_beside_a_schedule_that_looks_at_the_history(calls):
    watched(EarlyStopping("validation_cost", 500), schedule=fastnn.schedules.Plateau("cost"))
    assert calls == list(range(1, 41))


class Rising(fastnn.schedules.Schedule):
    """A rate that becomes too large in the thirty-first epoch."""

    def factor(self, time):
        return 1.0 if time < 30 else 1e38


def test_a_fit_that_diverges_has_told_them_of_the_epochs_before():
    found = []
    for others in ([], [bystander]):
        stop = EarlyStopping("validation_cost", 500)
        net = builders.network(seed=1)
        with pytest.raises(errors.DivergenceError):
            net.fit(
                X, Y, epochs=60, batch_size=16, validation_data=HELD, callbacks=[stop, *others],
                optimizer=fastnn.GradientDescent(0.1), progress=False, schedule=Rising(),
            )  # fmt: skip
        found.append((net.program.theta.tolist(), stop.best, stop.best_epoch))
    assert found[0] == found[1]
    assert found[0][2] >= 0


def test_ctrl_c_brings_the_best_weights_back(monkeypatch):
    chunk = loop.Trainer._chunk

    def pressed(self, start, stop):
        done = chunk(self, start, stop)
        if done > 60:
            signal.raise_signal(signal.SIGINT)
        return done

    monkeypatch.setattr(loop.Trainer, "_chunk", pressed)
    stop = EarlyStopping("validation_cost", 1000)
    net = watched(stop, epochs=4000)
    assert net.history.interrupted
    curve = net.history["validation_cost"]
    assert len(curve) < 4000
    assert stop.best_epoch == np.argmin(curve)
    assert net.evaluate(*HELD)["cost"] == pytest.approx(curve.min(), rel=1e-6)


def test_a_run_refuses_vectors_of_other_sizes():
    net = normed()
    net.build(4)
    state, k = state_of(net), kernels.get("jitted")
    theta = state.program.theta
    records = kernels.records
    best = records.BestEpoch(np.array([np.inf]), theta[:-1].copy(), state.program.state.copy())
    slots = np.zeros((0, theta.size), theta.dtype)
    arrays = records.FitArrays(theta, state.program.grad, slots, state.program.state, best)
    X32 = X.astype("float32")
    examples = records.Examples(X32, Y.astype("float32")[:, None], np.ones(60, "float32"))
    log = records.FitLog(np.zeros((4, 4)), np.zeros((1, 2)), np.zeros(2, np.int64))
    settings = state.program.settings(batch_size=16, seed=1)
    with pytest.raises(ValueError, match="must agree"):
        k.run(
            state.program.ops, arrays, k.workspace(state.program.ops, 16, theta.dtype),
            records.Batch.of(examples, np.arange(60)), examples, settings, np.full(4, 0.1), log,
            0, 4,
        )  # fmt: skip


def ended(watcher, curve, deferred):
    """Return the epoch after which a watcher of this curve of costs ends a fit, and its best."""
    net, history, epochs = builders.network(inputs=2), History(), 0
    watcher.start(net)
    if deferred:
        watcher.defer(net, history)
    stopped = False
    while epochs < len(curve) and not stopped:
        new = curve[epochs : epochs + watcher.free_epochs()]
        history.extend({"cost": new})
        epochs, stopped = epochs + len(new), watcher(net, history)
    return epochs, watcher.best


def never_called_too_late(make, seed):
    """Assert that a watcher ends a fit where it does if called after every epoch; return where."""
    rng = np.random.default_rng(seed)
    curve = np.round(10 - 0.3 * np.arange(60) + 3 * rng.normal(size=60))  # with ties
    curve[rng.integers(0, 60, 3)] = np.nan
    assert ended(make(), curve, True) == ended(make(), curve, False)
    return ended(make(), curve, True)[0]


@pytest.mark.parametrize("patience", [1, 5, 100])
def test_one_is_never_called_too_late(patience):
    def make():
        return EarlyStopping("cost", patience, restore_best=False)

    ends = [never_called_too_late(make, seed) for seed in range(30)]
    assert (min(ends) < 60) == (patience < 100)


class TestPatienceOfEstimators:
    @pytest.mark.medium
    @pytest.mark.filterwarnings("ignore:.*without converging")
    @pytest.mark.parametrize(
        "settings",
        [
            {},
            {"n_iter_no_change": 2, "tol": 1e-2},
            {"early_stopping": True, "monitor": "validation_cost"},
            {"early_stopping": True, "monitor": "validation_accuracy", "n_iter_no_change": 3},
        ],
        ids=["loss", "soon", "validation cost", "validation accuracy"],
    )
    def test_ends_as_if_it_were_called_after_every_epoch(self, settings, calls):
        found, each = [], []
        for callbacks in ((), (bystander,)):
            calls.clear()
            given = {"hidden_layer_sizes": (8,), "max_iter": 60, "random_state": 0, **settings}
            model = fastnn.MLPClassifier(callbacks=callbacks, **given).fit(X, Y)
            each.append(len(calls))
            network = state_of(model.network_)
            found.append(
                (
                    model.n_iter_, model.loss_curve_, model.best_loss_, model.validation_scores_,
                    model.best_validation_score_, network.program.theta.tolist(),
                    network.training.slots.tolist(),
                )
            )  # fmt: skip
        assert found[0] == found[1]
        assert each[0] < each[1]

    @pytest.mark.parametrize("patience", [1, 4, np.inf])
    @pytest.mark.parametrize("tol", [0.0, 1.0])
    def test_is_never_called_too_late(self, patience, tol):
        from fastnn.estimators.stopping import Patience

        def make():
            return Patience(tol, patience, None, None)

        ends = [never_called_too_late(make, seed) for seed in range(30)]
        assert (min(ends) < 60) == (patience < np.inf)

    def test_forgets_the_fit_when_it_is_kept(self):
        from fastnn.estimators.stopping import Patience

        patience = Patience(1e-4, 3, None, None, "validation_cost")
        net = watched(patience, epochs=5)
        kept = patience.__getstate__()
        assert kept["_deferred"] is None
        assert net.history.epochs == 5
        assert patience.defer(net, History()).theta.shape == net.program.theta.shape
