"""The picture: ratios as bars on a logarithmic axis, readable on light and on dark pages."""

from __future__ import annotations

from pathlib import Path

from fastnn.saving.atomic_write import replace

from .report import Records, fastest, ratio, refused

GREY = "#808080"  # stands out from white and from black alike
BARS = ("#2f81c7", "#e08a2e", "#5aa469", "#b05cc6")


def draw(records: Records, path: Path) -> None:
    """Draw the rows that were not refused, a bar for each number of threads, into an SVG file."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    first = next(iter(records.values()))["rows"]
    places = [i for i in range(len(first)) if not refused(records, i)][::-1]
    height = 0.8 / len(records)
    with mpl.rc_context({"svg.hashsalt": "fastnn", "text.color": GREY, "svg.fonttype": "none"}):
        figure = Figure(figsize=(8, 0.8 + 0.5 * len(places)), layout="constrained")
        axes = figure.add_subplot()
        for which, threads in enumerate(records):
            offset = 0.4 - height * (which + 0.5)
            values = [ratio(records, threads, place) for place in places]
            label = f"{threads} thread{'s' if threads > 1 else ''}"
            bars = axes.barh(
                [y + offset for y in range(len(places))], [value - 1 for value in values],
                height, left=1, color=BARS[which % len(BARS)], label=label,
            )  # fmt: skip
            names = [fastest(records, threads, place)[0] for place in places]
            texts = [f"{v:.2g} × {name}" for v, name in zip(values, names, strict=True)]
            axes.bar_label(bars, texts, padding=3, color=GREY, fontsize=7)
        _finish(axes, [first[place]["name"] for place in places])
        settings = {"format": "svg", "transparent": True, "metadata": {"Date": None}}
        replace(path, lambda file: figure.savefig(file, **settings), "the picture")


def _finish(axes, names: list[str]) -> None:
    """Scale, name and colour the axes."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()  # of the bars alone: ticks would widen them
    ticks = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(min(low, 0.8), 3 * max(high, 1.25))  # room for the names of the peers
    axes.axvline(1, color=GREY, linewidth=1)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("times faster than the fastest peer", color=GREY)
    axes.tick_params(colors=GREY)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.legend(frameon=False, labelcolor=GREY, loc="lower right")
