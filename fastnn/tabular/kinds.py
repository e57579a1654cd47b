"""Kinds: whether networks that are given codes are the better ones on a table, found by trial.

Codes help where a target has steps and bends, and do harm where it has none: by as much as a
quarter of the error either way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .candidates import Candidate

__all__ = ["better_kind"]

#: Standard errors of a mean difference from which on a kind is taken to be the better one.
CLEAR = 1.5
#: Rows of which a standard error says something.
LEAST_ROWS = 10


def better_kind(tried: Sequence[Candidate]) -> str | None:
    """Return the kind with lower losses on the rows that scored both; None if that is not clear.

    The losses of two networks that the same rows scored are subtracted row by row, and the mean of
    all differences is held against its standard error.

    Parameters
    ----------
    tried : list of Candidate
        Two for each fold, one of each kind. Folds without rows say nothing.
    """
    gaps, weights = [], []
    for one, other in zip(tried[::2], tried[1::2], strict=True):
        if one.scored_on is not None and other.scored_on is not None:
            gaps.append(one.scored_on.losses(one.network) - other.scored_on.losses(other.network))
            weights.append(one.scored_on.w)
    if sum(map(len, gaps)) < LEAST_ROWS:
        return None
    gap, w = np.concatenate(gaps), np.concatenate(weights)
    mean = np.average(gap, weights=w)
    error = np.sqrt((w**2 * (gap - mean) ** 2).sum()) / w.sum()
    if not abs(mean) > CLEAR * error:
        return None
    return tried[0].kind if mean < 0 else tried[1].kind
