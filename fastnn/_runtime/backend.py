"""Which backend runs: chosen per thread and per task, `jitted` unless somebody chose another."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import partial
from types import TracebackType

from fastnn import kernels
from fastnn.errors import SettingError
from fastnn.kernels.backend import Backend

#: The line that is printed before a compilation.
COMPILING_NOTE = "fastnn compiles its kernels for this machine; later starts find them in the cache"
#: Objects from which on a compilation takes seconds, and its progress is shown.
MANY_OBJECTS = 6

_told: list[bool] = []  # [True] once COMPILING_NOTE is said
_selected: ContextVar[str | None] = ContextVar("fastnn_backend", default=None)


class backend:  # noqa: N801 - used like a function
    """Select the backend that runs from here on; as a context manager, until its end.

    Parameters
    ----------
    name : {"loops", "vectorized", "jitted"}
        ``loops`` is the readable specification, ``vectorized`` plain NumPy, ``jitted`` compiled.

    Raises
    ------
    SettingError
        If there is no such backend, or ``jitted`` has neither a pack of kernels nor a compiler.

    Examples
    --------
    >>> with fastnn.backend("vectorized"):
    ...     net.fit(X, y)
    """

    def __init__(self, name: str) -> None:
        if name not in kernels.BACKENDS:
            known = ", ".join(map(repr, kernels.BACKENDS))
            raise SettingError(f"backend {name!r} does not exist; choose one of {known}")
        if name == "jitted" and not _jitted().available:
            from fastnn.kernels.jitted.loader import source  # only this error needs it

            raise SettingError(
                f"backend 'jitted' is unavailable: {source.no_compiler()}, and "
                f"{source.source().reason}; use 'vectorized'"
            )
        self.name = name
        self._token: Token[str | None] = _selected.set(name)

    def __enter__(self) -> backend:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _selected.reset(self._token)

    def __repr__(self) -> str:
        return f"fastnn.backend({self.name!r})"


def _jitted() -> Backend:
    """Return the compiled backend; a SettingError says what is wrong with FASTNN_KERNELS."""
    try:
        return kernels.get("jitted")
    except ValueError as error:
        raise SettingError(str(error)) from None


def announce_compilation(
    say: Callable[[str], object] | None, progress: Callable[[str], object] | None = None
) -> None:
    """Have `say` called with one line before the first compilation; None stops that.

    As a compilation of many kernels goes on, `progress` is called with lines that tell how far it
    has come, from any thread, by one at a time.
    """
    if active().name == "jitted":
        compiler = importlib.import_module("fastnn.kernels.jitted.compiler.announce")
        compiler.listen(None if say is None else partial(_tell_compilation, say, progress))


def _tell_compilation(
    say: Callable[[str], object],
    progress: Callable[[str], object] | None,
    done: int,
    total: int,
    part: str,
) -> None:
    """Say once in a process that kernels are compiled; tell how many are, and for what."""
    if not _told:
        _told.append(True)
        say(COMPILING_NOTE)
    if progress is not None and total >= MANY_OBJECTS:
        progress(f"compiling kernels for this machine: {done} of {total} ({part})")


def selected() -> str | None:
    """Return the name of the backend that somebody selected for this thread or task, if any."""
    return _selected.get()


def active() -> Backend:
    """Return the backend of this thread or task."""
    name = _selected.get()
    if name is not None:
        return kernels.get(name)
    jitted = _jitted()
    return jitted if jitted.available else kernels.get("vectorized")
