"""Measuring: results are compared first, then every contender takes its turn in every round."""

from __future__ import annotations

import importlib
import statistics
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import util
from typing import Any

import numpy as np

from fastnn import Adam

from ..timing import clock
from .contender import REDUCED, Contender, precision_of
from .data import Array
from .roofline import Machine
from .rows import Row, Task

Kinds = dict[str, type[Contender]]

#: Module, class and package of each contender; fastnn comes first.
KNOWN = {
    "fastnn": ("by_fastnn", "Fastnn", "fastnn"),
    "fastnn bfloat16": ("by_fastnn", "FastnnBfloat16", "fastnn"),
    "fastnn int8": ("by_fastnn", "FastnnInt8", "fastnn"),
    "NumPy": ("by_numpy", "NumPy", "numpy"),
    "scikit-learn": ("by_sklearn", "ScikitLearn", "sklearn"),
    "PyTorch": ("by_torch", "PyTorch", "torch"),
    "PyTorch compiled": ("by_torch", "PyTorchCompiled", "torch"),
    "PyTorch bfloat16": ("by_torch_bfloat16", "PyTorchBfloat16", "torch"),
    "PyTorch compiled bfloat16": ("by_torch_bfloat16", "PyTorchCompiledBfloat16", "torch"),
    "JAX": ("by_jax", "Jax", "jax"),
    "ONNX Runtime": ("by_onnxruntime", "OnnxRuntime", "onnxruntime"),
    "ONNX Runtime int8 dynamic": ("by_onnxruntime", "OnnxRuntimeDynamic", "onnxruntime"),
    "ONNX Runtime int8 static": ("by_onnxruntime", "OnnxRuntimeStatic", "onnxruntime"),
    "OpenVINO": ("by_openvino", "OpenVino", "openvino"),
    "OpenVINO bfloat16": ("by_openvino", "OpenVinoBfloat16", "openvino"),
    "OpenVINO int8": ("by_openvino", "OpenVinoInt8", "openvino"),
}

#: Every epoch's cost must agree to this share of the largest one. Seen: 2e-7 after 400 steps of
#: the small nets, 1e-4 after 40 steps of Adam on MNIST, where pixels that are hardly ever on have
#: gradients of the size of rounding, and Adam divides by them.
COST_BOUND_OF_SMALL, COST_BOUND = 1e-5, 1e-3
LABELS_BOUND = 2e-3  # share of labels that rounding may turn
#: The same two of products that are rounded to less than float32: the last cost and the labels of a
#: network that is hardly trained, whose outputs are close to each other.
REDUCED_COST_BOUND, REDUCED_LABELS_BOUND = 5e-2, 0.1
TRIAL_EPOCHS = 20  # from which is seen how many a timing can take
SETTLE = 0.02  # seconds of peace before a timing: threads of the last contender may still spin


class DisagreementError(AssertionError):
    """A contender computed something else; the row must not be printed."""


@dataclass(frozen=True)
class Effort:
    """How much is spent: rounds, and about how many seconds for each contender in each."""

    rounds: int = 7
    seconds: float = 0.3


