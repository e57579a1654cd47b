"""What the pages for contributors name exists: files, modules, markers, versions."""

import re
import tomllib
from pathlib import Path

import pytest

import fastnn

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *ROOT.glob(".github/*.md"), *ROOT.glob("*/README.md")])
TOP = ("bench/", "fastnn/", "findings/", "kernels/", "tests/", ".ci/", ".github/")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def name_of(page):
    return str(page.relative_to(ROOT))


def text_of(page):
    return page.read_text(encoding="utf-8")


def paths_of(text):
    """Files that `test_readme.py` does not look for: in commands, hidden ones, and patterns."""
    quoted = re.findall(r"`([\w./*-]+)`", text)
    yield from (
        path for path in quoted if path.startswith((".ci/", ".github/")) or path.endswith("*.py")
    )
    commands = " ".join(re.findall(r"```console\n(.*?)```", text, re.S))
    yield from (word for word in commands.split() if word.startswith(TOP))


def is_there(path, page):
    """Tell whether a path or pattern exists, from the root or somewhere in the page's folder."""
    if path.startswith("/"):
        return False
    return any(ROOT.glob(path)) or any(page.parent.rglob(path))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
class TestPages:
    def test_named_files_exist(self, page):
        assert not [path for path in paths_of(text_of(page)) if not is_there(path, page)]

    def test_links_lead_somewhere(self, page):
        links = re.findall(r"\]\(([^)#]+)\)", text_of(page))
        assert not [link for link in links if ":" not in link and not (page.parent / link).exists()]

    def test_modules_that_are_run_exist(self, page):
        named = re.findall(r"python -m ((?:bench|fastnn)[\w.]*)", text_of(page))
        files = [ROOT.joinpath(*name.split(".")) for name in named]
        assert not [
            str(file)
            for file in files
            if not (file.with_suffix(".py").exists() or (file / "__main__.py").exists())
        ]

    def test_markers_are_those_of_the_tests(self, page):
        known = {
            line.partition(":")[0] for line in PROJECT["tool"]["pytest"]["ini_options"]["markers"]
        }
        assert set(re.findall(r"pytest -m (\w+)", text_of(page))) <= known


def test_changelog_ends_at_this_version():
    versions = re.findall(
        r"^## (\d\S*) – \d{4}-\d\d-\d\d$", text_of(ROOT / ".github/CHANGELOG.md"), re.M
    )
    assert versions[0] == fastnn.__version__ == PROJECT["project"]["version"]


def test_citation_is_of_the_last_release():
    text = text_of(ROOT / ".github/CITATION.cff")
    version, date = re.findall(
        r"^## (\d\S*) – (\S+)$", text_of(ROOT / ".github/CHANGELOG.md"), re.M
    )[0]
    assert f"\nversion: {version}\ndate-released: {date}\nlicense: MIT\n" in text


def test_classifiers_name_the_pythons_that_are_tested():
    newest = int(re.search(r"^NEWEST=(\d+)", text_of(ROOT / ".ci/pythons"), re.M).group(1))
    least = int(PROJECT["project"]["requires-python"].removeprefix(">=3."))
    named = [c for c in PROJECT["project"]["classifiers"] if re.search(r":: 3\.\d+$", c)]
    assert named == [f"Programming Language :: Python :: 3.{v}" for v in range(least, newest + 1)]


def test_every_released_version_has_golden_files():
    versions = re.findall(r"^## (\d\S*) – ", text_of(ROOT / ".github/CHANGELOG.md"), re.M)
    assert all((ROOT / "tests" / "golden" / version / "told.json").exists() for version in versions)


def test_commits_are_checked_by_the_ruff_of_the_dev_extra():
    hooks = text_of(ROOT / ".pre-commit-config.yaml")
    (wanted,) = (
        need
        for need in PROJECT["project"]["optional-dependencies"]["dev"]
        if need.startswith("ruff")
    )
    assert set(re.findall(r'"(ruff[^"]*)"', hooks)) == {wanted}
