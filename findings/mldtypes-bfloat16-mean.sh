#!/usr/bin/env bash
# The mean of a thousand ones in bfloat16 is 0.256: NumPy adds numbers of ml_dtypes one by one.
#
# Versions: ml_dtypes 0.6.0, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: np.mean takes float32 for the sum, and np.sum adds by pairs, as both do for float16: the
#   mean is 1, and the variance 0.
# What happens: the sum runs in bfloat16, in order. From 256 on adding 1 changes nothing, so the sum
#   of any number of ones is 256 at most. With dtype=np.float32 it is right; so is x @ x.
# Output seen:
#   bfloat16: sum 256, mean 0.256, variance 0.256; by float32 1.0; product 1000.0
#   float16: sum 1000, mean 1, variance 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 ml_dtypes==0.6.0
"$folder/venv/bin/python" - <<'PY'
import ml_dtypes
import numpy as np

ones = np.ones(1000, ml_dtypes.bfloat16)
half = np.ones(1000, np.float16)
seen = [float(f(ones)) for f in (np.sum, np.mean, np.var)]
print(
    "bfloat16: sum {:.0f}, mean {:.3f}, variance {:.3f};".format(*seen),
    f"by float32 {float(ones.mean(dtype=np.float32))}; product {float(ones @ ones)}",
)
usual = [float(f(half)) for f in (np.sum, np.mean, np.var)]
print("float16: sum {:.0f}, mean {:.0f}, variance {:.0f}".format(*usual))
assert usual == [1000, 1, 0] and float(ones @ ones) == 1000
assert seen[0] == 256 and abs(seen[1] - 0.256) < 1e-3 and seen[2] > 0.2
PY
