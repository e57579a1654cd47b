#!/usr/bin/env bash
# skl2onnx cuts class labels to 32 bits: classes 2**40 and 2**40 + 1 become 0 and 1.
#
# Versions: skl2onnx 1.20.0, scikit-learn 1.9.1, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6
#   (CPython 3.11).
# Guess: integer labels are ONNX's int64 and come back as scikit-learn's predict returns them
#   (product codes and user numbers are such labels), or the conversion refuses them.
# What happens: the predicted label, though int64, holds the lower 32 bits alone, without a warning;
#   the probabilities are right. Logistic regression keeps its labels in float32, where ONNX has an
#   operator for it, and loses them in float64.
# Output seen:
#   MLPClassifier float32: predict 1099511627777, ONNX 1 int64
#   MLPClassifier float64: predict 1099511627777, ONNX 1 int64
#   LogisticRegression float32: predict 1099511627777, ONNX 1099511627777 int64
#   LogisticRegression float64: predict 1099511627777, ONNX 1 int64
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 scikit-learn==1.9.1 \
  skl2onnx==1.20.0 onnx==1.23.2 onnxruntime==1.32.0
"$folder/venv/bin/python" - <<'PY'
import warnings

import numpy as np
import onnxruntime
from skl2onnx import to_onnx
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
data = np.array([[3], [-3], [2], [-2]])
y = 2**40 + (data[:, 0] > 0)
found = []
for model in (MLPClassifier((4,), solver="lbfgs", random_state=0), LogisticRegression()):
    for X in (data.astype(np.float32), data.astype(np.float64)):
        model.fit(X, y)
        graph = to_onnx(model, X[:1], options={id(model): {"zipmap": False}})
        session = onnxruntime.InferenceSession(graph.SerializeToString())
        right, seen = model.predict(X[:1]), session.run(None, {"X": X[:1]})[0]
        print(f"{type(model).__name__} {X.dtype}: predict {right[0]}, ONNX {seen[0]} {seen.dtype}")
        assert right[0] == 2**40 + 1
        found.append(int(seen[0]))
assert found == [1, 1, 2**40 + 1, 1]
PY
