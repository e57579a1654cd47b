"""Accuracy and time beside scikit-learn's MLPClassifier, interleaved, one thread, same dtype.

Run: python bench/estimators.py [seeds]
"""

import sys
import time
import warnings

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

import fastnn


def compare(name, X, y, seeds):
    kinds = {"scikit-learn": MLPClassifier, "fastnn": fastnn.MLPClassifier}
    seconds, scores = {k: [] for k in kinds}, {k: [] for k in kinds}
    fastnn.MLPClassifier(max_iter=1).fit(X, y)  # compiles
    for seed in range(seeds):
        X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=seed, stratify=y)
        scaler = StandardScaler().fit(X_train)
        for kind, model in kinds.items():
            began = time.perf_counter()
            net = model(random_state=seed).fit(scaler.transform(X_train), y_train)
            seconds[kind].append(time.perf_counter() - began)
            scores[kind].append(net.score(scaler.transform(X_test), y_test))
    for kind in kinds:
        accuracy, median = 100 * np.mean(scores[kind]), np.median(seconds[kind])
        print(f"{name:15} {kind:13} {accuracy:6.2f} %  {median:6.3f} s")
    ratio = np.median(seconds["scikit-learn"]) / np.median(seconds["fastnn"])
    print(f"{name:15} {ratio:.2f} × as fast")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    fastnn.set_num_threads(1)
    with threadpool_limits(1):
        for name, load in (("digits", load_digits), ("breast cancer", load_breast_cancer)):
            compare(name, *load(return_X_y=True), int(sys.argv[1]) if len(sys.argv) > 1 else 10)
