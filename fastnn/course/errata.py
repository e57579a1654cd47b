"""The errata of the notes: what they say, and what is right; each is held by a test."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["ERRATA", "Erratum"]


class Erratum(NamedTuple):
    """One slip of the notes."""

    key: str
    notes: str
    right: str


ERRATA = (
    Erratum(
        "reshape",
        "Images are flattened by reshaping (m, h, w, 3) straight to (h·w·3, m).",
        "That fills the columns with pixels of many images. Flatten each image into a row, then "
        "transpose: X.reshape(m, -1).T. Image 0 of the cat set begins 17 31 56 22 33, not "
        "17 71 49 38 70; test accuracy is 70 %, not 34 %.",
    ),
    Erratum(
        "format",
        'One value is printed by "{} {}".format(value).',
        "Two places need two values; with one, format raises IndexError.",
    ),
    Erratum(
        "print_cost",
        "The cost is printed whatever print_cost says.",
        "print_cost=False is silent; every model here respects it.",
    ),
    Erratum(
        "db",
        "The vectorised summary sums db without 1/m.",
        "db = 1/m Σ dZ over the columns, like dW = 1/m dZ Aᵀ; else b moves m times too fast.",
    ),
    Erratum(
        "dW2",
        "dW[2] is written with dZ[1].",
        "dW[2] = 1/m dZ[2] A[1]ᵀ; dZ[1] belongs to dW[1] = 1/m dZ[1] Xᵀ.",
    ),
    Erratum(
        "randn",
        "Weights are drawn by np.random.randn((2, 1)).",
        "randn takes the sizes one by one, np.random.randn(2, 1); a tuple raises TypeError.",
    ),
    Erratum(
        "dz",
        "dL/dz keeps a stray factor, and dL/da is written 1/a − 1/(1−a).",
        "dL/da = −y/a + (1−y)/(1−a). Times da/dz = a (1−a) it is dL/dz = a − y, with nothing more.",
    ),
    Erratum(
        "parentheses",
        "J = −1/m Σ y log a + (1−y) log(1−a), without parentheses.",
        "The minus and the sum reach over both terms: J = −1/m Σ (y log a + (1−y) log(1−a)).",
    ),
    Erratum(
        "predictions",
        "A loop over the examples assigns the whole array of predictions each time.",
        "Each turn must write its own place; at once: A > 0.5. Overwritten, only the last counts.",
    ),
    Erratum(
        "collapse",
        "Two linear layers amount to one with the weights W¹W².",
        "Examples are columns, so the first layer stands at the right: W² (W¹ x) = (W² W¹) x.",
    ),
    Erratum(
        "shapes",
        "A product of (4×1) and (4×1) is written, and W[2] is given the shape of its transpose.",
        "Z = W A + b needs W (n, n_prev): with 4 hidden units W[2] is (1, 4), and (1×4)(4×m) is "
        "(1×m).",
    ),
    Erratum(
        "for loop",
        'A method is called "vectorised (for loop)".',
        "Vectorised means no loop over the examples: one product a layer, whatever m is. Only the "
        "loops over layers and over iterations stay.",
    ),
    Erratum(
        "relu",
        "The derivative of relu at 0 is left undefined.",
        "Programs must give one: 0 here, as in the notebooks (dZ = 0 where Z ≤ 0).",
    ),
)
