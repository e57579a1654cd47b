"""Dense neural networks on the CPU: described in a few lines, run by compiled kernels."""

from __future__ import annotations

import importlib
import importlib.util
import os
from typing import TYPE_CHECKING, Any

# In a checkout `kernels/` stands beside this folder, and inside it once installed.
if not os.path.isdir(os.path.join(__path__[0], "kernels")):
    __path__.append(os.path.dirname(__path__[0]))

from . import (
    _moved,  # noqa: F401
    activations,
    errors,
    initializers,
    layers,
    losses,
    optimizers,
)
from ._habits.answers import missing_import
from ._runtime.backend import backend
from ._runtime.threads import get_num_threads, set_num_threads
from ._version import __version__ as __version__
from .history import History
from .layers import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    Normalization,
    Rescaling,
)
from .network import Network
from .optimizers import LBFGS, Adam, AdamW, GradientDescent, Momentum, Nesterov, RMSprop

# What type checkers and editors read in the place of `__getattr__` below.
if TYPE_CHECKING:
    from . import (
        callbacks,
        course,
        data,
        diagnostics,
        estimators,
        interop,
        metrics,
        plot,
        schedules,
        spaces,
    )
    from ._runtime.versions import show_versions
    from .diagnostics.gradient_checking import check_gradients, gradient_check
    from .estimators import LogisticRegression, MLPClassifier, MLPRegressor
    from .interop import from_keras, from_sklearn, from_torch
    from .loading import load
    from .network.ensemble import Ensemble
    from .network.many import fit_many
    from .network.warmup import warmup
    from .quantization.quantized_network import QuantizedNetwork
    from .tabular import TabularClassifier, TabularRegressor
    from .tuning import tune

__all__ = [
    "LBFGS",
    "Activation",
    "Adam",
    "AdamW",
    "BatchNorm",
    "Dense",
    "Dropout",
    "Ensemble",
    "GaussianNoise",
    "GradientDescent",
    "History",
    "Momentum",
    "Nesterov",
    "Network",
    "Normalization",
    "QuantizedNetwork",
    "RMSprop",
    "Rescaling",
    "activations",
    "backend",
    "callbacks",
    "check_gradients",
    "course",
    "data",
    "diagnostics",
    "errors",
    "fit_many",
    "from_keras",
    "from_sklearn",
    "from_torch",
    "get_num_threads",
    "gradient_check",
    "initializers",
    "interop",
    "layers",
    "load",
    "losses",
    "metrics",
    "optimizers",
    "plot",
    "schedules",
    "set_num_threads",
    "show_versions",
    "spaces",
    "tune",
    "warmup",
]


def _installed(package: str) -> bool:
    """Tell whether a package can be imported, without importing it."""
    try:
        return importlib.util.find_spec(package) is not None
    except (ImportError, ValueError):  # a finder forbids it, or a stand-in says nothing of itself
        return False


# Names that need an extra are listed where it is installed, so that `from fastnn import *` works
# without it, too. Asked for by name they raise MissingExtraError, which says how to install it.
if _installed("sklearn"):
    __all__ += ["LogisticRegression", "MLPClassifier", "MLPRegressor", "estimators"]
    if _installed("pandas"):
        __all__ += ["TabularClassifier", "TabularRegressor"]

#: Functions and estimators by the modules that are imported when they are first used.
_LAZY_FUNCTIONS = {
    "Ensemble": "network.ensemble",
    "LogisticRegression": "estimators",
    "MLPClassifier": "estimators",
    "MLPRegressor": "estimators",
    "QuantizedNetwork": "quantization.quantized_network",
    "TabularClassifier": "tabular",
    "TabularRegressor": "tabular",
    "check_gradients": "diagnostics.gradient_checking",
    "fit_many": "network.many",
    "from_keras": "interop",
    "from_sklearn": "interop",
    "from_torch": "interop",
    "gradient_check": "diagnostics.gradient_checking",
    "load": "loading",
    "show_versions": "_runtime.versions",
    "tune": "tuning",
    "warmup": "network.warmup",
}
_LAZY = (
    "callbacks",
    "course",
    "data",
    "diagnostics",
    "estimators",
    "interop",
    "metrics",
    "plot",
    "schedules",
    "spaces",
)


if not TYPE_CHECKING:  # where a name that does not exist is an error

    def __getattr__(name: str) -> Any:
        """Import a submodule when it is first used, so that `import fastnn` stays quick."""
        if name in _LAZY_FUNCTIONS:
            return getattr(importlib.import_module(f".{_LAZY_FUNCTIONS[name]}", __name__), name)
        if name in _LAZY:
            return importlib.import_module(f".{name}", __name__)
        raise missing_import(__name__, name, __dir__())


def __dir__() -> list[str]:
    return sorted({*__all__, *_LAZY_FUNCTIONS, *_LAZY, "__version__"})
