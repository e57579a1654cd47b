"""Losses ℓ and their gradients in one pass, over feature-major outputs A or logits Z, (K, ld).

K is the number of outputs, m that of examples; targets Y are (K, ld). w (m,) are the weights of the
examples, share (m,) is w/Σw. A cost is Σⱼ share[j] Σₖ ℓ(A[k, j], Y[k, j]), summed in float64. Hits
are Σ w of the examples that are classified rightly.
"""

from __future__ import annotations

import numpy as np

from ...custom_ops import CustomLoss
from ...opcodes import Loss
from ..codegen import elementary
from ..codegen.pointers import view_row
from ..codegen.simd import prefer_full_width
from ..compiler.definitions import indirect_for
from ..compiler.jit import inlined, kernel
from ..requirements import of_loss
from .activations import softmax_of_columns

#: Members of Loss that `_point` compares its code with, as integers for compiled code.
ABSOLUTE, HUBER, QUANTILE = int(Loss.ABSOLUTE_ERROR), int(Loss.HUBER), int(Loss.QUANTILE)


@inlined
def _squared_cost(A, Y, share, m, dA):
    """Return the cost of the squared error: the sum of share[j] e[k, j]²/2 over all k and j < m.

    dA[k, j] = share[j] e[k, j] is written, where e = A − Y. A, Y (K, ld); dA (K, ld) out;
    share (m,), the weights of the m examples divided by their sum.
    """
    cost = 0.0
    for k in range(A.shape[0]):
        a, y, d = view_row(A, k, 0, m), view_row(Y, k, 0, m), view_row(dA, k, 0, m)
        for j in range(m):
            error = a[j] - y[j]
            d[j] = share[j] * error
            cost += np.float64(d[j]) * np.float64(error)
    return cost / 2


@kernel
def _point(code, a, y, rate):
    """Return (ℓ, dℓ/da), float64, of the loss `code` for one output a and its target y (float64).

    With e = a − y, ℓ is for ABSOLUTE_ERROR |e|; for HUBER e²/2 if |e| ≤ δ, else δ (|e| − δ/2); for
    QUANTILE −τ e if e < 0, else (1 − τ) e; for POISSON, and any code left, a if y = 0, else
    a − y ln a. code: a member of Loss, as an int; rate: δ of HUBER or τ of QUANTILE, else unused.
    """
    e = a - y
    if code == ABSOLUTE:
        return abs(e), (1.0 if e > 0 else (-1.0 if e < 0 else e * 0))
    if code == HUBER:
        if abs(e) <= rate:
            return e * e / 2, e
        return rate * (abs(e) - rate / 2), (rate if e > 0 else (-rate if e < 0 else e))
    if code == QUANTILE:
        if e < 0:
            return -rate * e, -rate
        return (1 - rate) * e, (1 - rate if e > 0 else e)
    return (a, 1.0) if y == 0 else (a - y * elementary.log(a), 1 - y / a)


@inlined
def _pointwise_cost(code, A, Y, share, m, rate, dA):
    """Return the cost: the sum of share[j] ℓ(A[k, j], Y[k, j]) over all k and examples j < m.

    dA[k, j] = share[j] ∂ℓ/∂A[k, j] is written. ℓ: the loss that `_point` computes for `code`, a
    member of Loss as an int, and `rate`, its parameter. A, Y (K, ld); dA (K, ld) out; share (m,),
    the weights of the examples divided by their sum.
    """
    cost = 0.0
    for k in range(A.shape[0]):
        for j in range(m):
            value, slope = _point(code, np.float64(A[k, j]), np.float64(Y[k, j]), rate)
            cost += np.float64(share[j]) * value
            dA[k, j] = share[j] * A.dtype.type(slope)
    return cost


@inlined
def _binary_cost(Z, Y, share, m, dZ):
    """Return the cost of binary cross-entropy: the sum of share[j] ℓ over all k and examples j < m.

    ℓ = max(z, 0) − z y + ln(1 + e^−|z|) with z = Z[k, j], a logit, and y = Y[k, j]. Also written:
    dZ[k, j] = share[j] (σ(z) − y), σ the sigmoid. Z, Y (K, ld); dZ (K, ld) out, neither Z nor Y,
    since it holds e^−|z| in between; share (m,), the weights divided by their sum.
    """
    prefer_full_width()
    number = Z.dtype.type
    one, zero, cost = number(1), number(0), 0.0
    for k in range(Z.shape[0]):
        z, y, d = view_row(Z, k, 0, m), view_row(Y, k, 0, m), view_row(dZ, k, 0, m)
        # These are three loops because LLVM halves the lanes of a loop that adds float64.
        for j in range(m):
            d[j] = elementary.exp(-abs(z[j]))
        for j in range(m):
            loss = (zero if z[j] < zero else z[j]) - z[j] * y[j] + elementary.log1p_unit(d[j])
            cost += np.float64(share[j]) * np.float64(loss)
        for j in range(m):
            d[j] = share[j] * ((one if z[j] >= zero else d[j]) / (one + d[j]) - y[j])
    return cost


