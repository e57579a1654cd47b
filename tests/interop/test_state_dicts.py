"""A state_dict without PyTorch: arrays by name, whose order a file does not keep."""

import numpy as np
import pytest

import fastnn
from fastnn.errors import SettingError, ShapeError

RNG = np.random.default_rng(2)
X = RNG.normal(size=(9, 4)).astype(np.float32)


def deep(form, layers=12):
    """Weights of layers of one width, so that every order would fit, and the right outputs.

    In C order: the official writer of safetensors stores others wrongly, without a word.
    """
    A, state = X.astype(np.float64), {}
    for place in range(layers):
        W, b = RNG.normal(0, 0.7, (4, 4)), RNG.normal(size=4)
        state[form.format(place) + ".weight"] = W.T.astype(np.float32, order="C")
        state[form.format(place) + ".bias"] = b.astype(np.float32)
        Z = A @ W + b
        A = np.tanh(Z) if place < layers - 1 else Z
    return state, A


@pytest.mark.parametrize("form", ["{}", "fc{}", "net.{}.linear", "module.block{}.fc"])
def test_a_safetensors_file_is_taken_by_its_numbers(form, tmp_path):
    """It holds names sorted as text: 0, 1, 10, 11, 2."""
    files = pytest.importorskip("safetensors.numpy", reason="safetensors is not installed")
    state, expected = deep(form)
    files.save_file(state, tmp_path / "m.safetensors")
    read = files.load_file(tmp_path / "m.safetensors")
    net = fastnn.from_torch(read, hidden="tanh")
    np.testing.assert_allclose(net.predict(X), expected, rtol=1e-4, atol=1e-5)


def test_names_without_numbers_are_taken_in_the_callers_order():
    names = ["body", "neck", "head", "a_first"]
    state, expected = deep("{}", 4)
    state = {f"{names[int(k[0])]}{k[1:]}": v for k, v in sorted(state.items(), reverse=True)}
    with pytest.raises(SettingError, match=r"'a_first' and 'body'.*give order="):
        fastnn.from_torch(state, hidden="tanh")
    net = fastnn.from_torch(state, hidden="tanh", order=names)
    np.testing.assert_allclose(net.predict(X), expected, rtol=1e-4, atol=1e-5)
    with pytest.raises(SettingError, match=r"order must name each layer.*'legs'"):
        fastnn.from_torch(state, hidden="tanh", order=[*names[:3], "legs"])


def test_a_normalisation_before_all_layers_has_no_activation_behind_it():
    state, _ = deep("{}", 2)
    state = {f"{2 * int(k[0]) + 1}{k[1:]}": v for k, v in state.items()}
    mean, variance = RNG.normal(size=4), RNG.uniform(0.5, 2, 4)
    state |= {"0.running_mean": mean.astype(np.float32), "0.running_var": variance}
    A = (X - mean) / np.sqrt(variance + 1e-5)
    A = np.maximum(A @ state["1.weight"].T + state["1.bias"], 0)
    expected = A @ state["3.weight"].T + state["3.bias"]
    net = fastnn.from_torch(state, hidden="relu")
    np.testing.assert_allclose(net.predict(X), expected, rtol=1e-4, atol=1e-5)
    state = {k.replace("1.", "2."): v for k, v in state.items()}
    with pytest.raises(SettingError, match="another module may stand between '0' and '2'"):
        fastnn.from_torch(state, hidden="relu")


def test_widths_that_do_not_follow_are_named():
    state = {"1.weight": np.ones((5, 4)), "0.weight": np.ones((3, 2))}
    with pytest.raises(ShapeError, match=r"Linear '1' takes 4 inputs, .* gives 3;.*order"):
        fastnn.from_torch(state, hidden="relu")


@pytest.mark.parametrize("prefix", ["", "0.", "net.fc1."])
def test_layers_within_a_layer_are_refused_by_name(prefix):
    """Low-rank deltas stand so, beside the weights that they change; a chain would be another."""
    state = {f"{prefix}weight": np.ones((3, 3)), f"{prefix}bias": np.zeros(3)}
    state |= {f"{prefix}lora_A.weight": np.ones((1, 3)), f"{prefix}lora_B.weight": np.ones((3, 1))}
    with pytest.raises(SettingError, match=r"within it.*lora_A.*merge them first, .*order="):
        fastnn.from_torch(state, hidden="tanh")


def test_a_layer_without_weights_is_named():
    with pytest.raises(SettingError, match=r"'0' of the state_dict has bias but no weight"):
        fastnn.from_torch({"0.bias": np.ones(3)})


@pytest.mark.parametrize("given", ["net.pt", None, [np.eye(2)], np.eye(2), dict])
def test_what_is_neither_a_model_nor_a_state_dict_is_named(given):
    words = f"takes a model or its state_dict, got {type(given).__name__}; a file"
    with pytest.raises(SettingError, match=words):
        fastnn.from_torch(given)
