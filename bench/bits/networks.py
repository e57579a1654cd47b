"""The thirty: networks, families of small ones and models that reach every kernel together."""

from __future__ import annotations

from typing import Any

import fastnn
from fastnn import (
    LBFGS,
    Activation,
    Adam,
    AdamW,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    GradientDescent,
    Momentum,
    Nesterov,
    Normalization,
    Rescaling,
    RMSprop,
    losses,
    schedules,
)  # fmt: skip
from fastnn.callbacks import EarlyStopping
from fastnn.initializers import Random

from .models import course, estimators, products, sparse
from .tasks import FLOATS, ORDERS, Lesson, Net, Task

KINDS = (*FLOATS, "uint8", "int8", "int16", "uint16", "int32", "uint32", "int64", "uint64",
         "float16")  # fmt: skip
HIDDEN = ("identity", "sigmoid", "tanh", "relu", "leaky_relu", "elu", "selu", "gelu", "silu",
          "softplus", "mish")  # fmt: skip
PIXELS = Rescaling(1 / 255)
SLOW = GradientDescent(1e-3)

fastnn.activations.register("bent", lambda z: z + z * z / 4, lambda z: 1 + z / 2)


def _pixels(shape: tuple[int, int], units: int, batch: int | None = None, **more: Any) -> Net:
    """A network that reads bytes: one output, or `units` and then three classes."""
    last = [Dense(1, "sigmoid")] if units == 1 else [Dense(units, "tanh"), Dense(3, "softmax")]
    y, fit = "binary" if units == 1 else "classes", {"batch_size": batch, "optimizer": SLOW}
    return Net([PIXELS, *last], shape, y, "uint8", fit=fit, **more)


def _in_place(dtype: str) -> tuple[Task, ...]:
    """First layers of 1 … 10 units, which read rows of three dtypes where they lie."""
    return tuple(
        Net(
            [*scaler, Dense(units, "tanh"), Dense(2, "softmax")], (40, 70), kind=kind,
            order="part" if units % 2 else "rows", fit={"epochs": 1}, network={"dtype": dtype},
        )
        for kind, scaler in (("float32", []), ("float64", []), ("uint8", [Rescaling(0.01, 0.2)]))
        for units in range(1, 11)
    )  # fmt: skip


def _kinds(dtype: str) -> tuple[Task, ...]:
    """X of every dtype, laid out by features or read block by block, scaled in three ways."""
    scalers = ([], [Normalization()], [Normalization(per_feature=False)], [Rescaling(0.01, -0.5)])
    return tuple(
        Net(
            [*scalers[i % 4], Dense(6, "relu"), Dense(1)], (40, 6 if i % 2 else 66), "values",
            kind, "columns" if i % 3 else "F", {"optimizer": SLOW}, {"dtype": dtype},
        )
        for i, kind in enumerate(KINDS * 2)
    )  # fmt: skip


def _orders(dtype: str) -> tuple[Task, ...]:
    """Rows of 80 numbers that lie in every order, before a narrow and a wide layer."""
    return tuple(
        Net(
            [Normalization(per_feature=False), Dense(units, "elu"), Dense(3, "softmax")], (30, 80),
            kind=dtype, order=order, network={"dtype": dtype},
        )
        for order in ORDERS
        for units in (3, 40)
    )  # fmt: skip


def _activations(dtype: str) -> tuple[Task, ...]:
    """Every activation in a layer and as one, then the outputs of their own."""
    network = {"dtype": dtype}
    return tuple(
        Net([Dense(9, name), Activation(name), Dense(3, "softmax")], network=network)
        for name in HIDDEN
    ) + tuple(
        Net([Dense(4, "tanh"), Dense(K, name)], (40, 5), y, fit={"optimizer": SLOW},
            network=network | ({"loss": loss} if loss else {}))
        for name, K, y, loss in (
            ("sigmoid", 1, "binary", None), ("sigmoid", 3, "labels", None),
            ("sigmoid", 1, "binary", "squared_error"), ("softmax", 4, "one hot", None),
            ("softmax", 3, "soft", "squared_error"), ("tanh", 2, "values", None),
            ("exp", 1, "counts", "poisson"), ("softplus", 2, "counts", "poisson"),
        )
    )  # fmt: skip


