"""Users' functions of numbers, compiled: also those that NumPy has for arrays and Numba does not.

Numba takes `numpy.where` and `numpy.clip` of arrays only, and many formulas are written with them.
A user's function is compiled with a stand-in for the module `numpy` among its globals.
"""

from __future__ import annotations

import types

import numpy as np

from .jit import runnable


@runnable
def where_number(condition, x, y):
    """Return x if the condition holds, else y; all are numbers."""
    return x if condition else y


@runnable
def clip_number(a, a_min, a_max):
    """Return the number a, but at least a_min and at most a_max; NaN stays NaN."""
    return a_min if a < a_min else (a_max if a > a_max else a)


def _numpy_of_numbers():
    """Return a module with all names of `numpy`, of which `where` and `clip` take numbers."""
    module = types.ModuleType("numpy")
    names = {name: value for name, value in vars(np).items() if not name.startswith("__")}
    vars(module).update(names | {"where": where_number, "clip": clip_number})
    return module


#: id of what a user's function may have among its globals → what it is compiled with.
_STAND_INS = {id(np): _numpy_of_numbers(), id(np.where): where_number, id(np.clip): clip_number}


def _exchange(value):
    """Return the stand-in of a global, or the value itself."""
    return _STAND_INS.get(id(value), value)


def compiled(function):
    """Return Numba's dispatcher of a user's function of numbers, which may be one already."""
    function = getattr(function, "py_func", function)
    if not isinstance(function, types.FunctionType):
        raise TypeError(f"{function!r} is no function that is written in Python")
    names = {name: _exchange(value) for name, value in function.__globals__.items()}
    cells = function.__closure__ and tuple(
        types.CellType(_exchange(cell.cell_contents)) for cell in function.__closure__
    )
    copy = types.FunctionType(
        function.__code__, names, function.__name__, function.__defaults__, cells
    )
    return runnable(copy)
