#!/usr/bin/env bash
# safetensors' load returns the arrays in another order at each call.
#
# Versions: safetensors 0.8.0, numpy 2.4.6 (CPython 3.11).
# Guess: load(save(weights)) has the order of weights, or that of the file, or of the names; in any
#   case one order, so that list(load(data).values()) is a parameter list that can be flattened.
# What happens: the order is drawn anew at each call, in one process too. load_file, which reads the
#   same bytes, has one order each time.
# Output seen:
#   orders of load in 50 calls: more than 1
#   orders of load_file in 50 calls: 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 safetensors==0.8.0
"$folder/venv/bin/python" - <<'PY'
import os
import tempfile

import numpy as np
from safetensors.numpy import load, load_file, save

data = save({name: np.ones(2, np.float32) for name in ("W0", "b0", "W1", "b1", "W2", "b2")})
orders = {tuple(load(data)) for _ in range(50)}
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "weights.safetensors")
    with open(path, "wb") as file:
        file.write(data)
    file_orders = {tuple(load_file(path)) for _ in range(50)}
print("orders of load in 50 calls:", "more than 1" if len(orders) > 1 else 1)
print("orders of load_file in 50 calls:", len(file_orders))
assert len(orders) > 1 and len(file_orders) == 1
PY
