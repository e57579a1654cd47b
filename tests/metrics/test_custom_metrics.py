"""Metrics of users: registered under a name, then used like any other."""

import pickle

import numpy as np
import pytest

import fastnn
from fastnn import Dense, Network, metrics, spaces
from fastnn.callbacks import EarlyStopping
from fastnn.errors import SettingError
from fastnn.history import higher_is_better

X = np.random.default_rng(0).normal(size=(60, 3))
VALUES = 3 + X[:, 0] - X[:, 1]
LABELS = (X[:, 0] > 0).astype(int)
CLASSES = np.arange(60) % 3


def mape(y_true, y_pred):
    return np.mean(np.abs((y_true - y_pred) / y_true))


def net_of(y, **settings):
    output = Dense(3, "softmax") if y is CLASSES else Dense(1, "sigmoid")
    return Network([Dense(4, "tanh"), Dense(1) if y is VALUES else output], **settings)


def fit(y, name, **settings):
    net = net_of(y)
    return net, net.fit(X, y, epochs=3, metrics=[name], progress=False, **settings)


def test_a_fit_records_it_and_evaluate_returns_it():
    metrics.register("mape", mape, higher_is_better=False)
    net, history = fit(VALUES, "mape")
    assert history["mape"].shape == (3,)
    expected = np.mean(np.abs((VALUES - net.predict(X)) / VALUES))
    assert history["mape"][-1] == pytest.approx(expected, rel=1e-6)
    assert net.evaluate(X, VALUES)["mape"] == pytest.approx(expected, rel=1e-6)
    held_out = fit(VALUES, "mape", validation_data=(X[:9], VALUES[:9]))[1]
    assert set(held_out) & {"mape", "validation_mape"} == {"validation_mape"}


@pytest.mark.parametrize(
    ("y", "needs", "shape"),
    [
        (VALUES, "values", (60,)),
        (LABELS, "values", (60,)),
        (LABELS, "labels", (60,)),
        (LABELS, "probabilities", (60,)),
        (CLASSES, "labels", (60,)),
        (CLASSES, "probabilities", (60, 3)),
    ],
)
def test_it_takes_what_it_needs(y, needs, shape):
    seen = []

    def watch(y_true, y_pred):
        seen.append((y_true.copy(), y_pred.copy()))
        return 0.5

    metrics.register("watch", watch, needs=needs)
    net, _ = fit(y, "watch")
    np.testing.assert_allclose(seen[-1][0], y, rtol=1e-6)
    assert seen[-1][1].shape == shape
    expected = net.predict_proba(X) if needs == "probabilities" else net.predict(X)
    if y is LABELS and needs == "probabilities":
        expected = expected[:, 1]
    np.testing.assert_array_equal(seen[-1][1], expected)


def test_values_of_several_labels_come_together():
    Y = np.stack([LABELS, 1 - LABELS], axis=1)
    metrics.register("hamming", lambda y_true, y_pred: np.mean(y_true != y_pred))
    net = Network([Dense(2, "sigmoid")])
    history = net.fit(X, Y, epochs=1, metrics=["hamming"], progress=False)
    assert history["hamming"][0] == pytest.approx(np.mean(net.predict(X) != Y))
    metrics.register("single", mape, needs="labels")
    with pytest.raises(SettingError, match="needs one class for each example"):
        net.fit(X, Y, metrics=["single"], progress=False)


@pytest.mark.parametrize(("better", "epochs"), [(True, 3), (False, 5)])
def test_early_stopping_knows_which_is_better(better, epochs):
    """Of values 1, 2, 3, 2, 1, … patience 2 sees the best in the third epoch, or in the first."""
    values = iter([0, 1, 2, 3, 2, 1, 0.5, 0.2])  # the first is that of the check before the fit
    metrics.register("peak", lambda y_true, y_pred: next(values), higher_is_better=not better)
    assert higher_is_better("validation_peak") is higher_is_better("peak") is not better
    stop = EarlyStopping("peak", patience=2)
    history = net_of(VALUES).fit(
        X, VALUES, epochs=9, metrics=["peak"], callbacks=[stop], progress=False
    )
    assert history.epochs == epochs


def test_its_direction_stands_over_its_name():
    metrics.register("f1_distance", mape, higher_is_better=False)
    assert not higher_is_better("validation_f1_distance")
    assert higher_is_better("f1")


