"""Agreement: results must match before anybody looks at their times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

#: Largest difference, as a share of the largest number of the expected result (or of 1): sums of
#: a hundred thousand products are formed in another order by every backend.
BOUND = {"float32": 1e-4, "float64": 1e-10}


def agree(what: str, dtype: str, found: Sequence[Any], expected: Sequence[Any]) -> None:
    """Check results against the expected ones, array by array.

    Raises
    ------
    AssertionError
        If one differs by more than rounding.
    """
    for have, want in zip(found, expected, strict=True):
        scale = max(1.0, float(np.abs(want).max(initial=0)))
        np.testing.assert_allclose(
            have, want, rtol=0, atol=BOUND[dtype] * scale, err_msg=f"{what}, {dtype}"
        )
