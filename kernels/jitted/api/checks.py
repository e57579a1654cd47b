"""Argument checks of the entry points: compiled code looks at no bound.

The shapes that an op takes are those of its example arguments in the registry, sizes by name.
"""

from __future__ import annotations

from functools import cache, wraps
from inspect import signature
from typing import Any

import numpy as np

from ...op_registry import TABLE, Sample

REMEMBERED = 1000  # combinations of shapes and dtypes of an op
SIZES = {7: "m", 5: "n_in", 3: "n_out"}  # of the examples; each tells which size stands there


@cache
def _shapes():
    """Return by op and argument its shape, sizes by name, and whether it holds floats; or None."""
    m, n_in, n_out = SIZES
    found = {}
    for row in TABLE:
        arguments = row.arguments(Sample(m, n_in, n_out))
        found[row.name] = [
            (tuple(SIZES.get(size, size) for size in argument.shape), argument.dtype.kind == "f")
            if isinstance(argument, np.ndarray)
            else None
            for argument in arguments
        ]
    return found


def check(op, names, arguments):
    """Refuse arrays whose shapes do not belong together, or floats of several dtypes.

    names: of the op's parameters. None stands for a result that nobody wants.

    Raises
    ------
    ValueError
        Naming the op and the argument that does not fit those before it.
    """
    sizes: dict[str, int] = {}
    dtype = None
    for name, argument, expected in zip(names, arguments, _shapes()[op], strict=True):
        if expected is None or argument is None:
            continue
        letters, is_float = expected
        shape = np.shape(argument)
        wanted = tuple(
            sizes.setdefault(letter, size) if isinstance(letter, str) else letter
            for letter, size in zip(letters, shape, strict=False)
        )
        if wanted != shape or len(letters) != len(shape):
            raise ValueError(
                f"{op}: {name} must have shape {_written(letters, sizes)}, got {shape}"
            )
        if is_float:
            dtype = dtype or argument.dtype
            if argument.dtype != dtype:
                raise ValueError(
                    f"{op}: {name} must have the dtype {dtype} of the arguments before it, got "
                    f"{argument.dtype}; its shape fits"
                )


def _written(letters, sizes):
    """Return a shape as text, sizes as far as earlier arguments tell them."""
    return f"({', '.join(str(sizes.get(letter, letter)) for letter in letters)})"


def checked(op, function):
    """Return a function of an op that checks its arguments first.

    Shapes and dtypes that have passed once are remembered: the check takes some 8 µs, looking them
    up a tenth of that.
    """
    names = tuple(signature(function).parameters)
    passed: set[Any] = set()

    @wraps(function)
    def call(*arguments):
        key = tuple([(a.shape, a.dtype) for a in arguments if isinstance(a, np.ndarray)])
        if key not in passed:
            check(op, names, arguments)
            if len(passed) >= REMEMBERED:
                passed.clear()
            passed.add(key)
        return function(*arguments)

    return call
