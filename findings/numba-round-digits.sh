#!/usr/bin/env bash
# In Numba, round(x, 2) of a half that binary numbers only come near rounds the wrong way.
#
# Versions: numba 0.68.1, numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: a compiled round(x, 2) gives Python's result, which is rounded correctly: 2.675 is a little
#   less than 2.675 in binary (2.67499999...), so it becomes 2.67.
# What happens: Numba multiplies by 100, rounds and divides again; the product 2.675 * 100 is 267.5
#   exactly, and the half goes up or down by its own rule. Of the thousand numbers 0.005, 0.015, ...,
#   9.995 about a third differ from Python's. Scores and costs that are rounded in compiled code
#   and outside of it then disagree in the last digit shown.
# Output seen:
#   round(2.675, 2): Python 2.67, compiled 2.68
#   360 of 1000 halves differ
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1
"$folder/venv/bin/python" - <<'PY'
from numba import njit


@njit
def compiled(x):
    return round(x, 2)


print(f"round(2.675, 2): Python {round(2.675, 2)}, compiled {compiled(2.675)}")
halves = [k / 100 + 0.005 for k in range(1000)]
unlike = sum(round(x, 2) != compiled(x) for x in halves)
print(f"{unlike} of {len(halves)} halves differ")
assert compiled(2.675) == 2.68 != round(2.675, 2)
assert unlike > 0
PY