@pytest.mark.parametrize(("better", "best"), [(True, 10.0), (False, 0.1)])
def test_tune_searches_in_its_direction(better, best):
    pytest.importorskip("optuna", reason="Optuna is not installed")
    metrics.register("spread", lambda y_true, y_pred: y_pred.std(), higher_is_better=better)
    found = fastnn.tune(
        lambda scale: Network([Dense(1)], init=fastnn.initializers.Random(scale)),
        X, VALUES, {"scale": spaces.Choice(0.1, 10.0)}, trials=6, epochs=1,
        monitor="validation_spread",
    )  # fmt: skip
    assert found.best["scale"] == best


def test_functions_with_a_name_stand_for_it():
    metrics.register("mape", mape, higher_is_better=False)
    history = net_of(VALUES).fit(X, VALUES, epochs=1, metrics=[mape, metrics.mae], progress=False)
    assert {"mape", "mae"} <= set(history)

    def other(y_true, y_pred):
        return 0.0

    with pytest.raises(SettingError, match=r"register\('other', other, higher_is_better=…\)"):
        net_of(VALUES).fit(X, VALUES, metrics=[other], progress=False)


def test_one_that_changes_what_it_is_given_is_refused():
    """The true values are the targets of the fit."""

    def greedy(y_true, y_pred):
        y_true -= y_pred
        return np.abs(y_true).mean()

    metrics.register("greedy", greedy)
    with pytest.raises(SettingError, match=r"greedy.*read-only"):
        fit(VALUES, "greedy")


@pytest.mark.parametrize(
    ("result", "words"),
    [
        (np.zeros(3), r"one number, got an array of shape \(3,\)"),
        ([1.0], r"an array of shape \(1,\)"),
        (None, "got None"),
        ("0.5", "got '0.5'"),
        (1j, "got 1j"),
    ],
)
def test_what_is_no_number_is_refused_before_the_first_step(result, words):
    metrics.register("broken", lambda y_true, y_pred: result)
    net = net_of(VALUES)
    with pytest.raises(SettingError, match=rf"'broken' cannot be taken of the training .*{words}"):
        net.fit(X, VALUES, metrics=["broken"], progress=False)
    assert net.history.epochs == 0


def test_one_that_fails_is_refused_before_the_first_step():
    metrics.register("failing", lambda y_true, y_pred: y_true.missing)
    with pytest.raises(SettingError, match=r"cannot be taken .* AttributeError: .*missing"):
        fit(VALUES, "failing")


@pytest.mark.parametrize("result", [np.nan, True, 3, np.float32(0.5), np.array(0.25)])
def test_every_kind_of_number_is_one(result):
    metrics.register("number", lambda y_true, y_pred: result)
    np.testing.assert_array_equal(fit(VALUES, "number")[1]["number"], [float(result)] * 3)


def test_one_may_be_undefined_for_perfect_predictions():
    metrics.register("inverse", lambda y_true, y_pred: 1 / float(np.abs(y_true - y_pred).sum()))
    assert (fit(VALUES, "inverse")[1]["inverse"] > 0).all()


def test_a_process_without_it_predicts_and_says_what_is_missing(tmp_path):
    metrics.register("mape", mape)
    net, _ = fit(VALUES, "mape")
    carried = pickle.dumps(net)
    net.save(tmp_path / "net.fastnn")
    del metrics.NAMES["mape"]
    for twin in (pickle.loads(carried), fastnn.load(tmp_path / "net.fastnn")):
        np.testing.assert_array_equal(twin.predict(X), net.predict(X))
    with pytest.raises(SettingError, match=r"'mape' was registered .*metrics\.register here too"):
        pickle.loads(carried).evaluate(X, VALUES)


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        (("f1", mape), {}, "taken"),
        (("cost", mape), {}, "taken"),
        (("epoch", mape), {}, "taken"),
        (("two words", mape), {}, "plain word"),
        (("validation_mape", mape), {}, "begins with validation_"),
        (("mape", 3), {}, "must be one of"),
        (("mape", mape), {"needs": "scores"}, "values, labels, probabilities"),
        (("mape", mape), {"higher_is_better": "yes"}, "True or False"),
    ],
)
def test_registration_refuses(arguments, settings, words):
    with pytest.raises(SettingError, match=words):
        metrics.register(*arguments, **settings)
    with pytest.raises(SettingError, match=r"does not exist; .*metrics\.register"):
        fit(VALUES, "mape")
