"""CPU targets: the CPU and the features that LLVM emits code for, of this machine and of levels.

A level is a set of instructions that many CPUs have, named as compilers and Linux distributions
name it. Reference: x86-64 psABI, section 3.1.1, "Processor architecture" (micro-architecture
levels), https://gitlab.com/x86-psABIs/x86-64-ABI.
"""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from typing import NamedTuple


class Target(NamedTuple):
    """What LLVM emits code for."""

    cpu: str  # LLVM's name of a CPU
    features: str  # LLVM's features beside those of the CPU: "+avx512vnni,-sse4a"


class Level(NamedTuple):
    """A named set of instructions, for which kernels are compiled ahead."""

    machine: str  # architecture, as platform.machine() names it in lower case
    target: Target
    required: frozenset[str]  # the features, in LLVM's words, that a CPU must have


_V3 = frozenset({"avx2", "bmi", "bmi2", "f16c", "fma", "lzcnt", "movbe", "popcnt"})
_V4 = _V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}
#: The levels of all machines, the best one of a machine first. -prefer-256-bit lets LLVM use the
#: whole 512-bit registers, as it does for most CPUs of that level by their own names.
LEVELS = {
    "x86-64-v4-bf16": Level(
        "x86_64",
        Target("x86-64-v4", "+avx512vnni,+avx512bf16,-prefer-256-bit"),
        _V4 | {"avx512vnni", "avx512bf16"},
    ),
    "x86-64-v4-vnni": Level(
        "x86_64", Target("x86-64-v4", "+avx512vnni,-prefer-256-bit"), _V4 | {"avx512vnni"}
    ),
    "x86-64-v4": Level("x86_64", Target("x86-64-v4", "-prefer-256-bit"), _V4),
    "x86-64-v3": Level("x86_64", Target("x86-64-v3", ""), _V3),
    "armv8": Level("aarch64", Target("generic", "+neon"), frozenset({"neon"})),
}
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}  # names of one architecture on other systems


def machine():
    """Return the architecture of this machine, "x86_64" or "aarch64" for instance."""
    name = platform.machine().lower()
    return _MACHINES.get(name, name)


@cache
def llvm():
    """Return llvmlite's module `binding`, or None where it is missing or its library is."""
    try:
        from llvmlite import binding
    except (ImportError, OSError):
        return None
    return binding


#: LLVM's names of features that Linux names otherwise.
_LINUX_NAMES = {
    "bmi": "bmi1",
    "lzcnt": "abm",
    "avx512vnni": "avx512_vnni",
    "avx512bf16": "avx512_bf16",
}


@cache
def _linux_flags():
    """Return the set of features of this CPU as Linux names them; empty on other systems.

    Asking LLVM would take 60 MB and 30 ms. All cores have the flags of the first one.
    """
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("flags"):
                    return set(line.partition(":")[2].split())
    except OSError:
        pass
    return set()


@cache
def _host_features():
    """Return a dict of LLVM's features of this CPU: a name → whether it has it."""
    binding = llvm()
    try:
        return dict(binding.get_host_cpu_features()) if binding else {}
    except RuntimeError:  # LLVM cannot tell on this system
        return {}


def runs_here(level):
    """Return a bool: whether this CPU has all instructions of a level, named as in LEVELS."""
    kind = LEVELS[level]
    if kind.machine != machine():
        return False
    if flags := _linux_flags():
        return all(_LINUX_NAMES.get(name, name) in flags for name in kind.required)
    features = _host_features()
    return all(features.get(name) for name in kind.required)


def levels_of_machine():
    """Return a list of the names of the levels of this architecture, the best one first."""
    return [level for level, kind in LEVELS.items() if kind.machine == machine()]


def levels_here():
    """Return a list of the names of the levels whose code this CPU can run, the best one first."""
    return [level for level in LEVELS if runs_here(level)]


#: Intel's library of vector functions by `sys.platform`, named as Numba loads it.
_SVML = {"linux": "libsvml.so", "darwin": "libsvml.dylib", "win32": "svml_dispmd"}


@cache
def loads_svml():
    """Load Intel's library of vector functions where Numba's code calls it; return whether it does.

    LLVM puts such calls into loops where llvmlite is built for it and the library is installed,
    unless NUMBA_DISABLE_INTEL_SVML is set. A process that links such code without the library ends.
    """
    if os.environ.get("NUMBA_DISABLE_INTEL_SVML", "").strip() not in ("", "0"):
        return False
    try:
        if not llvm().targets.has_svml():
            return False
        llvm().load_library_permanently(_SVML[sys.platform])
    except (AttributeError, KeyError, RuntimeError):
        return False
    return True


@cache
def native():
    """Return the Target for which Numba compiles in this process: this CPU, with all it has.

    NUMBA_CPU_NAME, NUMBA_CPU_FEATURES and NUMBA_ENABLE_AVX change it, as Numba's manual says.
    Without llvmlite, which nothing can be compiled without, its name is empty.
    """
    cpu, features = (os.environ.get(f"NUMBA_CPU_{name}") for name in ("NAME", "FEATURES"))
    if features is None and (cpu or "").lower() == "generic":
        features = ""
    if features is None:
        has = dict(_host_features())
        if os.environ.get("NUMBA_ENABLE_AVX") == "0":
            has |= {name: False for name in has if name.startswith("avx")}
        features = ",".join(f"{'+' if on else '-'}{name}" for name, on in sorted(has.items()))
    if cpu is None:
        cpu = binding.get_host_cpu_name() if (binding := llvm()) else ""
    return Target(cpu, features)
