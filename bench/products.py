"""fastnn's products against OpenBLAS and MKL on one thread: python -m bench.products.

Shapes of the table's networks and cubes, all four transpositions, medians of calls in turns. With
--bfloat16 the products are those of mixed precision, beside fastnn's of float32 too.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import util
from typing import Any

import numpy as np
from fastnn.kernels.bfloat16 import rounded

from . import machine
from .agreement import agree
from .timing import Call, medians

Array = np.ndarray[Any, Any]
Product = Callable[..., object]

#: m, n, k of C (m, n) = op(A) (m, k) op(B) (k, n): forward, dX and dW of the networks' layers.
LAYERS = ((128, 784, 512), (128, 512, 256), (128, 256, 10), (256, 784, 2048), (256, 2048, 2048),
          (256, 54, 128), (256, 128, 64), (256, 64, 7), (32, 12288, 25))  # fmt: skip
CUBES = (128, 256, 384, 512, 768, 1024)
FORWARD = tuple((m, n_out, n_in) for m, n_in, n_out in LAYERS)
SHAPES = (
    *FORWARD,
    *((m, k, n) for m, n, k in FORWARD),
    *((k, n, m) for m, n, k in FORWARD),
    *((n, n, n) for n in CUBES),
)
SINGLE = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Case:
    """One product: its shape, transpositions and dtype."""

    shape: tuple[int, int, int]
    transpose_a: bool
    transpose_b: bool
    dtype: str  # of numbers and results, or "bfloat16": of float32 that bfloat16 holds

    def __str__(self) -> str:
        flags = "NT"[self.transpose_a] + "NT"[self.transpose_b]
        return f"{'×'.join(map(str, self.shape)):16} {flags} {self.dtype}"

    @property
    def flops(self) -> int:
        """Multiplications and additions."""
        m, n, k = self.shape
        return 2 * m * n * k

    def operands(self) -> tuple[Array, Array]:
        """Return A and B as they are stored, C-contiguous."""
        m, n, k = self.shape
        rng = np.random.default_rng(0)
        A = rng.standard_normal((k, m) if self.transpose_a else (m, k)).astype(self.stored)
        B = rng.standard_normal((n, k) if self.transpose_b else (k, n)).astype(self.stored)
        return (rounded(A), rounded(B)) if self.dtype == "bfloat16" else (A, B)

    @property
    def stored(self) -> str:
        """The dtype of arrays."""
        return "float32" if self.dtype == "bfloat16" else self.dtype


def cases(name: str = "", dtypes: tuple[str, ...] = ("float32", "float64")) -> Iterator[Case]:
    """Yield every case of these dtypes whose text contains the name."""
    for dtype in dtypes:
        for shape in dict.fromkeys(SHAPES):
            for flags in ((False, False), (True, False), (False, True), (True, True)):
                case = Case(shape, *flags, dtype)
                if name in str(case):
                    yield case


def stand_in(A: Array, B: Array, C: Array, transpose_a: bool, transpose_b: bool) -> None:
    """Multiply by NumPy, to try this file where fastnn has no product."""
    np.matmul(A.T if transpose_a else A, B.T if transpose_b else B, out=C)


def kernel() -> Product | None:
    """Return fastnn's own product C = op(A) op(B), None where this version has none."""
    from fastnn import kernels

    return getattr(kernels.get("jitted"), "product", None)


def rounded_kernel() -> Product:
    """Return fastnn's product of operands that it rounds to bfloat16 while it packs them."""
    from fastnn.kernels.jitted import records, requirements
    from fastnn.kernels.jitted.codegen.cpu import pair_pack_size
    from fastnn.kernels.jitted.execution.kernel_selection import kernel_pointers
    from fastnn.kernels.jitted.loader.tables import entry_point
    from fastnn.kernels.views import aligned_scratch

    dtype, scratch = np.dtype(np.float32), aligned_scratch(pair_pack_size(), np.float32)
    pointers = kernel_pointers(dtype, frozenset({requirements.ROUNDED}))
    multiply = entry_point("gemm.bfloat16.multiply_rounded", dtype)
    zero, nothing = records.Beta(records.BETA_ZERO, scratch, 0), records.Epilogue(0, 0, 1.0)

    def operand(X: Array, transposed: bool) -> records.Operand:
        """Describe op(X)."""
        return records.Operand(X.ravel(), 0, *(1, X.shape[1])[:: 1 if transposed else -1])

    def product(A: Array, B: Array, C: Array, transpose_a: bool, transpose_b: bool) -> None:
        """Multiply, C = r(op(A)) r(op(B))."""
        (m, n), k = C.shape, A.shape[0 if transpose_a else 1]
        operands = operand(A, transpose_a), operand(B, transpose_b), records.Matrix(C.ravel(), 0, n)
        multiply(pointers, m, n, k, *operands, zero, nothing, scratch)

    return product


