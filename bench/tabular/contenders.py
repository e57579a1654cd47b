"""Contenders: models that take a frame of any columns, each in its library's own defaults.

A contender is made by (task, columns of text, seed, threads) and has `fit(X, y)`, `predict(X)`
and, for classes, `predict_proba(X)`. What takes numbers alone stands behind the same encoding:
medians for missing numbers, one-hot for text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np

__all__ = ["CONTENDERS", "Contender", "Work"]


@dataclass(frozen=True)
class Work:
    """What a model is made for."""

    classes: bool
    texts: tuple[str, ...]  # the columns that hold no numbers
    seed: int
    threads: int


@dataclass(frozen=True)
class Contender:
    """A model by what makes it, and the packages that it needs."""

    make: Callable[[Work], Any]
    needs: tuple[str, ...] = ()

    @property
    def available(self) -> bool:
        """Whether its packages are installed."""
        return all(find_spec(name) is not None for name in self.needs)


def encoded(model: Any, work: Work, *, scale: bool = False) -> Any:
    """Return a model of numbers behind an encoding of all columns."""
    from sklearn.compose import make_column_selector, make_column_transformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    columns = make_column_transformer(
        (SimpleImputer(strategy="median"), make_column_selector(dtype_include="number")),
        (
            OneHotEncoder(handle_unknown="ignore", sparse_output=False),
            make_column_selector(dtype_exclude="number"),
        ),
    )
    return make_pipeline(columns, *([StandardScaler()] if scale else []), model)


def fastnn_stock(work: Work) -> Any:
    """Return fastnn's multilayer perceptron, inputs and targets scaled."""
    import fastnn

    kind = fastnn.MLPClassifier if work.classes else fastnn.MLPRegressor
    return encoded(kind(scale="standard", random_state=work.seed, dtype="float32"), work)


def fastnn_tabular(work: Work) -> Any:
    """Return fastnn's estimator for tables."""
    import fastnn

    kind = fastnn.TabularClassifier if work.classes else fastnn.TabularRegressor
    return kind(random_state=work.seed)


def sklearn_mlp(work: Work) -> Any:
    """Return scikit-learn's perceptron; targets are scaled, without which it is of no use."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.neural_network import MLPClassifier, MLPRegressor
    from sklearn.preprocessing import StandardScaler

    if work.classes:
        return encoded(MLPClassifier(random_state=work.seed), work, scale=True)
    model = encoded(MLPRegressor(random_state=work.seed), work, scale=True)
    return TransformedTargetRegressor(model, transformer=StandardScaler())


class Categories:
    """A model that takes text as pandas' categories, those of the training."""

    def __init__(self, model: Any, texts: tuple[str, ...]) -> None:
        self.model, self.texts = model, list(texts)

    def _typed(self, X: Any) -> Any:
        """Return X with columns of the categories that the training had."""
        return X.astype({name: self.types[name] for name in self.texts})

    def fit(self, X: Any, y: Any) -> Categories:
        """Fit to a frame."""
        self.types = X[self.texts].astype("category").dtypes
        self.model.fit(self._typed(X), y)
        return self

    def predict(self, X: Any) -> Any:
        """Return classes or numbers."""
        return self.model.predict(self._typed(X))

    def predict_proba(self, X: Any) -> Any:
        """Return probabilities."""
        return self.model.predict_proba(self._typed(X))


def hist_gradient_boosting(work: Work) -> Any:
    """Return scikit-learn's gradient-boosted trees."""
    from sklearn import ensemble

    kind = ensemble.HistGradientBoostingRegressor
    if work.classes:
        kind = ensemble.HistGradientBoostingClassifier
    return Categories(kind(random_state=work.seed), work.texts)


def lightgbm(work: Work) -> Any:
    """Return LightGBM's gradient-boosted trees."""
    import lightgbm

    kind = lightgbm.LGBMClassifier if work.classes else lightgbm.LGBMRegressor
    model = kind(random_state=work.seed, n_jobs=work.threads, verbose=-1)
    return Categories(model, work.texts)


class Filled:
    """A model that takes text, but none that is missing."""

    def __init__(self, model: Any, texts: tuple[str, ...]) -> None:
        self.model, self.texts = model, list(texts)

    def _filled(self, X: Any) -> Any:
        """Return X with a text in place of missing ones."""
        return X.assign(**{name: X[name].astype(object).fillna("") for name in self.texts})

    def fit(self, X: Any, y: Any) -> Filled:
        """Fit to a frame."""
        self.model.fit(self._filled(X), y)
        return self

    def predict(self, X: Any) -> Any:
        """Return classes or numbers."""
        return np.ravel(self.model.predict(self._filled(X)))

    def predict_proba(self, X: Any) -> Any:
        """Return probabilities."""
        return self.model.predict_proba(self._filled(X))


def catboost(work: Work) -> Any:
    """Return CatBoost's gradient-boosted trees."""
    import catboost

    kind = catboost.CatBoostClassifier if work.classes else catboost.CatBoostRegressor
    model = kind(
        random_seed=work.seed, thread_count=work.threads, cat_features=list(work.texts),
        verbose=False, allow_writing_files=False,
    )  # fmt: skip
    return Filled(model, work.texts)


class Numbers(Filled):
    """A model that takes text, but no numbers that are missing: they become medians."""

    def _filled(self, X: Any) -> Any:
        """Return X with texts and medians in place of what is missing."""
        X = super()._filled(X)
        numbers = [name for name in X.columns if name not in self.texts]
        if not hasattr(self, "medians"):  # in fit
            self.medians = X[numbers].median()
        return X.fillna(self.medians)


def pytabkit(name: str, **settings: Any) -> Callable[[Work], Any]:
    """Return what makes a network of pytabkit: RealMLP or TabM."""

    def make(work: Work) -> Any:
        import pytabkit

        kind = getattr(pytabkit, f"{name}_{'Classifier' if work.classes else 'Regressor'}")
        model = kind(random_state=work.seed, n_threads=work.threads, device="cpu", **settings)
        return Numbers(model, work.texts)

    return make


#: By the names that the command line takes; the first is what all others are compared with.
CONTENDERS = {
    "tabular": Contender(fastnn_tabular),
    "stock": Contender(fastnn_stock),
    "sklearn-mlp": Contender(sklearn_mlp),
    "hist-gb": Contender(hist_gradient_boosting),
    "lightgbm": Contender(lightgbm, ("lightgbm",)),
    "catboost": Contender(catboost, ("catboost",)),
    "realmlp": Contender(pytabkit("RealMLP_TD", n_cv=1), ("pytabkit", "torch")),
    "realmlp-bag": Contender(pytabkit("RealMLP_TD", n_cv=4), ("pytabkit", "torch")),
    "tabm": Contender(pytabkit("TabM_D"), ("pytabkit", "torch")),
}
