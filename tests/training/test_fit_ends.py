"""How fits end, and whether they say so: divergence, convergence, limits, and no work at all."""

import copy
import pickle
import types
import warnings

import numpy as np
import pytest

import fastnn
from fastnn import LBFGS, Dense, History, Network, errors
from fastnn.data import moons
from fastnn.errors import DivergenceError
from fastnn.network.description import state_of
from fastnn.optimizers import UncorrectedAdam, VelocityMomentum
from fastnn.training.lbfgs import LBFGSTrainer

optimize = pytest.importorskip("scipy.optimize", reason="L-BFGS is SciPy's")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
T = X @ [1, -2, 0.5]
Y = (T > 0.8).astype(int)


def network(dtype="float64", hidden="tanh"):
    return Network.mlp([3, 4, 1], hidden=hidden, output="identity", dtype=dtype, seed=1)


def descend(net, targets=T, **settings):
    optimizer = LBFGS(**{"tolerance": 1e-6, **settings.pop("lbfgs", {})})
    return net.fit(X, targets, optimizer=optimizer, progress=False, **settings)


def steepest(net, targets=T):
    return max(np.abs(g).max() for g in net.cost_and_gradients(X, targets)[1].values())


class TestStatuses:
    """Every status that SciPy can return, and those that it may return one day."""

    @pytest.mark.parametrize(
        ("status", "converged", "words"),
        [(0, True, "lowered the cost by no more than cost_tolerance"),
         (1, False, "reached its limit of evaluations"),
         (2, False, "found no lower cost"), (3, False, "status 3"), (99, False, "status 99")],
    )  # fmt: skip
    def test_is_looked_at(self, monkeypatch, status, converged, words):
        def minimize(function, x, callback, **settings):
            x = x - 1e-3 * function(x)[1]
            callback(x)
            return types.SimpleNamespace(status=status, x=x * np.nan, success=True, fun=np.nan)

        monkeypatch.setattr(optimize, "minimize", minimize)
        net = network()
        history = descend(net, epochs=5, lbfgs={"cost_tolerance": 1e-9})
        assert history.epochs == 1
        assert history.converged is converged
        assert words in history.message
        assert np.isfinite(net.program.theta).all()
        assert descend(network(), epochs=5, lbfgs={"tolerance": 1e9}).converged

    def test_a_step_that_lowers_nothing_is_no_success(self, monkeypatch):
        """SciPy calls it one, by a reduction of the cost that is small enough."""
        monkeypatch.setattr(
            optimize, "minimize", lambda *_, **__: types.SimpleNamespace(status=0)
        )  # fmt: skip
        history = descend(network(), epochs=5, lbfgs={"cost_tolerance": 1e-9})
        assert history.converged is False
        assert "found no lower cost" in history.message

    def test_by_the_gradient(self, backend):
        net = network()
        history = descend(net, epochs=500, lbfgs={"tolerance": 1e-3})
        assert history.converged
        assert steepest(net) <= 1e-3
        assert "no number of the gradient" in history.message

    def test_by_iterations(self, backend):
        net = network()
        history = descend(net, epochs=3)
        assert (history.epochs, history.converged) == (3, False)
        assert "limit of 3 iterations" in history.message
        assert f"{steepest(net):.2g} (tolerance 1e-06)" in history.message

    def test_by_evaluations(self):
        history = descend(network(), epochs=50, lbfgs={"max_evaluations": 4})
        assert history.epochs < 50
        assert history.converged is False
        assert "limit of evaluations" in history.message

    def test_by_the_last_iteration_that_was_allowed(self):
        needed = descend(network(), epochs=500, lbfgs={"tolerance": 1e-3}).epochs
        assert descend(network(), epochs=needed, lbfgs={"tolerance": 1e-3}).converged

    def test_by_a_callback(self):
        history = descend(network(), epochs=50, callbacks=[lambda net, history: True])
        assert (history.epochs, history.converged, history.message) == (1, None, None)

    def test_by_an_error_of_a_callback(self):
        """SciPy keeps StopIteration to itself, and ends as if by a wish."""

        def wrong(network, history):
            next(iter(()))

        net = network()
        with pytest.raises(RuntimeError, match="StopIteration; return True"):
            descend(net, epochs=50, callbacks=[wrong])
        assert net.history.epochs == 1

    def test_by_a_line_search(self, backend):
        """Along a gradient of 1e20 from parameters of about 1 a cost of 1e40 does not change."""
        for tolerance in (0.0, 1e-9):
            history = descend(network(), X[:, 0] * 1e20, lbfgs={"cost_tolerance": tolerance})
            assert history.converged is False
            assert "found no lower cost" in history.message

    @pytest.mark.medium
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("hidden", ["relu", "tanh"])
    def test_converged_is_what_the_gradient_says(self, dtype, hidden):
        """In float32 too, whose costs hide the last decreases, and at the kinks of relu."""
        for seed in range(4):
            A, b = moons(100, noise=0.2, seed=seed)
            net = Network.mlp([2, 8, 1], hidden=hidden, output="sigmoid", dtype=dtype, seed=seed)
            settings = {"epochs": 2000, "l2": 0.1, "progress": False}
            history = net.fit(A, b, optimizer=LBFGS(tolerance=1e-5), **settings)
            gradients = net.cost_and_gradients(A, b, l2=0.1)[1]
            largest = max(np.abs(g).max() for g in gradients.values())
            assert history.epochs < 2000
            assert history.converged == (largest <= 1e-5)


