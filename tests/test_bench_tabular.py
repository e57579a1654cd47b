"""bench.tabular: differences in pairs, and a run on a small set of one's own."""

import sys

import numpy as np
import pytest

SETS = """
import numpy as np
import pandas as pd

NAMES = ("words", "numbers")


def load(name):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.normal(size=160), "b": rng.choice(["x", "y", None], 160)})
    score = X["a"].to_numpy() + 2 * (X["b"] == "x").to_numpy()
    X.loc[::9, "a"] = np.nan
    return ("c", X, np.where(score > 1, "yes", "no")) if name == "words" else ("r", X, score)
"""


@pytest.fixture
def records(bench):
    """Two contenders on two sets, of which one has two seeds; a third set knows one of them."""
    Record = bench("tabular.scores").Record
    found = []
    for name, seed, right, loss, gain in (
        ("s", 0, 0.8, 0.5, 0.02), ("s", 1, 0.9, 0.4, 0.02), ("t", 0, 0.6, 0.9, -0.06)
    ):  # fmt: skip
        theirs = {"accuracy": right + gain, "log loss": 2 * loss}
        found.append(Record(name, seed, "ours", {"accuracy": right, "log loss": loss}, 1.0))
        found.append(Record(name, seed, "theirs", theirs, 3.0))
    return [*found, Record("u", 0, "theirs", {"accuracy": 0.1, "log loss": 9.0}, 1.0)]


def test_differences_are_taken_in_pairs_and_each_set_counts_once(bench, records):
    paired = bench("tabular.scores").paired
    found = paired(records, "theirs", "ours", "accuracy")
    assert found.mean == pytest.approx((2 - 6) / 2)
    assert found.error == pytest.approx(np.std([2, -6], ddof=1) / np.sqrt(2))
    assert (found.better, found.worse) == (1, 1)


def test_other_metrics_are_compared_by_their_ratio(bench, records):
    found = bench("tabular.scores").paired(records, "theirs", "ours", "log loss")
    assert found.mean == pytest.approx(100 * np.log(2))
    assert (found.better, found.worse) == (0, 2)
    assert bench("tabular.scores").paired([], "theirs", "ours", "RMSE") is None


def test_the_table_names_differences_and_scores(bench, records):
    text = bench("tabular.report").table(records, "ours")
    assert "| theirs | -2.0 ± 4.0 points (1/1) | +69.3 ± 0.0 % (0/2) | – | 3 × (3) |" in text
    assert "| s | accuracy | 0.85 ± 0.05 | 0.87 ± 0.05 |" in text


@pytest.mark.long
def test_a_run_and_one_that_goes_on(bench, tmp_path, monkeypatch, capsys):
    pytest.importorskip("pandas", reason="pandas is not installed")
    pytest.importorskip("sklearn", reason="scikit-learn is not installed")
    (tmp_path / "small_sets.py").write_text(SETS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    main = bench("tabular.__main__").main
    asked = ["bench.tabular", "small_sets", "--seeds", "1", "--models", "stock", "hist-gb",
             "--base", "stock", "--records", str(tmp_path / "r.jsonl")]  # fmt: skip
    monkeypatch.setattr(sys, "argv", [*asked, "--picture", str(tmp_path / "p.png")])
    main()
    first = (tmp_path / "r.jsonl").read_text()
    assert first.count("\n") == 4
    assert "| words | accuracy |" in capsys.readouterr().out
    assert (tmp_path / "p.png").stat().st_size > 5000
    main()
    assert (tmp_path / "r.jsonl").read_text() == first
