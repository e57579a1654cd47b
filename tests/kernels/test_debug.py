"""Debug mode finds indices outside, kernels that nobody requested, and numbers of old scratch.

`FASTNN_DEBUG=1 pytest tests/kernels/test_debug.py` runs networks of all kinds under it as well.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
from fastnn.kernels.debug import DEBUG

import fastnn
from fastnn import BatchNorm, Dense, Dropout, GaussianNoise, Network, Rescaling, kernels

pytestmark = [
    pytest.mark.medium,
    pytest.mark.skipif(
        not kernels.get("jitted").available, reason="Numba's compiler is switched off"
    ),
]

#: Kernels that do what none must, beside those of the package.
WRONG = """
import numpy as np
from fastnn.kernels.jitted.codegen.pointers import view
from fastnn.kernels.jitted.compiler.definitions import entry, indirect
from fastnn.kernels.jitted.compiler.jit import runnable
from fastnn.kernels.jitted.loader.tables import entry_point, kernel_pointers
from fastnn.kernels.jitted.threads.scratch import scratch
from fastnn.kernels.jitted.threads.team import run_parallel

@runnable
def behind_itself(x):
    return x[x.size]

@entry("F1", requires="wrong", returns="f")
def behind(x):
    return x[x.size]

@indirect("F1", requires="wrong")
def write_behind(x):
    part = view(x, 2, 3)  # what lies there has room for it: only the view's own end is crossed
    part[3] = 1

@entry("T F1", requires="wrong", returns="i")
def call(pointers, x):
    write_behind(pointers, x)
    return 1

@entry("T F1 Team", requires="wrong")
def call_in_a_team(pointers, x, team):
    write_behind(pointers, x)

@entry("F1 i", requires="right", returns="f")
def add_up(x, n):
    total = 0.0
    for i in range(n):
        total += x[i]
    return total

x, DTYPE = np.zeros(9), np.dtype(np.float64)
def pointers(*uses):
    return kernel_pointers(DTYPE, frozenset(uses))
def function(name):
    return entry_point(f"wrong.{name}", DTYPE)
