"""Production: compiles the objects that a call lacks, together with helper processes."""

from __future__ import annotations

import gc
import sys

from ..loader.manifest import kernel_of
from ..loader.source import manifest, no_compiler, source
from .announce import announce
from .parallel_compile import started_helpers

#: Requirements of kernels without which a prediction does.
_LATE = frozenset({"training", "blocks", "update", "complete", "clip", "penalty", "finish", "fit"})


def in_order(names):
    """Return the names of objects in the order in which they are compiled.

    Those that only gradients and fits need come last: a prediction then finds its own even if the
    fit is interrupted.
    """
    requires = {kernel.name: kernel.requires or "" for kernel in manifest().kernels}

    def is_late(name):
        """Return a bool: whether an object is needed by gradients and fits only."""
        requirement = requires[kernel_of(name)[0]]
        return requirement in _LATE or requirement.endswith("in training")

    return sorted(names, key=is_late)


def produce(names, processes=1):
    """Return {name: object code} of objects that the store of this process lacks, and save them.

    processes: how many may compile at the same time, this one included.

    Raises
    ------
    RuntimeError
        If nothing can be compiled here.
    """
    reason = no_compiler()
    if reason:
        raise RuntimeError(f"kernels must be compiled, but {reason}: {', '.join(names[:3])} …")
    announce()
    from .jit import uncollected
    from .object_code import compile_object

    store = source().store
    with uncollected(), started_helpers(in_order(names), processes) as order:
        codes = {name: _saved(store, name, compile_object) for name in order}
    return codes | {
        name: _saved(store, name, compile_object) for name in names if name not in codes
    }


def _saved(store, name, compile_object):
    """Return the object code of that name from the store, where it is saved if it is missing."""
    code = store.read(name)
    if code is None:
        code = compile_object(name)
        store.write(name, code)
    return code


def serve(next_name):
    """Compile the objects of the names that next_name() returns into the store, for ever.

    This is what a helper does. It writes each name to stdout when its object is saved.
    """
    from .definitions import definitions
    from .object_code import compile_object

    gc.disable()
    definitions()
    while True:
        name = next_name()
        _saved(source().store, name, compile_object)
        sys.stdout.write(f"{name}\n")
        sys.stdout.flush()
