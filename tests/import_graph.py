"""The import graph of fastnn/ and kernels/: ``python tests/import_graph.py`` prints it.

Every import counts: relative and absolute, at the top of a module, inside a function, for types
alone, and by `importlib.import_module` with a name that is written out. A room is a folder, or a
module that stands in `fastnn/` itself; `fastnn` is the room of `fastnn/__init__.py`.
"""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent

#: Rooms of fastnn/ from the ground up; a module imports from lower floors and from its own room.
FLOORS = (
    {"kernels"},
    {"_display", "_moved", "_packaging", "_version", "errors"},
    {"_habits"},
    {"_lazy", "_validation", "history"},
    {"_runtime", "activations", "initializers", "losses", "optimizers", "schedules", "spaces"},
    {"row_sources"},
    {"data", "layers", "metrics", "ranks"},
    {"lowering"},
    {"training"},
    {"saving"},
    {"export"},
    {"quantization"},
    {"network"},
    {"callbacks", "diagnostics", "interop"},
    {"estimators", "tuning"},
    {"tabular"},
    {"loading", "plot"},
    {"comparison", "course"},
    {"cli"},
    {"fastnn", "__main__"},
    {"examples"},
)
#: Rooms of kernels/jitted/ from the ground up.
JITTED_FLOORS = (
    {"int8_layout", "records", "requirements"},
    {"loader"},
    {"compiler"},
    {"codegen"},
    {"gemm", "threads"},
    {"ops"},
    {"first_layer"},
    {"api", "step"},
    {"execution", "rooms"},
    {"backend"},
)
COMPILERS = ("numba", "llvmlite")


class Import(NamedTuple):
    """One import: who imports what, in which line, and whether that runs with the module."""

    source: str
    target: str
    line: int
    at_once: bool  # False inside a function, and for types alone


def modules() -> dict[str, Path]:
    """Return the path of every module by its dotted name; `kernels` is `fastnn.kernels`."""
    found = {}
    for path in sorted([*ROOT.glob("fastnn/**/*.py"), *ROOT.glob("kernels/**/*.py")]):
        parts = list(path.relative_to(ROOT).with_suffix("").parts)
        parts = parts if parts[0] == "fastnn" else ["fastnn", *parts]
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


@cache
def graph() -> list[Import]:
    """Return all imports of the modules of fastnn/ and kernels/, those of other libraries too."""
    known = modules()
    return [each for name in known for each in _imports_of(name, known)]


def _imports_of(name: str, known: dict[str, Path]) -> Iterator[Import]:
    """Yield what one module imports; a name within a module counts as the module."""
    package = name.split(".") if known[name].stem == "__init__" else name.split(".")[:-1]
    for node, at_once in _walk(ast.parse(known[name].read_text(encoding="utf-8")), True):
        for target in dict.fromkeys(_targets(node, package, known)):
            if target != name:
                yield Import(name, target, node.lineno, at_once)


def _walk(node: ast.AST, at_once: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Yield all nodes, and whether what they do is done when the module is imported."""
    for child in ast.iter_child_nodes(node):
        later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        typing = isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING")
        yield child, at_once
        yield from _walk(child, at_once and not later and not typing)


def _targets(node: ast.AST, package: Sequence[str], known: dict[str, Path]) -> list[str]:
    """Return the modules that one statement or call imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        above = package[: len(package) - node.level + 1] if node.level else []
        base = ".".join([*above, *([node.module] if node.module else [])])
        inner = [f"{base}.{alias.name}" for alias in node.names]
        return [each if each in known else base for each in inner]
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        function = getattr(node.func, "attr", getattr(node.func, "id", ""))
        name = node.args[0].value
        return [name] if function == "import_module" and not name.startswith(".") else []
    return []


def room_of(name: str) -> str:
    """Return the room of a module of fastnn; "" for a module of another library."""
    parts = name.split(".")
    return "" if parts[0] != "fastnn" else (parts[1] if len(parts) > 1 else "fastnn")


def jitted_room_of(name: str) -> str:
    """Return the room within kernels/jitted/; "" for a module that stands elsewhere."""
    parts = name.split(".")
    return parts[3] if parts[:3] == ["fastnn", "kernels", "jitted"] and len(parts) > 3 else ""


def back_arrows(
    imports: Sequence[Import], room: Callable[[str], str], floors: Sequence[set[str]]
) -> list[Import]:
    """Return the imports that go up, or into another room of the same floor."""
    floor = {name: number for number, names in enumerate(floors) for name in names}
    return [
        each
        for each in imports
        if room(each.source) != room(each.target)
        and floor.get(room(each.target), -1) >= floor.get(room(each.source), len(floors))
    ]


def circles(imports: Sequence[Import]) -> list[list[str]]:
    """Return the sets of modules that import one another, by Tarjan's algorithm."""
    targets = defaultdict(set)
    for each in imports:
        targets[each.source].add(each.target)
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(name: str) -> None:
        index[name] = low[name] = len(index)
        stack.append(name)
        for target in sorted(targets.get(name, ())):
            if target not in index:
                visit(target)
            if target in stack:
                low[name] = min(low[name], low[target])
        if low[name] == index[name]:
            start = stack.index(name)
            if len(stack) > start + 1:
                found.append(sorted(stack[start:]))
            del stack[start:]

    for name in sorted(targets):
        if name not in index:
            visit(name)
    return found


def path_to_compiler(name: str, imports: Sequence[Import]) -> list[str]:
    """Return the modules by which importing one imports Numba or llvmlite; none if it does not."""
    targets = defaultdict(list)
    for each in imports:
        if each.at_once:
            targets[each.source].append(each.target)
    paths, seen = [[name]], {name}
    for path in paths:
        for target in targets[path[-1]]:
            if target.split(".")[0] in COMPILERS:
                return [*path, target]
            if target not in seen:
                seen.add(target)
                paths.append([*path, target])
    return []


def _floors(
    imports: Sequence[Import], room: Callable[[str], str], floors: Sequence[set[str]]
) -> Iterator[str]:
    """Yield a line for each room from the top floor down, and one for each arrow back."""
    below = defaultdict(set)
    for each in imports:
        below[room(each.source)].add(room(each.target))
    for names in reversed(floors):
        for name in sorted(names):
            used = ", ".join(sorted(below[name] - {name, ""}))
            yield f"  {name:<14} imports {used or 'nothing'}"
    for each in back_arrows(imports, room, floors):
        yield f"  back: {each.source}:{each.line} imports {each.target}"


def report() -> str:
    """Return rooms, floors, arrows back and circles as text."""
    imports = graph()
    rings = [f"circle: {', '.join(ring)}" for ring in circles(imports)]
    lines = [
        "Rooms of fastnn/, from the top floor down:",
        *_floors(imports, room_of, FLOORS),
        "Rooms of kernels/jitted/, from the top floor down:",
        *_floors(imports, jitted_room_of, JITTED_FLOORS),
        *rings,
        f"{len(modules())} modules, {len(rings)} circles",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.stdout.write(report() + "\n")
