"""The README's programs print what it says, and its commands are the ones that CI runs."""

import functools
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.medium

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "README.md").read_text()
COURSE = (ROOT / ".github" / "docs" / "course.md").read_text()
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


@pytest.mark.parametrize("place", range(len(pairs())), ids=lambda place: f"block{place + 1}")
def test_a_python_block_alone_prints_what_it_says(place, tmp_path):
    """Words to the letter; numbers to 5 % or 0.005, for another CPU rounds otherwise."""
    code, expected = pairs()[place]
    environment = {"PYTHONPATH": os.pathsep.join(sys.path), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=tmp_path, env=os.environ | environment,
        capture_output=True, text=True, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    printed = done.stdout
    assert NUMBER.sub("#", printed) == NUMBER.sub("#", expected), printed
    for have, want in zip(NUMBER.findall(printed), NUMBER.findall(expected), strict=True):
        assert float(have) == pytest.approx(float(want), rel=0.05, abs=0.005), printed


def test_first_screen_installs_trains_and_shows_a_program():
    screen = TEXT.splitlines()[:30]
    assert [line for line in screen if line.startswith("pip install")]
    assert [line for line in screen if line.startswith("python3 -m venv") and "train" in line]
    assert "```python" in screen


def test_the_picture_is_the_first_program_s():
    code, _ = pairs()[0]
    name = re.search(r'savefig\("(.+?)"\)', code).group(1)
    picture = re.search(r"!\[[^\]]+\]\((.+?)\)", TEXT).group(1)
    assert picture.endswith(f"/{name}")
    assert (ROOT / picture).read_bytes().startswith(b"\x89PNG")


def test_ci_runs_the_readmes_commands():
    script = (ROOT / ".ci" / "run").read_text()
    commands = [
        c for c in "".join(blocks("console")).splitlines() if c.startswith("python3 -m venv")
    ]
    assert len(commands) == 2
    assert "README.md" in script


def pages():
    """The READMEs of the checkout and the pages for developers."""
    folders = [ROOT, *(ROOT / name for name in ("fastnn", "kernels", "bench", "tests", ".github"))]
    return sorted(page for folder in folders for page in folder.glob("*.md"))


def named_paths(page):
    """The paths that a page names in backticks: below a folder of ours, or modules and pages."""
    quoted = re.findall(r"`([\w./-]+)`", page.read_text())
    tops = ("fastnn/", "kernels/", "tests/", "bench/")
    return [name for name in quoted if name.startswith(tops) or name.endswith((".py", ".md"))]


@functools.cache
def files():
    """The paths of all files in the folders of pages, from the root on: a checkout holds more."""
    folders = {page.parent for page in pages()} - {ROOT}
    found = [path for folder in folders for path in folder.rglob("*.*")] + [*ROOT.glob("*.*")]
    return {str(path.relative_to(ROOT)) for path in found}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_named_files_exist(page):
    for name in named_paths(page):
        inside = any(file.endswith(f"/{name}") for file in files())  # `loop.py` of a room's page
        assert (ROOT / name).exists() or inside, f"{page.name} names {name}, which is not there"


def test_the_map_of_the_package_names_every_room():
    page = (ROOT / "fastnn" / "README.md").read_text()
    assert len(page.splitlines()) < 150
    rooms = [path for path in (ROOT / "fastnn").iterdir() if path.suffix in ("", ".py")]
    for room in rooms:
        name = f"`fastnn/{room.name}{'/' if room.is_dir() else ''}`"
        assert name in page or room.name.startswith("__pycache__"), f"name {name} on the map"


@pytest.mark.parametrize(
    "name",
    sorted(set(re.findall(r"`(?:python -m )?(fastnn\.(?:course|examples)\.\w+)`", TEXT + COURSE))),
)
def test_named_modules_exist(name):
    assert importlib.util.find_spec(name) is not None
