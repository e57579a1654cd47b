"""Optimisers that users register: their rules on every backend, in files, and refused."""

import math
import pickle
import subprocess
import sys

import builders
import numpy as np
import pytest
from fastnn.kernels.custom_methods import CUSTOM_METHODS
from fastnn.kernels.custom_ops import OPS, code_of

import fastnn
from fastnn import Network, callbacks, kernels, optimizers, schedules
from fastnn.errors import DivergenceError, ModelFileError, SettingError
from fastnn.network.description import state_of

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 6))
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def descent(w, g, learning_rate=0.01):
    return w - learning_rate * g


def momentum(w, g, v, learning_rate=0.01, beta=0.9):
    v = beta * v + (1 - beta) * g
    return w - learning_rate * v, v


def adamw(
    w, g, v, s, step, learning_rate=1e-3, beta1=0.9, beta2=0.999, epsilon=1e-8, weight_decay=0.01
):
    v = beta1 * v + (1 - beta1) * g
    s = beta2 * s + (1 - beta2) * g * g
    w = w * (1 - learning_rate * weight_decay)
    v_hat, s_hat = v / (1 - beta1**step), s / (1 - beta2**step)
    return w - learning_rate * v_hat / (np.sqrt(s_hat) + epsilon), v, s


def jumping(w, g, m, learning_rate=1.0, edge=0.0):
    """Goes too far where a parameter lies above an edge."""
    m = 0.5 * m + g
    return w - learning_rate * m - (np.inf if w > edge > 0 else 0.0), m


def by_slots(w, g, m, learning_rate=0.01, decay=0.5):
    """For arrays alone."""
    m = decay * m
    m += (1 - decay) * g
    w[:] -= learning_rate * np.where(np.isfinite(m), np.arcsinh(m), 0)
    return w, m


Descent = optimizers.register("MyDescent", descent, compiled=True)
Momentum = optimizers.register("MyMomentum", momentum, compiled=True)
AdamW = optimizers.register("MyAdamW", adamw, compiled=True)
Jumping = optimizers.register("Jumping", jumping)
ArrayRule = optimizers.register("ArrayRule", by_slots, compiled=False)

PAIRS = [
    (Descent(0.1), fastnn.GradientDescent(0.1)),
    (Momentum(0.1, 0.8), fastnn.Momentum(0.1, 0.8)),
    (AdamW(0.02, weight_decay=0.3), fastnn.AdamW(0.02, weight_decay=0.3)),
]


def fitted(optimizer, network=None, **settings):
    """A network after a fit, and the fit's history."""
    network = network or builders.network(3, inputs=6)
    settings = {"epochs": 3, "batch_size": 16, "progress": False} | settings
    return network, network.fit(X, Y, optimizer=optimizer, **settings)


