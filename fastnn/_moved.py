"""Modules that have moved since fastnn 0.1: pickles that name them load until fastnn 0.3."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

#: The module that holds now what fastnn 0.1 had in another one, for all that a pickle can name:
#: classes of objects that users keep, and public functions. Both names are below `fastnn`.
MOVED = {
    "_backend": "_runtime.backend",
    "_check_report": "diagnostics.gradient_report",
    "_class_report": "metrics.report",
    "_score_metrics": "metrics.scores",
    "_search": "tuning.results",
    "_threads": "_runtime.threads",
    "_warmup": "network.warmup",
    "checking": "diagnostics.gradient_checking",
    "course._cases_1": "course._core.course1_test_cases",
    "course._cases_2": "course._core.course2_test_cases",
    "course._deep_backward": "course._core.deep_backward",
    "course._deep_forward": "course._core.deep_forward",
    "course._deep_models": "course._core.deep_models",
    "course._layers": "course._core.layers",
    "course._optimizers": "course._core.optimizers",
    "data.shares": "data.proportions",
    "files": "network.loading",
    "info": "_runtime.versions",
    "interop.onnx_files": "interop.exports",
    "interop.torch_export": "interop.exports",
    "interop.torch_layers": "export.torch_layers",
    "kernels.sparse": "kernels.csr",
    "plan": "training.state",
    "program": "lowering.program",
    "summary": "_runtime.text",
}
#: Classes that have another name there.
RENAMED = {"plan.Memory": "TrainingState"}


class _Finder:
    """Makes a module of each old name that is asked for; its attributes are the new module's.

    It is a finder and a loader by its methods alone: `importlib.abc` would import 25 modules.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return what Python needs to import an old name; None for all others."""
        old = fullname.removeprefix("fastnn.")
        if old == fullname or old not in MOVED:
            return None
        return ModuleSpec(fullname, self)  # type: ignore[arg-type]  # a loader by its methods

    def create_module(self, spec: ModuleSpec) -> None:
        """Let Python make an empty module."""

    def exec_module(self, module: ModuleType) -> None:
        """Let the module look its attributes up where they are now."""
        old = module.__name__.removeprefix("fastnn.")

        def look_up(name: str) -> Any:
            if name.startswith("__"):
                raise AttributeError(name)
            new = importlib.import_module(f"fastnn.{MOVED[old]}")
            return getattr(new, RENAMED.get(f"{old}.{name}", name))

        module.__dict__["__getattr__"] = look_up


# Behind all other finders: a module that is there is found first.
sys.meta_path.append(_Finder())
