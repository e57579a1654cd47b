"""The rules of the tests themselves, held by reading them."""

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
FILES = sorted(TESTS.rglob("*.py"))
CLOCKS = {"monotonic", "perf_counter", "process_time", "thread_time", "time"}
#: Rooms whose tests stand elsewhere: beside those of what uses them, or at the top.
ELSEWHERE = {
    "_display", "_habits", "_packaging", "_runtime", "_validation", "examples", "lowering",
}  # fmt: skip


def is_marked(node, name):
    """Whether a function or class has pytest's marker of that name."""
    return any(f"pytest.mark.{name}" in ast.unparse(one) for one in node.decorator_list)


def outside(node, is_found, marker):
    """Yield the lines of nodes that are found outside of what has the marker."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and is_marked(node, marker):
        return
    if is_found(node):
        yield node.lineno
    for child in ast.iter_child_nodes(node):
        yield from outside(child, is_found, marker)


def forks(node):
    if not isinstance(node, ast.Call):
        return False
    return ast.unparse(node) in {"os.fork()", "multiprocessing.get_context('fork')"}


def reads_a_clock(node):
    if isinstance(node, ast.ImportFrom):
        return node.module == "time" and any(alias.name in CLOCKS for alias in node.names)
    return isinstance(node, ast.Attribute) and ast.unparse(node) in {f"time.{c}" for c in CLOCKS}


def offenders(word, lines):
    """Return the lines that `lines(tree)` yields of the tests' files that hold a word, by file."""
    texts = {str(path.relative_to(TESTS)): path.read_text() for path in FILES}
    found = {n: list(lines(ast.parse(text))) for n, text in texts.items() if word in text}
    return {name: of_file for name, of_file in found.items() if of_file}


def test_every_room_has_tests():
    rooms = {path.parent.name for path in TESTS.parent.glob("fastnn/*/__init__.py")}
    tested = {path.parent.name for path in FILES if path.name.startswith("test_")}
    assert rooms - ELSEWHERE <= tested


def test_what_forks_is_marked():
    assert not offenders("fork", lambda tree: outside(tree, forks, "forks"))


def test_no_test_reads_a_clock():
    assert not offenders(
        "time", lambda tree: (node.lineno for node in ast.walk(tree) if reads_a_clock(node))
    )


@pytest.mark.parametrize(
    ("code", "is_found"),
    [
        ("def test_it():\n    os.fork()", True),
        ("class TestIt:\n    def child():\n        return os.fork()", True),
        ("@pytest.mark.forks\nclass TestIt:\n    def child():\n        return os.fork()", False),
        ("context = multiprocessing.get_context('spawn')", False),
    ],
)
def test_the_rule_of_forks_sees(code, is_found):
    assert bool(list(outside(ast.parse(code), forks, "forks"))) is is_found
