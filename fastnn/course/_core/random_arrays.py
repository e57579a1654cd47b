"""Random parameters and gradients for the exercises' inputs.

They come from private generators: NumPy's global one stays where the notebook has left it.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from .arrays import Parameters

Rng = np.random.RandomState


def random_parameters(rng: Rng, *sizes: int) -> Parameters:
    """Draw W (n, n_prev) and b (n, 1) of each layer, not tiny, so that errors show."""
    parameters: Parameters = {}
    for layer, (n_prev, n) in enumerate(pairwise(sizes), start=1):
        parameters[f"W{layer}"] = rng.randn(n, n_prev)
        parameters[f"b{layer}"] = rng.randn(n, 1)
    return parameters


def random_gradients(rng: Rng, parameters: Parameters) -> Parameters:
    """Give a gradient for each parameter, of its shape."""
    return {f"d{key}": rng.randn(*array.shape) for key, array in parameters.items()}
