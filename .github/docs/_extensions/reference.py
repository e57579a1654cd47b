"""Write the pages of the API reference: every name in `__all__` of fastnn and its public modules.

The names that ``import fastnn`` offers stand on pages by subject, and each public module has a page
of its own. What is documented on an earlier page under another name gets a line that leads there.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

from sphinx.pycode import ModuleAnalyzer

import fastnn

#: Page of a top-level name by the room of fastnn that defines it; other rooms: "functions".
SUBJECTS = {
    "network": "network",
    "history": "network",
    "layers": "layers",
    "optimizers": "optimizers",
    "estimators": "estimators",
    "tabular": "estimators",
    "interop": "interop",
}
TITLES = {
    "network": ("Network and history", "Describe a network, train it, use it, keep it."),
    "layers": ("Layers", "What a network is made of."),
    "optimizers": ("Optimisers", "How gradients become steps."),
    "estimators": ("Estimators", "Networks in scikit-learn's place, and for tables."),
    "interop": ("Other libraries", "Models of scikit-learn, PyTorch and Keras taken over."),
    "functions": ("Functions", "Load, tune, check, warm up; backend and threads."),
    "results": ("Results", "What functions return, with more to it than numbers."),
}
#: Modules that users name although `fastnn.__all__` does not list them.
MODULES = ("activations", "examples", "initializers", "losses", "optimizers", "schedules", "tuning")
#: Public modules whose own modules are public, too.
PACKAGES = ("fastnn.course", "fastnn.examples")
#: Classes that nobody constructs: functions return them.
RESULTS = (
    "fastnn.tuning.search.Search",
    "fastnn.diagnostics.gradient_checking.GradientReport",
)


def public_modules() -> list[str]:
    """Return the full names of the modules that users import, those of the course last."""
    named = {n for n in dir(fastnn) if isinstance(getattr(fastnn, n), ModuleType)} | {*MODULES}
    names = [f"fastnn.{name}" for name in sorted(named) if not name.startswith("_")]
    for package in PACKAGES:
        found = pkgutil.iter_modules(importlib.import_module(package).__path__)
        names += [f"{package}.{each.name}" for each in found if not each.name.startswith("_")]
    return names


def names_of(module: ModuleType) -> list[str]:
    """Return the public names of a module but its modules: `__all__`, or what it defines."""
    own = [n for n, value in vars(module).items() if _room(value) == module.__name__]
    names = getattr(module, "__all__", [n for n in own if not n.startswith("_")])
    return [name for name in names if not isinstance(getattr(module, name), ModuleType)]


def _room(value: Any) -> str:
    """Return the name of the module that defines a class or function, and "" for other values."""
    return value.__module__ if inspect.isclass(value) or inspect.isfunction(value) else ""


def _members(cls: type, public: set[int]) -> list[str]:
    """Return what a class says of itself: described members, those of private bases included.

    A member that a public base class describes stands there.
    """
    own = [base for base in cls.__mro__ if base is cls or id(base) not in public]
    return [
        name
        for base in reversed(own)
        if base.__module__.startswith("fastnn")
        for name, member in vars(base).items()
        if not name.startswith("_") and getattr(member, "__doc__", None)
        if callable(member) or isinstance(member, property | staticmethod | classmethod)
    ]


def _entry(full_name: str, value: Any, known: dict[int, str], public: set[int]) -> str:
    """Return the directive that documents a name, or leads to where its value is documented."""
    if inspect.isclass(value):
        kind = "exception" if issubclass(value, BaseException) else "class"
    else:
        kind = "function" if callable(value) and hasattr(value, "__name__") else "data"
    if kind != "data" and id(value) in known:
        return f".. py:{kind}:: {full_name}\n\n   The same as `{known[id(value)]}`.\n"
    if kind == "data":
        texts = [f".. py:data:: {full_name}", _comment(full_name, value), _shown(value)]
        return "\n\n   ".join(filter(None, texts)) + "\n"
    known[id(value)] = full_name
    text = f".. auto{kind}:: {full_name}\n"
    members = dict.fromkeys(_members(value, public)) if inspect.isclass(value) else ()
    if full_name.startswith("fastnn.plot."):  # what of the gallery calls it
        return text + f"\n.. minigallery:: {full_name}\n"
    return text + (f"   :members: {', '.join(members)}\n" if members else "")


def _comment(full_name: str, value: Any) -> str:
    """Return the comment ``#:`` of a value, from the module or from the one it imports it from."""
    module, _, name = full_name.rpartition(".")
    for source in (module, *(m for m in list(sys.modules) if m.startswith(f"{module}."))):
        if getattr(sys.modules[source], name, None) is value:
            comments = ModuleAnalyzer.for_module(source).find_attr_docs()
            if ("", name) in comments:
                return " ".join(comments["", name]).strip()
    return ""