@inlined
def _categorical_cost(Z, Y, share, m, dZ, scratch):
    """Return the cost: minus the sum of share[j] Y[k, j] ln S[k, j] over all k and examples j < m.

    S[k, j] = exp(Z[k, j]) / Σᵢ exp(Z[i, j]). dZ[k, j] = share[j] (S[k, j] Σᵢ Y[i, j] − Y[k, j]) is
    written. Z, Y (K, ld); dZ (K, ld) out; share (m,), the weights divided by their sum; scratch
    (3, ld): rows for maxᵢ Z[i, j], ln Σᵢ exp(Z[i, j] − max) and Σᵢ Y[i, j].
    """
    prefer_full_width()
    top, total, mass = (
        view_row(scratch, 0, 0, m),
        view_row(scratch, 1, 0, m),
        view_row(scratch, 2, 0, m),
    )
    softmax_of_columns(Z, dZ, m, top, total)
    cost = 0.0
    for j in range(m):
        mass[j] = 0
        total[j] = elementary.log(total[j])
    for k in range(Z.shape[0]):
        z, y = view_row(Z, k, 0, m), view_row(Y, k, 0, m)
        for j in range(m):
            mass[j] += y[j]
            cost += np.float64(share[j] * y[j]) * np.float64(total[j] - (z[j] - top[j]))
    for k in range(Z.shape[0]):
        y, d = view_row(Y, k, 0, m), view_row(dZ, k, 0, m)
        for j in range(m):
            d[j] = share[j] * (d[j] * mass[j] - y[j])
    return cost


@inlined
def _binary_hits(Z, Y, w, m):
    """Return the sum of w[j], float64, over the examples j < m that are classified rightly.

    Of these (Z[k, j] > 0) = (Y[k, j] > ½) for every k. Z (K, ld): logits; Y (K, ld): targets;
    w (m,): weights.
    """
    half, zero, hits = Y.dtype.type(0.5), Z.dtype.type(0), 0.0
    if Z.shape[0] == 1:  # A single loop is vectorised by LLVM.
        z, y = view_row(Z, 0, 0, m), view_row(Y, 0, 0, m)
        for j in range(m):
            hits += np.float64(w[j]) if (z[j] > zero) == (y[j] > half) else 0.0
        return hits
    for j in range(m):
        right = True
        for k in range(Z.shape[0]):
            right &= (Z[k, j] > zero) == (Y[k, j] > half)
        hits += np.float64(w[j]) if right else 0.0
    return hits


@inlined
def _column_maximum(X, m, top):
    """top[j] = maxₖ X[k, j] for j < m.   X (K, ld); top (m,) out.

    top[j] is NaN if X[0, j] is; a NaN at k > 0 is passed over.
    """
    for j in range(m):
        top[j] = X[0, j]
    for k in range(1, X.shape[0]):
        x = view_row(X, k, 0, m)
        for j in range(m):
            top[j] = x[j] if x[j] > top[j] else top[j]


@inlined
def _categorical_hits(Z, Y, w, m, scratch):
    """Return the sum of w[j], float64, over the j < m with argmaxₖ Z[k, j] = argmaxₖ Y[k, j].

    Of equal numbers the first counts; NaN in Z counts as the largest only at k = 0. Z, Y (K, ld):
    logits and targets; w (m,): weights; scratch (3, ld): a row for maxₖ Z[k, j], one for
    maxₖ Y[k, j], and one that holds 1 for each example until it is decided. The loop over k is
    outside, since LLVM vectorises loops over examples. The first k at which Z or Y has its maximum
    decides; the example is right if both have it at this k.
    """
    best, truth, open_ = (
        view_row(scratch, 0, 0, m),
        view_row(scratch, 1, 0, m),
        view_row(scratch, 2, 0, m),
    )
    _column_maximum(Z, m, best)
    _column_maximum(Y, m, truth)
    zero, one, hits = Z.dtype.type(0), Z.dtype.type(1), 0.0
    for j in range(m):
        open_[j] = one
    for k in range(Z.shape[0]):
        z, y = view_row(Z, k, 0, m), view_row(Y, k, 0, m)
        for j in range(m):
            here = (z[j] == best[j]) | ((k == 0) & (best[j] != best[j]))
            there = y[j] == truth[j]
            hits += np.float64(w[j] if here & there & (open_[j] > zero) else zero)
            open_[j] = zero if here | there else open_[j]
    return hits


