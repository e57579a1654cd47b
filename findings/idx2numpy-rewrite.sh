#!/usr/bin/env bash
# idx2numpy cannot write an array of floats that it has read: big-endian numbers are "not supported".
#
# Versions: idx2numpy 1.2.3, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: reading gives numbers in the byte order of the machine, as other readers do, and what was
#   read can be written again: IDX holds big-endian numbers, so nothing is lost either way.
# What happens: the array read has dtype >f4 (>i4, >f8), a foreign byte order that makes arithmetic
#   slower and that other libraries refuse; and the writer refuses that order by name of its dtype.
#   Bytes, as images are, pass.
# Output seen:
#   float32: read as >f4, FormatError: numpy ndarray type not supported by IDX format.
#   uint8: read as |u1, written
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 idx2numpy==1.2.3
"$folder/venv/bin/python" - <<'PY'
import os
import tempfile

import idx2numpy
import numpy as np

seen = []
for dtype in (np.float32, np.uint8):
    with tempfile.TemporaryDirectory() as folder:
        file = os.path.join(folder, "numbers.idx")
        idx2numpy.convert_to_file(file, np.arange(3, dtype=dtype))
        numbers = idx2numpy.convert_from_file(file)
        assert numbers.tolist() == [0, 1, 2]
        try:
            idx2numpy.convert_to_file(file, numbers)
            outcome = "written"
        except idx2numpy.FormatError as error:
            outcome = f"FormatError: {error}"
    seen.append((numbers.dtype.str, outcome))
    print(f"{np.dtype(dtype).name}: read as {numbers.dtype.str}, {outcome}")
assert seen[0][0] == ">f4" and seen[0][1].startswith("FormatError")
assert seen[1] == ("|u1", "written")
PY
