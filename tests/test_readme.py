"""The README's programs print what it says, and its commands are the ones that CI runs."""

import contextlib
import io
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text()
NUMBER = re.compile(r"\d+\.\d+|\d+")


def blocks(kind):
    return re.findall(rf"```{kind}\n(.*?)```", TEXT, re.S)


def pairs():
    """Every Python block with the text block that follows it before the next one."""
    found = []
    for piece in re.split(r"```python\n", TEXT)[1:]:
        code, rest = piece.split("```", 1)
        printed = re.search(r"```text\n(.*?)```", rest, re.S)
        found.append((code, printed.group(1) if printed else ""))
    return found


def test_python_blocks_print_what_they_say(tmp_path, monkeypatch):
    """Words to the letter; numbers to 5 % or 0.005, for another CPU rounds otherwise."""
    monkeypatch.chdir(tmp_path)  # they save files
    space = {}
    for code, expected in pairs():
        out = io.StringIO()
        with contextlib.redirect_stdout(out):
            exec(compile(code, "README.md", "exec"), space)
        printed = out.getvalue()
        assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected), printed
        for have, want in zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True):
            assert float(have) == pytest.approx(float(want), rel=0.05, abs=0.005), printed


def test_first_program_has_eight_lines():
    lines = [line for line in pairs()[0][0].splitlines() if line]
    assert len(lines) == 8


def test_ci_runs_the_readmes_commands():
    script = (ROOT / ".ci" / "run").read_text()
    commands = [
        c for c in "".join(blocks("console")).splitlines() if c.startswith("python3 -m venv")
    ]
    assert len(commands) == 2
    assert "README.md" in script


@pytest.mark.parametrize("path", re.findall(r"`(fastnn/[\w/.]+)`", TEXT))
def test_named_files_exist(path):
    assert (ROOT / path).exists()


@pytest.mark.parametrize(
    "name", sorted(set(re.findall(r"`(?:python -m )?(fastnn\.course\.\w+)`", TEXT)))
)
def test_named_modules_exist(name):
    import importlib

    importlib.import_module(name)
