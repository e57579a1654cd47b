"""Initialisers: how the weights of a layer are drawn before training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np

from ._display.short_repr import ShortRepr, frozen
from ._habits import answers
from ._validation import arguments

__all__ = ["NAMES", "Initializer", "Random", "resolve"]

Array = np.ndarray[Any, np.dtype[np.float64]]


@runtime_checkable
class Initializer(Protocol):
    """Anything that draws weights."""

    def draw(self, rng: np.random.Generator, n_in: int, n_out: int) -> Array:
        """Return W (n_in, n_out) in float64."""


@frozen
class Random(ShortRepr):
    """Normal numbers times a scale; ``Random(scale=10)`` is the course's example of too large.

    Parameters
    ----------
    scale : float
        Standard deviation of the weights, positive.
    """

    scale: float = 1.0

    def __post_init__(self) -> None:
        arguments.check_fields(self, scale=arguments.positive)

    def draw(self, rng: np.random.Generator, n_in: int, n_out: int) -> Array:
        """Return W (n_in, n_out) in float64."""
        return rng.standard_normal((n_in, n_out)) * self.scale


@dataclass(frozen=True)
class _Named:
    """An initialiser given by a formula of the layer's sizes."""

    formula: Callable[[np.random.Generator, int, int], Array]

    def draw(self, rng: np.random.Generator, n_in: int, n_out: int) -> Array:
        """Return W (n_in, n_out) in float64."""
        return self.formula(rng, n_in, n_out)


def _scaled(square: Callable[[int], float]) -> _Named:
    """Normal numbers of variance square(n_in)."""
    return _Named(lambda rng, n_in, n_out: rng.standard_normal((n_in, n_out)) * square(n_in) ** 0.5)


def _glorot(rng: np.random.Generator, n_in: int, n_out: int) -> Array:
    """Uniform in ±√(6 / (n_in + n_out)): Glorot and Bengio, AISTATS 2010, eq. 16."""
    limit = (6 / (n_in + n_out)) ** 0.5
    return rng.uniform(-limit, limit, (n_in, n_out))


def _orthogonal(rng: np.random.Generator, n_in: int, n_out: int) -> Array:
    """Orthonormal rows or columns, uniformly distributed: Saxe et al., arXiv:1312.6120."""
    tall = rng.standard_normal((max(n_in, n_out), min(n_in, n_out)))
    q, r = np.linalg.qr(tall)
    q *= np.sign(np.diag(r))  # without the signs the draw would not be uniform
    return q if n_in >= n_out else q.T


#: zeros; small: randn · 0.01; random: randn; xavier: randn / √n_in (the course's); glorot:
#: uniform ± √(6/(n_in+n_out)); he: randn · √(2/n_in) (He et al., arXiv:1502.01852); lecun:
#: randn / √n_in (LeCun et al., "Efficient BackProp", 1998); orthogonal.
NAMES: dict[str, Initializer] = {
    "zeros": _Named(lambda rng, n_in, n_out: np.zeros((n_in, n_out))),
    "small": Random(0.01),
    "random": Random(),
    "xavier": _scaled(lambda n_in: 1 / n_in),
    "glorot": _Named(_glorot),
    "he": _scaled(lambda n_in: 2 / n_in),
    "lecun": _scaled(lambda n_in: 1 / n_in),
    "orthogonal": _Named(_orthogonal),
}


def resolve(init: str | Initializer) -> Initializer:
    """Return the initialiser of that name, or the given one.

    ``"glorot_uniform"``, ``"he_normal"`` and the like are known too.

    Raises
    ------
    SettingError
        If there is no initialiser of that name; the message lists those there are.
    """
    named = own_name(init)
    return NAMES[named] if isinstance(named, str) else named


def own_name(init: str | Initializer) -> str | Initializer:
    """Return our name for the initialiser that a text names, or the given one."""
    if not isinstance(init, str | type) and isinstance(init, Initializer):
        return init
    return answers.resolve("initialiser", init, NAMES, " or Random(scale)")
