"""The activations A = g(Z) and their derivatives, over feature-major arrays (n_out, ld).

A forward kernel writes A[o, j] = g(Z[o, j]) for units o0 ≤ o < o1 and examples j0 ≤ j < j0 + n. A
backward kernel writes dZ[o, j] = dA[o, j] g'(Z[o, j]) for o0 ≤ o < o1, j < n; it reads only A if g'
can be had from A = g(Z), else only Z. A may be Z itself, and dZ may be dA itself. scratch (3, ld):
unused but by softmax, which needs all units of an example.
Each activation has a kernel of its own, compiled only for networks that use it: a closure over g
would not be found in the cache on disk again.
"""

from __future__ import annotations

from ...opcodes import LEAK, SELU_ALPHA, SELU_SCALE, Activation
from ..codegen import elementary
from ..codegen.pointers import address_of, view_row
from ..codegen.simd import prefer_full_width
from ..compiler.definitions import indirect_for
from ..compiler.jit import inlined, kernel
from ..requirements import of_activation, of_derivative

SELU_LOW = SELU_SCALE * SELU_ALPHA  # selu(z) = SELU_LOW · (eᶻ − 1) if z < 0, else SELU_SCALE · z


@inlined
def _copy(x, y):
    """y[j] = x[j] for all j; nothing if x and y are one array.   x (n,); y (n,) out."""
    if address_of(x) != address_of(y):
        for j in range(y.size):
            y[j] = x[j]


@inlined
def _copied_row(Z, A, o, j0, n):
    """Copy Z[o, j0 : j0 + n] to A[o, j0 : j0 + n]; return that view of A.   Z, A (n_out, ld)."""
    prefer_full_width()
    a = view_row(A, o, j0, n)
    _copy(view_row(Z, o, j0, n), a)
    return a


def _identity(Z, A, j0, n, o0, o1, scratch):
    for o in range(o0, o1):
        _copied_row(Z, A, o, j0, n)


def _sigmoid(Z, A, j0, n, o0, o1, scratch):
    for o in range(o0, o1):
        a = _copied_row(Z, A, o, j0, n)
        for j in range(n):
            a[j] = elementary.sigmoid(a[j])


def _tanh(Z, A, j0, n, o0, o1, scratch):
    for o in range(o0, o1):
        a = _copied_row(Z, A, o, j0, n)
        for j in range(n):
            a[j] = elementary.tanh(a[j])


def _relu(Z, A, j0, n, o0, o1, scratch):
    zero = A.dtype.type(0)
    for o in range(o0, o1):
        a = _copied_row(Z, A, o, j0, n)
        for j in range(n):
            a[j] = zero if a[j] < zero else a[j]


def _leaky_relu(Z, A, j0, n, o0, o1, scratch):
    zero, leak = A.dtype.type(0), A.dtype.type(LEAK)
    for o in range(o0, o1):
        a = _copied_row(Z, A, o, j0, n)
        for j in range(n):
            a[j] = leak * a[j] if a[j] < zero else a[j]


@kernel
def softmax_of_columns(Z, A, m, top, total):
    """A[k, j] = exp(Z[k, j]) / Σᵢ exp(Z[i, j]) for all k and examples j < m.   Z, A (K, ld).

    A may be Z itself. Two vectors (m,) are written too: top[j] = maxᵢ Z[i, j], which is subtracted
    before exp is taken, and total[j] = Σᵢ exp(Z[i, j] − top[j]).
    """
    prefer_full_width()
    K = A.shape[0]
    for k in range(K):
        _copy(view_row(Z, k, 0, m), view_row(A, k, 0, m))
    for j in range(m):
        top[j] = A[0, j]
        total[j] = 0
    for k in range(1, K):
        a = view_row(A, k, 0, m)
        for j in range(m):
            # NaN wins, as in NumPy's maximum.
            top[j] = top[j] if top[j] > a[j] or top[j] != top[j] else a[j]
    for k in range(K):
        a = view_row(A, k, 0, m)
        for j in range(m):
            a[j] = elementary.exp(a[j] - top[j])
            total[j] += a[j]
    for k in range(K):
        a = view_row(A, k, 0, m)
        for j in range(m):
            a[j] /= total[j]


def _softmax(Z, A, j0, n, o0, o1, scratch):
    """A[k, j] = exp(Z[k, j]) / Σᵢ exp(Z[i, j]) for all k and j < n; j0, o0, o1 are unused."""
    softmax_of_columns(Z, A, n, view_row(scratch, 0, 0, n), view_row(scratch, 1, 0, n))


