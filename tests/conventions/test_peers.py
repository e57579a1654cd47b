"""The other libraries' columns of the page of conventions, measured again where they are installed.

A failure says that a library has changed: the page and its versions are to follow.
"""

import os

import numpy as np
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

SLOPE = 1e-7  # a gradient so small that ε decides


@pytest.fixture(scope="module")
def keras():
    os.environ.setdefault("KERAS_BACKEND", "torch")
    return pytest.importorskip("keras")


@pytest.fixture(scope="module")
def torch():
    return pytest.importorskip("torch")


@pytest.fixture(scope="module")
def optax():
    pytest.importorskip("jax")
    return pytest.importorskip("optax")


class TestKeras:
    def moved(self, keras, optimizer, *gradients):
        """Return where a variable of 0 goes."""
        variable = keras.Variable(np.zeros(1, np.float32))
        optimizer.build([variable])
        for gradient in gradients:
            optimizer.apply([keras.ops.convert_to_tensor(np.array([gradient], np.float32))])
        return float(keras.ops.convert_to_numpy(variable)[0])

    def test_adam_adds_epsilon_to_the_uncorrected_root(self, keras):
        adam = keras.optimizers.Adam(1e-3)
        wanted = -1e-3 * SLOPE / (SLOPE + adam.epsilon / np.sqrt(1 - 0.999))
        assert adam.epsilon == 1e-7
        assert self.moved(keras, adam, SLOPE) == pytest.approx(wanted, rel=1e-3)
        assert wanted == pytest.approx(-3.07e-5, rel=1e-2)

    def test_rmsprop_has_epsilon_inside_the_root(self, keras):
        rmsprop = keras.optimizers.RMSprop(1e-3)
        wanted = -1e-3 * SLOPE / np.sqrt(0.1 * SLOPE**2 + rmsprop.epsilon)
        assert self.moved(keras, rmsprop, SLOPE) == pytest.approx(wanted, rel=1e-3)

    def test_momentum_keeps_the_rate_in_the_velocity(self, keras):
        sgd = keras.optimizers.SGD(0.1, momentum=0.9)
        variable = keras.Variable(np.zeros(1, np.float32))
        sgd.build([variable])
        one = keras.ops.convert_to_tensor(np.ones(1, np.float32))
        sgd.apply([one])
        sgd.learning_rate = 0.05
        sgd.apply([one])
        found = float(keras.ops.convert_to_numpy(variable)[0])
        assert found == pytest.approx(-(0.1 + 0.9 * 0.1 + 0.05))

    def test_nadam(self, keras):
        found = self.moved(keras, keras.optimizers.Nadam(1e-3), 1.0)
        assert found == pytest.approx(-1.063e-3, rel=1e-3)

    def test_layers(self, keras):
        dense = keras.layers.Dense(300)
        dense.build((None, 200))
        assert tuple(dense.kernel.shape) == (200, 300)
        kernel = keras.ops.convert_to_numpy(dense.kernel)
        assert np.abs(kernel).max() == pytest.approx(np.sqrt(6 / 500), rel=1e-2)
        drawn = keras.ops.convert_to_numpy(keras.initializers.HeNormal(seed=0)((400, 500)))
        drawn /= np.sqrt(2 / 400)
        assert (np.abs(drawn) > 2.3).mean() < 1e-4  # the torch backend lets a few through
        assert drawn.std() == pytest.approx(1, abs=0.01)
        point = np.array([-1.0], np.float32)
        assert float(keras.layers.LeakyReLU()(point)[0]) == pytest.approx(-0.3)
        assert float(keras.activations.leaky_relu(point)[0]) == pytest.approx(-0.2)
        assert float(keras.activations.gelu(-point)[0]) == pytest.approx(0.841345, abs=1e-6)
        assert float(keras.ops.gelu(-point)[0]) == pytest.approx(0.841192, abs=1e-6)

    def test_batchnorm_keeps_the_biased_variance(self, keras):
        layer = keras.layers.BatchNormalization()
        layer(np.arange(4, dtype=np.float32)[:, None], training=True)
        assert (layer.momentum, layer.epsilon) == (0.99, 1e-3)
        found = float(keras.ops.convert_to_numpy(layer.moving_variance)[0])
        assert found == pytest.approx(0.99 + 0.01 * 1.25)

    def test_costs(self, keras):
        one, zero = np.ones((1, 2), np.float32), np.zeros((1, 2), np.float32)
        assert float(keras.losses.MeanSquaredError()(zero, one)) == 1.0
        found = float(keras.losses.BinaryCrossentropy()(one, zero))
        assert found == pytest.approx(16.118, abs=1e-3)

    def test_weights_of_a_batch_divide_by_its_rows(self, keras):
        y, P, w = np.zeros((2, 1)), np.array([[1.0], [2.0]]), np.array([1.0, 3.0])
        assert float(keras.losses.MeanSquaredError()(y, P, sample_weight=w)) == (1 + 3 * 4) / 2

    def test_weight_decay_takes_every_variable(self, keras):
        assert self.moved_from_one(keras, keras.optimizers.AdamW(0.1, weight_decay=0.5)) == (
            pytest.approx(0.95)
        )

    def moved_from_one(self, keras, optimizer):
        """Return where a bias of 1 goes whose gradient is 0."""
        variable = keras.Variable(np.ones(1, np.float32), name="bias")
        optimizer.build([variable])
        optimizer.apply([keras.ops.zeros(1)])
        return float(keras.ops.convert_to_numpy(variable)[0])

    @pytest.mark.parametrize(("by", "wanted"), [("clipnorm", 1), ("global_clipnorm", 0.5**0.5)])
    def test_clipping(self, keras, by, wanted):
        optimizer = keras.optimizers.SGD(1.0, **{by: 1.0})
        variables = [keras.Variable(np.zeros(1, np.float32)) for _ in range(2)]
        optimizer.build(variables)
        optimizer.apply([keras.ops.convert_to_tensor(np.array([3.0], np.float32))] * 2)
        for variable in variables:
            assert -float(keras.ops.convert_to_numpy(variable)[0]) == pytest.approx(wanted)

    def test_early_stopping_keeps_a_first_nan(self, keras):
        stop = keras.callbacks.EarlyStopping(monitor="loss")
        stop.set_model(keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)]))
        stop.on_train_begin()
        for epoch, value in enumerate((np.nan, 1.0)):
            stop.on_epoch_end(epoch, {"loss": value})
        assert np.isnan(stop.best)

    def test_cosine_stays_at_zero(self, keras):
        cosine = keras.optimizers.schedules.CosineDecay(1.0, 10)
        assert float(cosine(15)) == pytest.approx(0, abs=1e-7)


