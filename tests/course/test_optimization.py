"""Optimisation: the notebook's numbers, plain formulas on every backend, rules and errors."""

import numpy as np
import pytest

from fastnn.course import init_utils, opt_utils, opt_utils_v1a, optimization, testCases
from fastnn.errors import SettingError, ShapeError


def close(actual, known, rtol=1e-12):
    np.testing.assert_allclose(actual, known, rtol=rtol, atol=1e-15)


def same(found, known, rtol=1e-12):
    assert list(found) == list(known)
    for key, array in known.items():
        close(found[key], array, rtol)


def test_random_mini_batches():
    X, Y, size = testCases.random_mini_batches_test_case()
    batches = optimization.random_mini_batches(X, Y, size)
    assert [x.shape for x, _ in batches] == [(5, 64), (5, 64), (5, 20)]
    assert [y.shape for _, y in batches] == [(1, 64), (1, 64), (1, 20)]
    np.random.seed(0)
    order = np.random.permutation(148)
    np.testing.assert_array_equal(np.hstack([x for x, _ in batches]), X[:, order])
    np.testing.assert_array_equal(np.hstack([y for _, y in batches]), Y[:, order])
    batches[0][0][:] = 0
    assert X.all()  # arrays of their own


def test_mini_batches_of_other_sizes_and_seeds():
    X, Y = np.arange(10.0).reshape(1, 10), np.arange(10).reshape(1, 10)
    for size, known in ((5, [5, 5]), (10, [10]), (64, [10]), (1, [1] * 10), (3, [3, 3, 3, 1])):
        batches = optimization.random_mini_batches(X, Y, size, seed=4)
        assert [x.shape[1] for x, _ in batches] == known
        assert all((x == y).all() for x, y in batches)
        assert sorted(np.hstack([x[0] for x, _ in batches])) == list(range(10))
    first, second = (optimization.random_mini_batches(X, Y, 64, seed=None) for _ in range(2))
    assert (first[0][0] != second[0][0]).any()
    two = np.vstack([Y, Y])
    assert optimization.random_mini_batches(X, two, 4)[0][1].shape == (2, 4)
    assert optimization.random_mini_batches(np.zeros((2, 0)), np.zeros((1, 0))) == []


def test_update_parameters_with_gd(backend):
    p, grads, rate = testCases.update_parameters_with_gd_test_case()
    before = {key: array.copy() for key, array in p.items()}
    found = optimization.update_parameters_with_gd(p, grads, rate)
    same(found, {key: p[key] - rate * grads[f"d{key}"] for key in p})
    np.testing.assert_equal(p, before)


def test_first_averages():
    p = testCases.initialize_velocity_test_case()
    known = {f"d{key}": np.zeros(array.shape) for key, array in p.items()}
    same(optimization.initialize_velocity(p), known)
    v, s = optimization.initialize_adam(testCases.initialize_adam_test_case())
    same(v, known)
    same(s, known)
    v["dW1"] += 1
    assert not s["dW1"].any()


def test_update_parameters_with_momentum(backend):
    p, grads, v = testCases.update_parameters_with_momentum_test_case()
    kept = [{key: array.copy() for key, array in held.items()} for held in (p, grads, v)]
    for beta in (0.9, 0.0):
        found, velocity = optimization.update_parameters_with_momentum(p, grads, v, beta, 0.01)
        known = {key: beta * v[key] + (1 - beta) * grads[key] for key in v}
        same(velocity, known)
        same(found, {key: p[key] - 0.01 * known[f"d{key}"] for key in p})
    np.testing.assert_equal([p, grads, v], kept)


def test_update_parameters_with_adam(backend):
    p, grads, v, s = testCases.update_parameters_with_adam_test_case()
    kept = [{key: array.copy() for key, array in held.items()} for held in (p, grads, v, s)]
    settings = {"learning_rate": 0.02, "beta1": 0.8, "beta2": 0.888, "epsilon": 1e-2}
    found = optimization.update_parameters_with_adam(p, grads, v, s, 2, **settings)
    new_v = {key: 0.8 * v[key] + 0.2 * grads[key] for key in v}
    new_s = {key: 0.888 * s[key] + 0.112 * grads[key] ** 2 for key in s}
    v_hat = {key: array / (1 - 0.8**2) for key, array in new_v.items()}
    s_hat = {key: array / (1 - 0.888**2) for key, array in new_s.items()}
    known = {
        key: p[key] - 0.02 * v_hat[f"d{key}"] / (np.sqrt(s_hat[f"d{key}"]) + 1e-2) for key in p
    }
    for ours, theirs in zip(found, (known, new_v, new_s, v_hat, s_hat), strict=True):
        same(ours, theirs)
    np.testing.assert_equal([p, grads, v, s], kept)