def _calls(case: Case, product: Product) -> tuple[dict[str, Call], dict[str, Array]]:
    """Return by library what is timed, and where each writes its C."""
    A, B = case.operands()
    flags = case.transpose_a, case.transpose_b
    names = ["fastnn", "NumPy", *(["PyTorch"] if util.find_spec("torch") else [])]
    names += ["float32"] if case.dtype == "bfloat16" else []
    results = {name: np.zeros(case.shape[:2], case.stored) for name in names}
    calls: dict[str, Call] = {
        "fastnn": lambda: product(A, B, results["fastnn"], *flags),
        "NumPy": lambda: stand_in(A, B, results["NumPy"], *flags),
    }
    if "PyTorch" in results:
        import torch

        a, b, c = map(torch.from_numpy, (A, B, results["PyTorch"]))
        a, b = (a.T if flags[0] else a), (b.T if flags[1] else b)
        calls["PyTorch"] = lambda: torch.mm(a, b, out=c)
    if "float32" in results and (own := kernel()):
        calls["float32"] = lambda: own(A, B, results["float32"], *flags)
    return calls, results


def measured(case: Case, product: Product, seconds: float) -> dict[str, float]:
    """Return GFLOP/s by library, after results agreed.

    Raises
    ------
    AssertionError
        If a product is wrong.
    """
    calls, results = _calls(case, product)
    for call in calls.values():
        call()
    for name, C in results.items():
        agree(f"{case} of {name}", case.stored, [C], [results["NumPy"]])
    return {name: case.flops / s / 1e9 for name, s in medians(calls, seconds).items()}


def summary(rates: list[dict[str, float]]) -> Iterator[str]:
    """Yield a line for each library: the median and the worst of the ratios to it."""
    for name in (name for name in rates[0] if name != "fastnn"):
        ratios = [rate["fastnn"] / rate[name] for rate in rates]
        yield (
            f"fastnn / {name}: median {statistics.median(ratios):.2f}, "
            f"worst {min(ratios):.2f}, {len(ratios)} products"
        )


def main() -> None:
    """Measure in a process of one thread, and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.products", description=__doc__)
    parser.add_argument("name", nargs="?", default="", help="only cases that contain this")
    parser.add_argument("--seconds", type=float, default=0.2, help="spent on a case")
    parser.add_argument("--bfloat16", action="store_true", help="products of mixed precision")
    parser.add_argument("--stand-in", action="store_true", help="NumPy in fastnn's place, a trial")
    options = parser.parse_args()
    if any(os.environ.get(name) != "1" for name in SINGLE):  # read when a library is loaded
        command = [sys.executable, "-m", "bench.products", *sys.argv[1:]]
        raise SystemExit(subprocess.call(command, env=os.environ | SINGLE))
    product = stand_in if options.stand_in else kernel()
    dtypes: tuple[str, ...] = ("float32", "float64")
    if product and options.bfloat16:
        dtypes, product = ("bfloat16",), rounded_kernel()
    if product is None:
        parser.error("this version has no product of its own; try --stand-in")
    print(f"{machine.line()}; one thread; GFLOP/s")
    rates: dict[str, list[dict[str, float]]] = {}
    for case in cases(options.name, dtypes):
        rate = measured(case, product, options.seconds)
        rates.setdefault(case.dtype, []).append(rate)
        ratios = "  ".join(f"{rate['fastnn'] / rate[n]:5.2f}" for n in rate if n != "fastnn")
        print(f"{case}  {'  '.join(f'{name} {r:6.1f}' for name, r in rate.items())}  {ratios}")
    for dtype, rows in rates.items():
        for line in summary(rows):
            print(f"{dtype}: {line}")


if __name__ == "__main__":
    main()
