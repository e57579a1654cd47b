"""Rows of the comparison: network, data, batch, optimiser and goal, and each row's varied twin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from fastnn import Adam, GradientDescent, Network
from fastnn.optimizers import Optimizer

from . import data
from .data import Array, Data

CHECKED_STEPS = 40  # about as many steps are compared before anything is timed
CHECKED_STEPS_OF_SMALL = 400
CHECKED_ROWS = 500  # labels of a single row would agree by chance
SLOTS = {"GradientDescent": 0, "Adam": 2}


@dataclass(frozen=True)
class Row:
    """One work that everybody does: so many steps of training, or calls of `predict`.

    `epochs` is the most that one timing takes; `examples` cuts an epoch that would take minutes;
    `goals` are the ratios wanted at one thread and at more; `changed` is how the twin differs.
    """

    name: str
    sizes: tuple[int, ...]
    m: int
    data: Callable[[int, int], Data]
    epochs: int
    optimizer: Optimizer
    goals: tuple[float, float]
    changed: tuple[tuple[int, ...], int, int | None]
    batch: int | None = None
    hidden: str = "relu"
    output: str = "sigmoid"
    init: str = "he"
    rescale: float | None = None
    dropout: float = 0.0
    l2: float = 0.0
    seed: int = 0
    examples: int | None = None
    small: bool = False
    predicts: bool = False
    dtype: str = "float32"  # of the network, not of X

    @property
    def batch_size(self) -> int:
        """Examples of a step."""
        return min(self.batch or self.m, self.m)

    @property
    def batches(self) -> list[slice]:
        """The rows of X that each step of an epoch takes."""
        starts = range(0, self.m, self.batch_size)
        return [slice(i, min(i + self.batch_size, self.m)) for i in starts]

    @property
    def title(self) -> str:
        """What is done, in the words of the table."""
        net = f"{'→'.join(map(str, self.sizes))}"
        if self.predicts:
            return f"{net}, {self.m} row{'s' if self.m > 1 else ''}"
        kind = "descent" if isinstance(self.optimizer, GradientDescent) else "Adam"
        extra = f", dropout {self.dropout:g}" if self.dropout else ""
        return f"{net}{extra}, {self.m} examples, {kind}, batch {self.batch or 'full'}"

    def load(self) -> Data:
        """Return X (m, n) as fastnn reads it and y (m,) of whole numbers."""
        return self.data(self.m, self.sizes[0])

    def network(self, precision: str = "float32") -> Network:
        """Return fastnn's network with the weights that all begin with."""
        return Network.mlp(
            self.sizes, output=self.output, hidden=self.hidden, dropout=self.dropout,
            rescale=self.rescale, init=self.init, seed=self.seed, dtype=self.dtype,
            precision=precision,
        )  # fmt: skip

    def timed(self) -> Row:
        """Return the row as it is timed, an epoch cut to `examples`."""
        return replace(self, m=self.examples) if self.examples else self

    def checked(self) -> Row:
        """Return the row as its results are compared: some steps, and nothing random."""
        if self.predicts:
            return replace(self, m=max(self.m, CHECKED_ROWS))
        wanted = CHECKED_STEPS_OF_SMALL if self.small else CHECKED_STEPS
        few = min(self.m, wanted * self.batch_size)
        steps = -(-few // self.batch_size)
        return replace(self, m=few, epochs=max(2, wanted // steps), dropout=0.0)

    def varied(self) -> Row:
        """Return the twin: every size changed a little."""
        sizes, m, batch = self.changed
        fewer = self.examples and self.examples // self.batch_size * (batch or m)
        return replace(self, sizes=sizes, m=m, batch=batch, examples=fewer)

    def flops(self) -> float:
        """Return the arithmetic of the products of one step, or of one prediction."""
        pairs = [a * b for a, b in zip(self.sizes, self.sizes[1:], strict=False)]
        if self.predicts:
            return 2.0 * self.m * sum(pairs)
        return 2.0 * self._mean_batch() * (3 * sum(pairs) - pairs[0])  # X needs no gradient

    def bytes(self) -> float:
        """Return what one step must at least move: data twice; parameters, gradients, slots."""
        rows = self.sizes[0] * (1 if self.rescale else 4)
        p = sum((a + 1) * b for a, b in zip(self.sizes, self.sizes[1:], strict=False))
        if self.predicts:
            return float(self.m * rows + 4 * p)
        slots = SLOTS[type(self.optimizer).__name__]
        return 2.0 * self._mean_batch() * rows + 4.0 * p * (4 + 2 * slots)

    def _mean_batch(self) -> float:
        """Examples of a step on the average: the last one of an epoch may be short."""
        return self.m / len(self.batches)


PIXEL = 1 / 255
DESCENT = GradientDescent(0.0075)
MNIST = (784, 512, 256, 10)
VARIED_MNIST = (777, 500, 260, 10)
CIRCLES = (2, 10, 5, 1)

ROWS = (
    Row(
        "logistic-cats", (12288, 1), 209, data.cats, 500, GradientDescent(0.005), (2.5, 3),
        ((12000, 1), 201, None), rescale=PIXEL, init="zeros",
    ),
    Row(
        "2layer-cats", (12288, 7, 1), 209, data.cats, 500, DESCENT, (5, 8),
        ((12000, 9, 1), 201, None), rescale=PIXEL, init="xavier",
    ),
    Row(
        "4layer-cats", (12288, 20, 7, 5, 1), 209, data.cats, 500, DESCENT, (3, 5),
        ((12000, 22, 8, 6, 1), 201, None), rescale=PIXEL, init="xavier",
    ),
    Row(
        "planar", (2, 4, 1), 400, data.flower, 10_000, GradientDescent(1.2), (3.5, 3.5),
        ((3, 5, 1), 390, None), hidden="tanh", small=True,
    ),
    Row(
        "circles", CIRCLES, 300, data.circles, 15_000, GradientDescent(0.01), (4.5, 4.5),
        ((3, 11, 6, 1), 317, None), small=True,
    ),
    Row(
        "dropout2d", (2, 20, 3, 1), 211, data.moons, 10_000, GradientDescent(0.3), (8, 8),
        ((3, 21, 4, 1), 223, None), dropout=0.14, l2=0.7, small=True,
    ),
    Row(
        "moons-adam", (2, 5, 2, 1), 300, data.moons, 2000, Adam(0.0007), (5, 5),
        ((3, 6, 3, 1), 317, 61), batch=64, small=True,
        seed=1,  # from 0 all units of the second layer are dead, and no setting shows in the costs
    ),
    Row(
        "signs", (12288, 25, 12, 6), 1080, data.signs, 20, Adam(0.0001), (2.5, 4),
        ((12000, 27, 13, 6), 1050, 30), batch=32, output="softmax", rescale=PIXEL,
    ),
    Row(
        "mnist", MNIST, 60_000, data.mnist, 1, Adam(), (1.3, 1.4),
        (VARIED_MNIST, 59_000, 120), batch=128, output="softmax", rescale=PIXEL,
    ),
    Row(
        "mnist-wide", (784, 2048, 2048, 10), 60_000, data.mnist, 1, Adam(), (1.15, 1.2),
        ((777, 2000, 2100, 10), 59_000, 250), batch=256, output="softmax", rescale=PIXEL,
        dropout=0.5, examples=5120,
    ),
    Row(
        "table", (54, 128, 64, 7), 100_000, data.table, 5, Adam(), (1.5, 1.8),
        ((51, 120, 70, 7), 99_000, 250), batch=256, output="softmax",
    ),
    Row(
        "predict-1-mnist", MNIST, 1, data.mnist, 20_000, Adam(), (1.5, 1.5),
        (VARIED_MNIST, 1, None), output="softmax", rescale=PIXEL, small=True, predicts=True,
    ),
    Row(
        "predict-1-circles", CIRCLES, 1, data.circles, 50_000, Adam(), (10, 10),
        ((3, 11, 6, 1), 1, None), small=True, predicts=True,
    ),
    Row(
        "predict-10000", MNIST, 10_000, data.mnist, 100, Adam(), (1.2, 1.2),
        (VARIED_MNIST, 9900, None), output="softmax", rescale=PIXEL, predicts=True,
    ),
)  # fmt: skip
NAMES = tuple(row.name for row in ROWS)


def chosen(names: str) -> list[Row]:
    """Return the rows of these names, separated by commas; all for none.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    wanted = [name for name in names.split(",") if name]
    unknown = sorted(set(wanted) - set(NAMES))
    if unknown:
        raise ValueError(f"there is no row {unknown[0]!r}; there are {', '.join(NAMES)}")
    return [row for row in ROWS if not wanted or row.name in wanted]


@dataclass(frozen=True)
class Task:
    """A row with its data and first weights, as all contenders get it."""

    row: Row
    X: Array
    y: Array
    weights: dict[str, Array]

    @classmethod
    def of(cls, row: Row) -> Task:
        """Load the row's data and draw its weights."""
        X, y = row.load()
        return cls(row, X, y, {k: v.copy() for k, v in row.network().parameters.items()})

    @property
    def scaled(self) -> Array:
        """X as the peers get it, converted and scaled once and untimed: (m, n) float32."""
        X = self.X.astype("float32")
        return X * X.dtype.type(self.row.rescale) if self.row.rescale else X

    def layers(self) -> list[tuple[Array, Array]]:
        """Return copies of W (n_in, n_out) and b (n_out,) of each layer."""
        count = len(self.row.sizes)
        return [
            (self.weights[f"W{i}"].copy(), self.weights[f"b{i}"].copy()) for i in range(1, count)
        ]
