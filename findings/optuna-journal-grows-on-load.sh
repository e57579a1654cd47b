#!/usr/bin/env bash
# Opening an Optuna study that exists writes to its journal file.
#
# Versions: optuna 5.0.0 (CPython 3.11).
# Guess: create_study(load_if_exists=True) on a study that exists only reads; the file's bytes, and
#   any digest of them, stay as they were until a trial runs.
# What happens: each call appends the operation "create study" once more, which replaying the
#   journal then ignores. The file grows with every look at it; load_study leaves it alone.
# Output seen:
#   lines: 1 after making it, 2 and 3 after loading it by create_study, 3 by load_study
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q optuna==5.0.0
cd "$folder"
"$folder/venv/bin/python" - <<'PY'
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

optuna.logging.set_verbosity(optuna.logging.ERROR)
lines = []
for open_study in 3 * [optuna.create_study] + [optuna.load_study]:
    more = {"load_if_exists": True} if open_study is optuna.create_study else {}
    open_study(study_name="s", storage=JournalStorage(JournalFileBackend("journal.log")), **more)
    lines.append(len(Path("journal.log").read_text().splitlines()))
print(f"lines: {lines[0]} after making it, {lines[1]} and {lines[2]} after loading it by "
      f"create_study, {lines[3]} by load_study")
assert lines == [1, 2, 3, 3]
PY