def _shown(value: Any) -> str:
    """Return the names that a collection holds, or the classes of a union."""
    if isinstance(value, dict | tuple | list) and all(isinstance(each, str) for each in value):
        return ", ".join(f"``{each}``" for each in value)
    return " or ".join(f"`{each.__name__}`" for each in get_args(value))


def escape_bars(*arguments: Any) -> None:
    """Let ``|x|`` of a docstring be an absolute value: reStructuredText would look for a name x."""
    lines = arguments[-1]
    for i, line in enumerate(lines):
        parts = line.split("``")  # every other part is code
        parts[::2] = [re.sub(r"\|(?=[^|]*\|)|(?<=\S)\|", r"\\|", part) for part in parts[::2]]
        lines[i] = "``".join(parts)


def _page(title: str, opening: str, entries: list[str]) -> str:
    return "\n".join([title, "=" * len(title), "", opening, "", *entries])


def _subjects() -> dict[str, list[str]]:
    """Return the top-level names by page; what is no module and no version."""
    rooms = list(SUBJECTS)
    found = []
    for name in {*names_of(fastnn), *dir(fastnn)}:
        value = getattr(fastnn, name)
        if not name.startswith("_") and not isinstance(value, ModuleType):
            room = value.__module__.split(".")[1]
            place = rooms.index(room) if room in rooms else len(rooms)
            found.append((place, f"fastnn.{name}", SUBJECTS.get(room, "functions")))
    found.sort()  # Network stands before History
    names = {subject: [name for _, name, each in found if each == subject] for subject in TITLES}
    return names | {"results": list(RESULTS)}


def _value(full_name: str) -> Any:
    module, _, name = full_name.rpartition(".")
    return getattr(importlib.import_module(module), name)


def pages() -> dict[str, str]:
    """Return the text of every page of the reference by its name."""
    modules = {name: importlib.import_module(name) for name in public_modules()}
    public = {id(getattr(module, n)) for module in modules.values() for n in names_of(module)}
    known: dict[int, str] = {}
    found = {}
    for subject, names in _subjects().items():
        entries = [_entry(name, _value(name), known, public) for name in names]
        found[subject] = _page(*TITLES[subject], entries)
    for name, module in modules.items():
        entries = [
            _entry(f"{name}.{n}", getattr(module, n), known, public) for n in names_of(module)
        ]
        found[name] = _page(name, f".. automodule:: {name}\n   :no-members:\n", entries)
    for name in PACKAGES:
        inner = [f"   {each}" for each in found if each.startswith(f"{name}.")]
        found[name] += "\n".join(["", ".. toctree::", "   :hidden:", "", *inner, ""])
    return found


def _index(names: Sequence[str]) -> str:
    """Return the table of the pages and their order for the sidebar, in markdown."""
    lines = ["| page | what it holds |", "|---|---|"]
    for name in names:
        title, holds = TITLES.get(name, (f"`{name}`", ""))
        if not holds:
            lines_of_doc = (importlib.import_module(name).__doc__ or "").strip().split("\n")
            holds = lines_of_doc[0].replace("``", "`")
        lines.append(f"| [{title}](api/{name}.rst) | {holds} |")
    outer = [
        f"api/{name}" for name in names if not name.startswith(tuple(f"{p}." for p in PACKAGES))
    ]
    return "\n".join([*lines, "", "```{toctree}", ":hidden:", "", *outer, "```", ""])


def write(app: Any) -> None:
    """Write the pages that have changed since the last build."""
    folder = Path(app.srcdir) / "reference" / "api"
    folder.mkdir(exist_ok=True)
    found = pages()
    texts = {f"{name}.rst": text for name, text in found.items()}
    texts["modules.txt"] = _index(list(found))
    for name, text in texts.items():
        path = folder / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
    for path in folder.iterdir():
        if path.name not in texts:
            path.unlink()


def setup(app: Any) -> dict[str, bool]:
    """Register the generator, which runs before pages are read, and the reader of docstrings."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("builder-inited", write)
    app.connect("autodoc-process-docstring", escape_bars)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
