"""fastnn, through the public `Network.fit`, `Network.predict` and `Network.quantize`."""

from __future__ import annotations

from .contender import Contender, network_of
from .data import Array
from .rows import Row, Task


class Fastnn(Contender):
    """X as it lies in memory; fastnn scales it itself."""

    name = "fastnn"
    precision = "float32"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.first = task.row.network(precision=self.precision)
        self.first.set_parameters(task.weights)

    def prepare(self, epochs: int) -> None:
        self.network = self.first.copy()

    def fit(self, epochs: int) -> Array:
        history = self.network.fit(
            self.task.X, self.task.y, epochs=epochs, batch_size=self.row.batch,
            optimizer=self.row.optimizer, l2=self.row.l2, shuffle=False, progress=False,
        )  # fmt: skip
        return history["cost"]

    def predict(self) -> Array:
        labels: Array = self.first.predict(self.task.X)
        return labels


class FastnnBfloat16(Fastnn):
    """Mixed precision: the operands of products are rounded to bfloat16."""

    name = "fastnn bfloat16"
    precision = "mixed"


class FastnnInt8(Fastnn):
    """Predictions by `Network.quantize`, calibrated by the rows themselves."""

    name = "fastnn int8"

    def __init__(self, task: Task) -> None:
        super().__init__(task)
        self.quantized = network_of(task.row, task).quantize(task.X)

    @classmethod
    def can(cls, row: Row) -> bool:
        return row.predicts

    def predict(self) -> Array:
        return self.quantized.predict(self.task.X)
