"""The losses by name, and the partner that each output activation has by default."""

from __future__ import annotations

from .errors import SettingError
from .kernels.opcodes import Loss

__all__ = ["NAMES", "resolve"]

NAMES: tuple[str, ...] = tuple(loss.name.lower() for loss in Loss)

#: Cross-entropies are computed from the logits of their activation, stable for any of them.
_NEEDS = {Loss.BINARY_CROSS_ENTROPY: "sigmoid", Loss.CATEGORICAL_CROSS_ENTROPY: "softmax"}


def resolve(loss: str | None, output: str) -> Loss:
    """Return the loss of that name, or the partner of the output activation for None.

    Parameters
    ----------
    loss : str or None
        ``squared_error`` ½(ŷ−y)², ``binary_cross_entropy`` or ``categorical_cross_entropy``.
    output : str
        The activation of the last layer.

    Raises
    ------
    SettingError
        If the loss does not exist or does not fit the output activation.
    """
    partners = {activation: partner for partner, activation in _NEEDS.items()}
    if loss is None:
        return partners.get(output, Loss.SQUARED_ERROR)
    if not isinstance(loss, str) or loss not in NAMES:
        raise SettingError(f"loss {loss!r} does not exist; choose one of {', '.join(NAMES)}")
    chosen = Loss[loss.upper()]
    needed = _NEEDS.get(chosen, output)
    if needed != output:
        raise SettingError(
            f"loss {loss!r} needs a {needed} output, but the last layer's activation is "
            f"{output!r}; change one of the two"
        )
    return chosen
