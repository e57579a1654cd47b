"""The API reference holds every public name, lazy ones too, with its docstring's sections."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import fastnn

pytestmark = pytest.mark.medium

pytest.importorskip("pdoc", reason="pdoc is not installed")

SCRIPT = Path(__file__).resolve().parent.parent / ".ci" / "reference.py"


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    command = [sys.executable, str(SCRIPT), str(folder)]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return folder


def test_every_public_name_is_there(pages):
    page = (pages / "fastnn.html").read_text(encoding="utf-8")
    for name in dir(fastnn):
        if name.startswith("_"):
            continue
        if isinstance(getattr(fastnn, name), type(fastnn)):
            assert (pages / "fastnn" / f"{name}.html").exists()
        else:
            assert f'id="{name}"' in page, name


def test_lazy_names_have_their_docstrings(pages):
    page = (pages / "fastnn.html").read_text(encoding="utf-8")
    for name, opening in (
        ("check_gradients", "Compare a network's gradient"),
        ("tune", "Train networks with random parameters"),
    ):
        assert re.search(rf'id="{name}">.*?class="docstring"><p>{opening}', page, re.S), name


def test_shapes_and_sections_are_rendered(pages):
    page = (pages / "fastnn.html").read_text(encoding="utf-8")
    text = page.split('id="Network.fit"', 1)[1].split('id="Network.predict"', 1)[0]
    titles = re.findall(r"<h6[^>]*>(\w+)</h6>", text)
    assert titles == ["Parameters", "Returns", "Raises"]
    assert "<strong>X</strong> (array (m, n)):" in text
    assert "<strong>DivergenceError</strong>:" in text


def test_private_modules_have_no_page(pages):
    assert not list(pages.rglob("_*.html"))
    assert not (pages / "fastnn" / "kernels.html").exists()
