#!/usr/bin/env bash
# scikit-learn's MLPRegressor(solver="lbfgs") has a partial_fit, and one call is a whole fit.
#
# Versions: scikit-learn 1.9.1, scipy 1.17.1, numpy 2.4.6 (CPython 3.11).
# Guess: partial_fit is offered for "sgd" and "adam" only, as the error of MLPClassifier says, and
#   takes one pass over the rows.
# What happens: the classifier with "lbfgs" has no partial_fit. The regressor has one, for its
#   condition is never called, and a call runs up to max_iter iterations on the rows of that call
#   alone: out of core, each piece of the data overwrites the fit to the piece before.
# Output seen:
#   partial_fit: classifier False, regressor True
#   iterations of one call: 30
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
"$folder/venv/bin/python" - <<'PY'
import warnings

import numpy as np
from sklearn.neural_network import MLPClassifier, MLPRegressor

warnings.simplefilter("ignore")
X = np.random.default_rng(0).standard_normal((60, 3))
model = MLPRegressor(hidden_layer_sizes=(5,), solver="lbfgs", max_iter=30, random_state=0)
offered = hasattr(MLPClassifier(solver="lbfgs"), "partial_fit"), hasattr(model, "partial_fit")
print(f"partial_fit: classifier {offered[0]}, regressor {offered[1]}")
model.partial_fit(X, X @ [1, -2, 0.5])
print("iterations of one call:", model.n_iter_)
assert offered == (False, True) and model.n_iter_ > 1
PY