class TestStarts:
    """A start whose cost is not finite is a divergence, before anything has changed."""

    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize(
        ("dtype", "scale"), [("float64", 1e200), ("float64", 1e155), ("float32", 3e38)]
    )
    def test_of_an_infinite_cost(self, backend, threads, dtype, scale):
        if (backend, dtype) == ("loops", "float32"):
            pytest.skip("its arithmetic is that of Python's numbers")
        fastnn.set_num_threads(threads)
        net = network(dtype)
        net.parameters["b2"][...] = -scale if dtype == "float32" else 0
        before = net.program.theta.copy()
        with pytest.raises(DivergenceError, match=f"not finite at .* began with.*{dtype}") as found:
            descend(net, np.sign(T) * scale, epochs=20)
        np.testing.assert_array_equal(net.program.theta, before)
        assert found.value.layer == "loss"
        assert found.value.history.epochs == net.history.epochs == state_of(net).training.epoch == 0

    def test_of_an_infinite_layer(self, backend):
        net = Network([Dense(2, name="first"), Dense(1)], inputs=3, dtype="float64")
        net.parameters["W1"][...] = 1e300
        with pytest.raises(DivergenceError, match="'first'") as found:
            net.fit(X * 1e10, T, optimizer=LBFGS(), progress=False)
        assert found.value.layer == "first"

    def test_after_other_fits(self):
        net = network()
        net.fit(X, T, epochs=2, progress=False)
        before = copy.deepcopy(net)
        with pytest.raises(DivergenceError):
            descend(net, T * 1e200, epochs=5)
        np.testing.assert_array_equal(net.program.theta, before.program.theta)
        assert net.history == before.history


class TestTrials:
    """A line search may try parameters whose cost is not finite; SciPy takes a NaN for lower."""

    @pytest.fixture
    def walled(self, monkeypatch):
        """Return a function: no cost is finite where `beyond` says so of the parameters."""

        def build(beyond, wrong):
            at = LBFGSTrainer._at

            def found(self, theta):
                point = at(self, theta)
                if beyond(theta):
                    changed = {"cost": wrong, "grad": point.grad * wrong, "finite": False}
                    point = self._evaluated = point._replace(**changed)
                return point

            monkeypatch.setattr(LBFGSTrainer, "_at", found)

        return build

    @pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
    def test_it_turns_back(self, walled, wrong):
        """The first trial goes as far as 1, behind the wall; the minimum lies before it."""
        net = Network([Dense(1, use_bias=False)], inputs=3, dtype="float64")
        net.parameters["W1"] = [[1.3], [-1.8], [0.3]]
        start = net.program.theta.copy()
        walled(lambda theta: np.linalg.norm(theta - start) > 0.5, wrong)
        history = descend(net, epochs=100)
        assert history.converged
        assert (np.diff(history["cost"]) <= 0).all()
        np.testing.assert_allclose(net.parameters["W1"][:, 0], [1, -2, 0.5], atol=1e-5)

    @pytest.mark.parametrize("wrong", [np.nan, np.inf])
    @pytest.mark.parametrize("finished", [0, 3])
    def test_where_none_is_finite_the_last_iteration_stays(self, walled, wrong, finished):
        net, other, done = network(), network(), []
        if finished:
            descend(other, epochs=finished)
        start = net.program.theta.astype(float)
        walled(lambda theta: len(done) >= finished and not any(
            np.array_equal(theta, place) for place in [start, *done]), wrong)  # fmt: skip
        with pytest.raises(DivergenceError, match=f"after {finished} iterations") as found:
            descend(net, epochs=50,
                    callbacks=[lambda net, _: done.append(net.program.theta.copy())])  # fmt: skip
        np.testing.assert_array_equal(net.program.theta, other.program.theta)
        assert found.value.history.epochs == net.history.epochs == finished


ALL = [
    fastnn.GradientDescent(), fastnn.Momentum(), fastnn.Nesterov(), fastnn.RMSprop(),
    fastnn.Adam(), fastnn.AdamW(), UncorrectedAdam(), VelocityMomentum(), LBFGS(),
]  # fmt: skip


