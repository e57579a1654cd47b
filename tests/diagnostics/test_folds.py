"""Cross-validation: folds that cover the rows, and scores of rows that a network has not seen."""

from unittest import mock

import numpy as np
import pytest

from fastnn import Adam, Dense, Network, Normalization, errors
from fastnn.callbacks import EarlyStopping
from fastnn.diagnostics import cross_validate

RNG = np.random.default_rng(0)
X = RNG.normal(size=(61, 3))
Y = (X[:, 0] + 0.3 * RNG.normal(size=61) > 0.5).astype(int)


def make(seed):
    return Network([Normalization(), Dense(4, "tanh"), Dense(1, "sigmoid")], seed=seed)


def test_folds_share_the_rows_out_class_by_class():
    found = cross_validate(make, X, Y, folds=4, epochs=1)
    held = np.concatenate([test for _, test in found.folds])
    np.testing.assert_array_equal(np.sort(held), np.arange(61))
    for train, test in found.folds:
        np.testing.assert_array_equal(np.sort([*train, *test]), np.arange(61))
        assert len(test) in (15, 16)
        assert abs(Y[test].sum() - Y.sum() / 4) < 1


@pytest.mark.parametrize("given", [3, "pairs", "masks"])
def test_scores_are_those_of_fits_on_the_other_rows(given):
    folds, mask = given, np.arange(61) < 30
    if given == "pairs":
        folds = iter([(np.arange(30), np.arange(30, 61)), (np.arange(30, 61), np.arange(30))])
    if given == "masks":
        folds = [(mask, ~mask), (~mask, mask)]
    settings = {"epochs": 3, "optimizer": Adam(0.05), "metrics": ["f1"]}
    found = cross_validate(make, X, Y, folds=folds, seed=7, **settings)
    for k, (train, test) in enumerate(found.folds):
        net = make(7)
        history = net.fit(
            X[train], Y[train], validation_data=(X[test], Y[test]), progress=False, **settings
        )
        assert found.histories[k] == history
        assert net.evaluate(X[test], Y[test]) == {n: s[k] for n, s in found.scores.items()}
    assert list(found.scores) == ["cost", "accuracy", "f1"]
    assert found.ensemble.networks == tuple(found.networks)


def test_it_prints_as_a_table():
    found = cross_validate(make, X, X[:, 0] > 0, folds=2, epochs=1)
    lines = repr(found).splitlines()
    assert lines[0].split() == ["fold", "cost", "accuracy"]
    cost = found.scores["cost"]
    assert lines[-2].split()[:2] == ["mean", f"{cost.mean():.4f}"]
    assert lines[-1].split()[:2] == ["deviation", f"{cost.std(ddof=1):.4f}"]


def no_training():
    """Let no network be trained."""
    refused = AssertionError("a network was trained")
    return mock.patch("fastnn.network.member_fit.MemberFit.run", side_effect=refused)


class Fitted:
    """Something that fits but is no network."""

    def fit(self, X, y):
        """Do nothing."""


@pytest.mark.parametrize(
    ("folds", "message"),
    [
        (1, "folds must be from 2 to the 61 rows of X, got 1"),
        (62, "folds must be from 2"),
        ([(np.arange(5), np.arange(5, 9))], "folds must be two at least"),
        ([(np.arange(5), [99]), (np.arange(5), [3])], r"folds\[0\]: rows of a fold"),
        (7.5, r"folds must be a list like \[\(train, test\), …\], or a number, got 7\.5"),
        ([(np.arange(5), [3]), (np.arange(5), [])], r"folds\[1\]: a fold holds no row out"),
        ([(np.arange(5), [3.5]), (np.arange(5), [3])], r"folds\[0\]: rows of a fold"),
        ([3, 4], r"folds\[0\]: a fold must be a pair"),
    ],
)
def test_folds_that_cannot_be(folds, message):
    with pytest.raises(errors.FastnnError, match=message) as caught, no_training():
        cross_validate(make, X, Y, folds=folds)
    assert "\n" not in str(caught.value)


def test_estimators_are_refused():
    with pytest.raises(errors.SettingError, match=r"a new Network.*got Fitted; sklearn"):
        cross_validate(lambda seed: Fitted(), X, Y)


def test_a_callback_for_all_folds_is_answered_in_the_callers_words():
    with pytest.raises(errors.SettingError, match="give one list for each network or fold, like"):
        cross_validate(make, X, Y, callbacks=[EarlyStopping()])
