"""Models for tables beside each other, on any sets: python -m bench.tabular MODULE [SET …].

MODULE is importable and has `load(name)`, which returns "c" or "r" for classes or numbers, a
pandas frame, and the targets; its `NAMES` are taken where no SET is named. Each contender is
fitted to three quarters of the rows, in a process of its own, and scored on the others. What is
done is kept in a file, and a second run goes on with the rest.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from importlib import import_module
from itertools import product
from pathlib import Path

from ..machine import line
from .contenders import CONTENDERS
from .report import draw, table
from .scores import Record

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "FASTNN_NUM_THREADS")


def parse() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.tabular", description=__doc__)
    parser.add_argument("module")
    parser.add_argument("sets", nargs="*")
    parser.add_argument("--models", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=10**9, help="at most, drawn by the seed")
    parser.add_argument("--threads", type=int, default=1, help="of each contender")
    parser.add_argument("--base", choices=CONTENDERS, default="tabular")
    parser.add_argument("--records", type=Path, default=Path("tabular.jsonl"))
    parser.add_argument("--picture", type=Path)
    return parser.parse_args()


def read(path: Path) -> list[Record]:
    """Return the records of a file that an earlier run wrote, if there is one."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [Record(*json.loads(text)) for text in lines]


def measure(given: argparse.Namespace, name: str, seed: int, model: str) -> Record | None:
    """Return what a process of its own found, or None, having said what its error was."""
    asked = [given.module, name, str(seed), str(given.rows), str(given.threads), model]
    done = subprocess.run(
        [sys.executable, "-m", "bench.tabular.worker", *asked], capture_output=True, text=True,
        env=os.environ | dict.fromkeys(THREADS, str(given.threads)), check=False,
    )  # fmt: skip
    if done.returncode:
        last = (done.stderr.splitlines() or ["no output"])[-1]
        print(f"{model} on {name}, seed {seed}: {last}", file=sys.stderr)
        return None
    return Record(*json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure what is missing; print the table and draw the picture."""
    given = parse()
    models = [name for name in given.models if CONTENDERS[name].available]
    for name in set(given.models) - set(models):
        print(f"{name} left out: not installed ({', '.join(CONTENDERS[name].needs)})")
    sets = given.sets or list(import_module(given.module).NAMES)
    seeds = range(given.first_seed, given.first_seed + given.seeds)
    known = {(r.name, r.seed, r.contender): r for r in read(given.records)}
    wanted = list(product(sets, seeds, models))
    for key in wanted:
        if key not in known and (found := measure(given, *key)) is not None:
            known[key] = found
            with given.records.open("a") as file:
                print(json.dumps(found), file=file)
    records = [known[key] for key in wanted if key in known]
    print(line(), f"{given.threads} threads, seeds {seeds.start} to {seeds.stop - 1}", sep="; ")
    print(table(records, given.base))
    if given.picture:
        draw(records, given.base, given.picture)


if __name__ == "__main__":
    main()
