"""What a search found: its trials, the best of them, and what mattered."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn._display.report import Report, to_text
from fastnn._display.table import Table
from fastnn._runtime.text import Text, plural
from fastnn.errors import DataError, SettingError
from fastnn.history import higher_is_better
from fastnn.metrics.scores import midranks
from fastnn.network import Network
from fastnn.spaces import Choice, Space

from .trial import build_trial

Array = np.ndarray[Any, Any]

#: How a trial can end, in the order in which the ranking has them.
STATES = "finished", "pruned", "diverged", "failed"
#: Trials that the table shows at most.
MAX_ROWS = 10
#: Trials with a score below which the importances are mostly chance.
ENOUGH_TRIALS = 30


@dataclass(frozen=True, eq=False, repr=False)
class Search(Report):
    """What `tune` found; printing gives the table.

    Attributes
    ----------
    trials : list of dict
        In their order: ``number``, ``parameters``, ``score`` (None for a diverged or failed one),
        ``epochs`` and ``state``: ``"finished"``, ``"pruned"``, ``"diverged"`` or ``"failed"``; a
        failed one tells its ``error``.
    space : dict of str to Space
        Where was searched.
    monitor : str
        The quantity that the scores are.
    interrupted : bool
        Whether Ctrl-C ended the search.
    make_network : callable or None
        What makes the networks; None in a Search that was unpickled where it could not be pickled.
    epochs : int
        Of each trial.

    Examples
    --------
    >>> net = found.refit(X, y)  # the best parameters, trained on all examples
    >>> net, settings = found.build()  # or the network before it is trained, and its settings
    >>> history = net.fit(X, y, **settings)
    """

    trials: list[dict[str, Any]]
    space: Mapping[str, Space]
    monitor: str
    interrupted: bool = False
    make_network: Callable[..., Any] | None = field(default=None, repr=False)
    epochs: int = 0

    def __getstate__(self) -> dict[str, Any]:
        state = dict(vars(self))
        try:
            pickle.dumps(self.make_network)
        except Exception:  # a lambda; everything else is still worth keeping
            state["make_network"] = None
        return state

    @property
    def ranking(self) -> list[dict[str, Any]]:
        """The trials from the best to the worst: finished, pruned, diverged, failed ones."""
        sign = -1.0 if higher_is_better(self.monitor) else 1.0

        def place(trial: dict[str, Any]) -> tuple[int, float, int]:
            score = trial["score"]
            value = np.inf if score is None else sign * score
            return STATES.index(trial["state"]), value, trial["number"]

        return sorted(self.trials, key=place)

    @property
    def _best_trial(self) -> dict[str, Any]:
        """The best trial of those that were finished."""
        first = next(iter(self.ranking), None)
        if first is None or first["state"] != "finished":
            advice = "run more trials, or lower the learning rates if they diverged"
            if first is not None and first["state"] == "failed":  # then every trial did
                advice = f"all failed, the first by {first['error']:.200}"
            raise DataError(f"no trial was finished, so there is no best one; {advice}")
        return first

    @property
    def best(self) -> dict[str, Any]:
        """The parameters of the best finished trial."""
        return dict(self._best_trial["parameters"])

    @property
    def best_score(self) -> float:
        """The score of the best finished trial."""
        return float(self._best_trial["score"])

    def build(self) -> tuple[Network, dict[str, Any]]:
        """Return a network with the best parameters, not trained, and what its fit takes.

        Returns
        -------
        (Network, dict)
            ``net.fit(X, y, **settings)`` trains it as a trial is: epochs, optimiser, batch size and
            so on are among the settings; what is held out for a score is not.

        Raises
        ------
        DataError
            If no trial was finished.
        SettingError
            If this Search does not know what makes its networks.
        """
        best = self.best
        if self.make_network is None:
            raise SettingError(
                "this Search does not know what makes its networks, for that could not be pickled; "
                f"make one with {best}"
            )
        network, settings = build_trial(self.make_network, best)
        return network, {"epochs": self.epochs, **settings}

    def refit(self, X: Any, y: Any, **settings: Any) -> Network:
        """Return a network with the best parameters, trained on these examples.

        With the examples of the search and ``validation_split=0.2``, or whatever was held out
        there, it is the network of the best trial again, bit for bit.

        Parameters
        ----------
        X, y : arrays
            As `Network.fit` takes them: all that there are, say.
        **settings
            What `Network.fit` takes otherwise than in the trials: ``epochs=100``.

        Raises
        ------
        DataError, SettingError
            What `build` raises.
        """
        network, known = self.build()
        network.fit(X, y, **{"progress": False, **known, **settings})
        return network

    @property
    def importance(self) -> dict[str, float]:
        """How much each parameter alone explains, the most important one first.

        The share of the variance of the trials' ranks by score that a parabola over the
        parameter's own ranks explains (for Choice: the groups of its values), less what chance
        would explain. A parabola, as the best learning rate lies in the middle. Pruned trials
        count with their last score.
        """
        scored = [t for t in self.trials if t["score"] is not None]
        scores = midranks(np.array([t["score"] for t in scored]))
        found = {}
        for name, part in self.space.items():
            values = [t["parameters"][name] for t in scored]
            found[name] = _adjusted_r2(_regressors(values, part), scores)
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @property
    def caution(self) -> str:
        """What to keep in mind about `importance`; empty where enough trials have a score."""
        scored = sum(trial["score"] is not None for trial in self.trials)
        if scored >= ENOUGH_TRIALS:
            return ""
        return f"a rough guess: {plural(scored, 'trial')} of the {ENOUGH_TRIALS} it takes"

    def summary(self) -> Text:
        """Return the table of the best trials, and what mattered; it prints as text."""
        return Text(to_text(self._summary_parts()))

    def _parts(self) -> list[Table | str]:
        parts = self._summary_parts()
        if self.make_network is None or all(t["state"] != "finished" for t in self.trials):
            return parts
        return [
            *parts, "",
            "next: net = found.refit(X, y) trains the best network on all examples;\n"
            "net, settings = found.build() gives it untrained, with what fit takes",
        ]  # fmt: skip

    def _summary_parts(self) -> list[Table | str]:
        """Return the table, the counts and the importances."""
        names, rows = list(self.space), []
        for trial in self.ranking[:MAX_ROWS]:
            score = "–" if trial["score"] is None else f"{trial['score']:.4f}"
            state, epochs = trial["state"], trial["epochs"]
            remark = "" if state == "finished" else f"{state} after {plural(epochs, 'epoch')}"
            remark = f"failed: {trial['error']:.60}" if state == "failed" else remark
            values = [_format_value(trial["parameters"][name]) for name in names]
            rows.append([str(trial["number"]), *values, score, remark])
        header = ["trial", *names, self.monitor, ""]
        importances = [
            (name, f"{share:4.0%}", "█" * round(20 * share))
            for name, share in self.importance.items()
        ]
        return [
            Table(header, rows, align="r" * (len(header) - 1) + "l"),
            "",
            self._format_counts(),
            "",
            "what mattered (share of the ranking that a parameter alone explains)",
            *([self.caution] if self.caution else []),
            Table((), importances, align="lrl"),
        ]

    def _format_counts(self) -> str:
        """Return the line about how many trials there were."""
        states = [trial["state"] for trial in self.trials]
        counts = [f"{states.count(s)} {s}" for s in STATES if s != "failed" or s in states]
        stopped = "; stopped by Ctrl-C" if self.interrupted else ""
        hidden = ", the best are shown" if len(states) > MAX_ROWS else ""
        return f"{plural(len(states), 'trial')}: {', '.join(counts)}{hidden}{stopped}"


def _format_value(value: Any) -> str:
    """Return a value as the table shows it."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _regressors(values: list[Any], part: Space) -> Array:
    """Return what may explain a score (n, k): x and x², or a column of 0 and 1 for each value."""
    if isinstance(part, Choice):
        places = np.array([part.place(value) for value in values], int)
        used = np.unique(places)
        return np.asarray((places[:, None] == used[1:]).astype(float))
    x = midranks(np.array(values, float))
    if len(x) == 0 or np.ptp(x) == 0:
        return np.zeros((len(x), 0))
    x = (x - x.mean()) / x.std()
    return np.stack([x, x * x], axis=1)


def _adjusted_r2(columns: Array, scores: Array) -> float:
    """Return the adjusted R² of scores (n,) over columns (n, k), at least 0."""
    m, k = columns.shape
    if k == 0 or m < k + 2 or np.ptp(scores) == 0:
        return 0.0
    design = np.column_stack([np.ones(m), columns])
    fitted = design @ np.linalg.lstsq(design, scores, rcond=None)[0]
    unexplained = np.square(scores - fitted).sum() / np.square(scores - scores.mean()).sum()
    return float(max(0.0, 1 - unexplained * (m - 1) / (m - k - 1)))