def contenders(names: Iterable[str] = KNOWN) -> Kinds:
    """Return those of these contenders whose package is installed, fastnn first.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    found: Kinds = {}
    for name in dict.fromkeys(["fastnn", *names]):
        if name not in KNOWN:
            raise ValueError(f"there is no peer {name!r}; there are {', '.join(KNOWN)}")
        module, kind, package = KNOWN[name]
        if util.find_spec(package) is not None:
            found[name] = getattr(importlib.import_module(f".{module}", __package__), kind)
    return found


def compare(row: Row, kinds: Kinds) -> Kinds:
    """Let all do the row's checked form, and compare costs or labels with fastnn's.

    Returns those that agree: one of less than float32 that differs too much is left out.

    Raises
    ------
    DisagreementError
        If one of them differs by more than the bound.
    """
    task = Task.of(row.checked())
    wanted, agreeing = _results(kinds["fastnn"](task)), {"fastnn": kinds["fastnn"]}
    for name, kind in kinds.items():
        if name == "fastnn":
            continue
        found = _results(kind(task))
        twin = kind.twin if isinstance(row.optimizer, Adam) and not row.predicts else None
        try:
            _agree(row, name, found, _results(twin(task)) if twin else wanted)
        except DisagreementError as refusal:
            if precision_of(name) == "float32":
                raise
            print(refusal, file=sys.stderr)
        else:
            agreeing[name] = kind
    return agreeing


def _agree(row: Row, name: str, found: Array, wanted: Array) -> None:
    """Refuse costs or labels that are not the wanted ones."""
    if found.shape != wanted.shape:
        raise DisagreementError(f"{row.name}: {name} has {found.size} results")
    reduced = precision_of(name) != "float32"
    what, error = "labels", float(np.mean(found != wanted))
    bound = REDUCED_LABELS_BOUND if reduced else LABELS_BOUND
    if not row.predicts:
        what, bound = "costs", COST_BOUND_OF_SMALL if row.small else COST_BOUND
        bound = REDUCED_COST_BOUND if reduced else bound
        error = float(np.abs(found - wanted).max() / np.abs(wanted).max())
    if not error <= bound:
        raise DisagreementError(
            f"{row.name}: the {what} of {name} differ from fastnn's by {error:.1e}, more than "
            f"{bound:g}; nothing was timed"
        )


def _results(contender: Contender) -> Array:
    """Costs of the checked epochs, or labels as whole numbers."""
    row = contender.row
    if row.predicts:
        return np.asarray(contender.predict()).astype(np.int64)
    contender.prepare(row.epochs)
    return np.asarray(contender.fit(row.epochs))


class Timer:
    """A contender with the number of epochs, or calls, that one of its timings takes."""

    def __init__(self, contender: Contender, seconds: float) -> None:
        self.contender, self.row = contender, contender.row
        self.steps = 1 if self.row.predicts else len(self.row.batches)
        self.count = min(TRIAL_EPOCHS, self.row.epochs)
        self.step()  # warms up
        wanted = seconds / max(self.step() * self.steps, 1e-9)
        self.count = max(1, min(self.row.epochs, round(wanted)))

    def step(self) -> float:
        """Return the mean seconds of one step, or of one call."""
        if self.row.predicts:
            time.sleep(SETTLE)
            return clock(self.contender.predict, self.count)
        self.contender.prepare(self.count)
        time.sleep(SETTLE)
        began = time.perf_counter()
        costs = self.contender.fit(self.count)
        seconds = time.perf_counter() - began
        if len(costs) != self.count or not np.isfinite(costs).all():
            raise DisagreementError(f"{self.row.name}: {self.contender.name} lost its way")
        return seconds / (self.count * self.steps)


def timed(row: Row, kinds: Kinds, effort: Effort) -> dict[str, float]:
    """Return each contender's median seconds of a step; the order rotates from round to round."""
    task = Task.of(row.timed())
    timers = {name: Timer(kind(task), effort.seconds) for name, kind in kinds.items()}
    names = list(timers)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(effort.rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            samples[name].append(timers[name].step())
    return {name: statistics.median(values) for name, values in samples.items()}


def measured(row: Row, kinds: Kinds, effort: Effort, limit: Machine) -> dict[str, Any]:
    """Return the row's record: seconds by contender and its roofline, or why it was refused."""
    kinds = {name: kind for name, kind in kinds.items() if kind.can(row)}
    work = row.timed().flops(), row.timed().bytes()
    record = {
        "name": row.name, "title": row.title, "small": row.small, "goals": row.goals,
        "least_of": {precision: limit.seconds(*work, precision) for precision in REDUCED},
    }  # fmt: skip
    least = limit.seconds(*work)
    try:
        kinds = compare(row, kinds)
        times = timed(row, kinds, effort)
    except DisagreementError as refusal:
        return record | {"refused": str(refusal), "seconds": {}, "least": least}
    return record | {"refused": None, "seconds": times, "least": least}
