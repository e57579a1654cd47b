"""Rule: how many networks of what kind are trained on a table, by its number of rows.

This is the one place where it stands. What it says was chosen on fourteen tables of up to 2,500
rows and ten of 3,400 to 18,000. Below some 1,000 rows folds, and plain networks beside them, are
worth their time. Whether codes help differs so much from table to table that each tries it. Wider
networks took their time for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .cycles import ends_of

__all__ = ["Rule", "rule_for"]

#: Rows from which on a table is no small one, and from which on it is a large one.
MEDIUM, LARGE = 1_000, 3_000
#: Codes of a row at most; where that leaves a number fewer than `LEAST_BINS`, there are none.
MOST_CODES, LEAST_BINS = 2_048, 4


@dataclass(frozen=True)
class Rule:
    """How the bag of networks of a table is trained.

    Attributes
    ----------
    networks : int
        In the bag, the plain ones apart.
    folds : int
        Equal parts of the rows; network i is scored on part i and trained on the others.
    plain : int
        Networks like that of `MLPClassifier`, trained on all rows, that the mean takes in.
    units, dropout : int and float
        Of each of the three hidden layers, whose activation is Mish.
    bins : int
        Of the piecewise-linear code of a number; 0 for none.
    trials : int
        Folds for each of which a network with codes and one without are trained, to find whether
        codes help.
    first_cycle, cycles : int
        Epochs of the first cycle, and how many there are at most; each has twice the epochs of the
        one before.
    batch_size : int
    learning_rate, beta2, weight_decay : float
        Of AdamW.
    """

    networks: int
    folds: int
    plain: int
    units: int = 64
    dropout: float = 0.15
    bins: int = 16
    trials: int = 2
    first_cycle: int = 6
    cycles: int = 4
    batch_size: int = 64
    learning_rate: float = 0.004
    beta2: float = 0.95
    weight_decay: float = 0.02

    @property
    def ends(self) -> list[int]:
        """Epochs after which cycles end."""
        return ends_of(self.first_cycle, self.cycles)


def rule_for(rows: int, features: int, bag: str | int = "auto") -> Rule:
    """Return how to train on so many rows and encoded features; `bag` is as the user gave it."""
    if rows < MEDIUM:
        rule = Rule(networks=8, folds=8, plain=3)
    elif rows < LARGE:
        rule = Rule(networks=4, folds=10, plain=0)
    else:
        batch = 64 if rows < 10_000 else 128 if rows < 30_000 else 256
        rule = Rule(
            networks=4, folds=10, plain=0, dropout=0.05, bins=32,
            batch_size=batch,
        )  # fmt: skip
    if bag != "auto":
        networks = int(bag)
        plain = min(rule.plain, networks // 2)
        rule = replace(rule, networks=networks, folds=max(rule.folds, networks), plain=plain)
    bins = min(rule.bins, MOST_CODES // max(features, 1))
    return replace(rule, bins=bins if bins >= LEAST_BINS else 0)