class TestTorch:
    def moved(self, torch, make, *gradients):
        """Return where a parameter of 0 goes."""
        parameter = torch.zeros(1, dtype=torch.float64, requires_grad=True)
        optimizer = make([parameter])
        for gradient in gradients:
            parameter.grad = torch.tensor([gradient], dtype=torch.float64)
            optimizer.step()
        return float(parameter.detach()[0])

    def test_adam_adds_epsilon_to_the_corrected_root(self, torch):
        found = self.moved(torch, lambda p: torch.optim.Adam(p, 1e-3), SLOPE)
        assert found == pytest.approx(-1e-3 * SLOPE / (SLOPE + 1e-8))

    def test_rmsprop_has_epsilon_outside_the_root(self, torch):
        found = self.moved(torch, lambda p: torch.optim.RMSprop(p, 1e-3), SLOPE)
        assert found == pytest.approx(-1e-3 * SLOPE / (0.1 * SLOPE + 1e-8))  # keeps 0.99

    def test_momentum_takes_the_rate_of_the_step(self, torch):
        found = self.moved(torch, lambda p: torch.optim.SGD(p, 0.1, momentum=0.9), 1.0, 1.0)
        assert found == pytest.approx(-0.1 * (1 + 1.9))

    def test_nadam(self, torch):
        found = self.moved(torch, lambda p: torch.optim.NAdam(p, 1e-3), 1.0)
        assert found == pytest.approx(-1.056e-3, rel=1e-3)

    def test_layers(self, torch):
        dense = torch.nn.Linear(100, 1000)
        assert tuple(dense.weight.shape) == (1000, 100)
        for drawn in (dense.weight, dense.bias):
            assert float(drawn.detach().abs().max()) == pytest.approx(0.1, rel=2e-2)
        drawn = torch.nn.init.kaiming_normal_(torch.empty(500, 400)) / np.sqrt(2 / 400)
        assert float(drawn.abs().max()) > 3
        one = torch.ones(1, dtype=torch.float64)
        assert float(torch.nn.LeakyReLU()(-one)) == pytest.approx(-0.01)
        assert float(torch.nn.GELU()(one)) == pytest.approx(0.841345, abs=1e-6)

    def test_batchnorm_keeps_the_unbiased_variance(self, torch):
        layer = torch.nn.BatchNorm1d(1).double()
        layer(torch.arange(4, dtype=torch.float64)[:, None])
        assert (layer.momentum, layer.eps) == (0.1, 1e-5)
        assert float(layer.running_var[0]) == pytest.approx(0.9 + 0.1 * 5 / 3)

    def test_weight_decay_and_clipping_take_every_parameter(self, torch):
        bias = torch.ones(1, requires_grad=True)
        bias.grad = torch.zeros(1)
        torch.optim.AdamW([bias], 0.1, weight_decay=0.5).step()
        assert float(bias.detach()) == pytest.approx(0.95)
        two = [torch.zeros(1, requires_grad=True) for _ in range(2)]
        for parameter in two:
            parameter.grad = torch.tensor([3.0])
        torch.nn.utils.clip_grad_norm_(two, 1.0)
        assert [float(p.grad[0]) for p in two] == pytest.approx([0.5**0.5] * 2, rel=1e-5)

    def test_costs(self, torch):
        zero, one = torch.zeros(1, 2), torch.ones(1, 2)
        assert float(torch.nn.MSELoss()(zero, one)) == 1.0
        assert float(torch.nn.BCELoss()(zero, one)) == 100.0

    def test_schedules(self, torch):
        optimizer = torch.optim.SGD([torch.zeros(1)], 1.0)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
        rates = []
        for _ in range(21):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            cosine.step()
        assert (rates[10], rates[20]) == (pytest.approx(0, abs=1e-12), pytest.approx(1))
        plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(torch.optim.SGD([torch.zeros(1)], 1.0))
        rates = []
        for _ in range(13):
            plateau.step(1.0)
            rates.append(plateau.optimizer.param_groups[0]["lr"])
        assert rates == [1.0] * 11 + [0.1] * 2


