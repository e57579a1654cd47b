"""Debug mode: FASTNN_DEBUG=1 turns on checks of kernels that would cost time in every call.

Compiled kernels check their indices and hand an error on to their callers, calls reach no kernel
that they did not request, and memory that nobody has written yet holds NaN.
"""

from __future__ import annotations

import os

DEBUG = os.environ.get("FASTNN_DEBUG", "") not in ("", "0")