def _losses(dtype: str) -> tuple[Task, ...]:
    """Every loss and its parameter, targets of every kind, weights of examples and classes."""
    linear = (losses.SquaredError(), losses.AbsoluteError(), losses.Huber(0.4),
              losses.Quantile(0.8))  # fmt: skip
    smooth = losses.CategoricalCrossEntropy(label_smoothing=0.1)
    half = losses.BinaryCrossEntropy(label_smoothing=0.2)
    cases = [("identity", K, "values", loss) for loss in linear for K in (1, 3)]
    cases += [("softmax", 3, y, smooth) for y in ("classes", "one hot", "soft")]
    cases += [("sigmoid", 1, "binary", half), ("sigmoid", 3, "labels", half)]
    return tuple(
        Net([Dense(6, "silu"), Dense(K, output)], y=y, weighted=weighted, fit=fit,
            network={"loss": loss, "dtype": dtype}, held=10)
        for output, K, y, loss in cases
        for weighted in (False, True)
        for fit in ({"class_weight": "balanced"} if y == "classes" else {},)
    )  # fmt: skip


def _optimizers(dtype: str) -> tuple[Task, ...]:
    """Every optimiser with settings of its own, penalties and clipping, on two calls of two."""
    methods = (
        GradientDescent(0.05), Momentum(0.05, 0.8), Nesterov(0.05, 0.8), RMSprop(2e-3, 0.8, 1e-6),
        Adam(2e-3, 0.8, 0.99, 1e-6), AdamW(2e-3, 0.8, 0.99, 1e-6, 0.1),
    )  # fmt: skip
    wishes = ({}, {"l2": 0.5, "l1": 0.1}, {"clip_norm": 0.1}, {"clip_value": 0.01, "l2": 0.1})
    layers = [Dense(7, "tanh", max_norm=1.2), Dense(3, "softmax", use_bias=False)]
    return tuple(
        Net(layers, fit={"optimizer": method} | wish, network={"dtype": dtype}, calls=2)
        for method in methods
        for wish in wishes
    )


def _schedules() -> tuple[Task, ...]:
    """Every schedule, by the epoch and by the step."""
    made = [
        schedules.InverseTime(0.5), schedules.Staircase(0.5, 2), schedules.Exponential(0.9),
        schedules.Step(2, 0.5), schedules.InverseSqrt(), schedules.Cosine(5), schedules.OneCycle(4),
        schedules.InverseTime(0.5, per="step"), schedules.Cosine(5, per="step"),
        schedules.OneCycle(4, per="step"), schedules.WarmUp(2, schedules.Cosine(5, per="step")),
        schedules.WarmUp(2, per="step"), schedules.Plateau(factor=0.5, patience=1),
    ]  # fmt: skip
    return tuple(
        Net([Dense(4, "tanh"), Dense(2, "softmax")], fit={"epochs": 5, "schedule": schedule},
            held=12)
        for schedule in made
    )  # fmt: skip


def _initialisers() -> tuple[Task, ...]:
    """Every initialiser of a network and one of a layer, other seeds, no shuffling."""
    names = ("zeros", "small", "random", "xavier", "glorot", "he", "lecun", "orthogonal")
    return tuple(
        Net([Dense(8, "sigmoid"), Dense(4, "relu", init="lecun"), Dense(1)], y="values",
            fit={"optimizer": SLOW, "shuffle": False}, network={"init": init, "seed": seed})
        for seed, init in enumerate((*names, Random(0.3)))
    )  # fmt: skip


def _noisy(dtype: str) -> Net:
    """All that stands between layers, with validation, metrics, patience and best weights."""
    return Net(
        [Normalization(), Dropout(0.1), Dense(6), BatchNorm(0.8, 1e-4), Activation("mish"),
         GaussianNoise(0.1), Dense(5, "selu"), Dropout(0.3), BatchNorm(), Dense(3, "softmax")],
        (70, 9), fit={"epochs": 12, "metrics": ["f1"], "callbacks": [EarlyStopping(patience=2)]},
        network={"dtype": dtype}, held=25, weighted=True,
    )  # fmt: skip