def test_adam_begins_with_equal_steps(backend):
    p, grads, *_ = testCases.update_parameters_with_adam_test_case()
    v, s = optimization.initialize_adam(p)
    found = optimization.update_parameters_with_adam(p, grads, v, s, 1)[0]
    for key in p:  # v̂ / √ŝ is the sign of the first gradient; the rate is 0.01
        close(p[key] - found[key], 0.01 * np.sign(grads[f"d{key}"]), rtol=1e-5)


def test_decays():
    assert optimization.update_lr(*testCases.update_lr_test_case()) == 0.5 / 3
    case = testCases.schedule_lr_decay_test_case()
    assert optimization.schedule_lr_decay(*case) == 0.5 / (1 + 0.3 * 2)
    rates = [optimization.schedule_lr_decay(0.1, epoch, 1) for epoch in (0, 999, 1000, 2500)]
    assert rates == [0.1, 0.1, 0.05, pytest.approx(0.1 / 3)]


def test_compute_cost_is_a_sum_from_2018_on_and_was_a_mean():
    assert opt_utils_v1a.compute_cost([[0.25, 0.5]], [[1, 0]]) == pytest.approx(np.log(8))
    assert opt_utils.compute_cost([[0.25, 0.5]], [[1, 0]]) == pytest.approx(np.log(8) / 2)
    for module in (opt_utils, opt_utils_v1a):
        assert module.compute_cost([[1.0]], [[0]]) == np.inf


def test_reexports():
    for name in ("forward_propagation", "backward_propagation", "predict", "predict_dec"):
        assert getattr(opt_utils, name) is getattr(init_utils, name)
    W = opt_utils.initialize_parameters([2, 5, 2, 1])["W1"]
    np.random.seed(3)
    np.testing.assert_array_equal(W, np.random.randn(5, 2) * np.sqrt(2 / 2))


def test_moons_are_those_of_scikit_learn():
    sets = pytest.importorskip("sklearn.datasets", reason="scikit-learn is not installed")
    X, Y = opt_utils.load_dataset()
    after = np.random.rand()
    np.random.seed(3)
    known, labels = sets.make_moons(n_samples=300, noise=0.2)
    np.testing.assert_array_equal(X, known.T)
    np.testing.assert_array_equal(Y, labels.reshape(1, -1))
    assert after == np.random.rand()


@pytest.mark.parametrize("decay", [None, optimization.update_lr])
@pytest.mark.parametrize("optimizer", ["gd", "momentum", "adam"])
def test_model_agrees_on_every_backend_with_single_steps(backend, optimizer, decay):
    X, Y, _ = testCases.random_mini_batches_test_case()
    X, Y = X[:, :20], Y[:, :20]
    p = opt_utils.initialize_parameters([5, 4, 3, 1])
    v, s = optimization.initialize_adam(p)
    rate, t = 0.05, 0
    for epoch in range(3):
        for x, y in optimization.random_mini_batches(X, Y, 8, seed=11 + epoch):
            _, cache = opt_utils.forward_propagation(x, p)
            grads = opt_utils.backward_propagation(x, y, cache)
            t += 1
            if optimizer == "gd":
                p = optimization.update_parameters_with_gd(p, grads, rate)
            elif optimizer == "momentum":
                p, v = optimization.update_parameters_with_momentum(p, grads, v, 0.8, rate)
            else:
                p, v, s, _, _ = optimization.update_parameters_with_adam(
                    p, grads, v, s, t, rate, 0.85, 0.99, 1e-6
                )
        rate = 0.05 if decay is None else 0.05 / (1 + 2 * epoch)
    ours = optimization.model(
        X, Y, [5, 4, 3, 1], optimizer, 0.05, 8, 0.8, 0.85, 0.99, 1e-6, 3, False, decay, 2
    )
    same(ours, p, rtol=1e-9)


@pytest.mark.long
@pytest.mark.parametrize(
    ("way", "known"),
    [
        ("gd", 0.717),
        ("momentum", 0.717),
        ("adam", 0.943),
        ("gd, falling rate", 0.943),
        ("momentum, falling rate", 0.953),
        ("adam, falling rate", 0.94),
    ],
)
def test_published_accuracies(worked, way, known):
    assert worked("optimize")[way]["train"] == pytest.approx(known, abs=0.0037)


@pytest.mark.long
def test_adam_classifies_the_moons_as_published():
    X, Y = opt_utils.load_dataset()
    p = optimization.model(X, Y, [2, 5, 2, 1], "adam", print_cost=False)
    assert np.mean(opt_utils.predict_dec(p, X) == Y) == pytest.approx(0.943, abs=0.0037)


@pytest.mark.long
@pytest.mark.parametrize(
    ("optimizer", "settings", "known"),
    [
        ("gd", {"num_epochs": 10000}, 0.797),
        ("momentum", {"num_epochs": 10000}, 0.797),
        ("gd", {"learning_rate": 0.1, "decay": optimization.update_lr}, 0.653),
    ],
)
def test_published_accuracies_of_longer_runs_and_a_rate_that_falls_at_once(
    fast_backend, optimizer, settings, known
):
    X, Y = opt_utils.load_dataset()
    p = optimization.model(X, Y, [2, 5, 2, 1], optimizer, print_cost=False, **settings)
    found = np.mean(opt_utils.predict_dec(p, X) == Y)
    assert found == pytest.approx(known, abs=0.0037)


