"""Networks: their description, their predictions, and the class that users meet."""

from __future__ import annotations

from .network import Network

__all__ = ["Network"]
