"""Loading: whatever a model file holds: networks, or a tabular estimator."""

from __future__ import annotations

import os
from typing import Any

from .network import Network
from .network import loading as networks
from .saving import model_file

__all__ = ["load", "load_with_notes"]


def load(path: str | os.PathLike[str]) -> Network:
    """Load a network that `Network.save` wrote: same predictions, bit for bit.

    A file that `Ensemble.save` wrote gives an `Ensemble`, that of a `QuantizedNetwork` the
    quantised network, and that of a `TabularClassifier` or `TabularRegressor` the estimator. From a
    checkpoint comes a network whose next `fit` goes on where that one was, bit for bit.
    At no time is more memory taken than about twice the size of the file and 4 MiB.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is not a model file, or damaged, or of a newer version; the message says
        where.
    MissingExtraError
        If it holds an estimator, and scikit-learn or pandas are not installed.

    Examples
    --------
    >>> net.save("model.safetensors")
    >>> net = fastnn.load("model.safetensors")
    """
    found: Network = load_with_notes(path)[0]
    return found


def load_with_notes(path: str | os.PathLike[str]) -> tuple[Any, dict[str, Any]]:
    """Load what a file holds, and the notes that were saved with it; raises what `load` raises."""
    with model_file.opened(path) as file:
        if "quantized" in file.metadata:
            from .quantization import model_file as quantized_file  # few files hold one
            from .quantization.quantized_network import QuantizedNetwork

            parts, notes = quantized_file.read(file)
            return QuantizedNetwork(*parts), notes
        if "tabular" in file.metadata:
            from .tabular import TabularClassifier, TabularRegressor  # what they import is an extra
            from .tabular import model_file as tabular_file

            kinds = {"classifier": TabularClassifier, "regressor": TabularRegressor}
            return tabular_file.read(file, kinds), {}
        return networks.read(file)