def _squared(code, rate, A, Y, weights, m, dA, scratch, loss_hits):
    """Write loss_hits = (cost of the squared error, 0), and dA, its gradient by the outputs A.

    A, Y, dA (K, ld), dA out; weights (2, ld): w/Σw and w; m examples; loss_hits (2,) float64 out.
    code, rate and scratch are unused.
    """
    loss_hits[0] = _squared_cost(A, Y, view_row(weights, 0, 0, m), m, dA)
    loss_hits[1] = 0.0


def _binary(code, rate, A, Y, weights, m, dA, scratch, loss_hits):
    """Write loss_hits = (cost, hits) of binary cross-entropy, and dA, the cost's gradient.

    A (K, ld): logits; Y (K, ld); dA (K, ld) out; weights (2, ld): w/Σw and w; m examples;
    loss_hits (2,) float64 out. code, rate and scratch are unused.
    """
    loss_hits[0] = _binary_cost(A, Y, view_row(weights, 0, 0, m), m, dA)
    loss_hits[1] = _binary_hits(A, Y, view_row(weights, 1, 0, m), m)


def _categorical(code, rate, A, Y, weights, m, dA, scratch, loss_hits):
    """Write loss_hits = (cost, hits) of categorical cross-entropy, and dA, the cost's gradient.

    A (K, ld): logits; Y (K, ld); dA (K, ld) out; weights (2, ld): w/Σw and w; m examples; scratch
    (3, ld); loss_hits (2,) float64 out. code and rate are unused.
    """
    loss_hits[0] = _categorical_cost(A, Y, view_row(weights, 0, 0, m), m, dA, scratch)
    loss_hits[1] = _categorical_hits(A, Y, view_row(weights, 1, 0, m), m, scratch)


def _pointwise(code, rate, A, Y, weights, m, dA, scratch, loss_hits):
    """Write loss_hits = (cost of the loss `code`, 0), and dA, its gradient by the outputs A.

    code: a member of Loss, as an int; rate: its parameter. A, Y, dA (K, ld), dA out; weights
    (2, ld): w/Σw and w; m examples; loss_hits (2,) float64 out. scratch is unused.
    """
    loss_hits[0] = _pointwise_cost(code, A, Y, view_row(weights, 0, 0, m), m, rate, dA)
    loss_hits[1] = 0.0


def _not_compiled(code, rate, A, Y, weights, m, dA, scratch, loss_hits):
    """Write loss_hits = (NaN, 0): calls of a custom loss hold its kernel in this one's place."""
    loss_hits[0], loss_hits[1] = np.nan, 0.0


#: cost_and_hits(kernel_pointers, loss, code, rate, A, Y, weights, m, dA, scratch, loss_hits) writes
#: the gradient dA (K, ld) of a Loss and loss_hits (2,): the cost, and Σ w of the examples that are
#: classified rightly, or 0 if the loss does not classify. loss: the Loss, or len(Loss) for a custom
#: one; code: the Loss again, since a kernel may serve several; rate: its parameter. A (K, ld):
#: outputs, for cross-entropies the logits; Y (K, ld): targets; weights (2, ld): w/Σw, and w, whose
#: sums are exact for whole numbers; m: examples; scratch (3, ld).
cost_and_hits = indirect_for(
    Loss,
    "i f F2 F2 F2 i F2 F2 D1",
    {
        Loss.SQUARED_ERROR: _squared,
        Loss.BINARY_CROSS_ENTROPY: _binary,
        Loss.CATEGORICAL_CROSS_ENTROPY: _categorical,
        Loss.ABSOLUTE_ERROR: _pointwise,
        Loss.HUBER: _pointwise,
        Loss.QUANTILE: _pointwise,
        Loss.POISSON: _pointwise,
    },
    of_loss,
    {CustomLoss.family: _not_compiled},
    entrance=True,
)