@pytest.mark.parametrize("optimizer", ALL, ids=lambda o: type(o).__name__)
class TestNoWork:
    def test_changes_nothing_and_counts_nothing(self, optimizer, backend):
        net = network()
        net.fit(X, T, epochs=2, progress=False, optimizer=fastnn.Momentum())
        other = copy.deepcopy(net)
        history = net.fit(X, T, epochs=0, progress=False, optimizer=optimizer, l2=0.1)
        assert history.epochs == 0
        assert history.converged is None
        np.testing.assert_array_equal(net.program.theta, other.program.theta)
        assert net.history == other.history
        assert state_of(net).training.epoch == 2
        for each in (net, other):  # with the memory of the fit before
            each.fit(X, T, epochs=2, progress=False, optimizer=fastnn.Momentum())
        np.testing.assert_array_equal(net.program.theta, other.program.theta)

    def test_calls_the_callbacks_as_other_fits_do(self, optimizer):
        seen = []

        class Watch:
            def start(self, network):
                seen.append("start")

            def finish(self, network):
                seen.append("finish")

            def __call__(self, network, history):
                seen.append("epoch")

        network().fit(X, T, epochs=0, progress=False, optimizer=optimizer, callbacks=[Watch()])
        assert seen == ["start", "finish"]


class TestStopAndGo:
    """Of all optimisers L-BFGS alone begins its memory anew in every fit."""

    def test_fewer_iterations_are_the_first_of_more(self):
        first, whole = network(), []
        descend(first, epochs=3)
        descend(network(), epochs=6,
                callbacks=[lambda net, _: whole.append(net.program.theta.copy())])  # fmt: skip
        np.testing.assert_array_equal(first.program.theta, whole[2])

    def test_fits_of_one_epoch_are_first_iterations(self):
        net = network()
        for _ in range(4):
            fresh = network()
            fresh.program.theta[...] = net.program.theta
            for each in (net, fresh):
                descend(each, epochs=1)
            np.testing.assert_array_equal(net.program.theta, fresh.program.theta)
        assert (np.diff(net.history["cost"]) < 0).all()
        assert net.history.epochs == state_of(net).training.epoch == 4


class TestCosts:
    @pytest.mark.parametrize("batch_size", [None, 16])
    @pytest.mark.parametrize("weight", [1.0, 1e100])
    def test_a_mean_is_finite_where_a_sum_is_not(self, backend, batch_size, weight):
        net = network()
        cost = np.mean(T**2 / 2) * 4e153**2  # the network's outputs are nothing beside that
        history = net.fit(X, T * 4e153, epochs=2, batch_size=batch_size, shuffle=False,
                          sample_weight=np.full(60, weight), progress=False)  # fmt: skip
        np.testing.assert_allclose(history["cost"], cost, rtol=1e-12)

    def test_weights_without_a_finite_sum_are_refused(self):
        net = network()
        before = net.program.theta.copy()
        with pytest.raises(fastnn.errors.DataError, match="sample_weight sums to infinity"):
            net.fit(X, T, sample_weight=np.full(60, 1e308), progress=False)
        np.testing.assert_array_equal(net.program.theta, before)

    @pytest.mark.parametrize("optimizer", ALL, ids=lambda o: type(o).__name__)
    def test_one_that_is_infinite_itself_is_a_divergence(self, optimizer, backend):
        """Slopes of 1e155 are finite."""
        net = network()
        before = net.program.theta.copy()
        with pytest.raises(DivergenceError) as found:
            net.fit(X, T * 1e155, epochs=2, optimizer=optimizer, progress=False)
        assert found.value.layer == "loss"
        np.testing.assert_array_equal(net.program.theta, before)

    def test_a_penalty_counts(self, backend):
        net = network()
        net.parameters["W1"][...] = 1e154
        with pytest.raises(DivergenceError) as found:
            net.fit(X, T, epochs=2, l2=1e3, progress=False)
        assert found.value.layer == "loss"


