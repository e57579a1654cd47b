"""Ctrl-C during a fit: it ends the fit where the network is whole."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class Interrupts:
    """Holds Ctrl-C back until a chunk is over; a second one is let through at once."""

    #: Whether the fit has ended: a Ctrl-C while it ends can leave its handler behind.
    over = False
    #: Whether an error of another fit beside this one ends it as Ctrl-C would.
    failed = False

    def __enter__(self) -> Interrupts:
        self.seen = self.raised = self._holds = False
        if threading.current_thread() is threading.main_thread():
            handler = signal.getsignal(signal.SIGINT)
            left = getattr(getattr(handler, "__self__", None), "over", False)
            if handler is signal.default_int_handler or left:
                self._holds = True
                signal.signal(signal.SIGINT, self._note)
        return self

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Note the first Ctrl-C; raise KeyboardInterrupt at the second."""
        if self.seen:
            self.raised = True
            raise KeyboardInterrupt
        self.seen = True

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.over = True
        if self._holds:
            signal.signal(signal.SIGINT, signal.default_int_handler)
        if self.raised and error is not None and not isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt from error  # a compiler in the middle turns it into its own
