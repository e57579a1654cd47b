"""Loading: whatever a model file holds: networks, or a tabular estimator."""

from __future__ import annotations

import os
from typing import Any

from .network import Network
from .network import loading as networks
from .saving import model_file

__all__ = ["holds_estimator", "load"]


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
    with model_file.opened(path) as file:
        found = file.metadata.keys() & {"tabular", "quantized"}
    if not found:
        return networks.load(path)
    if "quantized" in found:
        from .quantization import model_file as quantized_file  # few files hold one
        from .quantization.quantized_network import QuantizedNetwork

        quantized: Any = QuantizedNetwork(*quantized_file.load(path))
        return quantized  # type: ignore[no-any-return]
    from .tabular import TabularClassifier, TabularRegressor  # what they import is an extra
    from .tabular.model_file import load as load_estimator

    kinds = {"classifier": TabularClassifier, "regressor": TabularRegressor}
    estimator: Any = load_estimator(path, kinds)
    return estimator  # type: ignore[no-any-return]


def holds_estimator(path: str | os.PathLike[str]) -> bool:
    """Tell whether a model file holds a tabular estimator; raises what `load` raises."""
    with model_file.opened(path) as file:
        return "tabular" in file.metadata