#: By name: what is trained and asked one after the other.
ENTRIES: dict[str, tuple[Task, ...]] = {
    "logistic regression on long rows of bytes": (
        _pixels((60, 12288), 1), _pixels((70, 2100), 1, 50), _pixels((20, 2100), 1, order="F")
    ),
    "long rows of bytes to a few units": (
        _pixels((64, 12288), 7), _pixels((64, 4200), 16, 40), _pixels((33, 6200), 20)
    ),
    "rows of bytes in panels": (
        _pixels((100, 784), 12, 50), _pixels((100, 300), 24, 64), _pixels((100, 784), 7, 20)
    ),
    "rows of bytes to many units": (
        _pixels((200, 784), 100, 100, calls=2), _pixels((100, 300), 140, order="part")
    ),
    "bytes in float64": tuple(
        _pixels((50, n), units, 30, network={"dtype": "float64"}) for n in (300, 2100)
        for units in (1, 7, 40)
    ),
    "wide images in blocks": (_pixels((800, 12288), 7),),
    "rows in place, float32": _in_place("float32"),
    "rows in place, float64": _in_place("float64"),
    "long rows in place": tuple(
        Net([Rescaling(scale), Dense(units, "relu"), Dense(1)], (40, 6200), "values", dtype,
            fit={"optimizer": GradientDescent(1e-5)}, network={"dtype": dtype})
        for dtype in FLOATS for units, scale in ((1, 2.0), (5, 0.5), (13, 1.0))
    ),
    "every dtype of X, float32": _kinds("float32"),
    "every dtype of X, float64": _kinds("float64"),
    "every order of X": _orders("float32") + _orders("float64"),
    "a long table in blocks": tuple(
        Net([Normalization(), Dense(40, "relu"), Dropout(0.2), Dense(20, "gelu"), Dense(1)],
            (12_000, 30), "values", dtype, fit={"batch_size": None}, network={"dtype": dtype},
            held=900, weighted=True)
        for dtype in FLOATS
    ),
    "a small network in groups": tuple(
        Net([Dense(128, "relu"), Dense(64, "relu"), Dense(7, "softmax")], (600, 54), kind=dtype,
            fit={"batch_size": 256, "epochs": 12, "l2": 0.1}, network={"dtype": dtype})
        for dtype in FLOATS
    ),
    "wide layers": (
        Net([Dense(512, "relu"), Dropout(0.2), Dense(256, "relu"), Dense(10, "softmax")],
            (300, 784), fit={"batch_size": 128, "epochs": 3}, held=100),
        Net([Dense(256, "relu"), Dense(10, "softmax")], (2600, 784), fit={"batch_size": None}),
        Net([Dense(300, "tanh"), Dense(200, "relu"), Dense(5, "softmax")], (260, 200),
            kind="float64", fit={"batch_size": 200, "optimizer": Nesterov(0.01)},
            network={"dtype": "float64"}),
    ),
    "many rows at once": (
        Net([Dense(64, "relu"), Dense(64, "tanh"), Dense(1)], (40_000, 20), "values",
            fit={"batch_size": 4096}),
    ),
    "layers so wide that weights are turned": tuple(
        Net([Dense(units, "relu"), Dense(300, "relu", max_norm=2), Dense(3, "softmax")], (130, 64),
            fit={"batch_size": 64, "clip_norm": 0.5}, network={"dtype": dtype})
        for dtype, units in (("float32", 1600), ("float64", 900))
    ),
    "few rows through many shapes": tuple(
        Net([Dense(a, "relu"), Dense(b, "sigmoid"), Dense(c)], (m, 3), "values", dtype,
            fit={"batch_size": m}, network={"dtype": dtype})
        for dtype in FLOATS for m, a, b, c in ((2, 20, 1, 1), (9, 33, 17, 2), (65, 8, 70, 16))
    ),
    "activations, float32": _activations("float32"),
    "activations, float64": _activations("float64"),
    "an activation of one's own": tuple(
        Net([Dense(6, "bent"), Dense(1, "sigmoid")], y="binary", network={"dtype": dtype})
        for dtype in FLOATS
    ),
    "losses": _losses("float32") + _losses("float64"),
    "optimisers": _optimizers("float32") + _optimizers("float64"),
    "L-BFGS": tuple(
        Net([Dense(5, "tanh"), Dense(3, "softmax")], kind=dtype, calls=2, held=10,
            fit={"optimizer": LBFGS(memory=5), "l2": 0.1, "epochs": 6}, network={"dtype": dtype})
        for dtype in FLOATS
    ),
    "schedules": _schedules(),
    "initialisers": _initialisers(),
    "noise and averages": (_noisy("float32"), _noisy("float64")),
    "sparse rows": sparse(),
    "estimators": estimators(),
    "models of the course": (Lesson(course), Lesson(products, 10**8)),
}  # fmt: skip
