"""Information for a bug report: versions, processor, threads, backends and the kernel cache."""

from __future__ import annotations

import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from fastnn import kernels
from fastnn._version import __version__
from fastnn.kernels.jitted.loader.digest import compiled_here
from fastnn.kernels.jitted.loader.source import detect_cpu, no_compiler, source
from fastnn.kernels.jitted.loader.target import llvm
from fastnn.kernels.jitted.loader.user_cache import base_folder

from .backend import active
from .launcher import launched_size
from .text import Text, plural
from .threads import available_cores, get_num_threads

__all__ = ["collect", "show_versions"]

NEEDED = {"NumPy": "numpy", "Numba": "numba", "llvmlite": "llvmlite", "h5py": "h5py"}
OPTIONAL = {
    "matplotlib": "matplotlib",
    "Pillow": "pillow",
    "scikit-learn": "scikit-learn",
    "SciPy": "scipy",
}


def collect() -> dict[str, str]:
    """Return what a bug report should hold, by name, in the order in which it reads well."""
    found = {"fastnn": _version("fastnn"), "Python": platform.python_version()}
    found |= {name: _version(package) for name, package in (NEEDED | OPTIONAL).items()}
    found["system"] = f"{platform.system()} {platform.release()}"
    found["CPU"] = f"{cpu()} (llvm: {_host()})"
    found["cores"] = f"{available_cores()} usable, {get_num_threads()} used at most"
    found["ranks"] = _ranks()
    found["backends"] = _backends()
    found["bfloat16"] = _bfloat16()
    found["kernels"], found["kernel cache"] = _kernels(), _cache()
    return found


def show_versions() -> Text:
    """Return versions, processor, threads, backends and cache as a text that shows itself."""
    found = collect()
    width = max(map(len, found))
    return Text("\n".join(f"{name:<{width}}  {value}" for name, value in found.items()))


def cpu() -> str:
    """Return the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _bfloat16() -> str:
    """How compiled kernels multiply in mixed precision: with the CPU's bfloat16, or without."""
    if source().level is None and no_compiler():
        return "no compiled kernels"
    if detect_cpu().dots_bf16:
        return "multiplied by the CPU, which precision='mixed' is made for"
    return "multiplied as float32: precision='mixed' takes longer here"


def _ranks() -> str:
    """Return whether fits can be on ranks, and how many a launcher has started."""
    version, size = _version("mpi4py"), launched_size()
    started = f", {size or 'several'} started by a launcher" if size != 1 else ""
    return f"mpi4py {version}{started}"


def _version(package: str) -> str:
    """Version of an installed package."""
    if package == "fastnn":
        return __version__  # a bare checkout is not installed
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def _host() -> str:
    """What LLVM calls the processor: it decides which instructions kernels are made of."""
    binding: Any = llvm()
    return str(binding.get_host_cpu_name()) if binding else "not installed"


def _backends() -> str:
    """The backends that can run, the default one marked."""
    default = active().name
    names = [
        name + (" (default)" if name == default else "")
        for name in kernels.BACKENDS
        if kernels.get(name).available
    ]
    return ", ".join(names)


def _kernels() -> str:
    """Where kernels come from: a pack, or a compilation on this machine, and then why."""
    chosen, hindrance = source(), no_compiler()
    if chosen.level:
        return f"packed for {chosen.level}" + (f"; {hindrance}" if hindrance else "")
    if hindrance:
        return f"not available: {chosen.reason}, and {hindrance}"
    return f"compiled on this machine, because {chosen.reason}"


def _cache() -> str:
    """Where kernels lie that were compiled here, and how many bytes they are."""
    folder = base_folder() / compiled_here()
    try:
        sizes = [file.stat().st_size for file in folder.iterdir()]
    except OSError:
        sizes = []
    return f"{folder} ({plural(len(sizes), 'file')}, {sum(sizes) / 1e6:.1f} MB)"
