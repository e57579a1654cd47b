#!/usr/bin/env bash
# A Parquet fragment of one row group counts the rows of its whole file.
#
# Versions: pyarrow 26.0.1, numpy 2.4.6 (CPython 3.11).
# Guess: fragment.split_by_row_group() gives a fragment for each row group, so that count_rows() of
#   each is the number of rows that its to_table() and its scanner give.
# What happens: count_rows() of each is that of the whole file, and so the parts add up to more than
#   there is. With a filter, and through row_groups[0].num_rows, the number is right.
# Output seen:
#   parts of a file of 10 rows: count_rows [10, 10, 10], rows read [4, 4, 2], row_groups [4, 4, 2]
#   subset of row group 2: count_rows 10, with a filter that all rows pass 2
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q numpy==2.4.6 pyarrow==26.0.1
cd "$folder"
venv/bin/python - <<'PY'
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

pq.write_table(pa.table({"a": range(10)}), "a.parquet", row_group_size=4)
(fragment,) = ds.dataset("a.parquet").get_fragments()
parts = fragment.split_by_row_group()
counted = [part.count_rows() for part in parts]
read = [part.to_table().num_rows for part in parts]
listed = [part.row_groups[0].num_rows for part in parts]
print(f"parts of a file of {fragment.count_rows()} rows: count_rows {counted},", end=" ")
print(f"rows read {read}, row_groups {listed}")
subset = fragment.subset(row_group_ids=[2])
filtered = subset.count_rows(filter=ds.field("a") >= 0)
print(f"subset of row group 2: count_rows {subset.count_rows()},", end=" ")
print(f"with a filter that all rows pass {filtered}")
assert read == listed == [4, 4, 2] and counted == [10, 10, 10]
PY
