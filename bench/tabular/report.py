"""The table and the picture of `bench.tabular`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np

from .scores import METRICS, Record, mean_and_error, paired

__all__ = ["draw", "table"]

UNITS = {"accuracy": "points", "log loss": "%", "RMSE": "%"}


def names(records: Sequence[Record]) -> list[str]:
    """Return the contenders, in the order in which they came."""
    return list(dict.fromkeys(record.contender for record in records))


def cell(records: Sequence[Record], contender: str, base: str, metric: str) -> str:
    """Return a contender's mean difference to `base`, its error, and sets clearly better, worse."""
    found = paired(records, contender, base, metric)
    if found is None:
        return "–"
    error = "" if np.isnan(found.error) else f" ± {found.error:.1f}"
    return f"{found.mean:+.1f}{error} {UNITS[metric]} ({found.better}/{found.worse})"


def ratios(records: Sequence[Record], contender: str, base: str) -> list[float]:
    """Return a contender's CPU seconds over those of `base`, of each split."""
    own = {r.split: r.seconds for r in records if r.contender == contender}
    other = {r.split: r.seconds for r in records if r.contender == base}
    return [own[split] / other[split] for split in own if split in other]


def table(records: Sequence[Record], base: str) -> str:
    """Return two tables in Markdown: differences to `base` over all sets, and scores by set."""
    lines = [
        f"| less {base} | " + " | ".join(METRICS) + " | CPU time, median (least) |",
        "| :-- |" + " :-- |" * (len(METRICS) + 1),
    ]
    for name in names(records):
        if name == base:
            continue
        cells = [cell(records, name, base, metric) for metric in METRICS]
        times = ratios(records, name, base)
        taken = f"{median(times):.2g} × ({min(times):.2g})" if times else "–"
        lines.append(f"| {name} | " + " | ".join([*cells, taken]) + " |")
    lines += ["", "| set | metric | " + " | ".join(names(records)) + " |"]
    lines.append("| :-- | :-- |" + " :-- |" * len(names(records)))
    for name in dict.fromkeys(record.name for record in records):
        for metric in METRICS:
            found = [_score(records, name, each, metric) for each in names(records)]
            if any(found):
                shown = (each or "–" for each in found)
                lines.append(f"| {name} | {metric} | " + " | ".join(shown) + " |")
    return "\n".join(lines)


def _score(records: Sequence[Record], name: str, contender: str, metric: str) -> str:
    """Return a contender's mean score on a set with its error over seeds; empty without one."""
    values = [
        r.scores[metric]
        for r in records
        if r.name == name and r.contender == contender and metric in r.scores
    ]
    if not values:
        return ""
    mean, error = mean_and_error(values)
    return f"{mean:.4g}" if np.isnan(error) else f"{mean:.4g} ± {error:.2g}"


def draw(records: Sequence[Record], base: str, path: Path) -> None:
    """Draw each contender's mean difference to `base` with its error, a panel a metric."""
    import matplotlib.pyplot as plt

    others = [name for name in names(records) if name != base]
    figure, axes = plt.subplots(
        1, len(METRICS), figsize=(10, 0.4 * len(others) + 1.4), sharey=True, layout="constrained"
    )
    for ax, metric in zip(axes, METRICS, strict=True):
        for place, name in enumerate(others):
            found = paired(records, name, base, metric)
            if found is not None:
                error = np.nan_to_num(found.error)
                ax.errorbar(found.mean, place, xerr=error, fmt="o", color="C0", capsize=3)
        ax.axvline(0, color="0.6", linewidth=1)
        better = "better to the right" if metric == "accuracy" else "better to the left"
        ax.set_xlabel(f"{metric}, {UNITS[metric]}\n{better}")
        ax.set_yticks(range(len(others)), others)
        ax.invert_yaxis() if metric == METRICS[0] else None
    figure.suptitle(f"less {base}: means over sets ± standard error")
    figure.savefig(path, dpi=150)
    plt.close(figure)
