"""The rows of the tables of habits, and the libraries whose users have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

KERAS, TORCH, SKLEARN = "Keras", "PyTorch", "scikit-learn"


class Row(NamedTuple):
    """What one habit gets.

    Attributes
    ----------
    answer : str
        Our name for it, or the end of a sentence that says what to type here.
    users : tuple of str
        The libraries whose users have it.
    """

    answer: str
    users: tuple[str, ...]

    @property
    def renames(self) -> bool:
        """Whether the answer is no more than our name."""
        return all(part.isidentifier() for part in self.answer.split("."))


#: Rows by what is typed.
Rows = Mapping[str, Row]


def rows(*groups: tuple[str, str, str]) -> dict[str, Row]:
    """Return rows from triples: names with spaces between, the answer, the users' libraries.

    Libraries are written by their first letters: k, t and s.
    """
    letters = {"k": KERAS, "t": TORCH, "s": SKLEARN}
    return {
        name: Row(answer, tuple(letters[letter] for letter in users))
        for names, answer, users in groups
        for name in names.split()
    }
