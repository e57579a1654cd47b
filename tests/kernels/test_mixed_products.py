"""Rounding to bfloat16 and products of rounded numbers, against arithmetic written out here."""

import numpy as np
import pytest
from fastnn.kernels.bfloat16 import rounded
from fastnn.kernels.loops.dense import to_bfloat16

from fastnn import kernels


def nearest(x):
    """Round by the definition: eight significant bits, ties to the even one, in float64."""
    fraction, exponent = np.frexp(np.asarray(x, np.float64))
    return np.ldexp(np.rint(fraction * 2**8), exponent - 8)


#: float32 numbers beside what they become, as bits.
ANSWERS = (
    (0x3F800000, 0x3F80),  # 1
    (0x3F808000, 0x3F80),  # between two, the even one is below
    (0x3F818000, 0x3F82),  # and here above
    (0x3F808001, 0x3F81),
    (0xBF818000, 0xBF82),
    (0x3FFFFFFF, 0x4000),  # into the next exponent
    (0x7F7F7FFF, 0x7F7F),  # the largest number
    (0x7F7F8000, 0x7F80),  # what rounds beyond it
    (0xFF7FFFFF, 0xFF80),
    (0x7F800000, 0x7F80),  # infinity
    (0xFF800000, 0xFF80),
    (0x80000000, 0x8000),  # −0
)


def both(x):
    """A float32 array as each of the two functions rounds it."""
    each = [np.float32(to_bfloat16(number)) for number in x.flat]
    return np.array(each, np.float32).reshape(x.shape), rounded(x)


class TestRounding:
    def test_known_answers(self):
        given, wanted = np.array(ANSWERS, np.uint32).T
        for found in both(given.view(np.float32)):
            np.testing.assert_array_equal(found.view(np.uint32), wanted << 16)

    def test_any_normal_number_goes_to_the_nearest(self):
        rng = np.random.default_rng(0)
        signed = rng.uniform(0.5, 1, 3000) * rng.choice([-1, 1], 3000)
        x = np.ldexp(signed, rng.integers(-120, 120, 3000)).astype(np.float32)
        x[:1000].view(np.uint32)[...] &= 0xFFFF8000  # half of them ties
        for found in both(x):
            np.testing.assert_array_equal(found, nearest(x).astype(np.float32))

    def test_nan_stays(self):
        x = np.array([0x7FC00000, 0x7F800001, 0xFFFFFFFF, 0x7FFFFFFF], np.uint32).view(np.float32)
        for found in both(x):
            assert np.isnan(found).all()

    def test_every_layout_and_dtype(self):
        X = np.random.default_rng(1).normal(size=(6, 4)).astype(np.float32)
        for given in (X, X.T, X[::-2, 1:], np.asfortranarray(X), X[:0]):
            np.testing.assert_array_equal(rounded(given), nearest(given))
        wide = rounded(X.astype(np.float64))
        assert wide.dtype == np.float64
        np.testing.assert_array_equal(wide, nearest(X))


@pytest.mark.parametrize("backend", kernels.BACKENDS)
class TestProducts:
    """Every product of rounded numbers within 2⁻²⁰ of Σ|r(x) r(w)|, the sums of all else exact."""

    m, n_in, n_out = 12, 33, 9

    def numbers(self):
        rng = np.random.default_rng(2)
        shapes = (self.m, self.n_in), (self.n_in, self.n_out), (self.m, self.n_out)
        return [rng.normal(size=shape).astype(np.float32) for shape in shapes]

    def close(self, found, A, B):
        np.testing.assert_array_less(abs(found - A @ B), 2**-20 * (abs(A) @ abs(B)))

    def test_forward(self, backend):
        X, W, Z = self.numbers()
        b = np.linspace(-1, 1, self.n_out, dtype=np.float32)
        kernels.get(backend).mixed_forward(X, W, b, Z)
        A, B = np.c_[nearest(X), np.ones(self.m)], np.r_[nearest(W), b[None]]
        self.close(Z, A, B)

    @pytest.mark.parametrize("wanted", [True, False])
    def test_backward(self, backend, wanted):
        X, W, dZ = self.numbers()
        dX, dW, db = np.empty_like(X) if wanted else None, np.empty_like(W), np.empty_like(dZ[0])
        kernels.get(backend).mixed_backward(X, W, dZ, dX, dW, db)
        if wanted:
            self.close(dX, nearest(dZ), nearest(W).T)
        self.close(dW, nearest(X).T, nearest(dZ))
        self.close(db, np.ones(self.m), dZ.astype(np.float64))
