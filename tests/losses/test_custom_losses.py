"""Losses of users: registered after a check of their derivative, compiled or run by NumPy."""

import math
import pickle

import numpy as np
import pytest
from fastnn.kernels import custom_ops

import fastnn
from fastnn import Dense, MLPClassifier, MLPRegressor, Network, kernels, losses
from fastnn.errors import DataError, SettingError
from fastnn.losses import registered
from fastnn.network.description import state_of

pytestmark = pytest.mark.medium

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 5))
VALUES = np.stack([np.sin(X[:, 0]), 2 * X[:, 1]], axis=1)
COUNTS = RNG.poisson(np.exp(X[:, :2] / 2))
LABELS = (X[:, 0] * X[:, 1] > 0).astype(int)
WEIGHTS = RNG.integers(0, 4, 90).astype(float)


def huber(a, y, delta=0.7):
    e = a - y
    if abs(e) <= delta:
        return e * e / 2
    return delta * (abs(e) - delta / 2)


def huber_slope(a, y, delta=0.7):
    e = a - y
    if abs(e) <= delta:
        return e
    return delta if e > 0 else -delta


def logistic(z, y):
    return np.maximum(z, 0) - z * y + np.log1p(np.exp(-np.abs(z)))


#: By name: what is registered, the built-in loss that it copies, its outputs and targets.
COPIES = {
    "squared_copy": (
        lambda a, y: (a - y) ** 2 / 2, lambda a, y: a - y, {}, losses.SquaredError(),
        Dense(2), VALUES,
    ),
    "huber_copy": (huber, huber_slope, {}, losses.Huber(0.7), Dense(2), VALUES),
    "poisson_copy": (
        lambda a, y: a - np.where(y == 0, 0.0, y * np.log(a)), lambda a, y: 1 - y / a,
        {"outputs": ("softplus", "exp"), "targets": "counts"}, losses.Poisson(),
        Dense(2, "softplus"), COUNTS,
    ),
    "logistic_copy": (
        logistic, lambda z, y: 1 / (1 + np.exp(-z)) - y,
        {"outputs": "sigmoid", "from_logits": True}, losses.BinaryCrossEntropy(),
        Dense(1, "sigmoid"), LABELS,
    ),
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def copies():
    for name, (cost, slope, settings, *_) in COPIES.items():
        assert losses.register(name, cost, slope, compiled=True, **settings).compiled


def fitted(loss, output, y, dtype="float64", **settings):
    """A network after two epochs of two and a half batches, its history, and what it computes."""
    net = Network([Dense(6, "tanh"), output], loss=loss, dtype=dtype)
    history = net.fit(
        X, y, epochs=2, batch_size=36, sample_weight=WEIGHTS, validation_data=(X[:20], y[:20]),
        progress=False, **settings,
    )  # fmt: skip
    return net, history


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", COPIES)
def test_copies_of_built_in_losses_give_their_results(name, dtype, backend):
    *_, built_in, output, y = COPIES[name]
    net, history = fitted(name, output, y, dtype)
    twin, expected = fitted(built_in, output, y, dtype)
    tolerance = {"rtol": 2e-5 if dtype == "float32" else 1e-9, "atol": 1e-6}
    assert list(history) == list(expected)  # a loss of labels has accuracies
    for curve in history:
        np.testing.assert_allclose(history[curve], expected[curve], **tolerance)
    np.testing.assert_allclose(net.predict(X), twin.predict(X), **tolerance)
    found, wanted = net.cost_and_gradients(X, y, l2=0.3), twin.cost_and_gradients(X, y, l2=0.3)
    assert found[0] == pytest.approx(wanted[0], rel=1e-5)
    for parameter in wanted[1]:
        np.testing.assert_allclose(found[1][parameter], wanted[1][parameter], **tolerance)
    # Compiled, the copy of Huber's loss rounds as the built-in one: to the last bit.
    if backend == "jitted" and name == "huber_copy":
        assert np.array_equal(net.parameters["W1"], twin.parameters["W1"])


@pytest.mark.parametrize("name", ["huber_copy", "logistic_copy"])
def test_gradients_and_lbfgs(name, backend):
    *_, output, y = COPIES[name]
    net = Network([Dense(4, "tanh"), output], inputs=5, loss=name, dtype="float64")
    assert fastnn.check_gradients(net, X, y, l2=0.1).passed
    settings = {"optimizer": fastnn.LBFGS(), "batch_size": None, "progress": False}
    history = net.fit(X, y, epochs=15, **settings)
    assert history["cost"][-1] < history["cost"][0]


def test_its_cost_is_the_weighted_mean_of_its_formula(backend):
    net, _ = fitted("huber_copy", Dense(2), VALUES)
    error = net.predict(X) - VALUES
    formula = np.where(abs(error) <= 0.7, error**2 / 2, 0.7 * (abs(error) - 0.35)).sum(axis=1)
    assert net.evaluate(X, VALUES)["cost"] == pytest.approx(formula.mean())
    cost, _ = net.cost_and_gradients(X, VALUES, sample_weight=WEIGHTS)
    assert cost == pytest.approx(np.average(formula, weights=WEIGHTS))


def test_its_parameter_is_the_third_argument(backend):
    loss = losses.Registered("huber_copy", 0.2)
    net, _ = fitted(loss, Dense(2), VALUES)
    twin, _ = fitted(losses.Huber(0.2), Dense(2), VALUES)
    np.testing.assert_allclose(net.predict(X), twin.predict(X), rtol=1e-9)
    assert repr(loss) == "Registered('huber_copy', 0.2)"
    assert "loss=Registered('huber_copy', 0.2)" in repr(net)
    assert "loss='huber_copy'" in repr(Network([Dense(2)], loss="huber_copy"))
    assert losses.Registered("huber_copy") == losses.Registered("huber_copy", 0.7)
    with pytest.raises(SettingError, match="takes no parameter, got 3"):
        losses.Registered("squared_copy", 3)


def test_class_weights_and_right_labels(backend):
    """Of a loss of probabilities, an example is right where they agree with its label."""
    losses.register("brier", lambda a, y: (a - y) ** 2, lambda a, y: 2 * (a - y), outputs="softmax")
    net = Network([Dense(8, "tanh"), Dense(3, "softmax")], loss="brier", dtype="float64")
    y = RNG.integers(0, 3, 90)
    net.fit(X, y, epochs=2, class_weight="balanced", progress=False)
    found = net.evaluate(X, y)
    assert found["accuracy"] == pytest.approx((net.predict(X) == y).mean())
    p = net.predict_proba(X)
    assert found["cost"] == pytest.approx(((p - np.eye(3)[y]) ** 2).sum(axis=1).mean())


@pytest.mark.parametrize("batch", [400, 90])
def test_threads_do_not_move_a_bit(batch):
    rng = np.random.default_rng(1)
    wide, y = rng.normal(size=(400, 60)), rng.normal(size=400)
    found = []
    for threads in (1, 2):
        with fastnn.backend("jitted"):
            before = fastnn.get_num_threads()
            fastnn.set_num_threads(threads)
            try:
                net = Network([Dense(300, "relu"), Dense(1)], loss="huber_copy")
                net.fit(wide, y, epochs=6, batch_size=batch, progress=False)
            finally:
                fastnn.set_num_threads(before)
        found.append(net.parameters["W1"].copy())
    assert np.array_equal(*found)


def test_another_function_of_its_name_is_compiled_anew(tmp_path):
    """In memory alone: no file of the cache could be taken for that of another function."""
    from fastnn.kernels.jitted.loader.manifest import DTYPES
    from fastnn.kernels.jitted.loader.source import manifest, source

    costs = []
    for scale in (1.0, 3.0):
        losses.register(
            "scaled", lambda a, y, s=scale: s * (a - y) ** 2,
            lambda a, y, s=scale: 2 * s * (a - y), compiled=True,
        )  # fmt: skip
        net = Network([Dense(1)], inputs=5, loss="scaled")
        costs.append(net.evaluate(X, VALUES[:, 0])["cost"])
    assert costs[1] == pytest.approx(3 * costs[0])
    losses.register("scaled", lambda a, y: 5 * (a - y) ** 2, lambda a, y: 10 * (a - y))
    found = net.evaluate(X, VALUES[:, 0])["cost"]  # of the network that is there
    assert found == pytest.approx(5 * costs[0])
    store = source().store
    assert store.holds("step.loop.evaluate_blocks float32")
    assert not store.holds(f"{custom_ops.LOSSES[custom_ops.code_of('scaled')].requirement} float32")
    if source().level is None:
        kept = {f"{name.replace(' ', '-')}.code" for d in DTYPES for name in manifest().objects(d)}
        assert {file.name for file in store.folder.glob("*.code")} <= kept | {"manifest.code"}


def test_numpy_alone_runs_what_numba_cannot_compile():
    seen = []

    def cost(a, y):
        seen.append(type(a))
        return a - np.vectorize(math.sin)(a * 0) - y * a + a * a

    with pytest.warns(UserWarning, match=r"trains on the vectorized backend.*compiled=False"):
        loss = losses.register("interpreted", cost, lambda a, y: 1 - y + 2 * a)
    assert not loss.compiled
    with fastnn.backend("jitted"):
        net, history = fitted("interpreted", Dense(2), VALUES)
        assert fastnn.check_gradients(net, X, VALUES).passed
    assert seen[-1] is np.ndarray
    with fastnn.backend("vectorized"):
        assert fitted("interpreted", Dense(2), VALUES)[1] == history
    losses.register("interpreted", cost, lambda a, y: 1 - y + 2 * a, compiled=False)
    with pytest.raises(SettingError, match="cannot be compiled: cost: "):
        losses.register("interpreted", cost, lambda a, y: 1 - y + 2 * a, compiled=True)


def test_a_function_that_computes_something_else_when_compiled_is_not_compiled():
    """Python's whole numbers have no end, and compiled ones wrap around."""

    def cost(a, y):
        large = int(y * 0 + 1e10)
        return (a - y) ** 2 + large * large * large * 1e-30

    with pytest.warns(UserWarning, match=r"compiled, cost\(-2.9629, -2.4827\) is .*, not 1\."):
        loss = losses.register("overflowing", cost, lambda a, y: 2 * (a - y))
    assert not loss.compiled


def test_compiled_functions_may_be_written_for_arrays():
    loss = losses.register(
        "clipped",
        lambda a, y: np.where(np.abs(a - y) < 0.5, (a - y) ** 2, 0.25),
        lambda a, y: np.where(np.abs(a - y) < 0.5, 2 * np.clip(a - y, -9, 9), 0.0),
        compiled=True,
    )
    net, _ = fitted(loss, Dense(2), VALUES)
    expected = np.minimum((net.predict(X) - VALUES) ** 2, 0.25).sum(axis=1).mean()
    assert net.evaluate(X, VALUES)["cost"] == pytest.approx(expected)


def test_compiled_functions_may_call_functions_that_numba_brings_along():
    """Γ(3) is 2; code that other processes link could not call Numba's Γ."""
    loss = losses.register(
        "by_gamma",
        lambda a, y: (a - y) ** 2 / math.gamma(3.0),
        lambda a, y: 2 * (a - y) / math.gamma(3.0),
        compiled=True,
    )
    net, _ = fitted(loss, Dense(2), VALUES)
    twin, _ = fitted(losses.SquaredError(), Dense(2), VALUES)
    np.testing.assert_allclose(net.predict(X), twin.predict(X), rtol=1e-9)


def test_numpy_alone_runs_what_calls_the_interpreter(capsys):
    def cost(a, y):
        print("cost of", a)  # noqa: T201 - it is what the test is about
        return (a - y) ** 2

    with pytest.warns(UserWarning, match=r"\(cost: it calls Python's interpreter, as print does\)"):
        assert not losses.register("talkative", cost, lambda a, y: 2 * (a - y)).compiled
    fitted("talkative", Dense(2), VALUES)
    assert "cost of" in capsys.readouterr().out


def test_what_compiled_code_raises_ends_the_fit():
    def cost(a, y):
        if y > 5:
            raise ValueError("beyond the range")
        return (a - y) ** 2

    losses.register("bounded", cost, lambda a, y: 2 * (a - y), compiled=True)
    net = Network([Dense(1)], inputs=5, loss="bounded")
    before = net.parameters["W1"].copy()
    with pytest.raises(fastnn.errors.DivergenceError):
        net.fit(X, np.full(90, 6.0), epochs=1, progress=False)
    assert np.array_equal(net.parameters["W1"], before)


def test_files_and_pickles_know_it(tmp_path, monkeypatch):
    net, _ = fitted(losses.Registered("huber_copy", 0.4), Dense(2), VALUES)
    path, expected = tmp_path / "net.fastnn", net.evaluate(X, VALUES)
    net.save(path)
    for twin in (fastnn.load(path), pickle.loads(pickle.dumps(net)), net.copy()):
        assert twin.loss == "huber_copy"
        assert twin.evaluate(X, VALUES) == expected
    carried = pickle.dumps(net)
    # A process that has not registered it.
    monkeypatch.delitem(custom_ops.LOSSES, custom_ops.code_of("huber_copy"))
    monkeypatch.delitem(registered.REGISTRY, "huber_copy")
    for twin in (fastnn.load(path), pickle.loads(carried)):
        np.testing.assert_array_equal(twin.predict(X), net.predict(X))
        for use in (twin.evaluate, twin.fit, twin.cost_and_gradients):
            with pytest.raises(SettingError, match=r"'huber_copy' .*losses\.register here too"):
                use(X, VALUES)
        twin.save(tmp_path / "again.fastnn")
    with pytest.raises(SettingError, match="not registered in this process"):
        losses.Registered("huber_copy")


def test_a_network_whose_loss_is_registered_otherwise_is_refused(tmp_path):
    square = (lambda a, y: (a - y) ** 2, lambda a, y: 2 * (a - y))
    losses.register("changing", *square, outputs="sigmoid", from_logits=True)
    net = Network([Dense(1, "sigmoid")], inputs=5, loss="changing")
    net.save(tmp_path / "net.fastnn")
    losses.register("changing", *square, outputs="sigmoid")
    for stale in (net, fastnn.load(tmp_path / "net.fastnn")):
        with pytest.raises(SettingError, match="with from_logits=True where the network was made"):
            stale.evaluate(X, LABELS)


def test_estimators_take_it():
    regressor = MLPRegressor(loss="poisson_copy", max_iter=3, tol=0, random_state=0)
    with pytest.warns(Warning, match="without converging"):
        regressor.fit(X, COUNTS[:, 0])
    assert (regressor.predict(X) > 0).all()
    loss = losses.Registered("logistic_copy")
    with pytest.warns(Warning, match="without converging"):
        classifier = MLPClassifier(loss=loss, max_iter=3, random_state=0).fit(X, LABELS)
    with pytest.warns(Warning, match="without converging"):
        twin = MLPClassifier(max_iter=3, random_state=0).fit(X, LABELS)
    np.testing.assert_allclose(classifier.predict_proba(X), twin.predict_proba(X), rtol=1e-4)


def test_targets_are_checked_as_it_says():
    net = Network([Dense(2, "softplus")], inputs=5, loss="poisson_copy")
    with pytest.raises(DataError, match=r"counts must not be negative, but y\[3\]"):
        net.fit(X, np.where(np.arange(90) == 3, -1, COUNTS[:, 0])[:, None] * [1, 1])
    losses.register(
        "gamma", lambda a, y: np.log(a) + y / a, lambda a, y: 1 / a - y / a**2,
        outputs="exp", targets="positive",
    )  # fmt: skip
    with pytest.raises(DataError, match=r"y must be positive for this loss, but y\[0\] is 0"):
        Network([Dense(1, "exp")], loss="gamma").fit(X, np.zeros(90))
    with pytest.raises(SettingError, match="needs a exp output"):
        Network([Dense(1)], loss="gamma")


def square(a, y):
    return (a - y) ** 2


@pytest.mark.parametrize(
    ("cost", "slope", "settings", "words"),
    [
        (square, lambda a, y: a - y, {}, r"prediction = -2.9629, target = -2.483 it gives -0.4802,"
         r" but the derivative is -0.9604; it is 0.5 times"),
        (square, lambda a, y: 2 * (y - a), {}, "its sign is turned"),
        (square, lambda a, y: a * y, {}, "derivative of cost by its first argument"),
        (square, lambda a, y: a - y, {"outputs": "sigmoid"}, "0.5 times"),
        (lambda a, y: -y * np.log(a) - (1 - y) * np.log(1 - a), lambda a, y: a - y,
         {"outputs": "sigmoid"}, "derivative by the logit"),
        (lambda a, y: (a - a.mean()) ** 2, square, {}, "each pair of numbers alone"),
        (lambda a, y: a - y * np.log(a), lambda a, y: 1 - y / a, {}, "name the outputs and target"),
        (lambda a, y: [a, y], square, {}, r"array of shape \(2,\)"),
        (lambda a, y: missing, square, {}, "NameError: name 'missing'"),  # noqa: F821
        (lambda a: a, square, {}, r"takes \(a\)"),
        (square, "slope", {}, "must be a function of"),
        (huber, square, {}, "the same parameter"),
        (square, square, {"from_logits": True}, "argument of a sigmoid or a softmax"),
        (square, square, {"outputs": "tanh", "targets": "binary"}, "go with sigmoid outputs"),
        (square, square, {"outputs": "tanch"}, "no activation"),
        (square, square, {"targets": "floats"}, "one of real, positive"),
        (square, square, {"from_logits": "yes"}, "True or False"),
    ],
)  # fmt: skip
def test_registration_refuses(cost, slope, settings, words):
    with pytest.raises(SettingError, match=words):
        losses.register("refused", cost, slope, **settings)
    with pytest.raises(SettingError, match=r"'refused' does not exist; choose one of .*huber_copy"):
        Network([Dense(1)], loss="refused")


@pytest.mark.parametrize("name", ["huber", "two words", 3])
def test_registration_refuses_names(name):
    with pytest.raises(SettingError, match="is taken or is no plain word"):
        losses.register(name, square, lambda a, y: 2 * (a - y))


def test_the_code_is_a_function_of_the_name():
    net = Network([Dense(2)], inputs=5, loss="huber_copy")
    assert state_of(net).program.ops["code"][-1] == custom_ops.code_of("huber_copy")
    assert kernels.custom_ops.FIRST <= custom_ops.code_of("huber_copy") < 2**49


def test_a_ufunc_is_a_cost():
    losses.register("softplus_of", np.logaddexp, lambda a, y: 1 / (1 + np.exp(y - a)),
                    compiled=False)  # fmt: skip
    found = Network([Dense(2)], inputs=5, loss="softplus_of", seed=0)
    expected = np.logaddexp(found.predict(X), VALUES).sum(axis=1).mean()
    assert found.evaluate(X, VALUES)["cost"] == pytest.approx(expected, rel=1e-5)


def test_a_loss_that_a_fit_finds_registered_without_code_ends_it_by_a_sentence():
    def register(compiled):
        losses.register("swapped", square, lambda a, y: 2 * (a - y), compiled=compiled)

    register(True)
    net = Network([Dense(2)], inputs=5, loss="swapped", seed=0)
    swap = [lambda network, history: register(False)]
    with pytest.raises(RuntimeError, match="'swapped' was registered anew, as one that is not"):
        net.fit(X, VALUES, epochs=3, callbacks=swap)
    assert net.fit(X, VALUES, epochs=1).epochs == 1


def test_a_loss_registered_anew_while_kernels_compile_leaves_no_gap_in_the_table(monkeypatch):
    """Another thread may register it; a call through an empty place would end the process."""
    from fastnn.kernels.jitted.loader import tables

    def register(scale):
        losses.register("raced", lambda a, y: scale * (a - y) ** 2,
                        lambda a, y: 2 * scale * (a - y), compiled=True)  # fmt: skip

    register(1.0)
    net = Network([Dense(2)], inputs=5, loss="raced", seed=0)
    pointers = tables.kernel_pointers

    def slow(*arguments):
        register(2.0)
        return pointers(*arguments)

    expected = ((net.predict(X) - VALUES) ** 2).sum(axis=1).mean()
    monkeypatch.setattr(tables, "kernel_pointers", slow)
    found = net.evaluate(X, VALUES)["cost"]  # by the loss with which the call began
    assert found == pytest.approx(expected, rel=1e-5)