def _elu(Z, A, j0, n, o0, o1, scratch):
    zero = A.dtype.type(0)
    for o in range(o0, o1):
        a = _copied_row(Z, A, o, j0, n)
        for j in range(n):
            a[j] = elementary.expm1(a[j]) if a[j] < zero else a[j]


def _selu(Z, A, j0, n, o0, o1, scratch):
    zero, low, scale = A.dtype.type(0), A.dtype.type(SELU_LOW), A.dtype.type(SELU_SCALE)
    for o in range(o0, o1):
        a = _copied_row(Z, A, o, j0, n)
        for j in range(n):
            a[j] = low * elementary.expm1(a[j]) if a[j] < zero else scale * a[j]


def _softplus(Z, A, j0, n, o0, o1, scratch):
    for o in range(o0, o1):
        a = _copied_row(Z, A, o, j0, n)
        for j in range(n):
            a[j] = elementary.softplus(a[j])


def _silu(Z, A, j0, n, o0, o1, scratch):
    for o in range(o0, o1):
        a = _copied_row(Z, A, o, j0, n)
        for j in range(n):
            a[j] = a[j] * elementary.sigmoid(a[j])


def _gelu(Z, A, j0, n, o0, o1, scratch):
    for o in range(o0, o1):
        a = _copied_row(Z, A, o, j0, n)
        for j in range(n):
            a[j] = a[j] * elementary.norm_cdf_pdf(a[j])[0]


def _mish(Z, A, j0, n, o0, o1, scratch):
    for o in range(o0, o1):
        a = _copied_row(Z, A, o, j0, n)
        for j in range(n):
            a[j] = a[j] * elementary.tanh(elementary.softplus(a[j]))


def _exp(Z, A, j0, n, o0, o1, scratch):
    for o in range(o0, o1):
        a = _copied_row(Z, A, o, j0, n)
        for j in range(n):
            a[j] = elementary.exp(a[j])


def _identity_back(dA, Z, A, dZ, n, o0, o1, scratch):
    for o in range(o0, o1):
        _copied_row(dA, dZ, o, 0, n)


def _sigmoid_back(dA, Z, A, dZ, n, o0, o1, scratch):
    one = A.dtype.type(1)
    for o in range(o0, o1):
        d, a = _copied_row(dA, dZ, o, 0, n), view_row(A, o, 0, n)
        for j in range(n):
            d[j] = d[j] * (a[j] * (one - a[j]))


def _tanh_back(dA, Z, A, dZ, n, o0, o1, scratch):
    one = A.dtype.type(1)
    for o in range(o0, o1):
        d, a = _copied_row(dA, dZ, o, 0, n), view_row(A, o, 0, n)
        for j in range(n):
            d[j] = d[j] * (one - a[j] * a[j])


def _relu_back(dA, Z, A, dZ, n, o0, o1, scratch):
    zero = A.dtype.type(0)
    for o in range(o0, o1):
        d, a = _copied_row(dA, dZ, o, 0, n), view_row(A, o, 0, n)
        for j in range(n):
            d[j] = d[j] if a[j] > zero else zero


def _leaky_relu_back(dA, Z, A, dZ, n, o0, o1, scratch):
    zero, leak = A.dtype.type(0), A.dtype.type(LEAK)
    for o in range(o0, o1):
        d, a = _copied_row(dA, dZ, o, 0, n), view_row(A, o, 0, n)
        for j in range(n):
            d[j] = leak * d[j] if a[j] < zero else d[j]


@inlined
def _softmax_gradient(A, D, m, inner):
    """D[k, j] ← A[k, j] (D[k, j] − s[j]), s[j] = Σᵢ D[i, j] A[i, j], for all k and j < m.

    A, D (K, ld): D is dA before and dZ after; inner (m,): scratch that receives s.
    """
    for j in range(m):
        inner[j] = 0
    for k in range(A.shape[0]):
        a, d = view_row(A, k, 0, m), view_row(D, k, 0, m)
        for j in range(m):
            inner[j] += d[j] * a[j]
    for k in range(A.shape[0]):
        a, d = view_row(A, k, 0, m), view_row(D, k, 0, m)
        for j in range(m):
            d[j] = a[j] * (d[j] - inner[j])


