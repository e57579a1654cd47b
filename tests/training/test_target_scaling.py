"""Scaled targets: networks learn their z-scores, and predict and score in y's unit."""

import copy
import pickle

import numpy as np
import pytest
from streamed import ArrayRows, FailingRows

import fastnn
from fastnn import Activation, BatchNorm, Dense, Network, Normalization, losses, metrics
from fastnn.errors import DataError, ModelFileError, NotBuiltError, SettingError
from fastnn.network.description import state_of

FIT = {"epochs": 3, "batch_size": 32, "progress": False}


def values(K=2, m=200, seed=0):
    """Return rows and targets of very different sizes."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(m, 4))
    Y = np.c_[2e6 + 300 * X[:, 0] * X[:, 1], 1e-5 * np.sin(X[:, 2]), X[:, 3] ** 2][:, :K]
    return X, Y, rng.integers(0, 3, m).astype(float)


def network(K=2, scale_target=True, **settings):
    return Network([Dense(6, "tanh"), Dense(K)], scale_target=scale_target, **settings)


def moments(Y, w=None):
    """The weighted mean and deviation of columns, by NumPy."""
    mean = np.average(Y, axis=0, weights=w)
    return mean, np.sqrt(np.average((Y - mean) ** 2, axis=0, weights=w))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_train_as_on_z_scores_made_by_hand(backend, dtype):
    X, Y, w = values()
    mean, deviation = moments(Y, w)
    net, plain = network(dtype=dtype), network(scale_target=False, dtype=dtype)
    found = net.fit(X, Y, sample_weight=w, **FIT)
    expected = plain.fit(X, (Y - mean) / deviation, sample_weight=w, **FIT)
    np.testing.assert_allclose(found["cost"], expected["cost"], rtol=1e-6)
    for name, parameter in plain.parameters.items():
        np.testing.assert_allclose(net.parameters[name], parameter, rtol=1e-5, atol=1e-6)
    scaling = state_of(net).target_scaling
    np.testing.assert_allclose(scaling.mean, mean, rtol=1e-14)
    np.testing.assert_allclose(scaling.deviation, deviation, rtol=1e-12)
    A = plain.predict(X)
    np.testing.assert_allclose(net.predict(X), A * deviation + mean, rtol=1e-4, atol=1e-9)
    np.testing.assert_array_equal(net.activations(X)[-1], net.predict(X))
    np.testing.assert_allclose(net.activations(X)[0], plain.activations(X)[0], rtol=1e-3, atol=1e-6)


def test_scores_are_in_the_unit_of_y_and_costs_of_z_scores():
    X, Y, _ = values(K=1)
    X_new, Y_new, _ = values(K=1, seed=1)
    net = network(K=1)
    history = net.fit(X, Y, validation_data=(X_new, Y_new), metrics=["r2", "mae"], **FIT)
    P = net.predict(X_new)
    assert history["validation_r2"][-1] == pytest.approx(metrics.r2(Y_new[:, 0], P), abs=1e-5)
    assert history["validation_mae"][-1] == pytest.approx(np.abs(Y_new[:, 0] - P).mean(), rel=1e-3)
    found = net.evaluate(X_new, Y_new)
    assert found["cost"] == pytest.approx(history["validation_cost"][-1], rel=1e-6)
    _, deviation = moments(Y)
    half_squares = (((P[:, None] - Y_new) / deviation) ** 2).mean() / 2
    assert found["cost"] == pytest.approx(half_squares, rel=1e-3)
    assert net.cost_and_gradients(X_new, Y_new)[0] == pytest.approx(found["cost"], rel=1e-6)
    assert found["r2"] == pytest.approx(history["validation_r2"][-1], abs=1e-6)


def test_gradients_pass_finite_differences():
    X, Y, _ = values()
    net = network(dtype="float64")
    net.fit(X, Y, **FIT)
    assert fastnn.check_gradients(net, X[:30], Y[:30]).passed


def test_scaling_is_learnt_once_from_the_rows_that_train():
    X, Y, _ = values()
    net = network(seed=3)
    net.fit(X, Y, validation_split=0.25, **FIT)
    held = network(scale_target=False, seed=3)
    held.fit(X, Y / 1e7, validation_split=0.25, **FIT)
    scaling = state_of(net).target_scaling
    kept = fastnn.data.split(np.arange(len(X)), np.zeros(len(X)), test=0.25, seed=3)[0]
    np.testing.assert_allclose(scaling.mean, Y[kept].mean(axis=0), rtol=1e-13)
    net.fit(X[:50], 3 * Y[:50], **FIT)
    assert state_of(net).target_scaling is scaling
    net.reset()
    with pytest.raises(NotBuiltError, match="learns the mean and deviation of its targets"):
        net.predict(X)


def test_k_calls_are_one():
    X, Y, _ = values()
    whole, parts = network(), network()
    whole.fit(X, Y, **FIT)
    for _ in range(3):
        parts.fit(X, Y, **FIT | {"epochs": 1})
    np.testing.assert_array_equal(whole.predict(X), parts.predict(X))


def test_a_constant_column_and_huge_numbers():
    X, Y, _ = values()
    Y = np.c_[np.full(len(Y), 7.0), 1e200 * Y[:, 1]]
    net = network(dtype="float64")
    net.fit(X, Y, **FIT | {"epochs": 200})
    scaling = state_of(net).target_scaling
    assert scaling.deviation[0] == 1
    np.testing.assert_allclose(scaling.deviation[1], 1e200 * (Y[:, 1] / 1e200).std())
    np.testing.assert_allclose(net.predict(X)[:, 0], 7, atol=1)


def test_rows_without_weight_do_not_count():
    X, Y, w = values()
    Y[w == 0] = 1e300  # squares of which are infinite
    net = network(dtype="float64")
    net.fit(X, Y, sample_weight=w, **FIT)
    mean, deviation = moments(Y[w > 0], w[w > 0])
    np.testing.assert_allclose(state_of(net).target_scaling.mean, mean, rtol=1e-14)
    np.testing.assert_allclose(state_of(net).target_scaling.deviation, deviation, rtol=1e-12)


def many(net, X, Y, **settings):
    fastnn.fit_many([net.copy(), net], X, Y, **settings)


def read(net, X, Y, **settings):
    net.fit(ArrayRows(X), Y, window=4096, **settings)


@pytest.mark.parametrize("way", [Network.fit, many, read])
@pytest.mark.parametrize(
    ("first", "other", "dtype", "words"),
    [
        (1e40, 1, "float32", "up to 1e[+]40, too large for float32"),
        (1e36, 1e-5, "float32", "up to .* deviations from the mean .* look for wrong numbers"),
        (1.7e308, -1.7e308, "float64", "1.7e[+]308, whose differences leave float64"),
    ],
)
def test_targets_that_leave_the_dtype_change_nothing(way, first, other, dtype, words):
    X, Y, _ = values(K=3)
    w = np.ones(len(X))
    Y[:, 1] = other * np.linspace(0.9, 1, len(X))
    Y[0, 1] = first
    w[0] = first != 1e36  # only what does not count can lie that far
    X, net = X.astype("float32"), network(3, dtype=dtype)
    settings = FIT | {"sample_weight": w}
    with pytest.raises(DataError, match=words):
        way(net, X, Y, **settings)
    assert net.inputs is None
    assert state_of(net).target_scaling is None


@pytest.mark.parametrize("window", ["256 MB", 4096])
def test_targets_to_score_that_lie_too_far_are_refused_first(window):
    X, Y, _ = values()
    wrong = Y.copy()
    wrong[7, 1] = 1e36
    X, net = X.astype("float32"), network()
    with pytest.raises(DataError, match="look for wrong numbers in y"):
        net.fit(X, Y, validation_data=(ArrayRows(X), wrong), window=window, **FIT)
    assert net.inputs is None
    net.fit(X, Y, **FIT)
    with pytest.raises(DataError, match="look for wrong numbers in y"):
        net.evaluate(X, wrong)


@pytest.mark.parametrize("K", [1, 2])
def test_windows_are_as_in_memory(K):
    X, Y, w = values(K)
    X = X.astype("float32")
    whole, read = network(K, seed=5), network(K, seed=5)
    settings = FIT | {"sample_weight": w, "shuffle": False, "metrics": ["mse"]}
    expected = whole.fit(X, Y, **settings, validation_split=0.2)
    found = read.fit(ArrayRows(X), Y, **settings, validation_split=0.2, window=2048)
    for name in expected:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-5)
    np.testing.assert_array_equal(read.predict(X), whole.predict(X))


def test_rows_refused_late_leave_nothing_learnt():
    X, Y, _ = values()
    X = X.astype("float32")
    net = network()
    with pytest.raises(DataError, match="cut off"):
        net.fit(FailingRows(X, DataError("cut off"), 3), Y, window=2048, **FIT)
    assert state_of(net).target_scaling is None
    net.fit(X, Y + 5, **FIT)
    np.testing.assert_allclose(state_of(net).target_scaling.mean, (Y + 5).mean(axis=0))


def test_many_networks_and_their_mean():
    X, Y, w = values()
    nets = [network(seed=s, scale_target=s < 2) for s in range(3)]
    alone = [net.copy() for net in nets]
    fold = np.arange(150), np.arange(150, 200)
    fastnn.fit_many(nets[:2], X, Y, sample_weight=w, folds=fold, epochs=3, progress=False)
    for net, one in zip(nets, alone[:2], strict=False):
        one.fit(X[:150], Y[:150], sample_weight=w[:150], epochs=3, progress=False)
        np.testing.assert_array_equal(net.predict(X), one.predict(X))
    both = fastnn.Ensemble(nets[:2])
    P = (nets[0].predict(X) + nets[1].predict(X)) / 2
    np.testing.assert_allclose(both.predict(X), P, rtol=1e-6)
    z = (P - state_of(nets[0]).target_scaling.mean) / state_of(nets[0]).target_scaling.deviation
    Z = state_of(nets[0]).target_scaling.encode(Y)
    assert both.evaluate(X, Y)["cost"] == pytest.approx(((z - Z) ** 2).sum(axis=1).mean() / 2, 1e-3)


def test_lbfgs_and_other_losses_of_values():
    X, Y, _ = values(K=1)
    net = network(K=1, dtype="float64")
    assert net.fit(X, Y, optimizer="lbfgs", epochs=30, progress=False)["cost"][-1] < 0.3
    for loss in ("absolute_error", losses.Huber(0.5), losses.Quantile(0.9)):
        net = network(K=1, loss=loss)
        net.fit(X, Y, **FIT | {"epochs": 60})
        assert np.abs(net.predict(X) - 2e6).max() < 3000


def test_copies_and_files(tmp_path):
    X, Y, _ = values()
    net = network()
    net.fit(X, Y, **FIT)
    P = net.predict(X)
    for name in ("net.safetensors", "net.h5"):
        net.save(tmp_path / name)
        twin = fastnn.load(tmp_path / name)
        np.testing.assert_array_equal(twin.predict(X), P)
        assert repr(twin) == repr(net)
        twin.fit(X, Y, **FIT)
    for twin in (copy.deepcopy(net), pickle.loads(pickle.dumps(net))):
        np.testing.assert_array_equal(twin.predict(X), P)
    assert "scale_target=True" in repr(net)
    assert "targets scaled" in str(net.summary())
    fresh = network(inputs=4)
    fresh.save(tmp_path / "fresh.safetensors")
    assert state_of(fastnn.load(tmp_path / "fresh.safetensors")).learns_target_scaling


def test_a_checkpoint_goes_on_as_if_never_stopped(tmp_path):
    X, Y, _ = values()
    whole, first = network(), network()
    whole.fit(X, Y, **FIT | {"epochs": 6})
    first.fit(X, Y, **FIT, callbacks=[fastnn.callbacks.Checkpoint(tmp_path / "c.safetensors")])
    resumed = fastnn.load(tmp_path / "c.safetensors")
    resumed.fit(X, Y, **FIT)
    np.testing.assert_array_equal(resumed.predict(X), whole.predict(X))


@pytest.mark.parametrize(("name", "value"), [("deviation", 0), ("deviation", 1e39), ("mean", 1e39)])
def test_a_file_of_a_scaling_that_cannot_be_is_refused(name, value, tmp_path):
    X, Y, _ = values()
    net = network()
    net.fit(X, Y, **FIT)
    getattr(state_of(net).target_scaling, name)[1] = value
    net.save(tmp_path / "net.safetensors")
    with pytest.raises(ModelFileError, match=f"target_{name}"):
        fastnn.load(tmp_path / "net.safetensors")


@pytest.mark.parametrize(
    "end", [[Dense(2)], [Dense(3), BatchNorm()], [Dense(2, use_bias=False)]], ids=str
)
def test_onnx_takes_it_into_the_last_product(tmp_path, end):
    pytest.importorskip("onnx", reason="onnx is not installed")
    reference = pytest.importorskip("onnx.reference")
    K = end[0].units
    X, Y, _ = values(K)
    net = Network([Normalization(), Dense(5, "tanh"), *end], scale_target=True)
    net.fit(X, Y, **FIT)
    net.to_onnx(tmp_path / "net.onnx")
    (found,) = reference.ReferenceEvaluator(str(tmp_path / "net.onnx")).run(
        None, {"X": X.astype("float32")}
    )
    np.testing.assert_allclose(found, net.predict(X), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_torch_takes_it_into_the_last_product():
    torch = pytest.importorskip("torch", reason="torch is not installed", exc_type=ImportError)
    X, Y, _ = values()
    net = network(dtype="float64")
    net.fit(X, Y, **FIT)
    found = net.to_torch()(torch.from_numpy(X)).detach().numpy()
    np.testing.assert_allclose(found, net.predict(X), rtol=1e-12)


@pytest.mark.parametrize(
    ("layers", "loss"),
    [
        ([Dense(1, "sigmoid")], None),
        ([Dense(3, "softmax")], None),
        ([Dense(1, "softplus")], "poisson"),
        ([Dense(1), Activation("relu")], "squared_error"),
    ],
)
def test_what_gives_no_values_is_refused(layers, loss):
    with pytest.raises(SettingError, match="scale_target is for values"):
        Network(layers, loss=loss, scale_target=True)


def test_a_flag_is_wanted():
    with pytest.raises(SettingError, match="scale_target must be True or False"):
        Network([Dense(1)], scale_target="standard")
