"""`fastnn info`: what a bug report should hold."""

from __future__ import annotations

import argparse

from fastnn._runtime.launcher import launched_rank
from fastnn._runtime.versions import show_versions

from .output import print_result
from .verb import Verb


def run(arguments: argparse.Namespace) -> int:
    """Print versions, processor, threads, backends and the kernel cache."""
    if launched_rank() == 0:
        print_result(show_versions())
    return 0


VERB = Verb("show versions, processor, threads, backends and the kernel cache", run, compiles=False)