@pytest.mark.parametrize("backend", kernels.BACKENDS)
@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: type(pair[0]).__name__)
@pytest.mark.parametrize(
    "settings",
    [
        {"l2": 0.1, "clip_norm": 0.2, "schedule": schedules.InverseTime(0.5, per="step")},
        {"l1": 0.01, "clip_value": 0.05, "sample_weight": np.arange(40) % 3},
    ],
)
def test_a_copy_of_a_built_in_one_makes_its_steps(backend, pair, settings):
    with fastnn.backend(backend):
        (own, mine), (other, theirs) = (fitted(optimizer, **settings) for optimizer in pair)
    np.testing.assert_allclose(own.program.theta, other.program.theta, rtol=2e-5, atol=1e-6)
    for name in theirs:
        np.testing.assert_allclose(mine[name], theirs[name], rtol=1e-5)
    mine, theirs = state_of(own).training, state_of(other).training
    np.testing.assert_allclose(mine.slots, theirs.slots, rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(mine.counters, theirs.counters)


def test_weight_decay_spares_biases():
    for backend in kernels.BACKENDS:
        with fastnn.backend(backend):
            network = Network([fastnn.Dense(1)], inputs=6, dtype="float64")
            network.parameters["b1"][...] = 2.0
            W = network.parameters["W1"].copy()
            network.fit(X, X @ W[:, 0] + 2, epochs=1, batch_size=None, progress=False,
                        optimizer=AdamW(0.1, weight_decay=0.5, epsilon=1.0))  # fmt: skip
        np.testing.assert_allclose(network.parameters["W1"], 0.95 * W, rtol=1e-6)
        np.testing.assert_allclose(network.parameters["b1"], 2.0, rtol=1e-9)


def test_threads_and_chunks_of_any_number_give_the_same_bits():
    rows = RNG.normal(size=(512, 200)).astype(np.float32)
    targets = (rows[:, 0] > 0).astype(int)
    found = []
    for threads in (1, 2, 3):
        with fastnn.backend("jitted"):
            before = fastnn.get_num_threads()
            fastnn.set_num_threads(threads)
            try:
                network = Network.mlp([200, 150, 1], output="sigmoid", batch_norm=True)
                for epochs in (2, 1) if threads == 2 else (3,):
                    network.fit(rows, targets, epochs=epochs, batch_size=256, progress=False,
                                optimizer=AdamW(0.01), clip_norm=1.0)  # fmt: skip
            finally:
                fastnn.set_num_threads(before)
        found.append(network.program.theta.tobytes())
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("backend", kernels.BACKENDS)
def test_a_step_that_is_not_finite_is_not_taken(backend):
    with fastnn.backend(backend):
        network, _ = fitted(Jumping(0.01), epochs=1)
        theta, slots = network.program.theta.copy(), state_of(network).training.slots.copy()
        state_of(network).training.optimizer = Jumping(0.01, edge=0.1)
        with pytest.raises(DivergenceError, match="keeps its parameters from before that step"):
            fitted(Jumping(0.01, edge=0.1), network, batch_size=None)
        np.testing.assert_array_equal(network.program.theta, theta)
        np.testing.assert_array_equal(state_of(network).training.slots, slots)
        assert state_of(network).training.counters[0] == 3
        assert fitted(Jumping(0.01), network)[1].epochs == 3


@pytest.mark.parametrize("ending", ["safetensors", "h5"])
def test_checkpoints_and_pickles_go_on_bit_for_bit(ending, tmp_path):
    path, optimizer = tmp_path / f"a.{ending}", AdamW(0.01, beta1=0.7)
    whole, _ = fitted(optimizer, epochs=5)
    half, _ = fitted(optimizer, epochs=3, callbacks=[callbacks.Checkpoint(path)])
    for copy in (fastnn.load(path), pickle.loads(pickle.dumps(half)), half.copy()):
        assert state_of(copy).training.optimizer == optimizer
        fitted(optimizer, copy, epochs=2)
        np.testing.assert_array_equal(copy.program.theta, whole.program.theta)
    fitted(AdamW(0.01, beta1=0.6), half, epochs=1)
    assert state_of(half).training.counters[0] == 3  # slots began anew


def test_a_process_that_has_not_registered_it_says_so(tmp_path):
    path = tmp_path / "a.safetensors"
    network, _ = fitted(Momentum(0.1), callbacks=[callbacks.Checkpoint(path)])
    (tmp_path / "a.pickle").write_bytes(pickle.dumps(network))
    code = f"import fastnn, pickle; pickle.load(open({str(tmp_path / 'a.pickle')!r}, 'rb'))"
    for words, error, text in (
        (f"import fastnn; fastnn.load({str(path)!r})", ModelFileError, "register one of your own"),
        (code, SettingError, "call fastnn.optimizers.register('MyMomentum', update) before"),
    ):
        child = subprocess.run(
            [sys.executable, "-P", "-c", words], check=False, capture_output=True, text=True
        )
        assert error.__name__ in child.stderr
        assert "MyMomentum" in child.stderr
        assert text in child.stderr.replace("\n", " ")


def test_a_rule_that_is_not_compiled_runs_on_vectorized_where_jitted_is_chosen():
    results = []
    for backend in ("vectorized", "jitted"):
        with fastnn.backend(backend):
            results.append(fitted(ArrayRule(0.1))[0].program.theta)
    np.testing.assert_array_equal(*results)
    assert not ArrayRule().compiled
    assert Jumping().compiled


def test_numba_that_cannot_compile_is_said():
    def rule(w, g, learning_rate=0.1):
        return w - learning_rate * np.asarray(sorted([g])[0] if np.ndim(g) == 0 else g) * {1: 1}[1]

    with pytest.warns(UserWarning, match="Uncompiled trains on the vectorized backend, for Numba"):
        kind = optimizers.register("Uncompiled", rule)
    assert not kind().compiled
    with pytest.raises(SettingError, match="optimizer Uncompiled cannot be compiled"):
        optimizers.register("Uncompiled", rule, compiled=True)


def test_another_rule_of_the_same_name_is_compiled_anew():
    first = optimizers.register("Same", descent)
    one, _ = fitted(first(0.1))
    before = len(OPS)

    def descent_twice(w, g, learning_rate=0.01):
        return w - 2 * learning_rate * g

    second = optimizers.register("Same", descent_twice)
    assert len(OPS) == before
    np.testing.assert_allclose(
        fitted(second(0.05))[0].program.theta, one.program.theta, rtol=1e-5, atol=1e-7
    )
    with pytest.raises(SettingError, match="Same has been registered anew"):
        fitted(first(0.1))


def test_it_is_shown_and_compared_as_a_built_in_one():
    assert repr(Momentum(0.2)) == "MyMomentum(learning_rate=0.2)"
    assert Momentum(0.2) == Momentum(learning_rate=0.2)
    assert Momentum(0.2) != Momentum(0.2, 0.8)
    assert hash(Momentum(0.2)) == hash(Momentum(0.2))
    assert issubclass(Momentum, optimizers.Optimizer)
    assert "optimizers" in fastnn.__all__


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": 0.0}, "learning_rate must be a finite number greater than 0"),
        ({"beta": 1.0}, r"beta must lie in \[0, 1\)"),
        ({"learning_rate": math.nan}, "learning_rate"),
    ],
)
def test_settings_are_checked_by_their_names(settings, message):
    with pytest.raises(SettingError, match=message):
        Momentum(**settings)


