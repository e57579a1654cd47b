#!/usr/bin/env bash
# PaddlePaddle's mean cross-entropy counts ignored rows if the ignored label is below zero.
#
# Versions: paddlepaddle 3.3.1, numpy 2.4.6 (CPython 3.11, x86-64, CPU).
# Guess: the mean is over the rows that are not ignored, as in PyTorch, whatever the label is that
#   marks them; the default is -100 in both.
# What happens: with the default the sum is divided by all rows, so that padding makes the cost
#   smaller. With ignore_index=1, or with weights of 1 for the classes, it is divided by the others.
# Output seen:
#   ignored -100: 0.657; ignored 1: 1.313; ignored -100, weights of 1: 1.313
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 paddlepaddle==3.3.1
"$folder/venv/bin/python" - <<'PY'
import math

import numpy as np
import paddle
import paddle.nn.functional as F

logits = paddle.to_tensor(np.array([[1, 2], [3, 1]], "f4"))


def cost(ignored, weight=None):
    """Return the mean cost of a row of class 0 and one that is ignored."""
    labels = paddle.to_tensor(np.array([0, ignored]))
    return float(F.cross_entropy(logits, labels, weight=weight, ignore_index=ignored))


ones = paddle.to_tensor(np.ones(2, "f4"))
seen = [cost(-100), cost(1), cost(-100, ones)]
print("ignored -100: {:.3f}; ignored 1: {:.3f}; ignored -100, weights of 1: {:.3f}".format(*seen))
first = math.log(1 + math.e)  # of logits 1 and 2, class 0
np.testing.assert_allclose(seen, [first / 2, first, first], rtol=1e-5)
PY
