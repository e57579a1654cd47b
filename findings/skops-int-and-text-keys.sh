#!/usr/bin/env bash
# skops loses an entry of a dictionary that has both 1 and "1" as keys.
#
# Versions: skops 0.16.0, scikit-learn 1.9.1, numpy 2.4.6 (CPython 3.11).
# Guess: a dictionary of labels or parameters comes back with its keys, as it does for keys that
#   are all numbers ({0: 1.0, 1: 5.0} is kept, integers stay integers), or is refused.
# What happens: the keys go through JSON text beside a list of their types, so both become "1" and
#   one value is lost. True beside them comes back as the text "true". Nothing is said.
# Output seen:
#   saved {1: 'number', '1': 'text'}, loaded {1: 'text'}
#   saved {2: 'number', '2': 'text', True: 'yes'}, loaded {2: 'text', 'true': 'yes'}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 scikit-learn==1.9.1 skops==0.16.0
"$folder/venv/bin/python" - <<'PY'
import skops.io

for keys, expected in (
    ({1: "number", "1": "text"}, {1: "text"}),
    ({2: "number", "2": "text", True: "yes"}, {2: "text", "true": "yes"}),
):
    back = skops.io.loads(skops.io.dumps(keys))
    print(f"saved {keys}, loaded {back}")
    assert back == expected
assert skops.io.loads(skops.io.dumps({0: 1.0, 1: 5.0})) == {0: 1.0, 1: 5.0}
PY
