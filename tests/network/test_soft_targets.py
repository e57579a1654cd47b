"""Probabilities as targets, of sigmoid outputs as of softmax; what cannot go with them is said."""

import numpy as np
import pytest

import fastnn
from fastnn import Dense, GradientDescent, Network, losses
from fastnn.errors import DataError

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 3))
BACKENDS = pytest.mark.parametrize("backend", fastnn.kernels.BACKENDS)
THREADS = pytest.mark.parametrize("threads", [1, 2])


@pytest.fixture
def on(threads):
    """Run with so many threads."""
    before = fastnn.get_num_threads()
    fastnn.set_num_threads(threads)
    yield
    fastnn.set_num_threads(before)


@THREADS
@BACKENDS
@pytest.mark.parametrize("K", [1, 3])
@pytest.mark.usefixtures("on")
class TestOfSigmoids:
    def net(self, K):
        return Network([Dense(K, "sigmoid")], inputs=3, dtype="float64", seed=1)

    def test_cost_and_gradient_are_the_formulas(self, K, backend):
        Y, net = RNG.random((40, K)), self.net(K)
        A = 1 / (1 + np.exp(-(X @ net.parameters["W1"] + net.parameters["b1"])))
        cost = -(Y * np.log(A) + (1 - Y) * np.log(1 - A)).sum(axis=1).mean()
        with fastnn.backend(backend):
            found, slopes = net.cost_and_gradients(X, Y if K > 1 else Y[:, 0])
            assert net.evaluate(X, Y)["cost"] == pytest.approx(cost, rel=1e-12)
        assert found == pytest.approx(cost, rel=1e-12)
        np.testing.assert_allclose(slopes["W1"], X.T @ (A - Y) / 40, rtol=1e-9, atol=1e-15)

    def test_a_probability_is_two_weighted_examples(self, K, backend):
        Y = RNG.random((40, K)) if K == 1 else np.repeat(RNG.random((40, 1)), K, axis=1)
        one, two = self.net(K), self.net(K)
        settings = {"batch_size": None, "optimizer": GradientDescent(0.5), "progress": False}
        with fastnn.backend(backend):
            one.fit(X, Y, epochs=20, **settings)
            two.fit(
                np.vstack([X, X]), np.vstack([np.ones_like(Y), np.zeros_like(Y)]), epochs=20,
                sample_weight=np.concatenate([Y[:, 0], 1 - Y[:, 0]]), **settings,
            )  # fmt: skip
        np.testing.assert_allclose(one.parameters["W1"], two.parameters["W1"], rtol=1e-9)


@pytest.mark.parametrize("wrong", [-0.1, 1.1, 2, -1])
def test_what_is_no_probability_is_refused(wrong):
    y = np.full(40, 0.5)
    y[7] = wrong
    net = Network([Dense(1, "sigmoid")], inputs=3)
    with pytest.raises(DataError, match=rf"0 or 1 \(or probabilities\).* y\[7\] is {wrong}"):
        net.fit(X, y, progress=False)


class TestClassWeights:
    """A row that shares its example among classes has no class whose weight it could take."""

    @pytest.mark.parametrize("given", ["balanced", {0: 1.0, 1: 2.0}])
    @pytest.mark.parametrize(("K", "output"), [(1, "sigmoid"), (2, "softmax"), (3, "softmax")])
    def test_soft_rows_are_refused(self, K, output, given):
        y = np.eye(max(K, 2))[np.arange(40) % max(K, 2)]
        y[5] = 1 / max(K, 2)
        y = y[:, 1] if K == 1 else y
        net = Network([Dense(K, output)], inputs=3)
        before = net.program.theta.copy()
        with pytest.raises(DataError, match=r"class_weight needs one class.* y\[5\] is .*sample_w"):
            net.fit(X, y, class_weight=given, progress=False)
        np.testing.assert_array_equal(net.program.theta, before)

    @pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.8])
    @pytest.mark.parametrize("one_hot", [True, False])
    @pytest.mark.parametrize("K", [1, 2, 3])
    def test_hard_rows_are_taken_smoothed_or_not(self, K, one_hot, smoothing):
        labels = np.arange(40) % max(K, 2)
        kind = losses.BinaryCrossEntropy if K == 1 else losses.CategoricalCrossEntropy
        y = np.eye(K)[labels] if one_hot and K > 1 else labels
        weights = {0: 1.0, 1: 3.0}
        factor = np.array([1.0, 3.0, 1.0])[labels]
        nets = []
        for given in ({"class_weight": weights}, {"sample_weight": factor}):
            output, loss = "sigmoid" if K == 1 else "softmax", kind(label_smoothing=smoothing)
            nets.append(Network([Dense(K, output)], inputs=3, loss=loss))
            nets[-1].fit(X, y, epochs=2, progress=False, **given)
        np.testing.assert_array_equal(nets[0].program.theta, nets[1].program.theta)
