"""Production: compiles the objects that a call lacks, together with helper processes."""

from __future__ import annotations

import gc
import sys

from ..loader.manifest import kernel_of
from ..loader.source import manifest, no_compiler, source
from .announce import announce
from .parallel_compile import started_helpers

#: Requirements of kernels without which a prediction does.
_LATE = frozenset(
    {"training", "blocks", "update", "complete", "clip", "penalty", "finish", "fit", "sharded"}
)
FORWARD_PASS, TRAINING = "forward pass", "training"  # what objects are for, as progress names it
#: Modules whose kernels take the longest to compile, more than a second.
_LONG = ("step.backward.", "step.loop.", "step.sharded_loop.", "step.update.")


def _part(name, requires):
    """Return what an object is for: FORWARD_PASS, or TRAINING if only gradients and fits need it.

    requires: {name of a kernel: its requirement, or ""}.
    """
    requirement = requires[kernel_of(name)[0]]
    late = requirement in _LATE or requirement.endswith("in training")
    return TRAINING if late else FORWARD_PASS


def _parts(names):
    """Return {name of an object: what it is for}, in the order in which they are compiled.

    Those that only gradients and fits need come last: a prediction then finds its own even if the
    fit is interrupted. Within a part the longest come first, so that no process waits for another
    in the end.
    """
    requires = {kernel.name: kernel.requires or "" for kernel in manifest().kernels}
    parts = {name: _part(name, requires) for name in names}
    order = sorted(names, key=lambda name: (parts[name] == TRAINING, not name.startswith(_LONG)))
    return {name: parts[name] for name in order}


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
    from .jit import uncollected
    from .object_code import compile_object

    store = source().store
    codes, parts = {}, _parts(names)
    advance = announce(len(names), next(iter(parts.values())))

    def finished(name):
        """Tell whoever listens that the object of that name is compiled."""
        advance(parts[name])

    with uncollected(), started_helpers(list(parts), processes, finished) as order:
        for name in order:
            codes[name] = _saved(store, name, compile_object)
            finished(name)
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
