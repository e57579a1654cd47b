"""A step's time by phase, layer and kernel, from the records of a trace.

A kernel's own time is that between its begin and end less that of the traced kernels it called.
Steps are cut where a thread enters the gradient; those whose whole time lies in the middle half of
all count, so neither the Python between chunks of steps nor a busy moment of the machine does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from fastnn.kernels.opcodes import Kind

from .trace import Kernel, Trace

GRADIENT = "gradient.batch_gradient"  # every thread calls it once a step
#: Kernels that call the others: their own time is what lies between those, and waiting.
ENCLOSING = (GRADIENT, "gradient.blocked_gradient", "forward.forward_pass",
             "backward.backward_pass")  # fmt: skip
LOSS = "gradient.loss_and_output_grad"
#: The phase of a kernel by its module, or else that of the kernel that called it.
PHASES = {"step.forward": "forward", "step.backward": "backward", "step.update": "update",
          "ops.losses": "loss"}  # fmt: skip
INPUT = "forward.lay_out_input"  # lays X out
#: The first layer, read where X lies.
FIRST = ("driver.first_layer_forward", "driver.first_layer_backward")
#: Kernels that are one product of a dense layer: 2 m n_in n_out additions and multiplications.
PRODUCTS = ("dense.layer_outputs", "dense.weight_gradient", "dense.input_gradient",
            "mixed_products.mixed_outputs", "mixed_products.mixed_weight_gradient",
            "mixed_products.mixed_input_gradient", *FIRST)  # fmt: skip
#: Modules whose kernels are traced: all of them, or those that other modules call.
WHOLE = ("step.forward", "step.gradient", "step.backward", "step.mixed_products", "ops.dense",
         "ops.activations", "ops.batchnorm", "ops.losses", "ops.random")  # fmt: skip
PUBLIC = ("first_layer.driver", "step.update")
ORDER = ("forward", "loss", "backward", "update", "other")


def is_traced(kernel: Kernel) -> bool:
    """Tell whether a kernel is one that a step is told by; smaller ones are part of these."""
    public = kernel.room in PUBLIC and not kernel.name.startswith("_")
    return kernel.room in WHOLE or public


class Call(NamedTuple):
    """One call of a kernel: where it began, its own cycles, the call around it, phase and row."""

    began: int
    own: int
    parent: int
    kernel: Kernel
    phase: str
    row: int


@dataclass(frozen=True)
class Line:
    """What one kernel takes of a step for one layer: cycles, the mean over threads."""

    phase: str
    row: int
    kernel: str
    cycles: float


@dataclass(frozen=True)
class Breakdown:
    """The lines of a step, the cycles of the whole, and how many steps and threads it is from."""

    lines: list[Line]
    whole: float
    steps: int
    threads: int

    @property
    def rest(self) -> float:
        """Cycles outside all lines: between kernels, and waiting for other threads."""
        return self.whole - sum(line.cycles for line in self.lines)


def _row(kernel: Kernel, tag: int, ops: Any) -> int | None:
    """Return the row of the op table that a call says it works on, if it says so."""
    if str(kernel) in (INPUT, *FIRST):
        return int(str(kernel) in FIRST)
    if kernel.tag is None or kernel.tag[0] == "row":
        return tag if kernel.tag else None
    return int(np.flatnonzero((ops["kind"] == Kind.DENSE) & (ops["W"] == tag))[0])


def _nested(records: Any) -> tuple[list[int], list[int]]:
    """Return the own cycles of each record of a thread, sorted by begin, and the record around."""
    began, ended = records["began"].tolist(), records["ended"].tolist()
    own, parents, around = [], [], []
    for i, (begin, end) in enumerate(zip(began, ended, strict=True)):
        while around and ended[around[-1]] <= begin:
            around.pop()
        parents.append(around[-1] if around else -1)
        own.append(end - begin)
        if around:
            own[around[-1]] -= end - begin
        around.append(i)
    return own, parents


def _phase(kernel: Kernel, parent: str) -> str:
    """Return the phase of a call, from its kernel and the phase of the call around it."""
    if str(kernel) == LOSS:
        return "loss"
    return PHASES.get(kernel.room) or parent


def _calls(records: Any, kernels: dict[int, Kernel], ops: Any) -> list[Call]:
    """Return the calls of one thread in the order in which they began."""
    records = records[np.lexsort((-records["ended"], records["began"]))]
    own, parents = _nested(records)
    found: list[Call] = []
    rows: list[int | None] = []
    before: dict[int, int | None] = {}  # by the call around: the row that was worked on last
    for i, (place, tag) in enumerate(records[["place", "tag"]].tolist()):
        kernel, parent = kernels[place], parents[i]
        phase = _phase(kernel, found[parent].phase if parent >= 0 else "other")
        row = _row(kernel, tag, ops)
        if row is None and parent >= 0:
            row = rows[parent]
        if row is None and phase == "forward" and str(kernel) not in ENCLOSING:
            row = before.get(parent)
        before[parent] = row
        rows.append(row)
        found.append(Call(int(records["began"][i]), own[i], parent, kernel, phase, -1))
    _fill_backward(found, rows)
    return [call._replace(row=-1 if r is None else r) for call, r in zip(found, rows, strict=True)]


def _fill_backward(calls: list[Call], rows: list[int | None]) -> None:
    """Give calls of the way back that name no row that of the next one: its biases come first."""
    after: dict[int, int | None] = {}
    for i in reversed(range(len(calls))):
        if calls[i].phase == "backward" and str(calls[i].kernel) not in ENCLOSING:
            if rows[i] is None:
                rows[i] = after.get(calls[i].parent)
            after[calls[i].parent] = rows[i]


def _steps(trace: Trace, ops: Any) -> Iterator[tuple[list[Call], Any]]:
    """Yield for each thread that takes part its calls, and where its steps begin."""
    kernels, records = {kernel.place: kernel for kernel in trace.kernels}, trace.records
    threads = []
    for thread in np.unique(records["thread"]):
        calls = _calls(records[records["thread"] == thread], kernels, ops)
        starts = np.array([call.began for call in calls if str(call.kernel) == GRADIENT])
        threads.append((calls, starts))
    most = max((len(starts) for _, starts in threads), default=0)
    if most < 3:
        raise ValueError("the trace holds no whole steps; trace more of them")
    # A team grows when there is work enough: who takes part in few steps is none of it.
    yield from ((calls, starts) for calls, starts in threads if len(starts) > most // 2)


def breakdown(trace: Trace, ops: Any) -> Breakdown:
    """Return what a step of a traced fit takes; ops: the op table of its program.

    Raises
    ------
    ValueError
        If the trace holds no whole steps.
    """
    threads = list(_steps(trace, ops))
    count = min(len(starts) for _, starts in threads) - 1  # the last one has no end
    # All threads leave at the same step, so steps are counted from the last one backwards.
    wholes = np.array([np.diff(starts)[-count:] for _, starts in threads])
    order = np.argsort(wholes[0])
    middle = order[count // 4 : max(count // 4 + 1, count - count // 4)]
    chosen = np.zeros(count, bool)
    chosen[middle] = True
    cycles: dict[tuple[str, int, str], float] = {}
    for calls, starts in threads:
        places = np.searchsorted(starts, [call.began for call in calls], "right") - 1
        places -= len(starts) - 1 - count
        for call, step in zip(calls, places.tolist(), strict=True):
            if 0 <= step < count and chosen[step] and str(call.kernel) not in ENCLOSING:
                key = call.phase, call.row, str(call.kernel)
                cycles[key] = cycles.get(key, 0) + call.own / len(middle) / len(threads)
    lines = [Line(*key, value) for key, value in cycles.items()]
    lines.sort(key=_place)
    return Breakdown(lines, float(wholes[:, middle].mean()), len(middle), len(threads))


def _place(line: Line) -> tuple[int, int, str]:
    """Where a line stands: phases as they follow, layers of the way back from the last one on."""
    backward = line.phase == "backward"
    return ORDER.index(line.phase), -line.row if backward else line.row, line.kernel
