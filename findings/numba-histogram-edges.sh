#!/usr/bin/env bash
# Numba's np.histogram puts a value that lies on an edge into the bin below or above it.
#
# Versions: numpy 2.4.6, numba 0.68.1 (CPython 3.11, x86-64).
# Guess: with a number of bins and a range, np.histogram counts inside @njit what it counts outside
#   it: bins closed on the left, by the edges that both return.
# What happens: the bin is one product, (x - low) * bins / (high - low), never compared with the
#   edges; NumPy does compare. The edges themselves as data give bins with 2 and with 0, so the
#   counts differ from those by explicit edges, which Numba does compare.
# Output seen:
#   numpy first counts other than 1: []
#   numba first counts other than 1: [(6, 2), (7, 0), (13, 2), (14, 0)]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 numba==0.68.1
"$folder/venv/bin/python" - <<'PY'
import numba
import numpy as np

edges = np.linspace(0, 0.7, 50)


def by_range(x):
    return np.histogram(x, 49, (0.0, 0.7))


def by_edges(x, edges):
    return np.histogram(x, edges)


found = {}
for name, count in (("numpy", by_range), ("numba", numba.njit(by_range))):
    counts, used = count(edges)
    assert np.array_equal(used, edges)
    odd = [(i, int(n)) for i, n in enumerate(counts[:-1]) if n != 1]
    found[name] = odd
    print(f"{name} first counts other than 1: {odd[:4]}")
assert found["numpy"] == [] and found["numba"][:2] == [(6, 2), (7, 0)]
assert (numba.njit(by_edges)(edges, edges)[0][:-1] == 1).all()
PY
