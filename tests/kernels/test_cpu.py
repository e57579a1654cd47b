"""The CPU that LLVM compiles for, and the tile and block sizes of its instruction set."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastnn.kernels.jitted.codegen.cpu import BLOCK_SIZES, BlockSizes
from fastnn.kernels.jitted.loader.cpu import CPU

from fastnn import kernels

JITTED = Path(kernels.__file__).parent / "jitted"

#: What differs between instruction sets: MR, NR_VECTORS, SMALL_K_MR, tiles of dot products.
TILES = {
    "avx512": (6, 4, 4, (3, 8), (4, 4), (8, 1)),
    "avx2+fma": (6, 2, 2, (2, 4), (3, 3), (6, 1)),
    "neon": (6, 4, 4, (3, 8), (4, 4), (8, 1)),
    "baseline": (3, 4, 2, (2, 4), (3, 3), (6, 1)),
}
STRIDED = {
    32: ((8, 8, 7, 5, 5, 4, 3, 3, 3, 2), (16, 8, 6, 6, 4, 4, 3, 3, 3, 2)),
    16: ((6, 4, 3, 2, 2, 2), (8, 4, 3, 3, 2, 2)),
}
CPUS = {
    "avx512": CPU(64, 32, fma=True, vnni=True, bf16=True),
    "avx2+fma": CPU(32, 16, fma=True, vnni=False, bf16=False),
    "neon": CPU(16, 32, fma=True, vnni=False, bf16=False),
    "baseline": CPU(16, 16, fma=False, vnni=False, bf16=False),
}


def test_every_instruction_set_has_its_row():
    assert list(BLOCK_SIZES) == list(TILES) == list(CPUS)
    for name, cpu in CPUS.items():
        assert cpu.instruction_set == name
        sizes = BLOCK_SIZES[name]
        assert sizes[:6] == TILES[name]
        assert sizes[6:8] == STRIDED[cpu.vector_registers]
        narrow = name == "avx2+fma"
        assert (800 if narrow else 128) == sizes.KC_TILE
        assert (112 if narrow else 256) == sizes.PREDICTION_BLOCK
        assert (16 if narrow else 256) == sizes.PREDICTION_PANEL


def test_blocks_are_as_large_for_all_instruction_sets():
    for sizes in BLOCK_SIZES.values():
        assert sizes._asdict().items() >= {
            "DOT_TILE_TWO": (4, 2), "SMALL_K_KC": 4, "KC": 128, "NR_MAX": 64,
            "SMALL_K_MAX_ONE_ROW": 32, "SMALL_K_MAX": 8, "SMALL_K_MAX_MANY_ROWS": 4,
            "SMALL_K_MAX_M": 32, "MC": 48, "KC_LARGE": 256, "NC": 256, "KC_LARGE_MIN_M": 192,
            "MAX_M_UNPACKED": 32, "MIN_STRIDE_PACK_A": 2048, "MAX_N_DOT": 15, "MAX_M_DOT": 32,
            "MIN_K_DOT": 128, "PREFETCH_DISTANCE": 32, "MIN_STRIDE_PACK_W": 6144, "INT8_MR": 4,
            "INT8_NR": 32, "PAIR_TILE": (6, 4), "PAIR_MC": 48, "PAIR_KC": 256, "PAIR_NC": 256,
            "PAIR_MAX_M_DOT": 2,
        }.items()  # fmt: skip


def test_tiles_fit_the_vector_registers():
    """Sums of a tile, a row of the other factor and a broadcast; without fma also the product."""
    for name, cpu in CPUS.items():
        sizes, spare = BLOCK_SIZES[name], 1 if cpu.fma else 0
        assert sizes.MR * sizes.NR_VECTORS + sizes.NR_VECTORS + spare <= cpu.vector_registers
        assert sizes.NR_VECTORS * cpu.vector_bytes // 4 <= sizes.NR_MAX
        tall, wide = sizes.HALVES_TILE  # both halves of a row of the other factor, and of a number
        assert tall * wide + 2 * wide + 2 + spare <= cpu.vector_registers
        assert sizes.PAIR_MC % (2 * tall) == 0
        for tall, wide in (sizes.DOT_TILE_WIDE, sizes.DOT_TILE, sizes.DOT_TILE_ONE):
            assert tall * wide + min(tall, wide) + 1 <= cpu.vector_registers


def literals(path):
    """Names in capitals that a module sets to whole numbers written out."""
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Assign):
            inside = list(ast.walk(node.value))
            if any(isinstance(n, ast.Call | ast.Attribute) for n in inside):
                continue
            if any(isinstance(n, ast.Constant) and type(n.value) is int for n in inside):
                targets = [n for target in node.targets for n in ast.walk(target)]
                yield from (n.id for n in targets if isinstance(n, ast.Name) and n.id.isupper())


@pytest.mark.parametrize("path", sorted(JITTED.glob("gemm/*.py")), ids=lambda path: path.stem)
def test_products_take_every_size_from_the_table(path):
    """Whole numbers that stand in the products' modules are codes of how they begin and end."""
    codes = {name for name in literals(path) if not name.startswith(("BETA_", "EPILOGUE_"))}
    assert codes <= {"MR_TALL"}


@pytest.mark.parametrize("room", ["codegen", "gemm", "ops", "first_layer"])
def test_no_other_module_sets_a_size_of_the_table(room):
    for path in sorted((JITTED / room).glob("*.py")):
        if path.name != "cpu.py":
            assert not set(literals(path)) & set(BlockSizes._fields), path.name


PROBE = """
from fastnn.kernels.jitted.loader.source import detect_cpu
print(*detect_cpu(), detect_cpu().instruction_set)
"""


@pytest.mark.skipif(not kernels.get("jitted").available, reason="Numba's compiler is switched off")
@pytest.mark.skipif(
    os.name != "posix" or os.uname().machine != "x86_64", reason="the names are x86-64's"
)
@pytest.mark.parametrize(
    ("name", "features", "expected"),
    [
        ("generic", "", "16 16 False False False baseline"),
        ("haswell", "+avx,+avx2,+fma", "32 16 True False False avx2+fma"),
        ("skylake-avx512", "+avx512f,+avx512bw,+avx512vl", "64 32 True False False avx512"),
        ("cooperlake", "+avx512f,+avx512vnni,+avx512bf16", "64 32 True True True avx512"),
    ],
)
def test_numbas_settings_of_the_cpu_are_obeyed(name, features, expected):
    environment = {
        **os.environ, "FASTNN_KERNELS": "jit",
        "NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": features,
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-c", PROBE], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == expected.split()
