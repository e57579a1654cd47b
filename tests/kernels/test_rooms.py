"""The rooms of the kernels: what they import, and that a name means one thing in all of them."""

import ast
import importlib
from collections import defaultdict
from pathlib import Path

from fastnn import kernels

FOLDER = Path(kernels.__file__).parent
#: Rooms of jitted from the ground up; those of one floor import nothing of each other.
FLOORS = [
    {"records", "partition", "requirements"},
    {"compiler"},
    {"codegen", "threads"},
    {"gemm"},
    {"ops"},
    {"first_layer"},
    {"step", "api"},
    {"execution"},
    {"backend"},
    {"__init__"},
]
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}
#: Tables and records that every backend has under one name, and the numbers of `erfc`.
OF_EACH_BACKEND = {"ACTIVATIONS", "LOSSES", "METHODS", "BACKEND", "KINDS"}


def modules():
    """Yield (dotted name below kernels, syntax tree) of every module."""
    for path in sorted(FOLDER.rglob("*.py")):
        name = path.relative_to(FOLDER).with_suffix("")
        yield ".".join(name.parts), ast.parse(path.read_text(encoding="utf-8"))


def imported_rooms(name, tree):
    """Yield the rooms of jitted that one of its modules imports."""
    package = name.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package[: len(package) - node.level + 1]
            module = [*base, *(node.module or "").split(".")] if node.module else base
            for alias in node.names if module == ["jitted"] else [None]:
                target = [*module, alias.name] if alias else module
                if target[:1] == ["jitted"]:
                    yield target[1]


def test_imports_inside_jitted_go_down():
    wrong = []
    for name, tree in modules():
        if name.startswith("jitted."):
            room = name.split(".")[1]
            wrong += [
                f"{name} imports {other}"
                for other in imported_rooms(name, tree)
                if other != room and FLOOR[other] >= FLOOR[room]
            ]
    assert not wrong


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
