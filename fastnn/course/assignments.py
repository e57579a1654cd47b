"""The assignments of both courses as short programs: each function returns what one of them finds.

``python -m fastnn.course.assignments [name …] [--quick]`` runs them and says what they show. The
cats and the football field are read from the folder that ``$FASTNN_DATA`` names, else from
``datasets``; an assignment whose files are missing is passed over, with a word.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from typing import Any

from numpy.typing import NDArray

from fastnn.errors import MissingExtraError

from . import (
    deep,
    gradient_checking,
    init_utils,
    initialization,
    logistic_regression,
    lr_utils,
    opt_utils,
    optimization,
    planar_utils,
    reg_utils,
    regularization,
    shallow,
    testCases,
)
from ._core.arrays import Array
from ._core.dataset_scores import Scores, accuracy, course_file, format_scores, three_layer_scores

__all__ = [
    "cat_deep",
    "cat_logistic",
    "check_gradients",
    "initialize",
    "main",
    "optimize",
    "planar",
    "regularize",
]


def _cats() -> tuple[Array, NDArray[Any], Array, NDArray[Any]]:
    """Return the cat set with an image in each column, numbers from 0 to 1."""
    names = "train_catvnoncat.h5", "test_catvnoncat.h5"
    X, Y, X_test, Y_test, _ = lr_utils.load_dataset(*map(course_file, names))
    X, X_test = (images.reshape(len(images), -1).T / 255 for images in (X, X_test))
    return X, Y, X_test, Y_test


def cat_logistic(quick: bool = False) -> Scores:
    """Tell cats from other pictures by logistic regression, at the rate 0.005.

    Parameters
    ----------
    quick : bool
        Take 50 steps instead of 2000.

    Returns
    -------
    dict
        "one unit": the last "cost" recorded, shares "train" and "test" of right answers.
    """
    sets = _cats()
    fit: Any = logistic_regression.model(*sets, 50 if quick else 2000, 0.005)
    train = accuracy(fit["Y_prediction_train"], sets[1])
    test = accuracy(fit["Y_prediction_test"], sets[3])
    return {"one unit": {"cost": fit["costs"][-1], "train": train, "test": test}}


def planar(quick: bool = False) -> Scores:
    """Tell the petals of the flower apart by one hidden layer of 1, 2, 3, 4, 5, 20 and 50 units.

    Parameters
    ----------
    quick : bool
        Take 100 steps instead of 5000, and only 1 and 4 units.

    Returns
    -------
    dict
        For each size: the last "cost" and the share "train" of right answers.
    """
    X, Y = planar_utils.load_planar_dataset()
    found = {}
    for n_h in (1, 4) if quick else (1, 2, 3, 4, 5, 20, 50):
        parameters = shallow.nn_model(X, Y, n_h, num_iterations=100 if quick else 5000)
        A2, _ = shallow.forward_propagation(X, parameters)
        units = f"{n_h} unit{'s' if n_h > 1 else ''}"
        found[units] = {"cost": shallow.compute_cost(A2, Y), "train": accuracy(A2 > 0.5, Y)}
    return found


def cat_deep(quick: bool = False) -> Scores:
    """Tell cats from other pictures by two layers and by four, at the rate 0.0075.

    Parameters
    ----------
    quick : bool
        Take 5 steps instead of 2500.

    Returns
    -------
    dict
        For "2 layers" and "4 layers": the last "cost" recorded, shares "train" and "test".
    """
    X, Y, X_test, Y_test = _cats()
    models: dict[str, tuple[Any, list[int]]] = {
        "2 layers": (deep.two_layer_model, [len(X), 7, 1]),
        "4 layers": (deep.L_layer_model, [len(X), 20, 7, 5, 1]),
    }
    found = {}
    for name, (model, sizes) in models.items():
        parameters, costs = model(X, Y, sizes, num_iterations=5 if quick else 2500)
        train = accuracy(deep.L_model_forward(X, parameters)[0] > 0.5, Y)
        test = accuracy(deep.L_model_forward(X_test, parameters)[0] > 0.5, Y_test)
        found[name] = {"cost": costs[-1], "train": train, "test": test}
    return found


def initialize(quick: bool = False) -> Scores:
    """Tell two circles apart from three beginnings: zeros, numbers far too large, and He's.

    Parameters
    ----------
    quick : bool
        Take 100 steps instead of 15000.

    Returns
    -------
    dict
        For "zeros", "random" and "he": the last "cost", shares "train" and "test".
    """
    sets = init_utils.load_dataset()
    steps = 100 if quick else 15000
    return {
        name: three_layer_scores(
            initialization.model(
                *sets[:2], num_iterations=steps, print_cost=False, initialization=name
            ),
            sets,
        )
        for name in ("zeros", "random", "he")
    }


def regularize(quick: bool = False) -> Scores:
    """Say who will reach the ball, plainly, with L2 (λ = 0.7) and with dropout (0.86 stay).

    Parameters
    ----------
    quick : bool
        Take 100 steps instead of 30000.

    Returns
    -------
    dict
        For "plain", "L2" and "dropout": the last "cost" without penalty, shares "train", "test".
    """
    sets = reg_utils.load_2D_dataset(course_file("data.mat"))
    ways: dict[str, dict[str, float]] = {
        "plain": {},
        "L2": {"lambd": 0.7},
        "dropout": {"keep_prob": 0.86},
    }
    steps = 100 if quick else 30000
    return {
        name: three_layer_scores(
            regularization.model(*sets[:2], num_iterations=steps, print_cost=False, **settings),
            sets,
        )
        for name, settings in ways.items()
    }


def check_gradients(quick: bool = False) -> Scores:
    """Check right gradients of a small network, and wrong ones: dW2 doubled, db1 times four.

    Parameters
    ----------
    quick : bool
        Without effect: it takes no time.

    Returns
    -------
    dict
        For "one number", "right" and "wrong" gradients of a network: "difference".
    """
    X, Y, parameters = testCases.gradient_check_n_test_case()
    _, cache = gradient_checking.forward_propagation_n(X, Y, parameters)
    sound = gradient_checking.backward_propagation_n(X, Y, cache)
    wrong = sound | {"dW2": 2 * sound["dW2"], "db1": 4 * sound["db1"]}
    found = {"one number": gradient_checking.gradient_check(2, 4)}
    for name, gradients in (("right", sound), ("wrong", wrong)):
        found[name] = gradient_checking.gradient_check_n(parameters, gradients, X, Y)
    return {name: {"difference": difference} for name, difference in found.items()}


def optimize(quick: bool = False) -> Scores:
    """Tell the moons apart by descent, momentum and Adam, then with rates that fall in steps.

    Parameters
    ----------
    quick : bool
        Take 10 epochs instead of 5000.

    Returns
    -------
    dict
        For each way: the last "cost" and the share "train" of right answers.
    """
    sets = opt_utils.load_dataset()
    falling = {"learning_rate": 0.1, "decay": optimization.schedule_lr_decay}
    ways: dict[str, dict[str, Any]] = {
        "gd": {},
        "momentum": {},
        "adam": {},
        "gd, falling rate": falling,
        "momentum, falling rate": falling,
        "adam, falling rate": falling | {"learning_rate": 0.01},
    }
    found = {}
    for name, settings in ways.items():
        settings = {"num_epochs": 10 if quick else 5000, "print_cost": False} | settings
        parameters = optimization.model(*sets, [2, 5, 2, 1], name.split(",")[0], **settings)
        found[name] = three_layer_scores(parameters, sets)
    return found


ASSIGNMENTS: dict[str, tuple[str, Callable[[bool], Scores]]] = {
    "cat_logistic": ("Cats by logistic regression", cat_logistic),
    "planar": ("The flower by one hidden layer", planar),
    "cat_deep": ("Cats by two and four layers", cat_deep),
    "initialize": ("Circles from three beginnings", initialize),
    "regularize": ("The football field with and without regularisation", regularize),
    "check_gradients": ("Gradients checked", check_gradients),
    "optimize": ("The moons by several optimisers", optimize),
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the assignments that are named, or all of them, and print what they find."""
    parser = argparse.ArgumentParser(prog="python -m fastnn.course.assignments")
    known = ", ".join(ASSIGNMENTS)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {known}; all without any")
    parser.add_argument("--quick", action="store_true", help="few steps: only to see that it runs")
    chosen = parser.parse_args(arguments)
    for name in chosen.names:
        if name not in ASSIGNMENTS:
            parser.error(f"there is no assignment {name!r}; there are {known}")
    for name in chosen.names or ASSIGNMENTS:
        title, assignment = ASSIGNMENTS[name]
        print(f"{title} ({name})")
        start = time.perf_counter()
        try:
            lines = [*format_scores(assignment(chosen.quick))]
            lines.append(f"{time.perf_counter() - start:.1f} s")
        except FileNotFoundError as error:
            lines = [f"passed over: {error}", "name the folder of the files by FASTNN_DATA"]
        except MissingExtraError as error:
            lines = [f"passed over: {error}"]
        print("".join(f"    {line}\n" for line in lines))


if __name__ == "__main__":
    main()
