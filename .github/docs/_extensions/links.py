"""Lead from names in the text of pages to the reference: ``Network.fit`` and ``plot.history(h)``.

Pages write names as plain code, which GitHub shows as such; on the site those that the reference
has become links.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from docutils import nodes
from reference import pages
from sphinx.addnodes import pending_xref
from sphinx.transforms import SphinxTransform

NAME = re.compile(r"(?:net\.|model\.)?([A-Za-z_][\w.]*)(?:\(.*\))?", re.S)
#: Where a name may stand, the likeliest first.
PLACES = ("", "fastnn.", "fastnn.Network.")

#: Where no further link may stand.
NO_LINKS = (nodes.reference, nodes.title, pending_xref)


@cache
def names() -> frozenset[str]:
    """Return the full names of all entries of the reference, methods too."""
    text = "\n".join(pages().values())
    found = set(re.findall(r"^\.\. auto(?:class|exception|function|module):: (\S+)$", text, re.M))
    for owner, members in re.findall(r":: (\S+)\n   :members: (.*)", text):
        found |= {f"{owner}.{member}" for member in members.split(", ")}
    return frozenset(found)


def target(code: str) -> str | None:
    """Return the full name that a piece of code calls or names, if the reference has it."""
    match = NAME.fullmatch(code)
    candidates = [f"{place}{match.group(1)}" for place in PLACES] if match else []
    return next((name for name in candidates if name in names()), None)


def inside(node: Any, kind: type) -> bool:
    """Whether a node stands in another of that kind."""
    while node := node.parent:
        if isinstance(node, kind):
            return True
    return False


class Links(SphinxTransform):
    """Turns inline code of a markdown page that names something public into a reference."""

    default_priority = 400

    def apply(self, **_: Any) -> None:
        """Wrap each such piece of code."""
        if self.env.doc2path(self.env.docname).suffix != ".md":
            return
        for code in list(self.document.findall(nodes.literal)):
            found = target(code.astext())
            if found and not any(inside(code, kind) for kind in NO_LINKS):
                link = pending_xref(
                    "", code.deepcopy(), refdomain="py", reftype="obj", reftarget=found,
                    refexplicit=True, refwarn=True, refdoc=self.env.docname,
                )  # fmt: skip
                code.replace_self(link)


def setup(app: Any) -> dict[str, bool]:
    """Register the transform."""
    app.add_transform(Links)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
