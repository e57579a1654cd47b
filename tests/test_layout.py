"""The house rules, held by walking the sources: a rule is a check, or it is no rule."""

import ast
import re
from functools import cache
from pathlib import Path

import import_graph
import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted([*ROOT.glob("fastnn/**/*.py"), *ROOT.glob("kernels/**/*.py")])
CODE = sorted([*SOURCES, *ROOT.glob("bench/**/*.py"), *ROOT.glob("tests/**/*.py")])


@cache
def tree_of(path):
    """The syntax tree of a file; each is parsed once."""
    return ast.parse(path.read_text(encoding="utf-8"))


def nodes(paths, *kinds):
    """Every node of these kinds, with the place that names it."""
    for path in paths:
        for node in ast.walk(tree_of(path)):
            if isinstance(node, kinds):
                yield path, node, f"{path.relative_to(ROOT)}:{node.lineno}"


def room_of(path):
    """`kernels`, or the first name under fastnn/."""
    parts = path.relative_to(ROOT).parts
    return "kernels" if parts[0] == "kernels" else Path(parts[1]).stem


def none(offenders):
    """Fail with all offenders of a rule, one a line."""
    offenders = list(offenders)
    assert not offenders, "\n".join(["", *offenders])


class TestImports:
    """Rooms stand on floors: `python tests/import_graph.py` prints them."""

    def told(self, arrows):
        """Import by import as text."""
        return [f"{each.source}:{each.line} must not import {each.target}" for each in arrows]

    def test_every_room_has_a_floor(self):
        for floors, room in (
            (import_graph.FLOORS, import_graph.room_of),
            (import_graph.JITTED_FLOORS, import_graph.jitted_room_of),
        ):
            placed = [name for names in floors for name in names]
            assert len(placed) == len(set(placed))
            assert set(placed) == {room(name) for name in import_graph.modules()} - {""}

    def test_go_down(self):
        graph = import_graph.graph()
        none(self.told(import_graph.back_arrows(graph, import_graph.room_of, import_graph.FLOORS)))

    def test_go_down_within_the_compiled_kernels(self):
        graph, floors = import_graph.graph(), import_graph.JITTED_FLOORS
        none(self.told(import_graph.back_arrows(graph, import_graph.jitted_room_of, floors)))

    def test_go_in_no_circle(self):
        rings = import_graph.circles(import_graph.graph())
        none(f"{', '.join(ring)} import one another" for ring in rings)

    def test_of_what_a_fit_needs_at_run_time_are_of_no_compiler(self):
        graph = import_graph.graph()
        rooms = ("loader", "api", "execution", "threads", "backend")
        names = [n for n in import_graph.modules() if import_graph.jitted_room_of(n) in rooms]
        paths = {name: import_graph.path_to_compiler(name, graph) for name in names}
        none(" → ".join(path) for path in paths.values() if path)

    def test_of_kernels_never_name_fastnn(self):
        """`kernels` is `fastnn.kernels` once installed, and imports by relative names alone."""
        none(
            f"{path.relative_to(ROOT)} imports fastnn"
            for path in SOURCES
            if room_of(path) == "kernels"
            and "fastnn" in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.M)
        )

    def test_know_kernels_by_one_name(self):
        modules = [
            (place, name)
            for _, node, place in nodes(CODE, ast.Import, ast.ImportFrom)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""] * (node.level == 0)
            )
        ]
        none(place for place, name in modules if name.split(".")[0] == "kernels")


def test_only_its_own_room_looks_into_a_network():
    """Others take its state, by `fastnn.network.description.state_of`."""
    from fastnn import Network

    net = Network.mlp([2, 2], output="softmax")
    private = {name for name in dir(net) if name.startswith("_") and not name.startswith("__")}
    assert "_state" in private
    none(
        f"{place}: {ast.unparse(node)}"
        for path, node, place in nodes(SOURCES, ast.Attribute)
        if node.attr in private
        and room_of(path) != "network"
        and not (isinstance(node.value, ast.Name) and node.value.id in ("self", "cls"))
    )


def test_modules_open_with_one_sentence():
    texts = {path: ast.get_docstring(tree_of(path)) or "" for path in SOURCES}
    none(
        f"{path.relative_to(ROOT)}: {text!r}"
        for path, text in texts.items()
        if not text.split("\n")[0].endswith((".", ":"))
    )


def test_functions_are_under_40_lines():
    def lines(node):
        body = node.body[1:] if ast.get_docstring(node) else node.body
        return body[-1].end_lineno - body[0].lineno + 1 if body else 0

    none(
        f"{place}: {node.name} has {lines(node)} lines"
        for _, node, place in nodes(SOURCES, ast.FunctionDef, ast.AsyncFunctionDef)
        if lines(node) > 40
    )


def test_codes_become_members_from_python_ints():
    """What an array holds is no member's value for Python 3.13 on."""
    enums = {"Kind", "Loss", "Method", "Mode", "Purpose", "Activation"}
    none(
        f"{place}: wrap the code in int()"
        for _, node, place in nodes(SOURCES, ast.Call)
        if getattr(node.func, "id", "") in enums
        and any(isinstance(argument, ast.Subscript) for argument in node.args)
    )


def test_prints_only_where_users_read():
    none(
        place
        for path, node, place in nodes(SOURCES, ast.Call)
        if room_of(path) not in {"cli", "course", "examples"}
        and isinstance(node.func, ast.Name)
        and node.func.id == "print"
    )


def test_files_are_under_300_lines_of_100_columns():
    found = {path: path.read_text().splitlines() for path in CODE}
    none(
        f"{path.relative_to(ROOT)} has {len(lines)} lines"
        for path, lines in found.items()
        if path in SOURCES and len(lines) > 300
    )
    none(
        f"{path.relative_to(ROOT)}:{number} has {len(line)} columns"
        for path, lines in found.items()
        for number, line in enumerate(lines, start=1)
        if len(line) > 100
    )


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
