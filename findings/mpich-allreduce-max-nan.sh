#!/usr/bin/env bash
# MPICH's Allreduce of a maximum leaves ranks with different answers if one of the numbers is NaN.
#
# Versions: mpi4py 4.1.2, MPICH 5.0.2 (mpich on PyPI), numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: whatever the maximum of a number and NaN is, all ranks of an Allreduce receive the same, as
#   MPI promises: programs branch on it, "stop where the largest gradient is not finite".
# What happens: each of two ranks compares what it has with what comes, in its own order, and the
#   comparison is false for NaN: one rank has NaN and the other the number, so that one stops and the
#   other waits for it. MIN is the same. Open MPI 5.0.11 gives one answer to all, but which one depends
#   on the rank that holds the NaN.
# Output seen:
#   NaN on rank 0: rank 0 has 1.0, rank 1 has nan
#   NaN on rank 1: rank 0 has nan, rank 1 has 1.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 mpi4py==4.1.2 mpich==5.0.2
cat > "$folder/ranks.py" <<'PY'
import numpy as np
from mpi4py import MPI

ranks = MPI.COMM_WORLD
for holder in (0, 1):
    largest = np.zeros(1)
    ranks.Allreduce(np.array([np.nan if ranks.rank == holder else 1.0]), largest, MPI.MAX)
    seen = ranks.gather(float(largest[0]))
    if ranks.rank == 0:
        print("NaN on rank {}: rank 0 has {}, rank 1 has {}".format(holder, *seen))
        assert np.isnan(seen).tolist() == [holder == 1, holder == 0]
PY
"$folder/venv/bin/mpiexec" -n 2 "$folder/venv/bin/python" "$folder/ranks.py"
