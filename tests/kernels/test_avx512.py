"""The kernels for AVX-512 with VNNI and BF16 give right numbers, on whatever CPU the tests run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from fastnn.kernels.jitted.loader.source import detect_cpu

from fastnn import kernels

TESTS = Path(__file__).resolve().parents[1]


@pytest.mark.long
@pytest.mark.skipif(
    not kernels.get("jitted").available or not detect_cpu().fma,
    reason="substitutes of the instructions are compiled, and add products with one rounding",
)
@pytest.mark.parametrize(
    "name", ["test_bfloat16_products", "test_mixed_steps", "test_int8_prediction"]
)
def test_substituted_instructions_pass(name, tmp_path):
    """Tests of a file, by kernels compiled as `avx512_substitutes` says."""
    settings = {
        "FASTNN_CACHE_DIR": str(tmp_path), "FASTNN_KERNELS": "jit",
        "PYTHONPATH": os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]),
    }  # fmt: skip
    plugins = "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "avx512_substitutes"
    done = subprocess.run(
        [sys.executable, "-P", "-m", "pytest", "-q", *plugins, f"tests/kernels/{name}.py"],
        cwd=TESTS.parent, env=os.environ | settings, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
