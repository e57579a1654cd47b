"""One split of one set, in a process of its own: python -m bench.tabular.worker, by `__main__`."""

from __future__ import annotations

import json
import sys
import time
import warnings
from importlib import import_module
from typing import Any

import numpy as np

from .contenders import CONTENDERS, Work

WARM = 60  # rows of the fit before the clock, which imports, compiles and starts threads


def score(classes: bool, model: Any, X: Any, y: Any, labels: Any) -> dict[str, float]:
    """Return the metrics of predictions; probabilities below 1e-7 count as that."""
    if not classes:
        return {"RMSE": float(np.sqrt(np.mean((np.ravel(model.predict(X)) - y) ** 2)))}
    P = np.clip(np.asarray(model.predict_proba(X), float), 1e-7, 1)
    P /= P.sum(axis=1, keepdims=True)
    places = np.searchsorted(labels, y)
    right = float(np.mean(P.argmax(axis=1) == places))
    return {"accuracy": right, "log loss": float(-np.log(P[np.arange(len(y)), places]).mean())}


def split_of(source: str, name: str, seed: int, rows: int) -> tuple[bool, Any, Any, Any, Any]:
    """Return whether there are classes, and X, X_test, y, y_test: three quarters, one quarter."""
    from sklearn.model_selection import train_test_split

    task, X, y = import_module(source).load(name)
    classes, y = task == "c", np.asarray(y)
    if classes:  # numbers, for some of the libraries take nothing else
        y = np.unique(y, return_inverse=True)[1]
    if len(X) > rows:
        some = np.random.default_rng(seed).permutation(len(X))[:rows]
        X, y = X.iloc[some].reset_index(drop=True), y[some]
    parts = train_test_split(
        X, y, test_size=0.25, random_state=seed, stratify=y if classes else None
    )
    return classes, *parts


def main() -> None:
    """Read what is asked for from the command line, and print a record."""
    source, name, seed, rows, threads, contender = sys.argv[1:]
    classes, X, X_test, y, y_test = split_of(source, name, int(seed), int(rows))
    texts = tuple(X.columns[[not np.issubdtype(t, np.number) for t in map(_plain, X.dtypes)]])
    work = Work(classes, texts, int(seed), int(threads))
    warnings.simplefilter("ignore")
    make = CONTENDERS[contender].make
    few = np.random.default_rng(0).permutation(len(X))[:WARM]
    few = np.concatenate([few, np.unique(y, return_index=True)[1] if classes else few[:0]])
    make(work).fit(X.iloc[few], y[few]).predict(X_test[:5])
    began = time.process_time()
    model = make(work).fit(X, y)
    scores = score(classes, model, X_test, y_test, np.unique(y))
    seconds = time.process_time() - began
    print(json.dumps([name, int(seed), contender, scores, seconds]))


def _plain(dtype: Any) -> np.dtype[Any]:
    """Return a column's dtype as NumPy's; that of objects for what NumPy has none for."""
    return dtype if isinstance(dtype, np.dtype) else np.dtype(object)


if __name__ == "__main__":
    main()
