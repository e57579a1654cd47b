"""An op that is added to only some of its places is refused by a sentence, on each backend."""

import compileall
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.medium

ROOT = Path(__file__).resolve().parents[2]

#: By enum: a line of opcodes.py, and it with one more member behind it.
ADDED = {
    "Activation": ("    EXP = 12\n", "    EXP = 12\n    SWISH = 13\n"),
    "Loss": ("    POISSON = 6\n", "    POISSON = 6\n    HINGE = 7\n"),
    "Method": ("    ADAMW = 5\n", "    ADAMW = 5\n    LION = 6\n"),
    "Kind": ("    BATCHNORM = 6  #", "    CONV = 7\n    BATCHNORM = 6  #"),
}
MEMBER = {"Activation": "SWISH", "Loss": "HINGE", "Method": "LION", "Kind": "CONV"}

#: By enum and backend: where it keeps its kernels, and the entry that is taken out.
TABLES = {
    "loops": ("loops/activations.py", "loops/losses.py", "loops/optimizers.py"),
    "vectorized": ("vectorized/activations.py", "vectorized/losses.py", "vectorized/optimizers.py"),
    "jitted": ("jitted/ops/activations.py", "jitted/ops/losses.py", "jitted/ops/optimizers.py"),
}
ENTRIES = ("    Activation.EXP: ", "    Loss.POISSON: ", "    Method.ADAMW: ")

USE = (
    "import numpy as np, fastnn\n"
    "X, y = np.zeros((4, 2)), np.array([0, 1, 0, 1])\n"
    "with fastnn.backend({backend!r}):\n"
    "    net = fastnn.Network.mlp([2, 3, 1], hidden={hidden!r}, output='sigmoid')\n"
    "    net.fit(X, y, epochs=1, progress=False)\n"
    "    net.predict(X)\n"
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A copy of the package, with its bytecode."""
    place = tmp_path_factory.mktemp("whole")
    for folder in ("fastnn", "kernels"):
        skip = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, place / folder, ignore=skip, symlinks=True)
    assert compileall.compile_dir(place, quiet=1)
    return place


@pytest.fixture
def sources(whole, tmp_path):
    """A copy of it, to be changed."""
    return shutil.copytree(whole, tmp_path / "changed", symlinks=True)


def change(file, old, new):
    text = file.read_text()
    assert old in text, f"{file} does not hold {old!r}"
    file.write_text(text.replace(old, new, 1))


def last_line(sources, backend, hidden="tanh"):
    """The last line that the package says when it runs on a backend, and its exit status."""
    done = subprocess.run(
        [sys.executable, "-c", USE.format(backend=backend, hidden=hidden)],
        cwd=sources, capture_output=True, text=True, check=False, timeout=300,
        env=os.environ | {"PYTHONPATH": str(sources), "FASTNN_CACHE_DIR": str(sources / "cache")},
    )  # fmt: skip
    return done.returncode, done.stderr.strip().split("\n")[-1]


@pytest.mark.parametrize("backend", TABLES)
@pytest.mark.parametrize("enum", ["Activation", "Loss", "Kind"])
def test_a_member_without_kernels_is_named(sources, enum, backend):
    """Also where a network names it: an activation is known by its member alone."""
    change(sources / "kernels" / "opcodes.py", *ADDED[enum])
    hidden = "swish" if enum == "Activation" else "tanh"
    status, said = last_line(sources, backend, hidden)
    assert status == 1, said  # not a signal
    assert said.startswith("NotImplementedError: "), said
    assert f"{enum}.{MEMBER[enum]}" in said
    assert backend in said


def test_a_method_without_traits_is_named(sources):
    change(sources / "kernels" / "opcodes.py", *ADDED["Method"])
    status, said = last_line(sources, "loops")
    assert (status, "opcodes.METHODS has nothing for Method.LION" in said) == (1, True), said


@pytest.mark.parametrize("backend", TABLES)
def test_a_method_without_kernels_is_named(sources, backend):
    change(sources / "kernels" / "opcodes.py", *ADDED["Method"])
    traits = "    Method.MOMENTUM: MethodTraits("
    change(
        sources / "kernels" / "opcodes.py", traits, f"    Method.LION: MethodTraits(1),\n{traits}"
    )
    status, said = last_line(sources, backend)
    assert (status, "Method.LION" in said, backend in said) == (1, True, True), said


@pytest.mark.parametrize("backend", TABLES)
@pytest.mark.parametrize("family", [0, 1, 2])
def test_kernels_that_one_backend_lacks_are_named(sources, backend, family):
    file = sources / "kernels" / TABLES[backend][family]
    entry = ENTRIES[family]
    lines = file.read_text().split("\n")
    kept = [line for line in lines if not line.lstrip().startswith(entry.strip())]
    assert len(kept) < len(lines)
    file.write_text("\n".join(kept))
    status, said = last_line(sources, backend)
    assert (status, entry.strip().strip(":") in said) == (1, True), said
    assert backend in said
    if family == 0:  # the others go on
        other = "loops" if backend != "loops" else "vectorized"
        assert last_line(sources, other) == (0, "")


@pytest.mark.parametrize("backend", TABLES)
@pytest.mark.parametrize("line", ["    EXP = 12\n", "    POISSON = 6\n"])
def test_kernels_without_a_member_are_named(sources, backend, line):
    change(sources / "kernels" / "opcodes.py", line, "")
    status, said = last_line(sources, backend)
    name = line.split()[0]
    assert (status, name in said) == (1, True), said


def test_the_package_alone_imports_no_numba(sources):
    code = "import sys, fastnn; assert not {m for m in sys.modules if m.startswith('numba')}"
    subprocess.run([sys.executable, "-c", code], cwd=sources, check=True, timeout=300,
                   env=os.environ | {"PYTHONPATH": str(sources)})  # fmt: skip
