"""Optional dependencies: imported when first needed, named with their install command if absent."""

from __future__ import annotations

import importlib
from typing import Any

from .errors import MissingExtraError


def require(module: str, *, extra: str, purpose: str) -> Any:
    """Import `module`, or say which extra of fastnn brings it and what it was needed for."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f'{purpose} needs {module.split(".")[0]}; install it with: pip install "fastnn[{extra}]"'
        ) from error
