"""`fastnn warmup`: all kernels compiled into the cache."""

from __future__ import annotations

import argparse

from fastnn.network.warmup import warmup

from .output import print_result
from .verb import Verb


def run(arguments: argparse.Namespace) -> int:
    """Compile the kernels that are not in the cache yet."""
    warmup()
    print_result(
        "The kernels of float32 and float64 networks are in the cache; `fastnn info` says where."
    )
    return 0


VERB = Verb("compile all kernels now, so that no first fit has to", run)
