"""Names of the kernels: one means one thing in all of their rooms."""

import ast
import importlib
from collections import defaultdict
from pathlib import Path

from fastnn import kernels

FOLDER = Path(kernels.__file__).parent
#: Tables and records that every backend has under one name, and the numbers of `erfc`.
OF_EACH_BACKEND = {"ACTIVATIONS", "LOSSES", "METHODS", "BACKEND", "KINDS"}


def modules():
    """Yield (dotted name below kernels, syntax tree) of every module."""
    for path in sorted(FOLDER.rglob("*.py")):
        name = path.relative_to(FOLDER).with_suffix("")
        yield ".".join(name.parts), ast.parse(path.read_text(encoding="utf-8"))


def test_an_upper_case_name_has_one_value():
    paths, values = [f"{kernels.__name__}.{name}" for name, _ in modules()], defaultdict(dict)
    # All are imported before one is looked at, for some tables grow meanwhile.
    found = [importlib.import_module(path.removesuffix(".__init__")) for path in paths]
    for name, module in zip(paths, found, strict=True):
        for key, value in vars(module).items():
            if key.isupper() and not key.startswith("_") and key not in OF_EACH_BACKEND:
                values[key].setdefault(repr(value), name)
    assert not {key: found for key, found in values.items() if len(found) > 1}


def test_a_public_function_has_one_list_of_arguments():
    found = defaultdict(lambda: defaultdict(list))
    for name, tree in modules():
        for node in tree.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                arguments = " ".join(argument.arg for argument in node.args.args)
                found[node.name][arguments].append(name)
    assert not {name: dict(signatures) for name, signatures in found.items() if len(signatures) > 1}
