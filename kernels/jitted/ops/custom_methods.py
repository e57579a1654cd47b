"""Kernels of custom methods, made of a user's update rule of numbers; vectors are (p,)."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.core.errors import NumbaError

from ...custom_methods import CustomMethod
from ..codegen.pointers import view, view_row
from ..compiler.custom_kernels import _first_reason, compiled_functions, makes_kernels_of
from ..compiler.dispatch_table import indirect
from ..compiler.jit import in_memory

#: The kernel of a rule, in Python: Numba needs as many names as the rule has slots and settings.
_SOURCE = """
def finite(theta, grad, {vectors}rate, t, weight_decay, {settings}):
    number, good = theta.dtype.type, True
    for i in range(theta.size):
        {results} = update({numbers})
        good &= {all_finite}
    return good


def move(theta, grad, {vectors}rate, t, weight_decay, {settings}):
    number = theta.dtype.type
    for i in range(theta.size):
        {results} = update({numbers})
        {stores}


def kernel(theta, grad, slots, settings, rate, t, first, n, store, nonfinite):
    chosen, nonfinite[0] = settings[0], 1.0
    decayed = min(max(chosen.decay - first, 0), n) if {decays} else 0
    good = True
    for part in range(2):
        start, size = (first, decayed) if part == 0 else (first + decayed, n - decayed)
        weight_decay = chosen.weight_decay if part == 0 else 0.0
        p, g, time = view(theta, start, size), view(grad, start, size), np.float64(t)
        {views}
        if store == 0:
            good &= finite(p, g, {vectors}rate, time, weight_decay, {chosen})
        else:
            move(p, g, {vectors}rate, time, weight_decay, {chosen})
    nonfinite[0] = 0.0 if good else 1.0
"""


def _source(method):
    """Return the source of the kernel of a CustomMethod."""
    slots, own = [f"slot{k}" for k in range(method.slots)], method.own_settings
    names = {"step": "t", "learning_rate": "rate", "weight_decay": "weight_decay"}
    names |= {name: f"setting{place}" for place, name in enumerate(own)}
    results = ["new", *(f"new_{slot}" for slot in slots)]
    stored = [f"theta[i] = number({results[0]})"]
    stored += [f"{slot}[i] = number(new_{slot})" for slot in slots]
    settings = [names[name] for name in own]
    return _SOURCE.format(
        vectors="".join(f"{slot}, " for slot in slots),
        settings=", ".join(settings),
        chosen=", ".join(f"chosen.{name}" for name in settings),
        decays="weight_decay" in method.arguments,
        results=", ".join(results),
        numbers=", ".join(
            [f"np.float64({vector}[i])" for vector in ("theta", "grad", *slots)]
            + [names[name] for name in method.arguments]
        ),
        all_finite=" & ".join(f"(number({x}) - number({x}) == 0)" for x in results),
        stores="; ".join(stored),
        views="; ".join(
            f"{slot} = view_row(slots, {k}, start, size)" for k, slot in enumerate(slots)
        )
        or "pass",
    )


@makes_kernels_of(CustomMethod.family)
def _kernel(method, update):
    """Return the kernel of a CustomMethod, with the signature of `apply_rule`.

    update: the dispatcher of its function of numbers.
    """
    names = {"np": np, "view": view, "view_row": view_row, "update": update}
    exec(_source(method), names)
    names["finite"], names["move"] = in_memory(names["finite"]), in_memory(names["move"])
    return names["kernel"]


@indirect("F1 F1 F2 S f i i i i D1", requires=CustomMethod.family)
def apply_rule(theta, grad, slots, settings, rate, t, first, n, store, nonfinite):
    """Take step t of a custom method on theta[first : first + n], along grad, or see what it gives.

    theta, grad (p,); slots (s, p); settings (1,): a SETTINGS record; rate: the learning rate.
    store: 1, theta and slots are changed; 0, nothing is. nonfinite (1,) float64 out: 1 if a number
    that the step gives is not finite in the network's dtype, or the rule raises; else 0. Calls of a
    custom method hold its kernel in the place of this one, which refuses.
    """
    nonfinite[0] = 1.0


def rule_error(method, samples, values):
    """Compile a CustomMethod's rule for numbers; return None, or why that cannot be, a str.

    samples: an array (n,) for each argument; values (1 + slots, n): what the rule gives for them.
    """
    try:
        (update,) = compiled_functions(method)
        update.compile((types.float64,) * len(samples))
        found = [update(*sample) for sample in zip(*samples, strict=True)]
    except NumbaError as error:
        return _first_reason(str(error))
    except Exception as error:  # what Numba does not foresee is of every type
        return f"{type(error).__name__}: {error}"
    result = update.nopython_signatures[-1].return_type
    kinds = result.types if isinstance(result, types.BaseTuple) else (result,)
    number = types.Float | types.Integer | types.Boolean
    if len(kinds) != 1 + method.slots or not all(isinstance(kind, number) for kind in kinds):
        return f"compiled, it returns {result}"
    numbers = np.array(found, np.float64).reshape(len(found), -1).T
    if not np.allclose(numbers, values, rtol=1e-8, atol=1e-10):
        return "compiled, it gives other numbers"
    return None
