"""Print a package's version and its bytes on disk: python survey.py MODULE DISTRIBUTION.

Bytecode is left out, which some installers write and others leave to the first import. Printed is
None where the module is not to be found, and no version where it comes from a bare checkout.
"""

import re
import sys
import tomllib
from importlib import metadata, util
from pathlib import Path


def size(paths):
    """Return the bytes of those of the paths that are files, bytecode apart."""
    return sum(p.stat().st_size for p in paths if p.is_file() and p.suffix != ".pyc")


def closure(needs):
    """Return, by name, the installed distributions of these requirements and all they need."""
    found, wanted = {}, list(needs)
    while wanted:
        name = re.match(r"[\w.-]+", wanted.pop())[0]
        name = re.sub(r"[-_.]+", "-", name).lower()
        if name in found:
            continue
        try:
            found[name] = metadata.distribution(name)
        except metadata.PackageNotFoundError:  # for another system or Python
            continue
        wanted += [need for need in found[name].requires or () if "extra ==" not in need]
    return found


def files(distribution):
    """Return the paths of the files that the distribution's RECORD lists."""
    return {Path(file.locate()).resolve() for file in distribution.files or ()}


def survey(module, name):
    """Return version, bytes, bytes with all that the package needs, and its packs' by level."""
    spec = util.find_spec(module)
    if spec is None:
        return None
    folder, found = Path(spec.origin).resolve().parent, closure([name])
    if name in found and Path(found[name].locate_file(module)).resolve() == folder:
        version, kernels = found[name].version, folder / "kernels"
        own = files(found.pop(name))
    else:
        version, kernels = None, folder.parent / "kernels"
        needs = tomllib.loads((folder.parent / "pyproject.toml").read_text(encoding="utf-8"))
        found = closure(needs["project"]["dependencies"])
        own = {*folder.rglob("*"), *kernels.rglob("*")}
    packs = sorted((kernels / "packs").glob("*.pack"))
    mine = size(own.union(packs))  # a pack that was made here stands in no RECORD
    others = sum(size(files(one)) for one in found.values())
    levels = {pack.stem: pack.stat().st_size for pack in packs}
    return {"version": version, "bytes": mine, "with_needs": mine + others, "packs": levels}


if __name__ == "__main__":
    print(survey(*sys.argv[1:]))
