"""The bar of a fit on a terminal: epochs and time, with the last values beside them or below."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.columns import Columns
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

GAP = 2  # columns between two values


class _BarAndValues:
    """The bar and the values: on one line where they fit, else whole values on further lines."""

    def __init__(self, bar: Table, values: Sequence[str]) -> None:
        self.bar, self.values = bar, values

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        beside = Text((" " * GAP).join(self.values), no_wrap=True)
        if console.measure(self.bar).maximum + 1 + beside.cell_len <= options.max_width:
            line = Table.grid(padding=(0, 1))
            line.add_row(self.bar, beside)
            yield line
        else:
            yield self.bar
            yield Columns(map(Text, self.values), padding=(0, GAP))


class _Lines(Progress):
    """rich's progress with values."""

    values: Sequence[str] = ()

    def get_renderables(self) -> Iterable[RenderableType]:
        """Yield what is drawn."""
        yield _BarAndValues(self.make_tasks_table(self.tasks), self.values)


class TerminalBar:
    """Draws on a console that moves the cursor, from the first call until `close`."""

    def __init__(self, console: Console, epochs: int) -> None:
        self._lines = _Lines(
            TextColumn("epoch"), MofNCompleteColumn(), BarColumn(bar_width=24),
            TimeRemainingColumn(compact=True, elapsed_when_finished=True), console=console,
        )  # fmt: skip
        self._task = self._lines.add_task("fit", total=epochs)
        self._lines.start()

    def update(self, done: int, values: Sequence[str]) -> None:
        """Show how many epochs are done, and their last values."""
        self._lines.values = values
        self._lines.update(self._task, completed=done)

    def close(self) -> None:
        """Draw the last state, and leave it there."""
        self._lines.stop()