def _softmax_back(dA, Z, A, dZ, n, o0, o1, scratch):
    """dZ[k, j] = A[k, j] (dA[k, j] − Σᵢ dA[i, j] A[i, j]), all k, j < n; Z, o0, o1 are unused."""
    for o in range(A.shape[0]):
        _copied_row(dA, dZ, o, 0, n)
    _softmax_gradient(A, dZ, n, view_row(scratch, 0, 0, n))


def _elu_back(dA, Z, A, dZ, n, o0, o1, scratch):
    zero, one = A.dtype.type(0), A.dtype.type(1)
    for o in range(o0, o1):
        d, a = _copied_row(dA, dZ, o, 0, n), view_row(A, o, 0, n)
        for j in range(n):
            d[j] = d[j] * (one + a[j]) if a[j] < zero else d[j]


def _selu_back(dA, Z, A, dZ, n, o0, o1, scratch):
    zero, low, scale = A.dtype.type(0), A.dtype.type(SELU_LOW), A.dtype.type(SELU_SCALE)
    for o in range(o0, o1):
        d, a = _copied_row(dA, dZ, o, 0, n), view_row(A, o, 0, n)
        for j in range(n):
            d[j] = d[j] * (a[j] + low if a[j] < zero else scale)


def _softplus_back(dA, Z, A, dZ, n, o0, o1, scratch):
    for o in range(o0, o1):
        d, z = _copied_row(dA, dZ, o, 0, n), view_row(Z, o, 0, n)
        for j in range(n):
            d[j] = d[j] * elementary.sigmoid(z[j])


def _silu_back(dA, Z, A, dZ, n, o0, o1, scratch):
    one = A.dtype.type(1)
    for o in range(o0, o1):
        d, z = _copied_row(dA, dZ, o, 0, n), view_row(Z, o, 0, n)
        for j in range(n):
            s = elementary.sigmoid(z[j])
            d[j] *= s * (one + z[j] * (one - s))


def _gelu_back(dA, Z, A, dZ, n, o0, o1, scratch):
    for o in range(o0, o1):
        d, z = _copied_row(dA, dZ, o, 0, n), view_row(Z, o, 0, n)
        for j in range(n):
            below, density = elementary.norm_cdf_pdf(z[j])
            d[j] *= below + z[j] * density


def _mish_back(dA, Z, A, dZ, n, o0, o1, scratch):
    one = A.dtype.type(1)
    for o in range(o0, o1):
        d, z = _copied_row(dA, dZ, o, 0, n), view_row(Z, o, 0, n)
        for j in range(n):
            t = elementary.tanh(elementary.softplus(z[j]))
            d[j] *= t + z[j] * (one - t * t) * elementary.sigmoid(z[j])


def _exp_back(dA, Z, A, dZ, n, o0, o1, scratch):
    for o in range(o0, o1):
        d, a = _copied_row(dA, dZ, o, 0, n), view_row(A, o, 0, n)
        for j in range(n):
            d[j] = d[j] * a[j]


_KERNELS = {
    Activation.IDENTITY: (_identity, _identity_back),
    Activation.SIGMOID: (_sigmoid, _sigmoid_back),
    Activation.TANH: (_tanh, _tanh_back),
    Activation.RELU: (_relu, _relu_back),
    Activation.LEAKY_RELU: (_leaky_relu, _leaky_relu_back),
    Activation.SOFTMAX: (_softmax, _softmax_back),
    Activation.ELU: (_elu, _elu_back),
    Activation.SELU: (_selu, _selu_back),
    Activation.SOFTPLUS: (_softplus, _softplus_back),
    Activation.SILU: (_silu, _silu_back),
    Activation.GELU: (_gelu, _gelu_back),
    Activation.MISH: (_mish, _mish_back),
    Activation.EXP: (_exp, _exp_back),
}
_forward, _back = ({code: pair[i] for code, pair in _KERNELS.items()} for i in (0, 1))
#: activate(kernel_pointers, activation, Z, A, j0, n, o0, o1, scratch) calls an Activation's forward
#: kernel, derive(kernel_pointers, activation, dA, Z, A, dZ, n, o0, o1, scratch) its backward one.
activate = indirect_for(Activation, "F2 F2 i i i i F2", _forward, of_activation, entrance=True)
derive = indirect_for(Activation, "F2 F2 F2 F2 i i i F2", _back, of_derivative, entrance=True)
