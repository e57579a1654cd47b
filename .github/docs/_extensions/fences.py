"""Run what pages show: each fence ``python`` becomes a cell, and each ``console`` is run by sh.

Pages stay plain markdown. A page with such a fence is handed to MyST-NB as a notebook of its own,
which is executed in an empty folder; what a block prints or draws stands below it. A block that
fails ends the build.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

HEAD = """---
file_format: mystnb
kernelspec:
  name: python3
  display_name: Python 3
---
"""
#: Runs before a page's first block: output is the same whether or not a fit took long.
QUIET = """\
```{code-cell} python
:tags: [remove-cell]
from fastnn.training import progress

progress.PATIENCE = float("inf")  # seconds until a bar is shown
progress.announce_compilation = lambda *listeners: None
```
"""
FENCE = re.compile(r"^```(python|console)\n(.*?)^```$", re.M | re.S)
SHELL = """\
import subprocess
_done = subprocess.run(
    ["sh", "-ec", {body!r}], text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
)
print(_done.stdout, end="")
_done.check_returncode()
"""


def cell(fence: re.Match[str]) -> str:
    """Return the notebook's cell for one fence; a shell block is shown, and run by a hidden cell.

    The shell stops at the first line that fails. What it prints is gathered, for IPython's own
    ``%%script`` hands it on in pieces, between which MyST-NB breaks the line.
    """
    language, body = fence.groups()
    if language == "python":
        return f"```{{code-cell}} python\n{body}```"
    run = f"```{{code-cell}} python\n:tags: [remove-input]\n{SHELL.format(body=body)}```"
    return f"```bash\n{body}```\n{run}"


def to_notebook(app: Any, docname: str, source: list[str]) -> None:
    """Turn a page of plain markdown with blocks to run into the text of a notebook."""
    is_page = Path(app.env.doc2path(docname)).suffix == ".md"
    if is_page and not source[0].startswith("---\n") and FENCE.search(source[0]):
        first = FENCE.search(source[0]).start()
        cells = FENCE.sub(cell, source[0][first:])
        source[0] = f"{HEAD}{source[0][:first]}{QUIET}\n{cells}"


def spread(app: Any, env: Any, docnames: list[str]) -> None:
    """Set pages that run apart in the order of reading: a process takes several in a row."""
    runs = {name: Path(env.doc2path(name)).suffix == ".md" for name in docnames}
    place: dict[str, float] = {}
    for kind in (True, False):
        names = [name for name in docnames if runs[name] is kind]
        place |= {name: (i + 0.5) / len(names) for i, name in enumerate(names)}
    docnames.sort(key=place.__getitem__)


def setup(app: Any) -> dict[str, bool]:
    """Register the conversion, and the order of reading."""
    app.connect("source-read", to_notebook)
    app.connect("env-before-read-docs", spread)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
