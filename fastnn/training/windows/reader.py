"""The reader: a thread that fills one window while the fit works on the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import SimpleQueue
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from .examples import StreamedExamples
from .plan import WindowPlan
from .rows import Piece

Array = np.ndarray[Any, Any]
TOGETHER = 16  # pieces that are read by one call, which a source's own threads share
Shuffle = Callable[[Array, int, int], None]


class Window(NamedTuple):
    """Some rows of an epoch, in the order in which they are taken; valid until the next is taken.

    X (r, n), Y (r, K) and w (r,) lie in the order of reading.
    """

    X: Array
    Y: Array
    w: Array
    order: Array  # (k,) int64: places of the window's rows, whole batches but at an epoch's end
    numbers: Array  # (k,) int64: their numbers among all rows
    places: Array  # (r,) int64: where the rows of X stand in the source
    last: bool  # whether it ends its epoch


class Buffer:
    """The memory of a window: up to `capacity` examples."""

    def __init__(self, examples: StreamedExamples, capacity: int) -> None:
        (_, n), targets = examples.shape, examples.targets
        K, dtype = (targets.K, targets.dtype) if targets else (0, np.dtype(np.float32))
        self.examples, self.X = examples, np.empty((capacity, n), examples.X.dtype)
        self.Y, self.w = np.empty((capacity, K), dtype), np.ones(capacity, dtype)
        self.order, self.numbers = (np.empty(capacity, np.int64) for _ in range(2))
        self.rows, self.places = (np.empty(capacity, np.int64) for _ in range(2))

    def take(self, other: Buffer, chosen: Array) -> int:
        """Begin with these examples of another buffer; return how many."""
        n = len(chosen)
        for own, theirs in (
            (self.X, other.X), (self.rows, other.rows), (self.places, other.places)
        ):  # fmt: skip
            own[:n] = theirs[chosen]
        return n

    def read(self, pieces: Sequence[Piece], n: int) -> int:
        """Read the rows of pieces behind the first n; return how many there are then."""
        part = slice(n, n + sum(stop - start for start, stop in pieces))
        self.examples.read(pieces, self.X[part], self.rows[part], self.places[part])
        return part.stop

    def window(self, n: int, used: int, last: bool) -> Window:
        """Return a window of the first n examples, of whose order the first `used` are taken."""
        self.examples.encode(self.places[:n], self.Y[:n], self.w[:n])
        numbers = np.take(self.rows, self.order[:used], out=self.numbers[:used], mode="clip")
        order, places = self.order[:used], self.places[:n]
        return Window(self.X[:n], self.Y[:n], self.w[:n], order, numbers, places, last)


class Reader:
    """Reads the windows of consecutive epochs in a thread of its own, one ahead.

    Leaving its `with` block ends the thread, whatever it waits for; an error that it meets is
    raised where its window would be taken.

    Parameters
    ----------
    examples : StreamedExamples
        What it reads.
    plan : WindowPlan
        Which rows when.
    epochs : range
        Which epochs.
    shuffle : callable
        Of a backend: fills an order by (seed, epoch). Unused where the plan does not shuffle.
    """

    def __init__(
        self, examples: StreamedExamples, plan: WindowPlan, epochs: range, shuffle: Shuffle
    ) -> None:
        self.examples, self.plan, self.epochs, self._shuffle = examples, plan, epochs, shuffle
        several = plan.windows * len(epochs) > 1
        self.buffers = [Buffer(examples, plan.capacity) for _ in range(2 if several else 1)]
        self._free: SimpleQueue[Buffer | None] = SimpleQueue()
        self._ready: SimpleQueue[tuple[Buffer, Window] | BaseException | None] = SimpleQueue()
        self._taken: Buffer | None = None
        self._ended, self._over = False, threading.Event()
        self._thread = threading.Thread(target=self._run, name="fastnn reader", daemon=True)

    def __enter__(self) -> Reader:
        if self.plan.shuffle:  # this thread compiles the kernel, and tells whoever waits for it
            self._shuffle(np.arange(2), self.plan.seed, 0)
        for buffer in self.buffers:
            self._free.put(buffer)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._ended, interrupted = True, None
        self._free.put(None)
        while not self._over.is_set():  # a thread left inside a library hangs a process's end
            try:  # a join that Ctrl-C interrupts would take the thread for ended
                self._over.wait()
            except KeyboardInterrupt as pressed:
                interrupted = pressed
        self._thread.join()
        if interrupted is not None and error is None:
            raise interrupted

    def __iter__(self) -> Iterator[Window]:
        while True:
            if self._taken is not None:
                self._free.put(self._taken)
            found = self._ready.get()
            if found is None:
                return
            if isinstance(found, BaseException):
                raise found
            self._taken = found[0]
            yield found[1]

    def _run(self) -> None:
        """Fill buffers as they become free, until all epochs are read or the `with` block ends."""
        try:
            for epoch in self.epochs:
                if epoch > self.epochs.start:
                    self.examples.X.check_unchanged()
                if not self._read_epoch(epoch):
                    return
            self._ready.put(None)
        except BaseException as error:  # of any library; whoever takes the windows raises it
            self._ready.put(error)
        finally:
            self._over.set()

    def _read_epoch(self, epoch: int) -> bool:
        """Read the windows of an epoch; return whether the `with` block still goes on."""
        plan, before, left = self.plan, None, np.arange(0)
        pieces = plan.pieces(epoch, self._shuffle)
        for k in range(plan.windows):
            buffer = self._free.get()
            if buffer is None:
                return False
            n = buffer.take(before, left) if before is not None else 0
            own = pieces[plan.starts[k] : plan.starts[k + 1]]
            for i in range(0, len(own), TOGETHER):
                if self._ended:
                    return False
                n = buffer.read(plan.spans(own[i : i + TOGETHER]), n)
            last = k == plan.windows - 1
            used = n if last else n - n % plan.batch
            plan.arrange(buffer.order[:n], epoch, k, self._shuffle)
            before, left = buffer, buffer.order[used:n]
            self._ready.put((buffer, buffer.window(n, used, last)))
        return True
