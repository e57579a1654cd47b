"""The reader: a thread that fills one window while the fit works on the other."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from queue import SimpleQueue
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np

from .examples import StreamedExamples
from .plan import EpochPlan, Shuffle, WindowPlan, stretches
from .rows import Piece

Array = np.ndarray[Any, Any]
TOGETHER = 16  # pieces that are read by one call, which a source's own threads share


class Window(NamedTuple):
    """Some rows of an epoch, in the order in which they are taken; valid until the next is taken.

    X (r, n), Y (r, K) and w (r,) lie in the order of reading; of a fit on ranks X and Y hold the
    rows of this rank's shards, and nothing else is written.
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

    def take(self, other: Buffer, rows: slice) -> int:
        """Begin with these examples of another buffer; return how many."""
        n = int(rows.stop - rows.start)
        for own, theirs in (
            (self.X, other.X), (self.rows, other.rows), (self.places, other.places)
        ):  # fmt: skip
            own[:n] = theirs[rows]
        return n

    def locate(self, pieces: Sequence[Piece], n: int) -> None:
        """Note which rows of pieces stand from the n-th on."""
        self.examples.locate(pieces, self.rows[n:], self.places[n:])

    def read(self, pieces: Sequence[Piece], n: int) -> None:
        """Read the rows of pieces to where the n-th row stands."""
        rows = sum(stop - start for start, stop in pieces)
        self.examples.X.read(pieces, self.X[n : n + rows])

    def window(self, n: int, own: slice | Array, last: bool) -> Window:
        """Return a window of the first n examples, of which this process owns some."""
        self.examples.encode(self.places[:n], own, self.Y[:n], self.w[:n])
        numbers = np.take(self.rows, self.order[:n], out=self.numbers[:n], mode="clip")
        order, places = self.order[:n], self.places[:n]
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
        plan, before, left = self.plan.epoch(epoch, self._shuffle), None, slice(0, 0)
        for k in range(self.plan.windows):
            buffer = self._free.get()
            if buffer is None:
                return False
            begin, end, beyond = plan.window(k)
            own: slice | Array = slice(0, end - begin)
            if self.plan.owns_all:  # also what the last piece has beyond the last whole batch
                n, known = buffer.take(before or buffer, left), beyond - begin
                parts = [(n, known)]
            else:
                n, own, known = 0, self.plan.own_rows(end - begin), end - begin
                parts = stretches(own, self.examples.X.piece_rows)
            buffer.locate(plan.spans(begin + n, begin + known), n)
            if not all(self._read(buffer, plan, begin, part) for part in parts):
                return False
            plan.arrange(buffer.order[: end - begin], k)
            before, left = buffer, slice(end - begin, beyond - begin)
            self._ready.put((buffer, buffer.window(end - begin, own, k == self.plan.windows - 1)))
        return True

    def _read(self, buffer: Buffer, plan: EpochPlan, begin: int, part: tuple[int, int]) -> bool:
        """Read some rows of a window from position `begin` on; return False if there is no need."""
        for first, stop in plan.groups(begin + part[0], begin + part[1], TOGETHER):
            if self._ended:
                return False
            buffer.read(plan.spans(first, stop), first - begin)
        return True
