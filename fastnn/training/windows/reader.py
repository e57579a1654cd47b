"""The reader: a thread that fills one window while the fit works on the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from .examples import Pieces, StreamedExamples
from .plan import WindowPlan

Array = np.ndarray[Any, Any]
#: Pieces that are read together, so that a source may share their unpacking among its threads.
TOGETHER = 16
Shuffle = Callable[[Array, int, int], None]


class Window(NamedTuple):
    """Some rows of an epoch, in the order in which they are taken; valid until the next is taken.

    X (r, n), Y (r, K), w (r,) and rows (r,), the rows' numbers, lie in the order of reading.
    """

    X: Array
    Y: Array
    w: Array
    order: Array  # (k,) int64: places of the window's rows, whole batches but at an epoch's end
    numbers: Array  # (k,) int64: their numbers among all rows
    last: bool  # whether it ends its epoch


class Buffer:
    """The memory of a window: up to `capacity` examples."""

    def __init__(self, examples: StreamedExamples, capacity: int) -> None:
        (_, n), targets = examples.shape, examples.targets
        K, dtype = (targets.K, targets.dtype) if targets else (0, np.dtype(np.float32))
        self.X = np.empty((capacity, n), examples.X.dtype)
        self.Y, self.w = np.empty((capacity, K), dtype), np.ones(capacity, dtype)
        self.rows, self.order, self.numbers = (np.empty(capacity, np.int64) for _ in range(3))

    def take(self, other: Buffer, places: Array) -> int:
        """Begin with examples of another buffer, at these places; return how many."""
        n = len(places)
        for own, theirs in ((self.X, other.X), (self.Y, other.Y), (self.w, other.w)):
            own[:n] = theirs[places]
        self.rows[:n] = other.rows[places]
        return n

    def read(self, examples: StreamedExamples, pieces: Pieces, n: int) -> int:
        """Read pieces of the examples behind the first n; return how many there are then."""
        end = n + sum(stop - start for start, stop in pieces)
        examples.read(pieces, self.X[n:end], self.Y[n:end], self.w[n:end])
        self.rows[n:end] = np.concatenate([np.arange(*piece) for piece in pieces])
        return end

    def window(self, n: int, used: int, last: bool) -> Window:
        """Return a window of the first n examples, of whose order the first `used` are taken."""
        numbers = np.take(self.rows, self.order[:used], out=self.numbers[:used], mode="clip")
        return Window(self.X[:n], self.Y[:n], self.w[:n], self.order[:used], numbers, last)


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
        self._ended = False
        self._thread = threading.Thread(target=self._run, name="fastnn reader", daemon=True)

    def __enter__(self) -> Reader:
        if self.plan.shuffle:  # so that it is compiled by the thread that is asked for it
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
        while self._thread.is_alive():  # a thread left inside a library hangs the end of a process
            try:
                self._thread.join()
            except KeyboardInterrupt as pressed:
                interrupted = pressed
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

    def _read_epoch(self, epoch: int) -> bool:
        """Read the windows of an epoch; return whether the `with` block still goes on."""
        plan, before, left = self.plan, None, np.arange(0)
        pieces = plan.pieces(epoch, self._shuffle)
        for k in range(plan.windows):
            buffer = self._free.get()
            if buffer is None:
                return False
            n = buffer.take(before, left) if before is not None else 0
            drawn = pieces[plan.starts[k] : plan.starts[k + 1]]
            for i in range(0, len(drawn), TOGETHER):
                if self._ended:
                    return False
                bounds = [plan.bounds[p : p + 2].tolist() for p in drawn[i : i + TOGETHER]]
                n = buffer.read(self.examples, bounds, n)
            last = k == plan.windows - 1
            used = n if last else n - n % plan.batch
            plan.arrange(buffer.order[:n], epoch, k, self._shuffle)
            before, left = buffer, buffer.order[used:n]
            self._ready.put((buffer, buffer.window(n, used, last)))
        return True
