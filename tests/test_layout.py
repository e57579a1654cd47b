"""The house rules, held by walking the sources: a rule is a check, or it is no rule."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*ROOT.glob("fastnn/**/*.py"), *ROOT.glob("kernels/**/*.py")])
CODE = sorted([*SOURCES, *ROOT.glob("bench/**/*.py"), *ROOT.glob("tests/**/*.py")])

#: Floors from the ground up; a module imports only from floors below its own, or from its own room.
FLOORS = [
    {"kernels"},
    {"errors", "history"},
    {"_validation"},
    {"_runtime"},
    {"activations", "losses", "initializers", "layers", "optimizers", "schedules", "spaces"},
    {"metrics", "data"},
    {"lowering"},
    {"training"},
    {"saving", "export"},
    {"network"},
    {"callbacks", "interop", "diagnostics"},
    {"estimators", "tuning", "plot"},
    {"course", "comparison", "examples"},
    {"cli", "__main__"},
]
FLOOR = {room: i for i, rooms in enumerate(FLOORS) for room in rooms}


def name_of(path):
    return str(path.relative_to(ROOT))


def room_of(path):
    """`kernels`, or the first name under fastnn/."""
    parts = path.relative_to(ROOT).parts
    return "kernels" if parts[0] == "kernels" else Path(parts[1]).stem


def _is_for_types(test):
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def imported_rooms(path):
    """Rooms of fastnn that a module imports, wherever in the file the import stands."""
    depth = len(path.relative_to(ROOT).parts) - 1
    tree = ast.parse(path.read_text())
    hints = [n for n in ast.walk(tree) if isinstance(n, ast.If) and _is_for_types(n.test)]
    only_types = {id(inner) for hint in hints for inner in ast.walk(hint)}
    for node in ast.walk(tree):
        if id(node) in only_types:
            continue
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level == depth:
                yield from [module.split(".")[0]] if module else [a.name for a in node.names]
            elif node.level == 0 and module.split(".")[0] == "fastnn":
                rest = module.split(".")[1:]
                yield from rest[:1] or [a.name for a in node.names]


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
class TestSources:
    def test_imports_go_down(self, path):
        room = room_of(path)
        if path == ROOT / "fastnn" / "__init__.py":
            return
        assert room in FLOOR, f"give {room} a floor in FLOORS"
        if room == "kernels":
            assert "fastnn" not in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.M)
            return
        for other in imported_rooms(path):
            if other in FLOOR:
                assert FLOOR[other] <= FLOOR[room], f"{room} must not import {other}"

    def test_opens_with_one_sentence(self, path):
        text = ast.get_docstring(ast.parse(path.read_text()))
        assert text, "a module says in its first line what it is"
        assert text.split("\n")[0].endswith((".", ":")), text.split("\n")[0]

    def test_functions_are_under_40_lines(self, path):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                if body:
                    lines = body[-1].end_lineno - body[0].lineno + 1
                    assert lines <= 40, f"{node.name} has {lines} lines"

    def test_codes_become_members_from_python_ints(self, path):
        """What an array holds is no member's value for Python 3.13 on."""
        enums = {"Kind", "Loss", "Method", "Mode", "Purpose", "Activation"}
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in enums:
                held = any(isinstance(argument, ast.Subscript) for argument in node.args)
                assert not held, f"line {node.lineno}: wrap the code in int()"

    def test_prints_only_where_users_read(self, path):
        if room_of(path) in {"cli", "course", "examples"}:
            return
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"line {node.lineno}"


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_files_are_under_300_lines_of_100_columns(path):
    lines = path.read_text().splitlines()
    if path in SOURCES:
        assert len(lines) <= 300
    assert all(len(line) <= 100 for line in lines)


@pytest.mark.parametrize("path", CODE, ids=name_of)
def test_kernels_have_one_name(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert all(a.name.split(".")[0] != "kernels" for a in node.names)
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            assert (node.module or "").split(".")[0] != "kernels"


def test_no_public_module_is_named_like_a_public_function():
    import fastnn

    modules = {p.stem for p in ROOT.glob("fastnn/*.py")} | {p.name for p in ROOT.glob("fastnn/*/")}
    functions = {n for n in fastnn.__all__ if callable(getattr(fastnn, n))}
    assert not modules & functions


def test_every_package_is_listed_for_the_wheel():
    import tomllib

    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {"fastnn", "fastnn.kernels"}
    for top in ("fastnn", "kernels"):
        for init in (ROOT / top).rglob("*/__init__.py"):
            rooms = init.parent.relative_to(ROOT).parts
            found.add(".".join(rooms if top == "fastnn" else ("fastnn", *rooms)))
    assert set(listed) == found


def test_top_level_holds_nothing_else():
    import subprocess

    git = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    if git.returncode:
        pytest.skip("not a git checkout")
    top = {line.split("/")[0] for line in git.stdout.splitlines()}
    files, folders = {"pyproject.toml", "README.md", "LICENSE"}, {"fastnn", "kernels", "bench"}
    allowed = files | folders | {"tests", "findings"}
    assert {name for name in top if not name.startswith(".")} <= allowed
