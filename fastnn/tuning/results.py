"""What a search found: its trials, the best of them, and what mattered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.errors import DataError
from fastnn.history import higher_is_better
from fastnn.metrics.scores import midranks
from fastnn.spaces import Choice, Space

Array = np.ndarray[Any, Any]

#: How a trial can end, in the order in which the ranking has them.
STATES = "finished", "pruned", "diverged", "failed"
#: Trials that the table shows at most.
MAX_ROWS = 10


@dataclass(frozen=True, eq=False)
class Search:
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
    """

    trials: list[dict[str, Any]]
    space: Mapping[str, Space]
    monitor: str
    interrupted: bool = False

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

    def __repr__(self) -> str:
        names = list(self.space)
        rows = [["trial", *names, self.monitor, ""]]
        for trial in self.ranking[:MAX_ROWS]:
            score = "–" if trial["score"] is None else f"{trial['score']:.4f}"
            state, epochs = trial["state"], trial["epochs"]
            remark = "" if state == "finished" else f"{state} after {epochs} epochs"
            remark = f"failed: {trial['error']:.60}" if state == "failed" else remark
            values = [_format_value(trial["parameters"][name]) for name in names]
            rows.append([str(trial["number"]), *values, score, remark])
        widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
        lines = [
            "  ".join(f"{cell:>{w}}" for cell, w in zip(row[:-1], widths, strict=False))
            + (f"  {row[-1]}" if row[-1] else "")
            for row in rows
        ]
        return "\n".join([*lines, *self._format_counts(), *self._format_importance()])

    def _format_counts(self) -> list[str]:
        """Return the line about how many trials there were."""
        states = [trial["state"] for trial in self.trials]
        counts = [f"{states.count(s)} {s}" for s in STATES if s != "failed" or s in states]
        stopped = "; stopped by Ctrl-C" if self.interrupted else ""
        hidden = ", the best are shown" if len(states) > MAX_ROWS else ""
        noun = "trial" if len(states) == 1 else "trials"
        return ["", f"{len(states)} {noun}: {', '.join(counts)}{hidden}{stopped}"]

    def _format_importance(self) -> list[str]:
        """Return the lines about the importance of the parameters."""
        found = self.importance
        width = max(map(len, found))
        lines = ["", "what mattered (share of the ranking that a parameter alone explains)"]
        return lines + [
            f"{name:<{width}}  {share:4.0%}  {'█' * round(20 * share)}".rstrip()
            for name, share in found.items()
        ]


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
