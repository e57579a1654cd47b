#!/usr/bin/env bash
# skl2onnx's multi-label MLPClassifier gives all the no-probabilities first, then the yes ones.
#
# Versions: skl2onnx 1.20.0, scikit-learn 1.9.1, onnx 1.23.2, onnxruntime 1.32.0, numpy 2.4.6
#   (CPython 3.11).
# Guess: the probabilities are those of predict_proba, one column a label. (As default the outputs
#   are dictionaries; options zipmap=False asks for the array.)
# What happens: twice as many columns, not in pairs: 1 - p of each label, then p of each. Whoever
#   reads column j for label j gets the opposite. The default model does convert, but fails when
#   run: its ZipMap names 2 labels for 4 columns.
# Output seen:
#   predict_proba [0.766 0.408]
#   ONNX          [0.234 0.592 0.766 0.408]
#   default model: ZipMap fails True
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
from sklearn.neural_network import MLPClassifier

warnings.simplefilter("ignore")
X = np.random.default_rng(0).standard_normal((60, 4)).astype(np.float32)
model = MLPClassifier((5,), max_iter=30, random_state=0).fit(X, (X[:, :2] > 0).astype(int))


def session(options):
    graph = to_onnx(model, X[:1], options={id(model): options})
    return onnxruntime.InferenceSession(graph.SerializeToString())


onnxruntime.set_default_logger_severity(4)
right = model.predict_proba(X[:1])
labels, seen = session({"zipmap": False}).run(None, {"X": X[:1]})
with np.printoptions(precision=3):
    print("predict_proba", right[0])
    print("ONNX         ", seen[0])
try:
    session({}).run(None, {"X": X[:1]})
    fails = False
except Exception as error:
    fails = "ZipMap" in str(error)
print("default model: ZipMap fails", fails)
np.testing.assert_allclose(seen, np.hstack([1 - right, right]), atol=1e-5)
assert fails and np.array_equal(labels, model.predict(X[:1]))
PY
