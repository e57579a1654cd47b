#!/usr/bin/env bash
# LightGBM's estimators take the columns of a frame at prediction by place, whatever their names.
#
# Versions: lightgbm 4.7.0, scikit-learn 1.9.1, pandas 3.0.5, numpy 2.4.6 (CPython 3.11).
# Guess: a model that was fitted to a frame with columns a and b takes them by name, as CatBoost
#   does, or refuses them in another order, as scikit-learn's own estimators do.
# What happens: predict(X[["b", "a"]]) is that of b in the place of a, without an error or a
#   warning; so is a frame of other names. predict(X, validate_features=True) refuses both.
# Output seen:
#   correlation with y: as fitted 0.991, columns exchanged -0.003, other names 0.991
#   scikit-learn: ValueError; lightgbm with validate_features=True: LightGBMError
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 pandas==3.0.5 scikit-learn==1.9.1 lightgbm==4.7.0
cd "$folder"
venv/bin/python -W error - <<'PY'
import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from sklearn.ensemble import HistGradientBoostingRegressor

rng = np.random.default_rng(0)
X = pd.DataFrame({"a": rng.normal(size=500), "b": rng.normal(size=500)})
y = 3 * X["a"]
model = LGBMRegressor(n_jobs=1, verbose=-1).fit(X, y)
frames = {
    "as fitted": X,
    "columns exchanged": X[["b", "a"]],
    "other names": X.set_axis(["u", "v"], axis=1),
}
found = {name: np.corrcoef(model.predict(frame), y)[0, 1] for name, frame in frames.items()}
print("correlation with y:", ", ".join(f"{name} {r:.3f}" for name, r in found.items()))


def refusal(call):
    try:
        call()
    except Exception as error:
        return type(error).__name__
    return "none"


peer = HistGradientBoostingRegressor().fit(X, y)
theirs = refusal(lambda: peer.predict(X[["b", "a"]]))
asked = refusal(lambda: model.predict(X[["b", "a"]], validate_features=True))
print(f"scikit-learn: {theirs}; lightgbm with validate_features=True: {asked}")
assert found["as fitted"] > 0.9 and found["other names"] > 0.9
assert abs(found["columns exchanged"]) < 0.2
assert (theirs, asked) == ("ValueError", "LightGBMError")
PY
