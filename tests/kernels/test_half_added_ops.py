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

#: Prints for each backend the error by which a fit on it ends, or nothing behind its name.
USE = """
for backend in {backends}:
    try:
        import numpy as np, fastnn
        X, y = np.zeros((4, 2)), np.array([0, 1, 0, 1])
        with fastnn.backend(backend):
            net = fastnn.Network.mlp([2, 3, 1], hidden={hidden!r}, output="sigmoid")
            net.fit(X, y, epochs=1, progress=False)
            net.predict(X)
        print(backend)
    except Exception as error:
        print(backend, f"{{type(error).__name__}}: {{error}}")
"""


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


def errors(sources, hidden="tanh", backends=tuple(TABLES)):
    """The error by which each backend ends in a process of the changed package, "" for none."""
    done = subprocess.run(
        [sys.executable, "-c", USE.format(hidden=hidden, backends=backends)],
        cwd=sources, capture_output=True, text=True, check=False, timeout=300,
        env=os.environ | {"PYTHONPATH": str(sources), "FASTNN_CACHE_DIR": str(sources / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr  # no signal
    found = dict(line.partition(" ")[::2] for line in done.stdout.splitlines())
    assert list(found) == list(backends)
    return found


@pytest.mark.parametrize("enum", ["Activation", "Loss", "Kind"])
def test_a_member_without_kernels_is_named(sources, enum):
    """Also where a network names it: an activation is known by its member alone."""
    change(sources / "kernels" / "opcodes.py", *ADDED[enum])
    hidden = "swish" if enum == "Activation" else "tanh"
    for backend, said in errors(sources, hidden).items():
        assert said.startswith("NotImplementedError: "), said
        assert f"{enum}.{MEMBER[enum]}" in said
        assert backend in said


def test_a_method_without_traits_is_named(sources):
    change(sources / "kernels" / "opcodes.py", *ADDED["Method"])
    for said in errors(sources).values():
        assert "opcodes.METHODS has nothing for Method.LION" in said


def test_a_method_without_kernels_is_named(sources):
    change(sources / "kernels" / "opcodes.py", *ADDED["Method"])
    traits = "    Method.MOMENTUM: MethodTraits("
    change(
        sources / "kernels" / "opcodes.py", traits, f"    Method.LION: MethodTraits(1),\n{traits}"
    )
    for backend, said in errors(sources).items():
        assert "Method.LION" in said, said
        assert backend in said


def leave_out(sources, backend, family):
    """Take the last kernel of a family of ops out of a backend's table."""
    file = sources / "kernels" / TABLES[backend][family]
    lines = file.read_text().split("\n")
    kept = [line for line in lines if not line.lstrip().startswith(ENTRIES[family].strip())]
    assert len(kept) < len(lines)
    file.write_text("\n".join(kept))


@pytest.mark.parametrize("family", [0, 1, 2])
def test_kernels_that_all_backends_lack_are_named(sources, family):
    for backend in TABLES:
        leave_out(sources, backend, family)
    for backend, said in errors(sources).items():
        assert ENTRIES[family].strip().strip(":") in said, said
        assert backend in said


@pytest.mark.parametrize("backend", TABLES)
def test_where_one_backend_lacks_kernels_others_go_on(sources, backend):
    leave_out(sources, backend, 0)
    other = "loops" if backend != "loops" else "vectorized"  # which compiles nothing
    said = errors(sources, backends=(other, backend))
    assert said[other] == ""
    assert "Activation.EXP" in said[backend]


@pytest.mark.parametrize("line", ["    EXP = 12\n", "    POISSON = 6\n"])
def test_kernels_without_a_member_are_named(sources, line):
    change(sources / "kernels" / "opcodes.py", line, "")
    for said in errors(sources).values():
        assert line.split()[0] in said, said


def test_the_package_alone_imports_no_numba(sources):
    code = "import sys, fastnn; assert not {m for m in sys.modules if m.startswith('numba')}"
    subprocess.run([sys.executable, "-c", code], cwd=sources, check=True, timeout=300,
                   env=os.environ | {"PYTHONPATH": str(sources)})  # fmt: skip
