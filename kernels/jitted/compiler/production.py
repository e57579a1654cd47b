"""Production: compiles the objects that a call lacks, together with helper processes."""

from __future__ import annotations

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
    from .object_code import compile_object

    store, codes = source().store, {}
    with started_helpers(in_order(names), processes) as order:
        for name in order:
            codes[name] = store.read(name)
            if codes[name] is None:
                codes[name] = compile_object(name)
                store.write(name, codes[name])
    return codes
