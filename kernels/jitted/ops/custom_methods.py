"""Kernels of custom methods, made of a user's update rule of numbers; vectors are (p,)."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.cpython.unsafe.tuple import tuple_setitem
from numba.extending import intrinsic
from numba.np.arrayobj import make_array

from ...custom_methods import GIVEN, CustomMethod
from ..codegen.pointers import view
from ..compiler.custom_kernels import compiled_values, makes_kernels_of
from ..compiler.definitions import indirect
from ..compiler.jit import kernel


def _slot_access(n_slots):
    """Return two intrinsics, which read and write the slots of one parameter.

    Their loops run when they are emitted, so that every slot becomes a stream of its own for LLVM.
    """

    def element(context, builder, A, matrix, k, i):
        """Emit the address of A[k, i]; A is the type of a C-contiguous matrix."""
        whole = make_array(A)(context, builder, matrix)
        row = builder.mul(
            builder.extract_value(whole.shape, 1), context.get_constant(types.intp, k)
        )
        return builder.gep(whole.data, [builder.add(row, i)])

    @intrinsic
    def read(typingctx, slots, i):
        """Return slots[:, i] as a tuple of float64."""
        numbers = types.UniTuple(types.float64, n_slots)

        def codegen(context, builder, sig, args):
            kind = sig.args[0]
            found = [
                builder.load(element(context, builder, kind, args[0], k, args[1]))
                for k in range(n_slots)
            ]
            floats = [context.cast(builder, x, kind.dtype, types.float64) for x in found]
            return context.make_tuple(builder, numbers, floats)

        return numbers(slots, types.intp), codegen

    @intrinsic
    def write(typingctx, slots, i, new):
        """Store new[1:], a tuple of float64, in slots[:, i]."""

        def codegen(context, builder, sig, args):
            kind = sig.args[0]
            for k in range(n_slots):
                number = builder.extract_value(args[2], 1 + k)
                number = context.cast(builder, number, types.float64, kind.dtype)
                builder.store(number, element(context, builder, kind, args[0], k, args[1]))
            return context.get_dummy_value()

        return types.void(slots, types.intp, new), codegen

    return read, write


@intrinsic
def as_floats(typingctx, result):
    """Return what a rule returns, a number or a tuple of numbers, as a tuple of float64."""
    several = isinstance(result, types.BaseTuple)
    floats = types.UniTuple(types.float64, len(result) if several else 1)

    def codegen(context, builder, sig, args):
        if several:
            return context.cast(builder, args[0], result, floats)
        number = context.cast(builder, args[0], result, types.float64)
        return context.make_tuple(builder, floats, [number])

    return floats(result), codegen


def _selector(method):
    """Return a function of GIVEN's numbers and the settings that gives those that the rule takes.

    Both are tuples of float64, the second one in the rule's order.
    """
    names = (*GIVEN, *method.own_settings)
    places = tuple(names.index(name) for name in method.arguments)
    empty = (0.0,) * len(places)

    @kernel
    def select(numbers):
        """Return the numbers at the rule's places."""
        chosen = empty
        for k in range(len(places)):
            chosen = tuple_setitem(chosen, k, numbers[places[k]])
        return chosen

    return select


@intrinsic
def are_finite(typingctx, numbers, like):
    """Return whether all numbers of a tuple of float64 are finite in the dtype of an array."""

    def codegen(context, builder, sig, args):
        kind, good = sig.args[1].dtype, context.get_constant(types.boolean, True)
        for k in range(len(numbers)):
            number = builder.extract_value(args[0], k)
            number = context.cast(builder, number, types.float64, kind)
            nothing = builder.fsub(number, number)  # NaN of what is not finite
            good = builder.and_(good, builder.fcmp_ordered("ord", nothing, nothing))
        return good

    return types.boolean(numbers, like), codegen


def _sweeps(method, update):
    """Return two functions that go over a part of the parameters: one to look, one to store.

    update: the dispatcher of the rule for numbers.
    """
    read, write = _slot_access(method.slots)

    @kernel
    def step(theta, grad, slots, start, i, chosen):
        """Return parameter i of a part and its slots after the step, a tuple of float64."""
        numbers = (np.float64(theta[i]), np.float64(grad[i]))
        return as_floats(update(*(numbers + read(slots, start + i) + chosen)))

    @kernel
    def finite(theta, grad, slots, start, chosen):
        """Return whether all numbers that the step gives are finite in theta's dtype."""
        good = True
        for i in range(theta.size):
            good &= are_finite(step(theta, grad, slots, start, i, chosen), theta)
        return good

    @kernel
    def move(theta, grad, slots, start, chosen):
        """Store what the step gives to the parameters from `start` on."""
        for i in range(theta.size):
            new = step(theta, grad, slots, start, i, chosen)
            theta[i] = theta.dtype.type(new[0])
            write(slots, start + i, new)

    return finite, move


@makes_kernels_of(CustomMethod.family)
def _kernel(method, update):
    """Return the kernel of a CustomMethod, with the signature of `apply_rule`.

    update: the dispatcher of its function of numbers.
    """
    select, (finite, move) = _selector(method), _sweeps(method, update)
    decays = "weight_decay" in method.arguments

    def custom_update(theta, grad, slots, settings, rate, t, first, n, store, nonfinite):
        given, nonfinite[0] = settings[0], 1.0
        decayed = min(max(given.decay - first, 0), n) if decays else 0
        good = True
        for part in range(2):
            start, size = (first, decayed) if part == 0 else (first + decayed, n - decayed)
            weight_decay = given.weight_decay if part == 0 else 0.0
            chosen = select(
                (
                    np.float64(t), np.float64(rate), np.float64(weight_decay),
                    given.setting0, given.setting1, given.setting2, given.setting3,
                    given.setting4, given.setting5, given.setting6, given.setting7,
                )
            )  # fmt: skip
            p, g = view(theta, start, size), view(grad, start, size)
            if store == 0:
                good &= finite(p, g, slots, start, chosen)
            else:
                move(p, g, slots, start, chosen)
        nonfinite[0] = 0.0 if good else 1.0

    return custom_update


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
    found, result, reason = compiled_values(method, 0, samples)
    if reason is not None:
        return reason
    kinds = result.types if isinstance(result, types.BaseTuple) else (result,)
    number = types.Float | types.Integer | types.Boolean
    if len(kinds) != 1 + method.slots or not all(isinstance(kind, number) for kind in kinds):
        return f"compiled, it returns {result}"
    numbers = np.array(found, np.float64).reshape(len(found), -1).T
    if not np.allclose(numbers, values, rtol=1e-8, atol=1e-10):
        return "compiled, it gives other numbers"
    return None
