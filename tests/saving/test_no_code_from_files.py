"""Nothing that stands in a file is run: no eval, no pickle, no import by a name from data."""

from __future__ import annotations

import ast
import builtins
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = sorted([*ROOT.glob("fastnn/**/*.py"), *ROOT.glob("kernels/**/*.py")])

#: Builtins that turn text into code.
RUNNERS = {"eval", "exec", "compile", "__import__"}
#: Modules whose readers run code, or import what the data name.
LOADERS = {
    "cloudpickle", "code", "dill", "imp", "joblib", "jsonpickle", "marshal", "pickle", "runpy",
    "shelve", "yaml",
}  # fmt: skip
#: Why some may: none of them reads what a stranger has written.
ALLOWED = {
    "fastnn/tuning/parcel.py": {"pickle"},  # loads what the process that gives it tasks has sent
    "fastnn/tuning/results.py": {"pickle"},  # dumps alone, to see whether a function can be kept
}
#: Modules that may import by a name that is no literal: their callers are in the sources.
IMPORTERS = {
    "fastnn/__init__.py": "names of a fixed table, looked up as attributes",
    "fastnn/_lazy.py": "names of modules of a package, from its fixed table",
    "fastnn/_moved.py": "names of a fixed table",
    "fastnn/cli/main.py": "names of the modules of verbs, from a fixed list",
    "fastnn/_runtime/optional.py": "names of optional dependencies; its calls are checked below",
    "fastnn/callbacks/tensorboard.py": "parts of tensorboard, named where it is called",
    "fastnn/plot/_canvas.py": "parts of matplotlib, named where it is called",
    "kernels/__init__.py": "names of backends",
}


def name_of(path):
    return str(path.relative_to(ROOT))


def called(node):
    """The name that a call calls, with what stands before the last dot."""
    function, parts = node.func, []
    while isinstance(function, ast.Attribute):
        parts.append(function.attr)
        function = function.value
    if isinstance(function, ast.Name):
        parts.append(function.id)
    return ".".join(reversed(parts))


def faults(tree):
    """Yield what a module does that could run data: what it is, and its line."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = getattr(node, "module", None) or ""
            level = getattr(node, "level", 0)
            names = [module] if module else [alias.name for alias in node.names]
            for name in names if level == 0 else []:
                if name.split(".")[0] in LOADERS:
                    yield name.split(".")[0], node.lineno
        elif isinstance(node, ast.Name) and node.id in RUNNERS:
            yield node.id, node.lineno
        elif isinstance(node, ast.Call):
            last = called(node).split(".")[-1]
            literal = bool(node.args) and isinstance(node.args[0], ast.Constant)
            if (last == "import_module" or called(node) == "require") and not literal:
                yield last, node.lineno
            for keyword in node.keywords:
                if keyword.arg == "allow_pickle" and not (
                    isinstance(keyword.value, ast.Constant) and keyword.value.value is False
                ):
                    yield "allow_pickle", node.lineno
            if called(node) in {"np.load", "numpy.load"}:
                yield "np.load", node.lineno


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_module_turns_data_into_code(path):
    allowed = ALLOWED.get(name_of(path), set())
    if name_of(path) in IMPORTERS:
        allowed = allowed | {"import_module", "require"}
    found = [fault for fault in faults(ast.parse(path.read_text())) if fault[0] not in allowed]
    assert not found


def test_what_may_pickle_does_not_load_what_others_wrote():
    uses = {
        name: [called(node) for node in ast.walk(ast.parse((ROOT / name).read_text()))
               if isinstance(node, ast.Call) and called(node).startswith("pickle.load")]
        for name in ALLOWED
    }  # fmt: skip
    # What a task carried, and files that only this user could write, under a key from the task.
    assert uses.pop("fastnn/tuning/parcel.py") == ["pickle.loads", "pickle.loads"]
    assert not any(uses.values())


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("eval(text)", "eval"), ("run = exec", "exec"), ("__import__(name)", "__import__"),
        ("import pickle", "pickle"), ("from yaml import load", "yaml"),
        ("import joblib.externals", "joblib"), ("importlib.import_module(name)", "import_module"),
        ("require(f'{name}.figure')", "require"), ("np.load(path)", "np.load"),
        ("read(path, allow_pickle=True)", "allow_pickle"),
        ("read(path, allow_pickle=flag)", "allow_pickle"), ("compile(text, '', 'exec')", "compile"),
    ],
)  # fmt: skip
def test_the_rule_sees(code, fault):
    assert [kind for kind, _ in faults(ast.parse(code))] == [fault]


@pytest.mark.parametrize(
    "code", ["re.compile(text)", "kernel.compile(signature)", "torch.eval()", "net.load(path)",
             "importlib.import_module('fcntl')", "from ._json import parse"],
)  # fmt: skip
def test_the_rule_lets_pass(code):
    assert not list(faults(ast.parse(code)))


def test_builtins_that_run_text_are_all_named():
    assert set(dir(builtins)) >= RUNNERS
