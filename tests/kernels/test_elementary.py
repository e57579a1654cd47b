"""The compiled elementary functions: how far from the truth, over every number that exists."""

import math as libm
import re

import llvmlite.binding
import numba
import numpy as np
import pytest
from fastnn.kernels.jitted.codegen import elementary, float_bits
from fastnn.kernels.opcodes import Activation

from fastnn import kernels

REAL = np.longdouble  # 64 bits of fraction where it is worth its name
PI = REAL(libm.pi) + REAL(1.2246467991473532e-16)
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64], ids=["float32", "float64"])
NAMES = pytest.mark.parametrize("name", elementary.MAX_ULP)
#: Where a function changes its formula, or a rounded exponent steps.
SEAMS = [0.6, libm.sqrt(0.5), libm.sqrt(2), libm.sqrt(2) - 1, libm.sqrt(0.5) - 1, 1, 2]
STEPS = libm.log(2) * (np.arange(-1080, 1030) + 0.5)
ENDS = [-745.14, -708.4, 709.79, -103.98, -87.34, 88.73, -17.33, -37.43, 18.0, 36.8]


_loops = {}


def loop(name):
    """A compiled loop over one function; of norm_cdf_pdf the first result, Φ."""
    if name not in _loops:
        function = getattr(elementary, name)

        def each(x, y):
            for i in range(x.size):
                y[i] = function(x[i])

        def first(x, y):
            for i in range(x.size):
                y[i] = function(x[i])[0]

        _loops[name] = numba.njit(error_model="numpy")(first if name == "norm_cdf_pdf" else each)
    return _loops[name]


def values(name, x):
    y = np.empty_like(x)
    loop(name)(x, y)
    return y


def erf_series(y):
    """Erf y of 0 ≤ y ≤ 2, by a series without cancellation (Abramowitz and Stegun 7.1.6)."""
    total, term = np.zeros_like(y), y.copy()
    for k in range(1, 80):
        total += term
        term = term * 2 * y * y / (2 * k + 1)
    return total * np.exp(-y * y) * 2 / np.sqrt(PI)


def erfc_fraction(y):
    """Erfc y of y ≥ 1.5, by its continued fraction (Abramowitz and Stegun 7.1.14)."""
    rest = np.zeros_like(y)
    for k in range(200, 0, -1):
        rest = REAL(k) / 2 / (y + rest)
    return np.exp(-y * y) / np.sqrt(PI) / (y + rest)


def erf(x):
    y = np.abs(x)
    near, found = y < 2, np.empty_like(y)
    found[near], found[~near] = erf_series(y[near]), 1 - erfc_fraction(y[~near])
    return np.copysign(found, x)


def normal(x):
    y = np.abs(x) / np.sqrt(REAL(2))
    near, tail = y < 1.5, np.empty_like(y)
    tail[near], tail[~near] = (1 - erf_series(y[near])) / 2, erfc_fraction(y[~near]) / 2
    return np.where(x < 0, tail, 1 - tail)


TRUTH = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "log1p_unit": np.log1p,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "erf": erf,
    "norm_cdf_pdf": normal,
}
DOMAIN = {"log": (0, np.inf), "log1p": (-1, np.inf), "log1p_unit": (0, 1)}


def points(name, dtype):
    """Every exponent with both signs, dense around zero, and 40 numbers at each seam."""
    rng = np.random.default_rng(3)
    form = np.finfo(dtype)
    exponents = np.arange(2 ** (form.bits - 1 - form.nmant) - 1, dtype=np.uint64)
    fractions = rng.integers(0, 2**form.nmant, (exponents.size, 24), dtype=np.uint64)
    word = np.uint32 if dtype == np.float32 else np.uint64
    scattered = ((exponents[:, None] << np.uint64(form.nmant)) | fractions).astype(word)
    scattered = scattered.view(dtype).ravel()
    parts = [scattered, -scattered]
    parts += [rng.uniform(-s, s, 10_000) for s in (1e-3, 0.1, 0.4, 1, 2, 4, 10, 40, 100, 750)]
    seams = np.concatenate([SEAMS, STEPS, ENDS]).astype(dtype)
    seams = np.concatenate([seams, -seams])[:, None]
    parts.append((seams + np.spacing(seams) * rng.integers(-1000, 1000, 40)).ravel())
    x = np.concatenate(parts).astype(dtype)
    low, high = DOMAIN.get(name, (-np.inf, np.inf))
    return x[(x >= low) & (x <= high) & np.isfinite(x)]


def ulps(found, truth, dtype):
    """The errors in units in the last place of the truth, as this dtype would hold it."""
    form = np.finfo(dtype)
    exponent = np.maximum(np.frexp(np.abs(truth))[1], form.minexp + 1) - (form.nmant + 1)
    over = np.abs(truth) >= REAL(form.max) * (1 + REAL(2) ** -(form.nmant + 2))
    right = (found == np.copysign(np.inf, truth)) & over
    # Just below the largest number, one ulp too much is infinity.
    found = np.where(np.isinf(found) & ~over, np.copysign(REAL(2) ** form.maxexp, truth), found)
    with np.errstate(invalid="ignore"):
        return np.where(right, 0, np.ldexp(np.abs(found - truth), -exponent))


