"""The activations and their derivatives, over rows that lie feature by feature, A (n, m)."""

from __future__ import annotations

from ..opcodes import LEAK, SELU_ALPHA, SELU_SCALE, Activation
from . import math
from ._jit import inlined, kernel
from ._link import linked
from .memory import row, same

SIGMOID, TANH, RELU = int(Activation.SIGMOID), int(Activation.TANH), int(Activation.RELU)
LEAKY_RELU, SOFTMAX = int(Activation.LEAKY_RELU), int(Activation.SOFTMAX)
ELU, SELU, SOFTPLUS = int(Activation.ELU), int(Activation.SELU), int(Activation.SOFTPLUS)
SILU, GELU, MISH = int(Activation.SILU), int(Activation.GELU), int(Activation.MISH)
SELU_LOW = SELU_SCALE * SELU_ALPHA


@inlined
def _activate_smooth(code, a):
    """A = g(A) of elu and all after it.   a (n,)."""
    number = a.dtype.type
    zero = number(0)
    for j in range(a.size):
        x = a[j]
        if code == ELU:
            a[j] = math.expm1(x) if x < zero else x
        elif code == SELU:
            a[j] = number(SELU_LOW) * math.expm1(x) if x < zero else number(SELU_SCALE) * x
        elif code == SOFTPLUS:
            a[j] = math.softplus(x)
        elif code == SILU:
            a[j] = x * math.sigmoid(x)
        elif code == GELU:
            a[j] = x * math.normal(x)[0]
        else:
            a[j] = x * math.tanh(math.softplus(x))


@inlined
def _derive_smooth(code, z, a, d):
    """D = d g'(z) of the same.   All (n,)."""
    number = a.dtype.type
    zero, one = number(0), number(1)
    for j in range(a.size):
        x = z[j]
        if code == ELU:
            slope = one + a[j] if a[j] < zero else one
        elif code == SELU:
            slope = a[j] + number(SELU_LOW) if a[j] < zero else number(SELU_SCALE)
        elif code == SOFTPLUS:
            slope = math.sigmoid(x)
        elif code == SILU:
            s = math.sigmoid(x)
            slope = s * (one + x * (one - s))
        elif code == GELU:
            below, density = math.normal(x)
            slope = below + x * density
        else:
            t = math.tanh(math.softplus(x))
            slope = t + x * (one - t * t) * math.sigmoid(x)
        d[j] *= slope


@inlined
def _activate(code, a):
    """A = g(A) for every g but softmax.   a (n,)."""
    number = a.dtype.type
    if code == SIGMOID:
        for j in range(a.size):
            a[j] = math.sigmoid(a[j])
    elif code == TANH:
        for j in range(a.size):
            a[j] = math.tanh(a[j])
    elif code == RELU:
        for j in range(a.size):
            a[j] = number(0) if a[j] < number(0) else a[j]
    elif code == LEAKY_RELU:
        for j in range(a.size):
            a[j] = number(LEAK) * a[j] if a[j] < number(0) else a[j]


@inlined
def _derive(code, a, d):
    """D = d g'(z), from a = g(z), for every g up to leaky_relu.   a, d (n,)."""
    number = a.dtype.type
    if code == SIGMOID:
        for j in range(a.size):
            d[j] *= a[j] * (number(1) - a[j])
    elif code == TANH:
        for j in range(a.size):
            d[j] *= number(1) - a[j] * a[j]
    elif code == RELU:
        for j in range(a.size):
            d[j] = d[j] if a[j] > number(0) else number(0)
    elif code == LEAKY_RELU:
        for j in range(a.size):
            d[j] = number(LEAK) * d[j] if a[j] < number(0) else d[j]


@inlined
def _copied(x, y):
    """Y = x, unless they are one; what follows works in place, where LLVM needs no check."""
    if not same(x, y):
        for j in range(y.size):
            y[j] = x[j]


