#!/usr/bin/env bash
# PaddlePaddle's log-probabilities never fall below -64: a loss of 200 is reported as 64.
#
# Versions: paddlepaddle 3.3.1, numpy 2.4.6 (CPython 3.11, x86-64, CPU).
# Guess: log_softmax subtracts the largest logit and the logarithm of the sum, so that logits 200 and
#   -200 give log-probabilities 0 and -400, exactly, and cross_entropy of the second class 400.
# What happens: differences from the largest logit are cut off at -64, in float64 as in float32, in
#   log_softmax, cross_entropy and its form with shares. The gradient is that of the uncut loss, so
#   training goes on, but costs, perplexities and comparisons with other libraries are too small.
# Output seen:
#   log_softmax float32 [0.0, -64.0], float64 [0.0, -64.0]
#   cross_entropy 64.0, by shares 64.0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 paddlepaddle==3.3.1
"$folder/venv/bin/python" - <<'PY'
import numpy as np
import paddle
import paddle.nn.functional as F

logits = np.array([[200.0, -200.0]])
seen = [F.log_softmax(paddle.to_tensor(logits.astype(d))).numpy()[0] for d in ("f4", "f8")]
print("log_softmax float32 {}, float64 {}".format(*(each.tolist() for each in seen)))
x = paddle.to_tensor(logits.astype("f4"))
cost = float(F.cross_entropy(x, paddle.to_tensor(np.array([1]))))
shares = paddle.to_tensor(np.array([[0, 1]], "f4"))
by_shares = float(F.cross_entropy(x, shares, soft_label=True))
print(f"cross_entropy {cost}, by shares {by_shares}")
np.testing.assert_array_equal(seen, [[0, -64], [0, -64]])
assert cost == by_shares == 64
PY
