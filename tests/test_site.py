"""The documentation site holds every public name and every picture; `.ci/run` builds it."""

import ast
import importlib
import re
import shlex
import sys
import tomllib
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

import fastnn

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / ".github" / "docs"
PAGES = sorted(DOCS.rglob("*.md"))

pytest.importorskip("sphinx", reason="sphinx is not installed")


def name_of(page):
    return str(page.relative_to(DOCS))


def fences(page, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


def extension(name):
    """Import a module of the site's own."""
    sys.path.insert(0, str(DOCS / "_extensions"))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(DOCS / "_extensions"))


@pytest.fixture(scope="module")
def reference():
    return extension("reference")


@pytest.fixture(scope="module")
def entries(reference):
    """Every name that has an entry of the reference, by its full name."""
    text = "\n".join(reference.pages().values())
    return re.findall(r"^\.\. (?:auto|py:)(?:class|data|exception|function):: (\S+)$", text, re.M)


class TestReference:
    def test_holds_every_name_that_import_fastnn_offers(self, entries):
        names = {*dir(fastnn), *fastnn.__all__}
        wanted = {f"fastnn.{name}" for name in names if not name.startswith("_")}
        modules = {name for name in wanted if isinstance(getattr(fastnn, name[7:]), ModuleType)}
        assert wanted - modules <= set(entries)

    def test_holds_every_name_of_every_public_module(self, reference, entries):
        modules = [f"fastnn.{n}" for n in dir(fastnn) if isinstance(getattr(fastnn, n), ModuleType)]
        for name in modules:
            module = importlib.import_module(name)
            assert name in reference.pages()
            assert {f"{name}.{each}" for each in getattr(module, "__all__", ())} <= set(entries)

    def test_holds_the_modules_of_the_course(self, reference):
        files = (ROOT / "fastnn" / "course").glob("[!_]*.py")
        assert {f"fastnn.course.{file.stem}" for file in files} <= set(reference.public_modules())

    def test_names_each_once(self, entries):
        assert len(entries) == len(set(entries))

    def test_leaves_private_modules_out(self, reference):
        assert not [name for name in reference.pages() if re.search(r"\._|kernels", name)]

    def test_leads_from_a_second_name_to_the_first(self, reference):
        assert ".. autofunction:: fastnn.from_keras\n" in reference.pages()["interop"]
        text = reference.pages()["fastnn.interop"]
        assert ".. py:function:: fastnn.interop.from_keras\n\n   The same as `fastnn.from_k" in text

    def test_lists_methods_of_private_bases_and_none_twice(self, reference):
        (line,) = re.findall(r"fastnn\.Network\n   :members: (.*)", reference.pages()["network"])
        assert {"fit", "predict", "summary", "save", "parameters"} <= set(line.split(", "))
        assert "fastnn.losses.Huber\n   :members: rate\n" in reference.pages()["fastnn.losses"]

    def test_takes_bars_for_absolute_values(self, reference):
        lines = ["|y − ŷ|, ``a | b`` and |e|", "X : array | None"]
        reference.escape_bars(lines)
        assert lines == [r"\|y − ŷ\|, ``a | b`` and \|e\|", "X : array | None"]


class TestFences:
    def converted(self, text):
        application = SimpleNamespace(env=SimpleNamespace(doc2path=lambda name: Path(f"{name}.md")))
        source = [text]
        extension("fences").to_notebook(application, "page", source)
        return source[0]

    def test_python_becomes_a_cell_that_is_executed(self):
        text = self.converted("# T\n\n```python\nx = 1\n```\n\n```text\n1\n```\n")
        assert text.startswith("---\nfile_format: mystnb\n")
        assert "```{code-cell} python\nx = 1\n```\n\n```text\n1\n```\n" in text
        assert text.index("# T") < text.index("{code-cell}")

    def test_console_is_shown_as_it_is_and_run_by_a_hidden_cell(self):
        text = self.converted("```console\nfastnn info\n```\n")
        assert "```bash\nfastnn info\n```\n```{code-cell} python\n:tags: [remove-input]\n" in text
        assert """["sh", "-ec", 'fastnn info\\n']""" in text

    def test_what_is_only_shown_makes_no_notebook(self):
        text = "# T\n\n```sh\nfastnn train\n```\n"
        assert self.converted(text) == text


@pytest.mark.parametrize(
    ("code", "full_name"),
    [
        ("Network.fit", "fastnn.Network.fit"),
        ("net.fit(X, y)", "fastnn.Network.fit"),
        ("plot.history(history)", "fastnn.plot.history"),
        ('Dense(10, "relu")', "fastnn.Dense"),
        ("fastnn.course.deep", "fastnn.course.deep"),
        ("epochs", None),
        ("X.shape", None),
        ("fastnn train", None),
    ],
)
def test_names_in_pages_lead_to_the_reference(code, full_name):
    assert extension("links").target(code) == full_name


@pytest.mark.parametrize("name", fastnn.plot.__all__)
def test_gallery_has_every_picture(name):
    (program,) = DOCS.glob(f"gallery/*/plot_{name}.py")
    assert f"plot.{name}(" in program.read_text(encoding="utf-8")


@pytest.mark.parametrize("page", PAGES, ids=name_of)
class TestPages:
    def test_python_blocks_parse(self, page):
        for block in fences(page, "python"):
            ast.parse(block)

    def test_commands_that_are_only_shown_have_options_that_exist(self, page):
        from fastnn.cli.main import build_parser, load_verbs

        for block in fences(page, "sh"):
            for line in block.replace("\\\n", " ").splitlines():
                if line.startswith("fastnn ") and "--print-completion" not in line:
                    words = shlex.split(line, comments=True)[1:]
                    build_parser(load_verbs(words)).parse_args(words)


def test_documentation_packages_are_in_the_dev_extra():
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert "docs" in re.split(r"[\[,\]]", extras["optional-dependencies"]["dev"][0])
