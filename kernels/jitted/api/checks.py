"""Checks of the arguments of an op before its compiled kernel, which checks no index, runs.

The shapes that an op takes are read from its example arguments in `op_registry.TABLE`.
"""

from __future__ import annotations

from functools import cache, wraps
from inspect import signature
from typing import Any

import numpy as np

#: Combinations of arguments' shapes and dtypes that `checked` remembers for one op; then it forgets
#: all of them, so that memory stays bounded.
REMEMBERED = 1000
#: Sizes of the example arguments and their names. They differ, so a 5 in the shape of an example
#: argument tells that this axis has the size n_in.
SIZES = {7: "m", 5: "n_in", 3: "n_out"}


@cache
def _shapes():
    """Return a dict: name of an op → list of (shape, is_float) or None for each argument.

    shape: a tuple of numbers and of the names "m", "n_in", "n_out"; a name stands for one size in
    all arguments of a call. is_float: a bool, whether the argument's dtype is one of floats. None
    stands for an argument that is no array.
    """
    from ...op_registry import TABLE, Sample  # no fit or prediction calls ops

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
    """Refuse arguments whose shapes do not fit each other, or floats of several dtypes.

    op: name of an op in `op_registry.TABLE`; names, arguments: names and values of all its
    parameters, in order. An argument that is None (a result that the caller does not want) is not
    checked.

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
    """Return the text of a shape, as "(7, n_in)".

    letters: a tuple of numbers and names of sizes; sizes: a dict, name → number to write instead.
    """
    return f"({', '.join(str(sizes.get(letter, letter)) for letter in letters)})"


def checked(op, function):
    """Return a function that checks its arguments and then calls `function` with them.

    op: name of the op in `op_registry.TABLE`. Shapes and dtypes that have passed once are
    remembered and not checked again: a check takes some 8 µs, a lookup of what has passed a tenth.
    """
    names = tuple(signature(function).parameters)
    passed: set[Any] = set()

    @wraps(function)
    def call(*arguments):
        """Return function(*arguments); `check` first, unless the shapes and dtypes have passed."""
        key = tuple([(a.shape, a.dtype) for a in arguments if isinstance(a, np.ndarray)])
        if key not in passed:
            check(op, names, arguments)
            if len(passed) >= REMEMBERED:
                passed.clear()
            passed.add(key)
        return function(*arguments)

    return call
