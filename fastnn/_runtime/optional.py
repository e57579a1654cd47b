"""Optional dependencies: imported when first needed, named with their install command if absent."""

from __future__ import annotations

import importlib
from typing import Any

from fastnn.errors import MissingExtraError


def require(module: str, *, extra: str, purpose: str) -> Any:
    """Import `module`, or say which extra of fastnn brings it and what it was needed for."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtraError(
            f'{purpose} needs {package}; install it with: pip install "fastnn[{extra}]"'
        ) from error
