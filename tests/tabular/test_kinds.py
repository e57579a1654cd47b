"""Kinds: which networks a bag tries, and which of them it goes on with."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
pytest.importorskip("pandas", reason="pandas is not installed")

from fastnn import Dense, TabularClassifier, TabularRegressor
from fastnn.tabular.candidates import Candidate, Draft, HeldRows
from fastnn.tabular.folds import deal_rows
from fastnn.tabular.kinds import better_kind
from fastnn.tabular.rule import rule_for


def tried(losses, w=None, times=5):
    """Candidates with these losses, some times over, on a fold each: coded and linear in turn."""
    kinds = ("coded", "linear") * (len(losses) // 2)
    held = []
    for each in losses:
        weights = np.ones(len(each)) if w is None else w
        y, weights = np.tile(each, times), np.tile(weights, times)
        held.append(HeldRows(None, y, weights, lambda *given: given[2]))
    return [
        Candidate(kind, None, None, None, scored_on=rows)
        for kind, rows in zip(kinds, held, strict=True)
    ]


class TestChoice:
    def test_is_the_kind_of_lower_losses(self):
        assert better_kind(tried([[1.0, 2, 3], [1.2, 2.3, 3.1]])) == "coded"
        assert better_kind(tried([[1.2, 2.3, 3.1], [1.0, 2, 3]])) == "linear"

    def test_is_none_within_one_and_a_half_standard_errors(self):
        # Differences 1, −1, 0.5: their mean is 1/6, its error √(13/6 / 3 / 15) = 0.22.
        assert better_kind(tried([[2.0, 0, 1.5], [1.0, 1, 1]])) is None
        assert better_kind(tried([[1.0, 2], [1.0, 2]])) is None

    def test_takes_all_folds_together(self):
        one, other = [[1.0, 1.1], [1.4, 0.9]], [[2.0, 2.1, 1.5], [2.4, 2.6, 1.9]]
        assert better_kind(tried(one)) is None
        assert better_kind(tried(one + other)) == "coded"

    def test_goes_by_weights(self):
        losses = [[1.0, 1, 9], [2.0, 2.1, 1]]
        assert better_kind(tried(losses, np.array([1, 1, 0.01]))) == "coded"

    def test_is_none_of_few_rows(self):
        assert better_kind(tried([[1.0, 2, 3], [1.2, 2.3, 3.1]], times=3)) is None
        assert better_kind([]) is None
        assert better_kind([Candidate("coded", None, None, None)] * 2) is None


class TestDraft:
    def draft(self, bag="auto", coded=True, **changes):
        rng = np.random.RandomState(0)
        rule = replace(rule_for(80, 3, bag), **changes)
        return Draft(rule, deal_rows(None, 80, rule.folds, rng), coded, [Dense(1)], rng)

    def kinds(self, candidates):
        return " ".join(each.kind for each in candidates)

    def test_pairs_are_scored_on_the_same_rows(self):
        pairs = self.draft().first()
        assert self.kinds(pairs) == "coded linear coded linear"
        for one, other in (pairs[:2], pairs[2:]):
            np.testing.assert_array_equal(one.held, other.held)
        assert not set(pairs[0].held) & set(pairs[2].held)

    @pytest.mark.parametrize(("kind", "count"), [(None, 4), ("coded", 6), ("linear", 6)])
    def test_the_rest_makes_the_bag_complete(self, kind, count):
        draft = self.draft()
        *rest, one, two, three = draft.rest(kind)
        assert {(each.kind, each.held) for each in (one, two, three)} == {("plain", None)}
        assert len(rest) == count
        assert {each.kind for each in rest} == ({kind} if kind else {"coded", "linear"})
        held = np.concatenate([draft.first()[0].held, draft.first()[2].held])
        held = np.concatenate([held, *(each.held for each in rest)])
        assert len(held) == len(set(held)) == 10 * (2 + count)
        seeds = [each.network.seed for each in [*draft.first(), *rest, one, two, three]]
        assert len(seeds) == len(set(seeds))

    def test_a_small_bag_and_one_without_codes(self):
        one = self.draft(bag=1)
        assert self.kinds(one.first()) == "coded"
        assert one.rest(None) == []
        two = self.draft(bag=2, plain=0)
        assert self.kinds(two.first()) == "coded linear"
        assert (two.rest(None), self.kinds(two.rest("coded"))) == ([], "coded")
        none = self.draft(coded=False, plain=0)
        assert self.kinds(none.first()) == " ".join(["linear"] * 8)
        assert none.rest(None) == []


X = np.random.default_rng(0).uniform(-1, 1, (400, 3))


@pytest.mark.medium
def test_steps_are_learnt_with_codes_and_planes_without():
    steps = (np.floor(8 * X[:, 0]) % 2) + (np.floor(6 * X[:, 1]) % 2)
    wide = np.random.default_rng(1).normal(size=(200, 30))  # whose codes have 480 numbers
    for rows, y, kind in ((X, steps, "coded"), (wide, wide.sum(axis=1), "linear")):
        model = TabularRegressor(bag=4, random_state=0).fit(rows, y)
        assert {each.kind for each in model._members} == {kind, "plain"}
        assert len(model.networks_) == 6


@pytest.mark.medium
def test_a_classifier_tries_by_log_loss():
    y = (np.floor(8 * X[:, 0]) % 2).astype(int)
    model = TabularClassifier(bag=4, random_state=0).fit(X, y)
    assert [each.kind for each in model._members] == ["coded"] * 4 + ["plain"] * 2
    assert model.score(X, y) > 0.85
