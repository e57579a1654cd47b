"""Hints for near misses: an option, a command or a name that does not exist, and what was meant."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from fastnn._habits.answers import near

__all__ = ["closest", "unknown_arguments"]

#: What people write, and the names of ours that it may mean; the first that exists is named.
SYNONYMS: dict[str, tuple[str, ...]] = {
    "lr": ("learning-rate",),
    "rate": ("learning-rate",),
    "step-size": ("learning-rate",),
    "b": ("batch-size",),
    "bs": ("batch-size",),
    "minibatch": ("batch-size",),
    "e": ("epochs",),
    "iterations": ("epochs",),
    "max-iter": ("epochs",),
    "steps": ("epochs",),
    "hidden": ("layers",),
    "hidden-layers": ("layers",),
    "hidden-layer-sizes": ("layers",),
    "sizes": ("layers",),
    "units": ("layers",),
    "nonlinearity": ("activation",),
    "solver": ("optimizer",),
    "optimiser": ("optimizer",),
    "sgd": ("gradient-descent",),
    "bfgs": ("lbfgs",),
    "wd": ("weight-decay",),
    "alpha": ("l2",),
    "lambda": ("l2",),
    "regularization": ("l2",),
    "grad-clip": ("clip-norm",),
    "clip": ("clip-norm",),
    "max-norm": ("clip-norm",),
    "bn": ("batch-norm",),
    "batchnorm": ("batch-norm",),
    "patience": ("early-stopping",),
    "val-split": ("validation-split",),
    "validation": ("validation-split",),
    "validation-fraction": ("validation-split",),
    "scheduler": ("schedule",),
    "decay": ("schedule",),
    "mse": ("squared-error",),
    "mae": ("absolute-error",),
    "bce": ("binary-cross-entropy",),
    "crossentropy": ("categorical-cross-entropy",),
    "precision": ("dtype",),
    "random-state": ("seed",),
    "jobs": ("processes", "threads"),
    "j": ("processes", "threads"),
    "n-jobs": ("processes", "threads"),
    "workers": ("processes", "threads"),
    "cpus": ("threads",),
    "o": ("out",),
    "output": ("out",),
    "output-dir": ("out",),
    "dir": ("out",),
    "save": ("out",),
    "f": ("overwrite",),
    "force": ("overwrite",),
    "y": ("overwrite",),
    "yes": ("overwrite",),
    "resume": ("checkpoint",),
    "csv": ("table",),
    "label": ("target",),
    "data": ("train",),
    "input": ("train",),
    "n-trials": ("trials",),
    "fit": ("train",),
    "learn": ("train",),
    "run": ("train",),
    "eval": ("predict",),
    "evaluate": ("predict",),
    "infer": ("predict",),
    "classify": ("predict",),
    "test": ("predict",),
    "search": ("tune",),
    "optimize": ("tune",),
    "bench": ("compare",),
    "benchmark": ("compare",),
    "gradcheck": ("check",),
    "version": ("--version", "info"),
    "versions": ("info",),
    "help": ("--help",),
    "convert": ("export",),
    "onnx": ("export",),
    "compile": ("warmup",),
}
#: Options for files that people name without one.
BY_ENDING = {
    ".h5": "--train",
    ".hdf5": "--train",
    ".csv": "--table",
    ".parquet": "--table",
    ".safetensors": "--checkpoint",
}
#: What is asked for that is not there for anyone.
ABSENT = {
    "gpu": "fastnn runs on the CPU",
    "cuda": "fastnn runs on the CPU",
    "device": "fastnn runs on the CPU",
    "verbose": "fastnn train prints a line for each tenth of the epochs",
    "v": "fastnn train prints a line for each tenth of the epochs",
}


def _match(name: str, known: Collection[str]) -> str | None:
    """Return the known name that a name means, or None."""
    plain = name.replace("_", "-")
    for candidate in (plain, *SYNONYMS.get(plain, ())):
        if candidate in known:
            return candidate
    return near(plain, known)


def closest(name: str, known: Collection[str]) -> str:
    """Return the question whether one of the known names was meant; empty where none is near."""
    found = _match(name, known)
    return f"did you mean {found}?" if found else ""


def unknown_arguments(command: str, unknown: Sequence[str], options: Collection[str]) -> str:
    """Return the sentence about arguments that a command does not have.

    Parameters
    ----------
    command : str
        As it is called: ``fastnn train``.
    unknown : sequence of str
        What was left over; the first of them is explained.
    options : collection of str
        The long options of the command, ``--epochs``.
    """
    first = unknown[0]
    if not first.startswith("-"):
        ending = first[first.rfind(".") :].lower()
        option = BY_ENDING.get(ending)
        hint = f"write {option} {first}" if option in options else f"see {command} --help"
        return f"what is {first!r} for? {hint}"
    name = first.lstrip("-").partition("=")[0]
    if name in ABSENT:
        return f"there is no option {first.partition('=')[0]}: {ABSENT[name]}"
    found = _match(name, [option.removeprefix("--") for option in options])
    hint = f"did you mean --{found}?" if found else f"see {command} --help"
    return f"there is no option {first.partition('=')[0]}; {hint}"
