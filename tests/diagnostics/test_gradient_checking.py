"""Gradient checks: right ones pass, a broken one is named, and nothing is changed."""

import numpy as np
import pytest

import fastnn
from fastnn import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    Network,
    Normalization,
    Rescaling,
    kernels,
)
from fastnn.diagnostics.gradient_checking import check_gradients, gradient_check
from fastnn.errors import DataError, NotBuiltError, SettingError, ShapeError


def cubes(t):
    return np.sum(t**3)


class TestFunctions:
    @pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 4), (2, 3, 4)])
    def test_right_and_wrong(self, shape):
        theta = np.random.default_rng(0).normal(2, 1, shape)
        assert gradient_check(cubes, 3 * theta**2, theta) < 1e-7
        wrong = np.array(3 * theta**2)
        wrong[(0,) * len(shape)] += 1
        assert gradient_check(cubes, wrong, theta) > 1e-3

    def test_formula(self):
        """‖g−ĝ‖ / (‖g‖+‖ĝ‖) with g = 2ĝ is 1/3."""
        assert gradient_check(cubes, 6.0, 1.0) == pytest.approx(1 / 3, rel=1e-6)

    def test_both_zero(self):
        assert gradient_check(lambda t: 5.0, np.zeros(3), np.ones(3)) == 0

    def test_one_is_zero(self):
        assert gradient_check(lambda t: 5.0, np.ones(3), np.ones(3)) == 1

    def test_works_in_float64(self):
        theta = np.ones(3, np.float32)
        seen = set()

        def f(t):
            seen.add(t.dtype)
            return cubes(t)

        assert gradient_check(f, 3 * theta**2, theta) < 1e-7
        assert seen == {np.dtype(np.float64)}
        assert gradient_check(cubes, [3, 12], [1, 2]) < 1e-7

    def test_theta_is_never_changed(self):
        theta = np.arange(3.0)
        kept = theta.copy()

        def careless(t):
            value = cubes(t)
            t[...] = 99
            return value

        assert gradient_check(careless, 3 * theta**2, theta) < 1e-7
        np.testing.assert_array_equal(theta, kept)
        with pytest.raises(ZeroDivisionError):
            gradient_check(lambda t: 1 // 0, theta, theta)
        np.testing.assert_array_equal(theta, kept)

    @pytest.mark.medium
    @pytest.mark.parametrize("compiled", [False, True])
    @pytest.mark.parametrize("size", [1e4, 1e10, -1e10, 1e100])
    def test_the_step_is_not_lost_in_a_large_number(self, size, compiled):
        import numba

        f = numba.njit(cubes) if compiled else cubes
        theta = np.array([size, 2.0])
        assert gradient_check(f, 3 * theta**2, theta) < 2e-7
        assert gradient_check(f, 3.001 * theta**2, theta) > 1e-5

    @pytest.mark.parametrize("order", ["C", "F"])
    def test_epsilon_is_the_step(self, order):
        theta, steps = np.asarray([[1.0, 2.0], [3.0, 4.0]], order=order), []

        def f(t):
            steps.append(t - theta)
            return cubes(t)

        gradient_check(f, 3 * theta**2, theta, epsilon=0.5)
        moved = np.array(steps).reshape(4, 2, 4)
        np.testing.assert_allclose(moved[:, 0], 0.5 * np.eye(4))
        np.testing.assert_allclose(moved[:, 1], -0.5 * np.eye(4))

    @pytest.mark.medium
    @pytest.mark.parametrize("shape", [(4,), (2, 3)])
    def test_a_compiled_function_is_looped_over_compiled(self, shape, monkeypatch):
        import numba

        compiled = numba.njit(cubes)
        monkeypatch.setattr(
            fastnn.diagnostics.gradient_checking, "_slopes", None
        )  # the Python loop must not run
        theta = np.random.default_rng(1).normal(2, 1, shape)
        kept = theta.copy()
        assert gradient_check(compiled, 3 * theta**2, theta) < 1e-7
        assert gradient_check(compiled, 4 * theta**2, theta) > 0.1
        np.testing.assert_array_equal(theta, kept)

    def test_a_compiled_function_that_gives_an_array_is_called_from_python(self):
        import numba

        compiled = numba.njit(lambda t: t[:1] ** 2)
        assert gradient_check(compiled, [2.0, 0.0], [1.0, 5.0]) < 1e-7

    @pytest.mark.parametrize(
        ("arguments", "error", "sentence"),
        [
            ((cubes, [1.0], [1.0, 2.0]), ShapeError, r"shape \(1,\) but theta \(2,\)"),
            ((cubes, cubes, [1.0]), DataError, "call the function first"),
            ((Network([Dense(1)]), [3.0], [1.0]), DataError, "checked by check_gradients"),
            ((cubes, [1.0], [np.nan]), DataError, "theta"),
            ((cubes, [np.inf], [1.0]), DataError, "gradient"),
            ((cubes, [1.0], ["a"]), DataError, "real numbers"),
            ((cubes, [1.0], [1.0], 0), SettingError, "epsilon must be .* greater than 0"),
            ((cubes, [1.0], [1.0], -1e-7), SettingError, "epsilon"),
            ((lambda t: t, [1.0, 2.0], [1.0, 2.0]), ShapeError, "f must return one number"),
            ((lambda t: np.inf, [1.0], [1.0]), DataError, "f is not finite"),
        ],
    )
    def test_bad_input(self, arguments, error, sentence):
        with pytest.raises(error, match=sentence):
            gradient_check(*arguments)


KINDS = {
    "logistic": [Dense(1, "sigmoid")],
    "softmax": [Dense(5, "tanh"), Dense(3, "softmax")],
    "values": [Rescaling(0.5), Dense(5, "sigmoid"), Dense(2)],
    "normalized": [Normalization(), Dense(5, "tanh"), Dense(1, "sigmoid")],
    "dropout": [Dropout(0.2), Dense(8, "tanh"), Dropout(0.5), Dense(1, "sigmoid")],
    "noise": [GaussianNoise(0.5), Dense(6, "tanh"), Dense(1, "sigmoid")],
    "batch norm": [Dense(5), BatchNorm(), Activation("tanh"), Dense(1, "sigmoid")],
    "deep": [Dense(6, "tanh", use_bias=False), Dense(4, "relu"), Dense(1, "sigmoid")],
}


def network(kind="deep", **settings):
    """A network of that kind and data for it."""
    rng = np.random.default_rng(5)
    net, X = Network(KINDS[kind], seed=2, **settings), rng.normal(size=(12, 4))
    y = {"softmax": rng.integers(0, 3, 12), "values": rng.normal(size=(12, 2))}.get(
        kind, rng.integers(0, 2, 12)
    )
    net.fit(X, y, epochs=1, progress=False)
    return net, X, y


@pytest.fixture
def broken(monkeypatch):
    """dW of the layer with one output is doubled in the vectorized backend, which then runs."""
    backend = kernels.get("vectorized")
    right = backend.dense_backward

    def wrong(X, W, dZ, dX, dW, db):
        right(X, W, dZ, dX, dW, db)
        if W.shape[1] == 1:
            dW *= 2

    monkeypatch.setattr(backend, "dense_backward", wrong)
    with fastnn.backend("vectorized"):
        yield


class TestNetworks:
    @pytest.mark.medium
    @pytest.mark.parametrize("backend", kernels.BACKENDS)
    @pytest.mark.parametrize("kind", KINDS)
    def test_every_kind_passes(self, kind, backend):
        net, X, y = network(kind)
        with fastnn.backend(backend):
            report = check_gradients(net, X, y, l2=0.7)
        assert report.passed
        assert report.difference < 2e-7
        assert set(report.by_parameter) == set(net.parameters)
        assert report.in_full
        assert "is right" in report.verdict

    @pytest.mark.parametrize("backend", kernels.BACKENDS)
    def test_backends_measure_the_same_slopes(self, backend):
        net, X, y = network("softmax")
        slopes = []
        for name in ("loops", backend):
            with fastnn.backend(name):
                report = check_gradients(net, X, y, l2=0.7)
            slopes.append(np.concatenate([row.slopes for row in report.rows]))
            assert [row.slopes.size for row in report.rows] == [20, 5, 15, 3]
        np.testing.assert_allclose(slopes[1], slopes[0], atol=2e-8)

    @pytest.mark.medium
    @pytest.mark.parametrize("backend", kernels.BACKENDS)
    @pytest.mark.parametrize("kind", ["dropout", "noise"])
    def test_masks_are_drawn_and_frozen(self, kind, backend):
        net, X, y = network(kind)
        with fastnn.backend(backend):
            first, again = (check_gradients(net, X, y).rows[0].gradient for _ in range(2))
            plain = net.cost_and_gradients(X, y)[1]["W1"]
        np.testing.assert_array_equal(first, again)
        assert np.abs(first - plain.ravel()).max() > 1e-3

    def test_a_bias_that_batch_norm_takes_off_is_not_called_wrong(self):
        report = check_gradients(*network("batch norm"))
        assert report.passed
        assert report.by_parameter["b1"] == 0
        assert {"gamma1", "beta1"} < set(report.by_parameter)

    def test_l2_is_part_of_the_cost(self):
        net, X, y = network("logistic")
        rows = [check_gradients(net, X, y, l2=l2).rows[0] for l2 in (0.0, 6.0)]
        expected = 6.0 / len(X) * net.parameters["W1"].ravel()
        np.testing.assert_allclose(rows[1].slopes - rows[0].slopes, expected, atol=1e-6)

    def test_a_broken_gradient_is_named(self, broken):
        net, X, y = network()
        report = check_gradients(net, X, y)
        assert not report.passed
        assert report.by_parameter["W3"] == pytest.approx(1 / 3, rel=1e-5)
        assert report.by_parameter["W1"] < 2e-7
        assert report.verdict.startswith("The gradient of W3 is wrong")
        wrong = [line for line in str(report).splitlines() if "<- wrong" in line]
        assert len(wrong) == 1
        assert wrong[0].startswith("W3")

    def test_a_broken_gradient_of_a_large_network_is_named(self, broken):
        net = Network.mlp([300, 40, 1], output="sigmoid", hidden="tanh", dtype="float64")
        X = np.random.default_rng(0).normal(size=(6, 300))
        report = check_gradients(net, X, [0, 1, 0, 1, 1, 0])
        assert not report.in_full
        assert [row.slopes.size for row in report.rows] == [16, 16, 16, 1]
        assert report.by_parameter["W2"] == pytest.approx(1 / 3, rel=1e-4)
        assert report.by_parameter["W1"] < 2e-7
        assert report.verdict.startswith("The gradient of W2 is wrong")
        assert "random directions" in str(report)

    @pytest.mark.parametrize("backend", ["vectorized", "jitted"])
    def test_directions_depend_on_the_seed_alone(self, backend):
        net = Network.mlp([300, 20, 3], output="softmax", hidden="tanh")
        X = np.random.default_rng(0).normal(size=(5, 300))
        with fastnn.backend(backend):
            found = [check_gradients(net, X, [0, 1, 2, 1, 0], seed=s) for s in (1, 1, 2)]
        assert all(report.passed for report in found)
        assert found[0].by_parameter == found[1].by_parameter
        assert found[0].by_parameter["W1"] != found[2].by_parameter["W1"]

    @pytest.mark.parametrize("kind", ["values", "normalized"])
    def test_the_copy_scales_its_inputs_as_the_network_does(self, kind):
        net, X, y = network(kind, dtype="float64")
        row = check_gradients(net, X, y).rows[0]
        expected = net.cost_and_gradients(X, y)[1]["W1"]
        np.testing.assert_allclose(row.gradient.reshape(row.shape), expected)

    def test_the_network_stays_as_it_is(self):
        net, X, y = network("normalized")
        kept, history = net.program.theta.copy(), dict(net.history)
        state = net.program.state.copy()
        check_gradients(net, X, y)
        np.testing.assert_array_equal(net.program.theta, kept)
        np.testing.assert_array_equal(net.program.state, state)
        assert dict(net.history) == history
        assert net.dtype == np.float32

    def test_a_vanishing_gradient_is_not_called_wrong(self):
        """All weights zero: the gradient of W1 is 0, and so is its slope, up to rounding."""
        net = Network.mlp([4, 5, 3], output="softmax", hidden="tanh", init="zeros")
        report = check_gradients(net, np.eye(4), [0, 1, 2, 0])
        assert report.passed
        assert report.by_parameter["W1"] == 0

    def test_prints_that_it_works_on_a_float64_copy(self):
        net, X, y = network("logistic")
        text = str(check_gradients(net, X, y))
        assert "float64 copy" in text
        assert "epsilon = 1e-07" in text
        assert text.splitlines()[1].split()[:3] == ["W1", "(4,", "1)"]

    def test_bad_input(self):
        net, X, y = network("logistic")
        with pytest.raises(SettingError, match="epsilon"):
            check_gradients(net, X, y, epsilon=0)
        with pytest.raises(SettingError, match="l2"):
            check_gradients(net, X, y, l2=-1)
        with pytest.raises(ShapeError, match="shape"):
            check_gradients(net, X[:, :2], y)
        with pytest.raises(DataError, match="0 or 1"):
            check_gradients(net, X, y + 3)
        with pytest.raises(NotBuiltError):
            check_gradients(Network([Dense(1)]), X, y)


XOR = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), np.array([0, 1, 1, 0])
BACKENDS = pytest.mark.parametrize("backend", kernels.BACKENDS)


