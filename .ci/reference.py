"""The API reference as HTML pages, from the docstrings: ``python .ci/reference.py FOLDER``."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import tempfile
import warnings
from pathlib import Path

import pdoc

import fastnn

#: Modules besides those of ``dir(fastnn)`` that users meet by name; `Network` has some of its
#: methods from `network.description`.
MODULES = ("activations", "examples", "initializers", "losses", "schedules")


def build(folder: Path) -> None:
    """Write the pages; what pdoc warns of, as a name that it cannot find, is an error."""
    # Importing h5py asks `uname`, which pdoc would suppress and warn of.
    os.environ["PDOC_ALLOW_EXEC"] = "1"
    warnings.simplefilter("error")
    # Types of packages that are not installed are shown as they are written.
    warnings.filterwarnings("ignore", ".*type annotation")
    for name in MODULES:
        importlib.import_module(f"fastnn.{name}")
    fastnn.__all__ = sorted({*MODULES, *(n for n in dir(fastnn) if not n.startswith("_"))})
    for name in fastnn.__all__:
        # pdoc looks into the module's dictionary, where lazy names do not stand.
        setattr(fastnn, name, getattr(fastnn, name))
    pdoc.render.configure(docformat="numpy")
    folder = folder.resolve()
    with contextlib.chdir(tempfile.gettempdir()):  # pdoc warns where a folder `fastnn` lies
        pdoc.pdoc("fastnn", r"!.*\._", output_directory=folder)


if __name__ == "__main__":
    build(Path(sys.argv[1]))
