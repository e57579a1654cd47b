"""Momentum whose learning rate changes: by the convention that is stated, step by step."""

import builders
import numpy as np
import pytest

import fastnn
from fastnn import Dense, Network, callbacks, kernels, schedules
from fastnn.errors import DivergenceError
from fastnn.network.description import state_of
from fastnn.optimizers import VelocityMomentum

RNG = np.random.default_rng(5)
X = RNG.normal(size=(24, 3))
Y = np.tanh(X @ [[1.0], [-2.0], [0.5]])
STEPS = 3  # of 8 examples, an epoch

OPTIMIZERS = [
    fastnn.Momentum(0.3, beta=0.8),
    fastnn.Nesterov(0.3, beta=0.8),
    VelocityMomentum(0.05, beta=0.8, nesterov=False),
    VelocityMomentum(0.05, beta=0.8, nesterov=True),
]
SCHEDULES = [
    None,
    schedules.Exponential(0.5),
    schedules.InverseTime(1.0, per="step"),
    schedules.Cosine(2),  # a rate of zero from the third epoch on
    schedules.WarmUp(2, schedules.Step(1, 10.0)),  # one that rises
]


def network(dtype="float64"):
    return builders.network(output="identity", inputs=3, dtype=dtype, seed=2)


def fitted(optimizer, schedule, epochs=5, net=None, **settings):
    net = network() if net is None else net
    net.fit(X, Y, epochs=epochs, batch_size=8, shuffle=False, optimizer=optimizer,
            schedule=schedule, progress=False, **settings)  # fmt: skip
    return net


def replayed(optimizer, schedule, epochs=5):
    """Parameters by the formulas of the docstrings."""
    net, o = network(), optimizer
    v = dict.fromkeys(net.parameters, 0.0)
    for step in range(epochs * STEPS):
        epoch, k = divmod(step, STEPS)
        time = epoch + (k / STEPS if schedule and schedule.per == "step" else 0)
        rate = o.learning_rate * (schedule.factor(time) if schedule else 1.0)
        rows = slice(8 * k, 8 * k + 8)
        for name, g in net.cost_and_gradients(X[rows], Y[rows])[1].items():
            if isinstance(o, VelocityMomentum):
                v[name] = o.beta * v[name] - rate * g
                move = o.beta * v[name] - rate * g if o.nesterov else v[name]
            else:
                v[name] = o.beta * v[name] + (1 - o.beta) * g
                ahead = isinstance(o, fastnn.Nesterov)
                move = -rate * (o.beta * v[name] + (1 - o.beta) * g if ahead else v[name])
            net.parameters[name] = net.parameters[name] + move
    return net


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
class TestReplay:
    @pytest.mark.medium
    @pytest.mark.parametrize("backend", kernels.BACKENDS)
    def test_steps_are_those_of_the_formulas(self, optimizer, schedule, backend):
        with fastnn.backend(backend):
            net = fitted(optimizer, schedule)
        expected = replayed(optimizer, schedule)
        np.testing.assert_allclose(net.program.theta, expected.program.theta, rtol=1e-9, atol=1e-12)

    @pytest.mark.medium
    def test_calls_of_one_epoch_and_checkpoints_change_no_bit(self, optimizer, schedule, tmp_path):
        whole, parts, path = fitted(optimizer, schedule), network(), tmp_path / "a.safetensors"
        for _ in range(3):
            fitted(optimizer, schedule, 1, parts, callbacks=[callbacks.Checkpoint(path)])
        resumed = fitted(optimizer, schedule, 2, fastnn.load(path))
        fitted(optimizer, schedule, 2, parts)
        for net in (parts, resumed):
            np.testing.assert_array_equal(net.program.theta, whole.program.theta)
            np.testing.assert_array_equal(
                state_of(net).training.slots, state_of(whole).training.slots
            )


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_at_any_number_of_threads(optimizer):
    """Of a network whose parameters two members share."""
    generator = np.random.default_rng(0)
    A, b = generator.normal(size=(600, 40)), generator.normal(size=600)
    found = []
    for threads in (1, 2):
        fastnn.set_num_threads(threads)
        net = Network([Dense(200, "tanh"), Dense(1)], inputs=40, seed=2)
        net.fit(A, b, epochs=20, optimizer=optimizer, schedule=schedules.Exponential(0.8),
                progress=False)  # fmt: skip
        found.append(net.program.theta.copy())
    np.testing.assert_array_equal(*found)


def test_a_constant_rate_makes_the_conventions_agree():
    for kind, nesterov in ((fastnn.Momentum, False), (fastnn.Nesterov, True)):
        average = fitted(kind(0.05 / (1 - 0.8), beta=0.8), None)
        velocity = fitted(VelocityMomentum(0.05, beta=0.8, nesterov=nesterov), None)
        np.testing.assert_allclose(average.program.theta, velocity.program.theta, rtol=1e-9)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_velocities_of_a_steep_past_are_counted_before_a_step(backend):
    """The rate falls to almost nothing, the velocity does not: it must not leave the range."""
    steep = Network([Dense(1, init="zeros")], seed=0)
    optimizer = VelocityMomentum(1e14, beta=0.999)
    with fastnn.backend(backend), pytest.raises(DivergenceError):
        steep.fit(np.ones((4, 1)), np.full(4, 1e15), epochs=60, optimizer=optimizer,
                  schedule=schedules.Exponential(1e-4), progress=False)  # fmt: skip
    assert np.isfinite(steep.program.theta).all()
    assert np.isfinite(state_of(steep).training.slots).all()


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("momentum", [0.5, 0.95])
@pytest.mark.parametrize(
    "rates",
    [
        {"learning_rate": "constant", "learning_rate_init": 0.02},
        {"learning_rate": "invscaling", "learning_rate_init": 0.05, "power_t": 0.3},
        {"learning_rate": "adaptive", "learning_rate_init": 0.2, "tol": 1e-3,
         "n_iter_no_change": 2},
    ],
    ids=lambda rates: rates["learning_rate"],
)  # fmt: skip
class TestEstimators:
    """The steps of scikit-learn, whose velocity holds the rates."""

    def settings(self, rates, momentum, nesterov):
        return {
            "hidden_layer_sizes": (5,), "activation": "tanh", "solver": "sgd", "max_iter": 80,
            "batch_size": 8, "shuffle": False, "random_state": 1, "momentum": momentum,
            "nesterovs_momentum": nesterov, **rates,
        }  # fmt: skip

    @pytest.mark.medium
    @pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
    @pytest.mark.parametrize("name", ["MLPRegressor", "MLPClassifier"])
    def test_loss_curves_are_scikit_learns(self, rates, momentum, nesterov, name):
        neural_network = pytest.importorskip("sklearn.neural_network")
        target = Y[:, 0] if name == "MLPRegressor" else (Y[:, 0] > 0.3).astype(int)
        settings = self.settings(rates, momentum, nesterov)
        mine = getattr(fastnn, name)(**settings).fit(X, target)
        theirs = getattr(neural_network, name)(**settings).fit(X, target)
        assert mine.n_iter_ == theirs.n_iter_
        np.testing.assert_allclose(mine.loss_curve_, theirs.loss_curve_, rtol=1e-9)
        for a, b in zip(mine.coefs_, theirs.coefs_, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)