class TestKinks:
    """Where Z = 0 a cost has two slopes; a gradient between them is right and is not compared."""

    @BACKENDS
    @pytest.mark.parametrize("kind", ["relu", "leaky_relu", "elu"])
    def test_exclusive_or_with_a_fresh_network(self, kind, backend):
        net = Network([Dense(4, kind), Dense(1, "sigmoid")], inputs=2, seed=1)
        with fastnn.backend(backend):
            report = check_gradients(net, *XOR)
        assert report.passed
        assert report.difference < 2e-7
        assert report.kinks == ({} if kind == "elu" else {"b1": 4})  # one of elu is smooth there
        assert [row.slopes.size for row in report.rows] == [8, 4 if kind == "elu" else 0, 4, 1]
        assert ("at a kink" in str(report)) == bool(report.kinks)
        assert "is right" in report.verdict

    @BACKENDS
    def test_the_only_weight(self, backend):
        net = Network([Dense(1, "relu", use_bias=False), Dense(1, use_bias=False)], inputs=1)
        net.set_parameters({"W1": [[0.0]], "W2": [[1.0]]})  # Z = 0: on the kink itself
        with fastnn.backend(backend):
            report = check_gradients(net, [[1.0]], [1.0])
        assert (report.passed, report.kinks) == (True, {"W1": 1})

    def test_a_kink_of_the_loss(self):
        net = Network([Dense(1)], inputs=1, loss="absolute_error", init="zeros")
        report = check_gradients(net, [[1.0], [2.0]], [0.0, 5.0])
        assert report.passed
        assert report.kinks == {}  # its gradient there, 0, is the mean of both sides

    def test_a_kink_within_epsilon(self):
        net = Network([Dense(1, "relu"), Dense(1)], inputs=1, dtype="float64")
        net.set_parameters({"W1": [[1.0]], "b1": [3e-8], "W2": [[1.0]], "b2": [0.0]})
        report = check_gradients(net, [[0.0]], [1.0])
        assert (report.passed, report.kinks) == (True, {"b1": 1})

    def test_directions_of_a_large_network(self):
        net = Network.mlp([400, 30, 1], output="sigmoid", hidden="relu", dtype="float64")
        X = np.random.default_rng(0).normal(size=(6, 400))
        X[2] = 0
        report = check_gradients(net, X, [0, 1, 0, 1, 1, 0])
        assert not report.in_full
        assert report.passed
        assert report.kinks == {"b1": 16}

    def test_what_is_wrong_beside_kinks_is_named(self, broken):
        net = Network([Dense(4, "relu"), Dense(1, "sigmoid")], inputs=2, seed=1)
        report = check_gradients(net, *XOR)
        assert not report.passed
        assert report.verdict.startswith("The gradient of W2 is wrong")
        assert report.kinks == {"b1": 4}

    def test_a_wrong_gradient_at_a_kink_is_named(self, monkeypatch):
        backend = kernels.get("vectorized")
        right = backend.dense_backward

        def wrong(X, W, dZ, dX, dW, db):
            right(X, W, dZ, dX, dW, db)
            if W.shape[1] == 4:
                db += 1

        monkeypatch.setattr(backend, "dense_backward", wrong)
        net = Network([Dense(4, "relu"), Dense(1, "sigmoid")], inputs=2, seed=1)
        with fastnn.backend("vectorized"):
            report = check_gradients(net, *XOR)
        assert report.verdict.startswith("The gradient of b1 is wrong")
        assert report.kinks == {}


@BACKENDS
def test_large_weights_are_moved_by_a_step_that_is_not_lost(backend):
    net = Network([Dense(1)], inputs=1, dtype="float64")
    net.set_parameters({"W1": [[1e10]], "b1": [0.0]})
    with fastnn.backend(backend):
        report = check_gradients(net, [[1e-10], [2e-10]], [0.0, 1.0])
    assert report.passed
    assert report.by_parameter["W1"] < 2e-7