WRONG = {
    "is no function": (3, "update must be a function like"),
    "has no rate": (lambda w, g, rate=0.1: w - rate * g, "learning_rate among them; it takes"),
    "takes too little": (lambda w, learning_rate=0.1: w, "parameter, gradient, the slots"),
    "has step in front": (lambda w, g, step, m, learning_rate=0.1: w, "perhaps step, then"),
    "takes any": (lambda w, g, *rest, learning_rate=0.1: w, "by position"),
    "has text": (lambda w, g, learning_rate=0.1, kind="a": w, "kind must be a finite number"),
    "has a bad default": (lambda w, g, learning_rate=0: w, "learning_rate must be a finite number"),
    "returns no slot": (lambda w, g, m, learning_rate=0.1: w - g, "1 new slots, 2 in all"),
    "returns too much": (
        lambda w, g, learning_rate=0.1: (w, g),
        "must return the new parameter",
    ),
    "sums": (
        lambda w, g, learning_rate=0.1: w - learning_rate * g / (1 + np.sum(g * g)),
        "a function of each parameter alone",
    ),
    "changes the shape": (lambda w, g, learning_rate=0.1: np.zeros(3), "must keep the shape"),
    "is not finite": (
        lambda w, g, learning_rate=0.1: w - g / g,
        "gives nan where gradient and slots are 0",
    ),
    "divides": (
        lambda w, g, m, learning_rate=0.1: (w - learning_rate * g, 1 / (m - m) + g),
        "gives inf where gradient",
    ),
    "overflows": (
        lambda w, g, m, learning_rate=0.1: (w - learning_rate * g, m * 1e200 + 1e200 * g),
        "update gives -?inf in step 2",
    ),
    "climbs": (lambda w, g, learning_rate=0.1: w + learning_rate * g, "along its gradient"),
    "drifts": (
        lambda w, g, learning_rate=0.1: w - learning_rate * (g + 1),
        "moves the parameter .* though gradient and weight decay are 0",
    ),
    "raises": (lambda w, g, learning_rate=0.1: w - learning_rate * g.nothing, "fails .*Attribute"),
    "has many settings": (
        eval("lambda w, g, learning_rate=0.1, " + ", ".join(f"a{i}=0" for i in range(9)) + ": w"),
        "at most 8",
    ),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_rule_that_is_wrong_is_refused_and_nothing_registered(kind):
    update, message = WRONG[kind]
    with pytest.raises(SettingError, match=message):
        optimizers.register("Wrong", update)
    assert "Wrong" not in optimizers.REGISTERED
    assert code_of("Wrong") not in CUSTOM_METHODS


@pytest.mark.parametrize("name", ["Adam", "LBFGS", "two words", 3])
def test_a_name_that_is_taken_is_refused(name):
    with pytest.raises(SettingError, match="is taken or is no plain word"):
        optimizers.register(name, descent)