class TestValidation:
    """A validation cost that is not finite ends the fit after its epoch."""

    @pytest.mark.parametrize("threads", [1, 2])
    @pytest.mark.parametrize("optimizer", [fastnn.Adam(), LBFGS()], ids=["Adam", "LBFGS"])
    def test_at_the_end_of_its_epoch(self, backend, threads, optimizer, monkeypatch):
        monkeypatch.setattr("fastnn.training.loop.CHUNK_SECONDS", 1e9)  # many epochs at once
        fastnn.set_num_threads(threads)
        net, other = network(), network()
        settings = {"batch_size": 16, "optimizer": optimizer, "progress": False}
        for each in (net, other):
            each.fit(X, T, epochs=2, **settings)
        held = T.copy()
        held[5] = 1e200
        with pytest.raises(DivergenceError, match="after 3 epochs") as found:
            net.fit(X, T, epochs=40, validation_data=(X, held), **settings)
        other.fit(X, T, epochs=1, **settings)
        np.testing.assert_array_equal(net.program.theta, other.program.theta)
        assert found.value.layer == "loss"
        assert found.value.history["validation_cost"].tolist() == [np.inf]
        # L-BFGS has no learning rate that could be lowered.
        assert ("learning_rate" in str(found.value)) != isinstance(optimizer, LBFGS)
        assert state_of(net).training.epoch == net.history.epochs == 3

    def test_names_the_layer(self, backend):
        net = Network([Dense(2, "relu", name="first"), Dense(1)], inputs=3, seed=0)
        net.parameters["W1"][...] = 1e5
        with pytest.raises(DivergenceError, match="'first'"):
            net.fit(X * 1e-5, T, epochs=2, progress=False, validation_data=(X * 1e37, T))


class TestEstimators:
    sklearn = pytest.importorskip("sklearn", reason="scikit-learn is not installed")

    def warned(self, model, X, y):
        """Return whether a fit warns that it did not converge, and its iterations."""
        from sklearn.exceptions import ConvergenceWarning

        with warnings.catch_warnings(record=True) as found:
            warnings.simplefilter("always")
            model.fit(X, y)
        assert all(warning.category is ConvergenceWarning for warning in found)
        return bool(found), int(np.max(model.n_iter_))

    def both(self, name, **settings):
        from sklearn import linear_model, neural_network

        home = linear_model if name == "LogisticRegression" else neural_network
        return getattr(fastnn, name)(**settings), getattr(home, name)(**settings)

    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("seed", range(6))
    def test_a_line_search_without_a_lower_cost_is_warned_of(self, seed, dtype):
        settings = {"hidden_layer_sizes": (4,), "solver": "lbfgs", "random_state": seed}
        model = fastnn.MLPRegressor(**settings)
        assert self.warned(model, X.astype(dtype), X[:, 0] * 1e20)[0]

    def test_gradients_too_steep_for_a_step_are_warned_of(self):
        for model in self.both("LogisticRegression"):
            assert self.warned(model, X * 1e155, Y) == (True, 0)

    @pytest.mark.parametrize("max_iter", [5, 1000])
    @pytest.mark.parametrize("activation", ["tanh", "relu"])
    def test_ends_are_scikit_learns(self, max_iter, activation):
        """By gradient, by cost, and by the limit: same iterations, same warnings."""
        for seed in range(3):
            settings = {
                "hidden_layer_sizes": (4,), "solver": "lbfgs", "max_iter": max_iter,
                "activation": activation, "random_state": seed,
            }  # fmt: skip
            mine, theirs = self.both("MLPRegressor", **settings)
            warned, iterations = self.warned(theirs, X, T)
            assert self.warned(mine, X, T) == (warned, pytest.approx(iterations, rel=0.1))

    @pytest.mark.parametrize("tol", [1e-1, 1e-4, 1e-12])
    def test_ends_of_logistic_regression_are_scikit_learns(self, tol):
        for max_iter in (3, 200):
            mine, theirs = self.both("LogisticRegression", tol=tol, max_iter=max_iter)
            assert self.warned(mine, X, Y)[0] == self.warned(theirs, X, Y)[0]

    @pytest.mark.parametrize("name", ["MLPRegressor", "MLPClassifier"])
    def test_the_last_iteration_may_converge(self, name):
        target = T if name == "MLPRegressor" else Y
        settings = {"hidden_layer_sizes": (4,), "solver": "lbfgs", "random_state": 0, "tol": 1e-2}
        model = getattr(fastnn, name)(**settings)
        warned, needed = self.warned(model, X, target)
        assert not warned
        assert self.warned(model.set_params(max_iter=needed), X, target) == (False, needed)
        assert self.warned(model.set_params(max_iter=needed - 1), X, target)[0]

    @pytest.mark.parametrize("solver", ["lbfgs", "adam", "sgd"])
    def test_an_infinite_cost_is_a_divergence_under_every_solver(self, solver):
        model = fastnn.MLPRegressor(hidden_layer_sizes=(4,), solver=solver, random_state=0)
        with pytest.raises(DivergenceError):
            model.fit(X, T * 1e200)


@pytest.mark.parametrize("name", errors.__all__)
def test_errors_go_from_process_to_process(name):
    kind, details = getattr(errors, name), {}
    if kind is DivergenceError:
        details = {"layer": "hidden1", "history": History()}
    error = pickle.loads(pickle.dumps(kind("what happened", **details)))
    assert type(error) is kind
    assert str(error) == "what happened"
    assert vars(error).keys() == details.keys()
    assert getattr(error, "layer", "hidden1") == "hidden1"
