"""Files of tables: separators, packing and Parquet; what is no table in one sentence."""

import gzip

import numpy as np
import pytest

from fastnn.data import load_table
from fastnn.errors import DataError, DataFileError, MissingExtraError, SettingError

pd = pytest.importorskip("pandas", reason="pandas is not installed")


@pytest.fixture
def frame():
    """60 rows: a number with missing ones, a text, a decimal number, and the target."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "age": np.where(rng.random(60) < 0.2, np.nan, rng.integers(1, 90, 60)),
            "city": rng.choice(["Köln", "Bonn", "a, b", "None"], 60),
            "price": rng.integers(1, 1000, 60) / 8,
            "kind": rng.choice(["new", "None"], 60),
        }
    )


@pytest.fixture
def expected(frame, tmp_path):
    """Features of the frame, read from CSV."""
    return load_table(write(frame, tmp_path / "plain.csv"), "kind")


def write(frame, path, **settings):
    frame.to_csv(path, index=False, **settings)
    return path


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("t.tsv", {"sep": "\t"}),
        ("t.csv", {"sep": ";", "decimal": ","}),
        ("t.csv", {"sep": "|"}),
        ("t.csv.gz", {}),
        ("t.CSV", {"encoding": "utf-8-sig", "lineterminator": "\r\n"}),
        ("t.txt.xz", {"sep": "\t"}),
        ("t.csv", {"quoting": 1, "na_rep": "?"}),
    ],
)
def test_texts_are_read_alike(frame, expected, tmp_path, name, settings):
    table = load_table(write(frame, tmp_path / name, **settings), "kind")
    np.testing.assert_array_equal(table.X, expected.X)
    np.testing.assert_array_equal(table.y, frame["kind"] == "new")
    assert table.classes == ("None", "new")
    assert table.name == "t"


def test_parquet_is_read_alike(frame, expected, tmp_path):
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    frame["city"] = frame["city"].replace("None", None)  # in CSV it is read as missing
    frame.to_parquet(tmp_path / "t.parquet")
    table = load_table(tmp_path / "t.parquet", "kind")
    np.testing.assert_array_equal(table.X, expected.X)
    assert table.feature_names == expected.feature_names


def test_a_separator_can_be_named(frame, expected, tmp_path):
    path = write(frame, tmp_path / "t.csv", sep="#")
    np.testing.assert_array_equal(load_table(path, "kind", separator="#").X, expected.X)
    with pytest.raises(SettingError, match="one character"):
        load_table(path, "kind", separator="::")


def test_codes_named_among_the_categories_keep_their_zeros(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("zip,y\n" + "01067,a\n04109,b\n" * 10)
    table = load_table(path, "y", categories=["zip"])
    assert table.feature_names == ("zip = 01067", "zip = 04109")


ROWS = "".join(f"{i},{i % 3},{'ab'[i % 2]}\n" for i in range(0, 60, 3))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("a,b,y\n", "no rows"),
        ("\n\n", "cannot be read as a table|no rows"),
        ("a,a,y\n" + ROWS, "has 2 columns 'a'"),
        ("a,a ,y\n" + ROWS, "has 2 columns 'a'"),
        ("a,b,Y\n" + ROWS, "no column 'y', it has: a, b, Y; did you mean 'Y'"),
        ("a,b,z\n" + ROWS, "no column 'y', it has: a, b, z"),
        ("a,b,y\n" + ROWS + "1,2,a,4\n", "cannot be read as a table .*saw 4"),
        ("a,y\n" + ROWS, "cannot be read as a table .*Length of header"),
        ("a,b,y\n" + ROWS + "1,2,\n", "target 'y' is missing in 1 row, the first is row 20"),
        ("a,b,y\n" + ROWS + "x,2,a\n", "column 'a' mixes 20 numbers with text, 'x' in row 20"),
        ("5.1,3.5,-1e3\n1,2,3\n", "begins with the numbers 5.1, 3.5"),
        ("a,b\0,y\n", "bytes that are no text"),
        (b"a,b,y\n\xe4,2,3\n", "no text in UTF-8"),
        (b"PK\x03\x04 and so on", "workbook"),
        (b"\x89PNG\r\n\x1a\n", "is a picture"),
        (b"PAR1....PAR1", "ending .parquet"),
    ],
)
def test_what_is_no_table_is_refused(text, words, tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises((DataError, DataFileError), match=words) as caught:
        load_table(path, "y")
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_packing_and_parquet(tmp_path):
    packed = tmp_path / "t.csv.gz"
    packed.write_bytes(gzip.compress(ROWS.encode())[:-9])
    (tmp_path / "n.csv.gz").write_text("a,b\n1,2\n")
    for path in (packed, tmp_path / "n.csv.gz"):
        with pytest.raises(DataFileError, match="cannot be read as a table"):
            load_table(path, "y")
    pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    (tmp_path / "t.parquet").write_bytes(b"PAR1....PAR1")
    with pytest.raises(DataFileError, match="cannot be read as a table"):
        load_table(tmp_path / "t.parquet", "y")


def test_paths_that_are_none(tmp_path):
    with pytest.raises(FileNotFoundError, match="no file"):
        load_table(tmp_path / "t.csv", "y")
    with pytest.raises(DataFileError, match="folder"):
        load_table(tmp_path, "y")


def test_without_pandas_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "1,2\n" * 3)
    with pytest.raises(MissingExtraError, match=r'pip install "fastnn\[table\]"'):
        load_table(path, "y")
