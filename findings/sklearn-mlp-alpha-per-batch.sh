#!/usr/bin/env bash
# scikit-learn's MLP divides alpha by the batch size: small batches are penalised more.
#
# Versions: scikit-learn 1.9.1, scipy 1.17.1, numpy 2.4.6 (CPython 3.11).
# Guess: alpha is divided by the sample size, as documented, so the optimum depends on alpha and the
#   data alone: "lbfgs" and "sgd" with any batch size aim at one minimum (of ridge regression
#   with the same alpha, where there is no hidden layer).
# What happens: "sample" is the batch. With batches of 5 out of 60 rows the weights are those of
#   ridge regression with alpha * 60 / 5, a third of those that "lbfgs" finds.
# Output seen:
#   ridge, alpha 10:      [ 0.81  1.67 -0.8 ]
#   lbfgs:                [ 0.81  1.67 -0.8 ]
#   sgd, batches of 60:   [ 0.81  1.67 -0.8 ]
#   sgd, batches of 5:    [ 0.27  0.6  -0.27]
#   ridge, alpha 120:     [ 0.26  0.59 -0.24]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 scipy==1.17.1 scikit-learn==1.9.1
"$folder/venv/bin/python" - <<'PY'
import warnings

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.neural_network import MLPRegressor

warnings.simplefilter("ignore")
X = np.random.default_rng(0).standard_normal((60, 4))
y = X @ [1, 2, -1, 0.5]


def weights(solver, **settings):
    model = MLPRegressor(hidden_layer_sizes=(), solver=solver, alpha=10, max_iter=1000, tol=1e-12,
                         n_iter_no_change=1000, learning_rate_init=0.005, random_state=0,
                         **settings)
    return model.fit(X, y).coefs_[0][:, 0]


found = {
    "ridge, alpha 10": Ridge(10).fit(X, y).coef_,
    "lbfgs": weights("lbfgs"),
    "sgd, batches of 60": weights("sgd", batch_size=60),
    "sgd, batches of 5": weights("sgd", batch_size=5),
    "ridge, alpha 120": Ridge(120).fit(X, y).coef_,
}
for name, w in found.items():
    print(f"{name + ':':21}", w[:3].round(2))
weak, lbfgs, whole, small, strong = found.values()
np.testing.assert_allclose([lbfgs, whole], [weak, weak], atol=1e-3)
np.testing.assert_allclose(small, strong, atol=0.05)
PY
