"""`fastnn warmup`: all kernels compiled into the cache, or into packs of the installation."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from types import TracebackType
from typing import Any

from fastnn import kernels
from fastnn._runtime.backend import backend
from fastnn._runtime.packs import ALL, AUTO, build_pack, parse_levels
from fastnn._runtime.text import plural
from fastnn.network.warmup import warmup

from .output import print_note, print_result
from .verb import Verb, option

DTYPES = "float32", "float64"
#: Seconds between two looks at the cache, and between two lines where no bar can be drawn.
LOOK, LINE = 0.5, 10.0


class CompileProgress:
    """Shows how many kernels the cache holds while others are compiled: a bar, or lines in logs."""

    def __init__(self, dtype: str) -> None:
        self.dtype = dtype
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._bar: Any = None
        self.kept, self.total = kernels.get("jitted").count_kept(dtype)
        self.missing = self.total - self.kept

    def __enter__(self) -> CompileProgress:
        if self.missing:
            self._began = self._written = time.monotonic()
            if sys.stderr.isatty():
                self._draw()
            else:
                print_note(f"compiling {plural(self.missing, f'{self.dtype} kernel')} …")
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._bar is not None:
            if error is None:
                self._bar.update(0, completed=self.total)
            self._bar.stop()

    def _draw(self) -> None:
        """Begin a bar; rich is imported only here."""
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
        from rich.progress import TimeElapsedColumn as Elapsed

        self._bar = Progress(
            TextColumn(f"compiling {self.dtype} kernels"), BarColumn(bar_width=24),
            MofNCompleteColumn(), Elapsed(), console=Console(stderr=True),
        )  # fmt: skip
        self._bar.add_task("", total=self.total, completed=self.kept)
        self._bar.start()

    def _watch(self) -> None:
        """Look now and then into the cache, which other processes fill too, and show the count."""
        while not self._over.wait(LOOK):
            self.kept, _ = kernels.get("jitted").count_kept(self.dtype)
            if self._bar is not None:
                self._bar.update(0, completed=self.kept)
            elif time.monotonic() - self._written >= LINE:
                self._written = time.monotonic()
                print_note(f"{self.kept} of {self.total} after {self._written - self._began:.0f} s")


def run(arguments: argparse.Namespace) -> int:
    """Compile the kernels that neither a pack nor the cache has yet, or packs."""
    if arguments.pack is not None:
        return compile_packs(parse_levels(arguments.pack))
    compiled, began = 0, time.monotonic()
    for dtype in DTYPES:
        with backend("jitted"), CompileProgress(dtype) as progress:
            warmup([dtype])
        compiled += progress.missing
    seconds = time.monotonic() - began
    done = f"Compiled {plural(compiled, 'kernel')} in {seconds:.0f} s. " if compiled else ""
    print_result(
        f"{done}The kernels of float32 and float64 networks are ready; `fastnn info` says where."
    )
    return 0


def compile_packs(levels: list[str]) -> int:
    """Compile a pack for each level, and say where it lies."""
    for level in levels:
        began = time.monotonic()
        print_note(f"compiling all kernels for {level}, which takes one to three minutes …")
        path = build_pack(level)
        seconds, size = time.monotonic() - began, path.stat().st_size / 1e6
        print_result(f"wrote {path}, {size:.1f} MB, in {seconds:.0f} s")
    print_result("All users of this installation get these kernels; `fastnn info` says whether.")
    return 0


PACK = option(
    "--pack", metavar="LEVELS", nargs="?", const=AUTO,
    help="compile them into the installation, for all its users and all CPUs of these levels: "
    f"x86-64-v3,x86-64-v4 for instance, {ALL}, or {AUTO} (the default), the best of this CPU",
)  # fmt: skip

VERB = Verb("compile all kernels now, so that no first fit has to", run, (PACK,), compiles=False)
