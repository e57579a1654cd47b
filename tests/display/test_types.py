"""What type checkers, editors and `import *` see of names that are imported when first used."""

from __future__ import annotations

import ast
import importlib
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn

ROOT = Path(fastnn.__file__).resolve().parent.parent
PROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"

#: A user's program; a comment says what mypy must find in its line.
PROGRAM = """
from typing import assert_type

import fastnn
from fastnn import Dense, History, Network, data, plot
from fastnn.diagnostics import BiasVariance

net = Network([Dense(3, "relu"), Dense(1, "sigmoid")])
assert_type(net.fit([[1.0]], [1], epochs=2, progress=False), History)
assert_type(fastnn.load("net.safetensors"), Network)
assert_type(fastnn.from_torch(None), Network)
assert_type(fastnn.check_gradients(net, [[1.0]], [1]).passed, bool)
assert_type(fastnn.diagnostics.bias_variance(0.1, 0.2), BiasVariance)
assert_type(fastnn.callbacks.EarlyStopping(patience=3).patience, int)
assert_type(fastnn.tune(lambda: net, [], [], {}).best_score, float)
X, y = data.moons(9)
assert_type(X.ndim, int)
plot.history(net.history, ax=None)
fastnn.warmup(["float32"])
fastnn.MLPClassifier((8,), alpha=0.1, class_weight=None, loss=None)
fastnn.MLPRegressor("huber", (8,), max_time=3.0)
fastnn.MLPClassifier(hokus=1)  # Unexpected keyword argument "hokus" for "MLPClassifier"
fastnn.MLPRegressor(hokus=1)  # Unexpected keyword argument "hokus" for "MLPRegressor"
fastnn.LogisticRegression(hokus=1)  # Unexpected keyword argument "hokus"
fastnn.MLPClassifier(max_iter="9")  # Argument "max_iter" to "MLPClassifier" has incompatible type
fastnn.hokus  # Module has no attribute "hokus"
fastnn.warmup(1)  # Argument 1 to "warmup" has incompatible type
fastnn.tune(lambda: net, [], [])  # Missing positional argument "space" in call to "tune"
net.fit([[1.0]], [1], epoch=3)  # Unexpected keyword argument "epoch" for "fit" of "Network"
plot.history(net.history, axes=None)  # Unexpected keyword argument "axes"
data.moons("9")  # Argument 1 to "moons" has incompatible type
Network([1])  # List item 0 has incompatible type "int"
"""


@pytest.mark.slow
def test_mypy_knows_every_name_and_its_signature(tmp_path):
    pytest.importorskip("mypy", reason="mypy is not installed")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    (tmp_path / "program.py").write_text(PROGRAM)
    # The settings that `.ci/run` checks the package by, which then finds what is cached here.
    command = ["--config-file", PROJECT, "program.py"]
    # mypy finds what is installed by itself, and refuses to be told where.
    checkout = {} if "site-packages" in ROOT.parts else {"MYPYPATH": str(ROOT)}
    found = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", "--hide-error-codes", *command],
        cwd=tmp_path, capture_output=True, text=True, check=False, env=os.environ | checkout,
    )  # fmt: skip
    errors = dict(re.findall(r"^program\.py:(\d+): error: (.*)$", found.stdout, re.M))
    wanted = {
        str(number): line.partition("  # ")[2]
        for number, line in enumerate(PROGRAM.splitlines(), 1)
        if "  # " in line
    }
    assert errors.keys() == wanted.keys(), found.stdout + found.stderr
    assert not [n for n in wanted if wanted[n] not in errors[n]], errors


def test_what_is_lazy_is_imported_for_type_checkers():
    tree = ast.parse(Path(fastnn.__file__).read_text())
    (block,) = (
        node for node in tree.body
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )  # fmt: skip
    told = {
        alias.name: f"fastnn.{node.module}" if node.module else "fastnn"
        for node in block.body
        for alias in node.names
    }
    wanted = {name: f"fastnn.{module}" for name, module in fastnn._LAZY_FUNCTIONS.items()}
    assert told == wanted | dict.fromkeys(fastnn._LAZY, "fastnn")


def test_every_public_module_comes_by_a_star():
    """Rooms that only other rooms use are left out, by name."""
    inner = {"comparison", "export", "history", "kernels", "lowering", "network", "ranks",
             "row_sources", "saving", "training", "tuning", "cli", "examples", "loading",
             "tabular", "quantization"}  # fmt: skip
    folder = Path(fastnn.__file__).parent
    modules = {path.stem for path in folder.glob("[a-z]*.py")}
    modules |= {path.parent.name for path in folder.glob("[a-z]*/__init__.py")}
    assert modules - inner - {"estimators"} == {
        name for name in fastnn.__all__ if inspect.ismodule(getattr(fastnn, name))
    } - {"estimators"}
    for name in ("optimizers", "losses", "schedules"):
        public = importlib.import_module(f"fastnn.{name}").__all__
        assert all(hasattr(getattr(fastnn, name), one) for one in public)


def test_lazy_names_have_signatures_and_docstrings():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    for name in fastnn._LAZY_FUNCTIONS:
        thing = getattr(fastnn, name)
        assert name in dir(fastnn)
        assert thing.__doc__
        assert "*args" not in str(inspect.signature(thing))


def test_signatures_for_type_checkers_are_those_at_run_time():
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    from fastnn.estimators import signatures

    source = ast.parse(Path(signatures.__file__).read_text())
    for estimator, told, named in (
        (fastnn.MLPClassifier, "ClassifierInit", signatures.ClassifierSettings),
        (fastnn.MLPRegressor, "RegressorInit", signatures.RegressorSettings),
    ):
        (init,) = (
            node
            for one in source.body
            if isinstance(one, ast.ClassDef) and one.name == told
            for node in ast.walk(one)
            if isinstance(node, ast.FunctionDef)
        )
        positional, by_name = {}, {}
        for name, parameter in inspect.signature(estimator).parameters.items():
            if parameter.kind is parameter.KEYWORD_ONLY:
                by_name[name] = parameter.annotation
            else:
                positional[name] = parameter.default
        defaults = map(ast.literal_eval, init.args.defaults)
        assert positional == dict(
            zip([arg.arg for arg in init.args.args[1:]], defaults, strict=True)
        )
        assert by_name == {name: one.__forward_arg__ for name, one in named.__annotations__.items()}
