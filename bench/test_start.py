"""Starting, each in a fresh process: the import, the first fit without a cache, and with one."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

TIMED = "import time\nbegan = time.perf_counter()\n{}\nprint(time.perf_counter() - began)"
IMPORT = TIMED.format("import fastnn")
FIT = "import numpy as np\n" + TIMED.format(
    "import fastnn\n"
    "net = fastnn.Network.mlp([2, 10, 5, 1], output='sigmoid')\n"
    "net.fit(np.eye(2), [0, 1], epochs=1, progress=False)"
)


def started(code, cache):
    """Return the seconds that code took in a fresh process, the interpreter's own start apart."""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env=os.environ | {"FASTNN_CACHE_DIR": str(cache)}, timeout=200,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return float(done.stdout)


@pytest.fixture
def measure(benchmark, timed):
    """Return a function that runs code in fresh processes and files what they say of themselves."""

    def run(name, code, caches, rounds):
        inside = []
        folders = iter(caches)

        def call():
            inside.append(started(code, next(folders)))

        timed("start", name)
        benchmark.pedantic(call, rounds=rounds)
        benchmark.extra_info["seconds inside"] = sorted(round(s, 3) for s in inside)

    return run


def test_import(measure, tmp_path):
    measure("import fastnn", IMPORT, [tmp_path] * 7, 7)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Cache folders, empty at first."""
    return [tmp_path_factory.mktemp(str(i)) for i in range(2)]


def test_first_fit_cold(measure, folders):
    measure("first fit, no cache", FIT, folders, 2)


def test_first_fit_warm(measure, folders):
    if not any(folders[0].iterdir()):
        started(FIT, folders[0])
    measure("first fit, warm cache", FIT, folders[:1] * 7, 7)
