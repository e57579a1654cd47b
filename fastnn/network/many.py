"""Many networks at once: each on one thread, over data that are checked and encoded once."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fastnn._habits.answers import explained
from fastnn._runtime.text import plural
from fastnn._validation import arguments
from fastnn.errors import FastnnError, SettingError
from fastnn.history import History
from fastnn.optimizers import LBFGS, Optimizer
from fastnn.training.exclusive_fit import exclusive_fit
from fastnn.training.fit_config import FitConfig
from fastnn.training.interrupts import Interrupts
from fastnn.training.shared_data import DataSettings, SharedData
from fastnn.training.shared_progress import SharedProgress

from .member_fit import MemberFit
from .member_training import train_members
from .network import Callback, Network
from .per_network import callbacks_for_each, one_for_each, weights_for_each

if TYPE_CHECKING:
    from fastnn.schedules import Schedule

__all__ = ["checked_fits", "fit_many", "train_together"]


@explained("fit_many", "Network.fit")
def fit_many(
    networks: Iterable[Network],
    X: Any,
    y: Any,
    *,
    folds: Iterable[tuple[Any, Any]] | None = None,
    epochs: int | str | Sequence[int | str] = 10,
    batch_size: int | str | Sequence[int | str | None] | None = "auto",
    optimizer: Optimizer | LBFGS | str | Sequence[Optimizer | LBFGS | str | None] | None = None,
    schedule: Schedule | str | Sequence[Schedule | str | None] | None = None,
    l2: float | Sequence[float] = 0.0,
    l1: float | Sequence[float] = 0.0,
    clip_norm: float | Sequence[float | None] | None = None,
    clip_value: float | Sequence[float | None] | None = None,
    sample_weight: Any = None,
    class_weight: Mapping[int, float] | str | Sequence[Any] | None = None,
    validation_data: Any = None,
    validation_split: float | Sequence[float] = 0.0,
    shuffle: bool | Sequence[bool] = True,
    metrics: Sequence[str] = (),
    callbacks: Sequence[Callback] | Sequence[Sequence[Callback]] = (),
    progress: str | bool = "auto",
    on_divergence: str = "warn",
) -> list[History]:
    """Train several networks on the same data, each as its own `Network.fit` would, bit for bit.

    Every thread trains whole networks, one after the other, so that none waits for another.
    Networks whose steps are large enough for all threads to share are trained one after the other
    by all of them, as far as they would not go up evenly among the threads.

    Parameters
    ----------
    networks : iterable of Network
        Of any sizes, layers, seeds and dtypes; the data must suit all of them.
    X, y : arrays
        As `Network.fit` takes them; they are checked and encoded once, and lie in memory: a data
        set that is read is loaded whole.
    folds : iterable of (rows, rows), optional
        For each network the rows of X that it is trained on and those that are scored after every
        epoch, as places (k,) or masks (m,): what splitters of scikit-learn give. One pair, as a
        tuple, is for all networks. A network gets the bits of ``fit(X[train], y[train],
        validation_data=(X[test], y[test]))``. Rows are copied while their network is trained; of
        more than 16 MB those that train in shuffled batches are read where they lie.
    epochs, batch_size, optimizer, schedule, l2, l1, clip_norm, clip_value, shuffle
        As in `Network.fit`: one value for all networks, or a list or an array of one for each.
    sample_weight : array (m,), or (N, m), or list of arrays, optional
        Weights of the examples, for all N networks, or for each.
    class_weight, validation_data, validation_split
        As in `Network.fit`, or a list of one for each network. A split copies X once for each of
        the networks' seeds and shares, before the first network is trained.
    metrics : sequence of str
        As in `Network.fit`, for all networks; registered functions are called one at a time.
    callbacks : sequence of callables, or of sequences of callables
        A list for each network, or functions for all. They are called one at a time, from the
        thread that trains their network.
    progress : "auto" or bool
        As in `Network.fit`, for all networks together.
    on_divergence : "warn" or "raise"
        Whether networks that diverged are named in a RuntimeWarning, or the first one's
        DivergenceError is raised; the others are trained to their end before.

    Returns
    -------
    list of History
        One for each network, in their order, as `Network.fit` returns them. After Ctrl-C they are
        shorter and `interrupted`, those of networks that had not begun empty; all networks can be
        used and trained on. Where a network diverged, its history ends before, `converged` is
        False, and `message` says in which layer.

    Raises
    ------
    ShapeError, DataError, SettingError
        If something that comes in breaks a rule; the sentence names the network. No network has
        changed then.
    DivergenceError
        If a network diverged and `on_divergence` says so.

    Examples
    --------
    >>> nets = [Network.mlp([2, 10, 1], output="sigmoid", seed=seed) for seed in range(8)]
    >>> histories = fastnn.fit_many(nets, X, y, optimizer=[Adam(r) for r in rates])
    """
    if on_divergence not in ("warn", "raise"):
        raise SettingError(f"on_divergence must be 'warn' or 'raise', got {on_divergence!r}")
    fits = checked_fits(
        networks, X, y, folds=folds, sample_weight=sample_weight, class_weight=class_weight,
        validation_data=validation_data, validation_split=validation_split, metrics=metrics,
        callbacks=callbacks, epochs=epochs, batch_size=batch_size, optimizer=optimizer, l2=l2,
        l1=l1, shuffle=shuffle, schedule=schedule, clip_norm=clip_norm, clip_value=clip_value,
    )  # fmt: skip
    return train_together(fits, progress, on_divergence)


def checked_fits(
    networks: Iterable[Network], X: Any, y: Any, *, folds: Any = None, sample_weight: Any = None,
    class_weight: Any = None, validation_data: Any = None, validation_split: Any = 0.0,
    metrics: Sequence[str] = (), callbacks: Any = (), **settings: Any,
) -> list[MemberFit]:  # fmt: skip
    """Return the fits of networks to the same data, from arguments of `fit_many`, checked.

    settings: what `FitConfig.checked` takes. No network has changed.
    """
    nets = _distinct(networks)
    n, data = len(nets), SharedData(X, y)
    configs = _columns(n, **settings)
    pairs = folds if folds is None or isinstance(folds, tuple) else list(folds)
    parts = _columns(
        n, class_weight=class_weight, validation_data=validation_data,
        validation_split=validation_split, folds=pairs,
    )  # fmt: skip
    weights, called = weights_for_each(sample_weight, n), callbacks_for_each(callbacks, n)
    fits = []
    for k, net in enumerate(nets):
        try:
            config = FitConfig.checked(**dict(zip(settings, configs[k], strict=True)))
            given = DataSettings(weights[k], *parts[k])
            fits.append(MemberFit.checked(net, config, data, given, metrics, called[k]))
        except FastnnError as error:
            raise type(error)(f"networks[{k}]: {error}") from None
    return fits


def train_together(
    fits: Sequence[MemberFit], progress: str | bool, on_divergence: str
) -> list[History]:
    """Train the networks of checked fits, which may differ in their data; return the histories."""
    reporter = SharedProgress([fit.config.epochs for fit in fits], progress)
    states = [fit.network._state for fit in fits]
    with Interrupts() as interrupts, exclusive_fit(*states), reporter:
        for fit in fits:  # which may refuse them: before any network changes
            fit.scale_targets()
        for fit in fits:
            fit.begin()
        train_members(fits, reporter, interrupts)
    diverged = [k for k, fit in enumerate(fits) if fit.error is not None]
    if diverged:
        _tell_of_divergence(fits, diverged, on_divergence)
    return [fit.history for fit in fits]


def _distinct(networks: Iterable[Network]) -> list[Network]:
    """Return the networks as a list; refuse what is none, and one that stands there twice."""
    nets = arguments.as_list(networks, "networks", "[Network([…], seed=s) for s in range(8)]")
    if not nets:
        raise SettingError("networks is empty; give one Network at least")
    places: dict[int, int] = {}
    for k, net in enumerate(nets):
        arguments.instance(net, Network, f"networks[{k}]", "Network([Dense(1, 'sigmoid')])")
        first = places.setdefault(id(net._state), k)
        if first != k:
            raise SettingError(
                f"networks[{k}] is networks[{first}] again, and a network is trained by one fit at "
                "a time; give a copy, net.copy(), or make another one"
            )
    return nets


def _columns(n: int, **values: Any) -> list[tuple[Any, ...]]:
    """Return for each of n networks the tuple of its values, in this order."""
    columns = [one_for_each(value, name, n) for name, value in values.items()]
    return list(zip(*columns, strict=True))


def _tell_of_divergence(fits: Sequence[MemberFit], places: Sequence[int], how: str) -> None:
    """Raise the first error of the networks in these places, or warn of all at once."""
    first = fits[places[0]].error
    if how == "raise" and first is not None:
        raise first
    shown = ", ".join(map(str, places[:20])) + (", …" if len(places) > 20 else "")
    warnings.warn(
        f"{len(places)} of {plural(len(fits), 'network')} diverged, with these places in networks: "
        f"{shown}. They keep their parameters from before that step, and the message of each one's "
        f"history says where it was; the first: {first}",
        RuntimeWarning,
        stacklevel=5,
    )
