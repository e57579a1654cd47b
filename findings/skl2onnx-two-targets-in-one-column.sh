#!/usr/bin/env bash
# skl2onnx writes an MLPRegressor of two targets as a model of one column, twice as long.
#
# Versions: skl2onnx 1.20.0, scikit-learn 1.9.1, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6
#   (CPython 3.11).
# Guess: the ONNX model of a regressor with two outputs returns what predict returns, of shape
#   (rows, 2); a plain regressor returns (rows, 1).
# What happens: the graph ends in a Reshape to (-1, 1), so that 3 rows give 6 numbers, row by row.
#   The conversion and the model check pass. Linear regression of two targets keeps its columns.
# Output seen:
#   MLPRegressor: predict (3, 2), ONNX (6, 1), same numbers in row order True
#   LinearRegression: predict (3, 2), ONNX (3, 2), same numbers in row order True
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 scikit-learn==1.9.1 \
  skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PY'
import warnings

import numpy as np
import onnx
import onnxruntime
from skl2onnx import to_onnx
from sklearn.linear_model import LinearRegression
from sklearn.neural_network import MLPRegressor

warnings.simplefilter("ignore")
X = np.random.default_rng(0).standard_normal((30, 3)).astype(np.float32)
shapes = []
network = MLPRegressor(hidden_layer_sizes=(4,), max_iter=20, random_state=0)
for model in (network, LinearRegression()):
    model.fit(X, X[:, :2])
    graph = to_onnx(model, X[:1])
    onnx.checker.check_model(graph, full_check=True)
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    right, seen = model.predict(X[:3]), session.run(None, {"X": X[:3]})[0]
    same = np.allclose(right.ravel(), seen.ravel(), atol=1e-5)
    print(f"{type(model).__name__}: predict {right.shape}, ONNX {seen.shape},", end=" ")
    print("same numbers in row order", same)
    shapes.append(seen.shape)
    assert right.shape == (3, 2) and same
assert shapes == [(6, 1), (3, 2)]
PY