@kernel
def softmax(Z, A, m, top, total):
    """A = exp(Z) / Σ exp(Z) over the rows k.   Z, A (K, ·); top, total (m,): max and Σ, out."""
    K = A.shape[0]
    for k in range(K):
        _copied(row(Z, k, 0, m), row(A, k, 0, m))
    for j in range(m):
        top[j] = A[0, j]
        total[j] = 0
    for k in range(1, K):
        a = row(A, k, 0, m)
        for j in range(m):
            # NaN must win, as NumPy's maximum lets it.
            top[j] = top[j] if top[j] > a[j] or top[j] != top[j] else a[j]
    for k in range(K):
        a = row(A, k, 0, m)
        for j in range(m):
            a[j] = math.exp(a[j] - top[j])
            total[j] += a[j]
    for k in range(K):
        a = row(A, k, 0, m)
        for j in range(m):
            a[j] /= total[j]


@inlined
def softmax_derive(A, D, m, inner):
    """D = A (D − Σ D A) over the rows k.   A, D (K, ·); inner (m,) scratch."""
    for j in range(m):
        inner[j] = 0
    for k in range(A.shape[0]):
        a, d = row(A, k, 0, m), row(D, k, 0, m)
        for j in range(m):
            inner[j] += d[j] * a[j]
    for k in range(A.shape[0]):
        a, d = row(A, k, 0, m), row(D, k, 0, m)
        for j in range(m):
            d[j] = a[j] * (d[j] - inner[j])


@linked("i F2 F2 i i i i F2")
def activate(code, Z, A, j0, n, o0, o1, scratch):
    """A[o0:o1, j0:j0+n] = g(Z[…]), which may be the same array; softmax takes the whole layer.

    Z, A (n_out, ·); scratch (2 or more, ·).
    """
    if code == SOFTMAX:
        softmax(Z, A, n, row(scratch, 0, 0, n), row(scratch, 1, 0, n))
    else:
        for o in range(o0, o1):
            a = row(A, o, j0, n)
            _copied(row(Z, o, j0, n), a)
            _activate(code, a)


@linked("i F2 F2 i i i i F2", when="smooth")
def activate_smooth(code, Z, A, j0, n, o0, o1, scratch):
    """The same for elu and all after it; they want no scratch."""
    for o in range(o0, o1):
        a = row(A, o, j0, n)
        _copied(row(Z, o, j0, n), a)
        _activate_smooth(code, a)


@linked("i F2 F2 F2 F2 i i i F2")
def derive(code, dA, Z, A, dZ, n, o0, o1, scratch):
    """dZ[o0:o1, :n] = dA g'(Z), from A = g(Z); softmax takes the whole layer.

    All (n_out, ·); dZ may be dA; scratch (1 or more, ·).
    """
    for o in range(o0, o1):
        d = row(dZ, o, 0, n)
        _copied(row(dA, o, 0, n), d)
        if code != SOFTMAX:
            _derive(code, row(A, o, 0, n), d)
    if code == SOFTMAX:
        softmax_derive(A, dZ, n, row(scratch, 0, 0, n))


@linked("i F2 F2 F2 F2 i i i F2", when="smooth")
def derive_smooth(code, dA, Z, A, dZ, n, o0, o1, scratch):
    """The same for elu and all after it, from Z where A does not tell (`opcodes.NEEDS_Z`)."""
    for o in range(o0, o1):
        d = row(dZ, o, 0, n)
        _copied(row(dA, o, 0, n), d)
        _derive_smooth(code, row(Z, o, 0, n), row(A, o, 0, n), d)


@kernel
def standardize(X, shift, factor, offset, A):
    """A = (X − shift) factor + offset.   X, A (m, n); shift, factor (n,) or (1,)."""
    offset = A.dtype.type(offset)
    for i in range(A.shape[0]):
        x, a = row(X, i, 0, A.shape[1]), row(A, i, 0, A.shape[1])
        if shift.size > 1:
            for k in range(a.size):
                a[k] = (x[k] - shift[k]) * factor[k] + offset
        else:
            for k in range(a.size):
                a[k] = (x[k] - shift[0]) * factor[0] + offset
