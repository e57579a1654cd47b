"""A search that tests share with processes: `python -m shared_search STUDY FOLDER MODE` runs it."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import fastnn
from fastnn import Network, spaces
from fastnn.data import moons

X, Y = moons(80, noise=0.1, seed=0)
SPACE = {"learning_rate": spaces.Log(1e-6, 1e-1), "units": spaces.Integer(2, 6)}
SETTINGS = {"trials": 24, "epochs": 10, "monitor": "validation_cost"}


def make(units):
    """Return the network of a trial; trained by NumPy, so that no process compiles."""
    return Network.mlp([2, units, 1], output="sigmoid")


def die(units):
    """End the process in the middle of a trial."""
    os._exit(3)


def search(**settings):
    with fastnn.backend("vectorized"):
        return fastnn.tune(settings.pop("make", make), X, Y, SPACE, **SETTINGS | settings)


class Company:
    """Makes networks; the first one of each process waits until there are two such processes."""

    def __init__(self, folder):
        self.folder = Path(folder)

    def __call__(self, units):
        (self.folder / str(os.getpid())).touch()
        until(lambda: len(list(self.folder.iterdir())) == 2)
        return make(units)


class Stuck(Company):
    """Makes no network, but tells the number of its process."""

    def __call__(self, units):
        (self.folder / str(os.getpid())).touch()
        time.sleep(1000)


def until(condition):
    """Wait until a condition holds, for two minutes at most."""
    for _ in range(6000):
        if condition():
            return
        time.sleep(0.02)
    raise TimeoutError("it never came true")


if __name__ == "__main__":
    kind, processes = {"company": (Company, 1), "stuck": (Stuck, 2)}[sys.argv[3]]
    own = []
    found = search(make=kind(sys.argv[2]), study=sys.argv[1], processes=processes,
                   callbacks=[lambda trial: own.append(trial["number"])])  # fmt: skip
    sys.stdout.write(json.dumps([own, found.trials]))