class TestOptax:
    def moved(self, optimizer, *gradients):
        """Return where a parameter of 0 goes."""
        parameter = np.zeros(1, np.float32)
        state = optimizer.init(parameter)
        for gradient in gradients:
            change, state = optimizer.update(np.array([gradient], np.float32), state, parameter)
            parameter = parameter + np.asarray(change)
        return float(parameter[0])

    def test_optimizers(self, optax):
        wanted = -1e-3 * SLOPE / (SLOPE + 1e-8)
        assert self.moved(optax.adam(1e-3), SLOPE) == pytest.approx(wanted, rel=1e-3)
        wanted = -1e-3 * SLOPE / np.sqrt(0.1 * SLOPE**2 + 1e-8)
        assert self.moved(optax.rmsprop(1e-3), SLOPE) == pytest.approx(wanted, rel=1e-3)
        found = self.moved(optax.sgd(0.1, momentum=0.9), 1.0, 1.0)
        assert found == pytest.approx(-0.1 * (1 + 1.9))
        assert self.moved(optax.nadam(1e-3), 1.0) == pytest.approx(-1.474e-3, rel=1e-3)

    def test_clipping_smoothing_and_decay(self, optax):
        slopes = [np.array([3.0], np.float32)] * 2
        clipped, _ = optax.clip_by_global_norm(1.0).update(slopes, optax.EmptyState())
        assert [float(x[0]) for x in clipped] == pytest.approx([0.5**0.5] * 2)
        smooth = np.asarray(optax.smooth_labels(np.array([1.0, 0.0, 0.0], np.float32), 0.1))
        assert smooth == pytest.approx([0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3], rel=1e-5)
        optimizer, one = optax.adamw(0.1, weight_decay=0.5), np.ones(1, np.float32)
        change, _ = optimizer.update(np.zeros(1, np.float32), optimizer.init(one), one)
        assert 1 + float(change[0]) == pytest.approx(0.95)

    def test_activations_schedules_and_draws(self, optax):
        jax = pytest.importorskip("jax")
        assert float(jax.nn.gelu(1.0)) == pytest.approx(0.841192, abs=1e-6)
        assert float(jax.nn.leaky_relu(-1.0)) == pytest.approx(-0.01)
        assert float(optax.cosine_decay_schedule(1.0, 10)(15)) == 0
        drawn = np.asarray(jax.nn.initializers.he_normal()(jax.random.key(0), (400, 500)))
        assert np.abs(drawn / np.sqrt(2 / 400)).max() < 2.3
        assert float(optax.l2_loss(np.float32(1))) == 0.5


class TestSklearn:
    def test_costs_of_a_probability_of_zero(self):
        base = pytest.importorskip("sklearn.neural_network._base")
        for dtype, wanted in (("float64", 36.04), ("float32", 15.94)):
            found = base.binary_log_loss(np.ones((1, 1), dtype), np.zeros((1, 1), dtype))
            assert float(found) == pytest.approx(wanted, abs=1e-2)

    def test_optimizers(self):
        optimizers = pytest.importorskip("sklearn.neural_network._stochastic_optimizers")
        parameter = [np.zeros(1)]
        optimizers.AdamOptimizer(parameter).update_params(parameter, [np.array([SLOPE])])
        assert parameter[0][0] == pytest.approx(-2.4025e-4, rel=1e-3)
        parameter = [np.zeros(1)]
        sgd = optimizers.SGDOptimizer(parameter, 0.1, momentum=0.9, nesterov=False)
        for _ in range(2):
            sgd.update_params(parameter, [np.ones(1)])
        assert parameter[0][0] == pytest.approx(-0.1 * (1 + 1.9))

    def test_first_weights(self):
        networks = pytest.importorskip("sklearn.neural_network")
        model = networks.MLPClassifier((300,), max_iter=1, random_state=0, learning_rate_init=1e-9)
        X = np.random.default_rng(0).standard_normal((10, 200))
        model.fit(X, np.arange(10) % 2)
        assert model.coefs_[0].shape == (200, 300)
        bound = np.sqrt(6 / 500)
        assert np.abs(model.coefs_[0]).max() == pytest.approx(bound, rel=1e-2)
        assert 0 < np.abs(model.intercepts_[0]).max() <= bound + 1e-6
