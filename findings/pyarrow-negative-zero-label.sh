#!/usr/bin/env bash
# Arrow counts 0.0 and -0.0 as two labels, though it calls them equal, and NaN as one.
#
# Versions: pyarrow 26.0.1, pandas 3.1.1, numpy 2.4.6 (CPython 3.11).
# Guess: unique, dictionary_encode and group_by go by equality, as np.unique does: 0.0 and -0.0 (a
#   rounded -0.2) are one class.
# What happens: they go by bits, so that a column of two classes has three. Yet compute.equal is
#   true for them. pandas on Arrow columns inherits it: nunique is 3, and astype("category") of such
#   a column is an error, because pandas finds two of the categories equal.
# Output seen:
#   equal True, numpy 2 classes, pyarrow 3 classes, group_by 3 groups, pandas 3 classes
#   astype("category"): Categorical categories must be unique
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 pyarrow==26.0.1 pandas==3.1.1
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

y = pa.array(np.round([0.2, -0.2, 1.0, 0.9]))
equal = pc.equal(y[0], y[1]).as_py()
classes = len(y.dictionary_encode().dictionary)
groups = pa.table({"y": y, "n": [1] * 4}).group_by("y").aggregate([("n", "sum")]).num_rows
series = pd.Series(y, dtype=pd.ArrowDtype(pa.float64()))
print(f"equal {equal}, numpy {len(np.unique(y))} classes, pyarrow {classes} classes,", end=" ")
print(f"group_by {groups} groups, pandas {series.nunique()} classes")
try:
    series.astype("category")
    message = "taken"
except ValueError as error:
    message = str(error)
print('astype("category"):', message)
assert equal and len(np.unique(y)) == 2 and classes == groups == series.nunique() == 3
assert "unique" in message
PY