"""


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache folder for these kernels: its manifest lists them, beside those of the package."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def run(tmp_path, cache):
    """Returns what code prints behind WRONG in a process of its own, and the end of its errors."""
    (tmp_path / "wrong.py").write_text(WRONG)

    def run(code, debug="1"):
        done = subprocess.run(
            [sys.executable, "-c", f"from wrong import *\n{code}"],
            capture_output=True, text=True, check=False, timeout=300,
            env=os.environ | {
                "FASTNN_DEBUG": debug, "FASTNN_KERNELS": "jit", "FASTNN_CACHE_DIR": str(cache),
                "PYTHONPATH": os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]),
            },
        )  # fmt: skip
        return done.stdout.strip(), done.stderr.strip().split("\n")[-1]

    return run


def test_an_index_outside_is_an_error(run):
    """Of a function, of an entry point, of a kernel that another calls, of one that a team runs."""
    calls = {
        "behind_itself(x)": "",
        "function('behind')(x)": "kernel wrong.behind: an ",
        "function('call')(pointers('wrong'), x)": "kernel wrong.call: an ",
        "run_parallel(function('call_in_a_team'), (pointers('wrong'), x), 2)": (
            "kernel wrong.call_in_a_team: an "
        ),
    }
    code = "".join(
        f"try: {call}\nexcept IndexError as error: print(error, flush=True)\n" for call in calls
    )
    said = "\n".join(f"{name}index is out of bounds" for name in calls.values())
    assert run(code) == (said, "")


def test_a_kernel_that_is_not_requested_is_an_error(run):
    """Though another call of the process has had it compiled."""
    code = "pointers('wrong')\nrun_parallel(function('call_in_a_team'), (pointers(), x), 1)\n"
    _, error = run(code)
    assert error.startswith("RuntimeError: a call reached kernels that it did not request: ")
    assert "write_behind" in error


def test_scratch_holds_no_numbers(run):
    code = (
        "for size in (100, 3_000_000):\n"
        "    for _ in range(2):\n"
        "        space = scratch(size, DTYPE)\n"
        "        print(np.isnan(space).all(), np.isnan(function('add_up')(space, 50)))\n"
        "        space[:50] = 1\n"
    )
    assert run(code) == ("\n".join(["True True"] * 4), "")
    assert run("print(np.isnan(scratch(100, DTYPE)).any())", debug="0") == ("False", "")


def test_workspaces_hold_no_numbers(run):
    code = (
        "from fastnn import Dense, Network, kernels\n"
        "ops = Network([Dense(3)], inputs=2).build(2).program.ops\n"
        "print(np.isnan(kernels.get('jitted').workspace(ops, 10, DTYPE)).all())\n"
    )
    assert run(code) == ("True", "")


def test_other_kernels_are_cached(run):
    code = "from fastnn.kernels.jitted.loader.digest import compiled_here\nprint(compiled_here())"
    assert run(code)[0] != run(code, debug="0")[0]


def test_packs_hold_no_kernels_of_debug_mode(run):
    code = "from fastnn.kernels.jitted.loader.source import source\nprint(source().reason)"
    code = "import os; del os.environ['FASTNN_KERNELS']\n" + code
    assert run(code) == ("debug mode compiles kernels of its own", "")


RNG = np.random.default_rng(0)
X, Y = RNG.normal(size=(70, 6)).astype(np.float32), np.arange(70) % 3
X_WIDE = RNG.normal(size=(70, 54)).astype(np.float32)
TWO_EPOCHS = {"epochs": 2, "batch_size": 30, "progress": False}
BYTES = RNG.integers(0, 256, (70, 300)).astype(np.uint8)


@pytest.mark.skipif(not DEBUG, reason="of debug mode")
class TestNetworks:
    """Each ends as NumPy's do: no index outside, nothing unasked, no number from old scratch."""

    @pytest.fixture(autouse=True)
    def _two_threads(self, monkeypatch):
        """However small the work."""
        monkeypatch.setattr("fastnn.kernels.jitted.execution.entry.MIN_FLOPS_PER_STEP", 0)
        before = fastnn.get_num_threads()
        fastnn.set_num_threads(2)
        yield
        fastnn.set_num_threads(before)

    def check(self, layers, X, y, **settings):
        """Fit, predict, evaluate and differentiate by both backends."""
        found = {}
        for name in ("vectorized", "jitted"):
            net = Network(layers, inputs=X.shape[1], seed=3)
            with fastnn.backend(name):
                history = net.fit(X, y, validation_data=(X, y), **TWO_EPOCHS, **settings)
                cost, slopes = net.cost_and_gradients(X, y, l2=0.1)
                found[name] = [
                    history["cost"], history["validation_cost"], net.predict_proba(X),
                    net.predict_proba(X[:1]), [cost], *slopes.values(),
                ]  # fmt: skip
        for have, want in zip(*found.values(), strict=True):
            np.testing.assert_allclose(have, want, rtol=2e-3, atol=2e-4)

    def test_every_kind_of_layer(self):
        layers = [
            Dense(9, "relu", max_norm=2.0), Dropout(0.3), Dense(40, "tanh"), BatchNorm(),
            GaussianNoise(0.1), Dense(3, "softmax"),
        ]  # fmt: skip
        self.check(layers, X, Y, l2=0.1, clip_norm=1.0)

    def test_bytes(self):
        self.check([Rescaling(1 / 255), Dense(5, "relu"), Dense(1, "sigmoid")], BYTES, Y > 0)

    def test_examples_in_groups(self, monkeypatch):
        """Whose gradients lie in the workspace and are added up."""
        monkeypatch.setitem(TWO_EPOCHS, "batch_size", 256)
        X, y = np.tile(X_WIDE, (4, 1)), np.tile(Y, 4)[:280]
        self.check([Dense(125, "relu"), Dense(61, "tanh"), Dense(3, "softmax")], X, y)