@pytest.mark.medium
def test_printed_costs(capsys):
    X, Y = opt_utils.load_dataset()
    optimization.model(X, Y, [2, 5, 2, 1], "gd", num_epochs=1001)
    # The notebook prints 0.702405 and 0.668101.
    assert capsys.readouterr().out == (
        "Cost after epoch 0: 0.702405\nCost after epoch 1000: 0.668101\n"
    )
    settings = {"num_epochs": 1, "learning_rate": 0.1, "decay": optimization.update_lr}
    optimization.model(X, Y, [2, 5, 2, 1], "adam", **settings)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert lines[1] == "learning rate after epoch 0: 0.100000"
    optimization.model(X, Y, [2, 5, 2, 1], "gd", num_epochs=1, print_cost=False)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("optimizer", ["gd", "momentum", "adam"])
def test_a_run_that_explodes_goes_on_without_a_word(backend, optimizer, capsys):
    X, Y, _ = testCases.random_mini_batches_test_case()
    X, Y = X[:, :12], Y[:, :12]
    p = optimization.model(X, Y, [5, 4, 1], optimizer, learning_rate=1e200, num_epochs=3)
    assert list(p) == ["W1", "b1", "W2", "b2"]
    assert capsys.readouterr().out.startswith("Cost after epoch 0: ")


def test_wrong_shapes_are_named():
    X, Y, _ = testCases.random_mini_batches_test_case()
    with pytest.raises(ShapeError, match=r"Y .*\(any, 148\).*X, \(5, 148\).*pass Y.T"):
        optimization.random_mini_batches(X, Y.T)
    with pytest.raises(ShapeError, match=r"X .*\(4, any\).*layers_dims"):
        optimization.model(X, Y, [4, 2, 1], "gd")
    with pytest.raises(ShapeError, match=r"Y .*\(2, any\).*layers_dims"):
        optimization.model(X, Y, [5, 2, 2], "gd")
    p, grads, v = testCases.update_parameters_with_momentum_test_case()
    rule = r"dW1 of {} must have shape \(2, 3\), that of W1, got \(3, 2\).*pass dW1 of {}.T"
    for name, held in (("grads", 1), ("v", 2)):
        arguments = [p, grads, v]
        arguments[held] = arguments[held] | {"dW1": arguments[held]["dW1"].T}
        with pytest.raises(ShapeError, match=rule.format(name, name)):
            optimization.update_parameters_with_momentum(*arguments, 0.9, 0.01)
    p, grads, v, s = testCases.update_parameters_with_adam_test_case()
    s = s | {"dW1": s["dW1"].T}
    with pytest.raises(ShapeError, match=rule.format("s", "s")):
        optimization.update_parameters_with_adam(p, grads, v, s, 1)


def test_wrong_settings_are_named():
    X, Y, _ = testCases.random_mini_batches_test_case()
    p, grads, v, s = testCases.update_parameters_with_adam_test_case()
    with pytest.raises(
        SettingError, match="optimizer must be one of 'gd', 'momentum', 'adam', got 'rmsprop'"
    ):
        optimization.model(X, Y, [5, 2, 1], "rmsprop")
    for size in (0, -1, 2.5):
        with pytest.raises(SettingError, match="mini_batch_size must be a whole number from 1 on"):
            optimization.random_mini_batches(X, Y, size)
        with pytest.raises(SettingError, match="mini_batch_size must be a whole number from 1 on"):
            optimization.model(X, Y, [5, 2, 1], "gd", mini_batch_size=size)
    with pytest.raises(SettingError, match="t must be a whole number from 1 on, got 0"):
        optimization.update_parameters_with_adam(p, grads, v, s, 0)
    for name in ("beta1", "beta2"):
        with pytest.raises(SettingError, match=f"{name} must be from 0 to below 1, got 1"):
            optimization.update_parameters_with_adam(p, grads, v, s, 1, **{name: 1})
        with pytest.raises(SettingError, match=f"{name} must be from 0 to below 1, got 1"):
            optimization.model(X, Y, [5, 2, 1], "adam", **{name: 1})
    with pytest.raises(SettingError, match="beta must be from 0 to below 1"):
        optimization.update_parameters_with_momentum(p, grads, v, -0.1, 0.01)
    with pytest.raises(SettingError, match="time_interval must be a whole number from 1 on"):
        optimization.schedule_lr_decay(0.1, 5, 1, 0)
    with pytest.raises(SettingError, match="v must hold 'dW2'"):
        optimization.update_parameters_with_momentum(
            p, grads, {key: v[key] for key in v if key != "dW2"}, 0.9, 0.01
        )
    with pytest.raises(SettingError, match="parameters must hold 'b2'"):
        optimization.initialize_velocity({key: p[key] for key in p if key != "b2"})