@pytest.mark.medium
@NAMES
@DTYPES
def test_error_is_within_the_stated_ulps(name, dtype):
    if dtype == np.float64 and np.finfo(REAL).nmant < 63:
        pytest.skip("long double is no longer than double here")
    x = points(name, dtype)
    with np.errstate(over="ignore", under="ignore", divide="ignore"):
        error = ulps(values(name, x), TRUTH[name](x.astype(REAL)), dtype)
        if name == "norm_cdf_pdf":
            error -= np.where(x < 0, x.astype(REAL) ** 2 / 2, 0)
    error = np.where(np.isnan(error), np.inf, error)
    worst = np.argmax(error)
    assert error[worst] <= elementary.MAX_ULP[name][dtype == np.float64], x[worst]


INF, NAN = np.inf, np.nan
SPECIAL = {
    #        0     −0    inf   −inf
    "exp": (1.0, 1.0, INF, 0.0),
    "expm1": (0.0, -0.0, INF, -1.0),
    "log": (-INF, -INF, INF, NAN),
    "log1p": (0.0, -0.0, INF, NAN),
    "log1p_unit": (0.0, 0.0),
    "sigmoid": (0.5, 0.5, 1.0, 0.0),
    "tanh": (0.0, -0.0, 1.0, -1.0),
    "softplus": (libm.log(2), libm.log(2), INF, 0.0),
    "erf": (0.0, -0.0, 1.0, -1.0),
    "norm_cdf_pdf": (0.5, 0.5, 1.0, 0.0),
}


@NAMES
@DTYPES
def test_zeros_and_infinities(name, dtype):
    expected = np.array(SPECIAL[name], dtype)
    found = values(name, np.array([0.0, -0.0, INF, -INF], dtype)[: expected.size])
    np.testing.assert_array_max_ulp(found[~np.isnan(found)], expected[~np.isnan(expected)])
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    kept = ~np.isnan(expected)
    np.testing.assert_array_equal(np.signbit(found[kept]), np.signbit(expected[kept]))


@NAMES
@DTYPES
def test_nan_passes_in_any_lane(name, dtype):
    x = np.full(37, 0.5, dtype)
    for lane in range(x.size):
        x[lane] = np.nan
        found = np.isnan(values(name, x))
        assert found[lane]
        assert found.sum() == 1
        x[lane] = 0.5


@DTYPES
def test_logarithms_of_nothing(dtype):
    form = np.finfo(dtype)
    below = [-form.smallest_subnormal, -1.0, -form.max]
    assert np.isnan(values("log", np.array(below, dtype))).all()
    assert values("log1p", np.array([-1.0], dtype))[0] == -np.inf
    beyond = [np.nextafter(dtype(-1), dtype(-2)), -form.max]
    assert np.isnan(values("log1p", np.array(beyond, dtype))).all()


@pytest.mark.parametrize("name", ["expm1", "log1p", "tanh"])
@DTYPES
def test_subnormal_numbers_are_their_own_value(name, dtype):
    tiny = np.finfo(dtype).smallest_subnormal * np.arange(-40, 41).astype(dtype)
    np.testing.assert_array_equal(values(name, tiny), tiny)


@DTYPES
def test_exp_underflows_gradually(dtype):
    form = np.finfo(dtype)
    x = np.log(float(form.smallest_subnormal)) * np.array([0.9, 0.99, 0.999, 1.01])
    found = values("exp", x.astype(dtype))
    assert (found[:3] > 0).all()
    assert (found[1:3] < form.smallest_normal).all()
    assert found[3] == 0


@NAMES
@DTYPES
def test_loops_vectorise(name, dtype):
    features = llvmlite.binding.get_host_cpu_features()
    if not features.get("avx2") or numba.config.CPU_NAME == "generic":
        pytest.skip("no AVX2 here to see in the assembly")
    values(name, np.full(4, 0.5, dtype))
    compiled = loop(name)
    signature = next(s for s in compiled.signatures if s[0].dtype.name == dtype.__name__)
    code = compiled.inspect_asm(signature)
    suffix = "ps" if dtype == np.float32 else "pd"
    assert re.search(rf"\sv(mul|fmadd\w+){suffix}\s.*%[yz]mm", code)
    assert not re.search(r"\$\W*(exp|log|tanh|erf|floor|fma)\w*\b", code), "it calls libm"


@pytest.mark.parametrize("name", elementary.MAX_ULP)
def test_python_says_what_the_compiled_function_means(name):
    x = np.array([0.1, 0.7, 0.9])
    said = [np.ravel(getattr(elementary, name)(v))[0] for v in x]
    np.testing.assert_allclose(values(name, x), said, rtol=1e-14)


def test_gelu_keeps_its_tail():
    Z = np.array([[-3.0, -8.0, -20.0, -37.0]])
    A = np.empty_like(Z)
    kernels.get("jitted").activations[Activation.GELU].forward(Z, A)
    np.testing.assert_allclose(
        A[0], [z * libm.erfc(-z / libm.sqrt(2)) / 2 for z in Z[0]], rtol=2e-13
    )


def test_bit_functions_name_themselves_outside_of_compiled_code():
    with pytest.raises(TypeError, match="frexp runs only inside compiled kernels"):
        float_bits.frexp(1.0)
    assert float_bits.copysign(1.0, -0.0) == -1
