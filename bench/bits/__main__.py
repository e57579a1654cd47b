"""The bits of thirty networks: python -m bench.bits record FILE, after a change compare FILE.

What moves code must change no bit of what users get. Every network is trained, asked, saved and
trained on through the public interface alone, by each backend and on one and two threads; FILE
holds a SHA-256 of every result. Bits belong to a CPU and to versions, which FILE names: another
machine is refused. `networks` says what they are.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import io
import json
import os
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

import fastnn

from .networks import ENTRIES
from .tasks import Task

WAYS = (("jitted", 1), ("jitted", 2), ("vectorized", 1), ("loops", 1))
LOOPED = 120_000  # multiplications of the forward passes of an entry up to which loops run it
MACHINE = ("Python", "NumPy", "Numba", "llvmlite", "scikit-learn", "SciPy", "CPU")
Entry = dict[str, str]


def machine() -> dict[str, str]:
    """Return what bits may depend on, by name."""
    lines = (line.split("  ", 1) for line in str(fastnn.show_versions()).splitlines())
    told = {name: value.strip() for name, value in lines}
    blas = os.environ.get("OPENBLAS_NUM_THREADS", "default")
    return {name: told[name] for name in MACHINE} | {"threads of OpenBLAS": blas}


def feed(digest: Any, value: Any) -> None:
    """Add a value to a digest: arrays and numbers by dtype, shape and bytes, others by parts."""
    if isinstance(value, Mapping):
        value = [part for pair in value.items() for part in pair]
    if isinstance(value, list | tuple):
        digest.update(f"({len(value)})".encode())
        for part in value:
            feed(digest, part)
    elif isinstance(value, str | bytes):
        digest.update(value.encode() if isinstance(value, str) else value)
    else:
        array = np.asarray(value)
        digest.update(f"{array.dtype.str}{array.shape}".encode() + array.tobytes())


def digests(tasks: tuple[Task, ...]) -> Entry:
    """Run the tasks of an entry, and return a digest of each of their quantities by its name."""
    found: dict[str, Any] = {}
    for task in tasks:
        for name, value in task.results():
            feed(found.setdefault(name, hashlib.sha256()), value)
    return {name: digest.hexdigest() for name, digest in found.items()}


def run(tasks: tuple[Task, ...], backend: str, threads: int) -> Entry:
    """Return an entry's digests by one way, or why there are none under "skipped" or "error"."""
    if backend == "loops" and (size := sum(task.size for task in tasks)) > LOOPED:
        return {"skipped": f"{size} multiplications are too many for loops"}
    fastnn.set_num_threads(threads)
    try:
        with fastnn.backend(backend), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with contextlib.redirect_stdout(io.StringIO()):
                return digests(tasks)
    except fastnn.errors.MissingExtraError as error:
        return {"skipped": str(error)}
    except Exception as error:  # what a change broke is a difference like others
        return {"error": f"{type(error).__name__}: {error}"}


def entries(only: str) -> Iterator[tuple[str, Entry]]:
    """Yield (network and way, digests) of every network whose name contains `only`."""
    for name, tasks in ENTRIES.items():
        if only in name:
            for backend, threads in WAYS:
                yield f"{name} | {backend} {threads}", run(tasks, backend, threads)


def differences(wanted: Mapping[str, Entry], found: Mapping[str, Entry]) -> Iterator[str]:
    """Yield a line for each network and way whose results differ."""
    for name, entry in found.items():
        before = wanted.get(name)
        if before is None:
            yield f"{name}: was not recorded"
            continue
        names = before.keys() | entry.keys()
        other = sorted(key for key in names if before.get(key) != entry.get(key))
        if other:
            why = "; ".join(entry[key] for key in ("error", "skipped") if key in entry)
            yield f"{name}: {', '.join(other)} differ{f' ({why})' if why else ''}"


def measured(only: str, spent: bool) -> dict[str, Entry]:
    """Return the digests by network and way; `spent`: print the seconds that each took."""
    found, start = {}, time.perf_counter()
    for name, entry in entries(only):
        found[name] = entry
        now = time.perf_counter()
        if spent:
            print(f"{now - start:7.2f} s  {name}")
        start = now
    return found


def record(path: Path, found: dict[str, Entry]) -> list[str]:
    """Write the digests to a file; return what is no digest."""
    path.write_text(json.dumps({"machine": machine(), "entries": found}, indent=1) + "\n")
    return [f"{name}: {entry['error']}" for name, entry in found.items() if "error" in entry]


def main() -> int:
    """Record the digests in a file, or compare them with those in one."""
    parser = argparse.ArgumentParser(prog="python -m bench.bits", description=__doc__)
    parser.add_argument("action", choices=("record", "compare"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--only", default="", help="only networks whose name contains this")
    parser.add_argument("--times", action="store_true", help="print the seconds of each")
    options = parser.parse_args()
    held: dict[str, Any] = {}
    if options.action == "compare":
        held = json.loads(options.file.read_text())
        if held["machine"] != machine():
            print(f"{options.file} was recorded on {held['machine']}, this is {machine()}")
            return 2
    start, found = time.perf_counter(), measured(options.only, options.times)
    if options.action == "record":
        wrong = record(options.file, found)
    else:
        wrong = list(differences(held["entries"], found))
    skipped = sum("skipped" in entry for entry in found.values())
    print(*wrong, sep="\n", end="\n" if wrong else "")
    print(
        f"{len(found)} of networks and ways, {skipped} skipped, {len(wrong)} wrong, in "
        f"{time.perf_counter() - start:.0f} s; fastnn of {Path(fastnn.__file__).parent}"
    )
    return bool(wrong)


if __name__ == "__main__":
    raise SystemExit(main())
