"""The lesson of vectorisation: what is timed is checked first, and what the tables say."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import fastnn
from fastnn import kernels
from fastnn._runtime import threads
from fastnn.comparison import timing as lesson
from fastnn.comparison.workloads import Workload, workloads
from fastnn.errors import FastnnError

ROWS = [
    {"name": "dot", "dtype": "float64", "loops": 0.622, "vectorized": 998e-6, "jitted": 4e-7},
    {"name": "half", "dtype": "float32", "loops": 2.5, "vectorized": None, "jitted": 1e-3},
]
ROWS = [row | {"spread": spread} for row, spread in zip(ROWS, (0.04, 0.31), strict=True)]


@pytest.mark.medium
def test_quick_lesson_measures_every_work_on_every_backend():
    told = []
    rows = lesson.compare(quick=True, note=told.append)
    assert [row["name"] for row in rows] == told == [work.name for work in workloads(quick=True)]
    for row in rows:
        assert list(row) == ["name", "dtype", *kernels.BACKENDS, "spread"]
        assert row["spread"] >= 0
        assert all(row[name] > 0 for name in kernels.BACKENDS)
    for words in ("dot", "standardize", "logistic", "forward", "backward", "epoch"):
        assert any(words in name for name in told)


def test_lesson_has_the_sizes_of_the_notes():
    names = " ".join(work.name for work in workloads())
    assert "dot, 1,000,000 elements" in names
    assert "209 images of 12,288 pixels" in names


def test_lesson_gives_the_threads_back(monkeypatch):
    monkeypatch.setattr(threads, "_wanted", None)
    fastnn.set_num_threads(2)
    within = []
    with lesson._one_thread():
        within.append(fastnn.get_num_threads())
    assert (within, fastnn.get_num_threads()) == ([1], 2)


@pytest.mark.parametrize("wrong", ["vectorized", "jitted"])
def test_a_wrong_result_is_not_timed(wrong):
    calls = []

    def prepare(name):
        def call():
            calls.append(name)
            return [np.array([1.0, 2.0 + 1e-7 * (name == wrong)])]

        return call

    with pytest.raises(FastnnError, match=f"{wrong}.*nothing was timed"):
        lesson._measure(Workload("sum", "float64", prepare))
    assert calls.count(wrong) == 1


def test_nan_counts_as_wrong():
    work = Workload("sum", "float64", lambda name: lambda: [np.nan if name == "jitted" else 1.0])
    with pytest.raises(FastnnError, match="jitted"):
        lesson._measure(work)


def test_times_are_medians_of_turns(monkeypatch):
    clock = itertools.count()
    monkeypatch.setattr(lesson.time, "perf_counter", lambda: float(next(clock)))
    row = lesson._measure(Workload("tick", "float64", lambda name: lambda: [1.0]))
    times = dict.fromkeys(kernels.BACKENDS, 1.0)
    assert row == {"name": "tick", "dtype": "float64"} | times | {"spread": 0.0}


def test_spread_is_the_interquartile_range_over_the_median():
    times = [4.0, 1.0, 2.0, 5.0, 9.0]
    low, high = np.percentile(times, [25, 75])
    assert lesson._spread(times) == pytest.approx((high - low) / np.median(times))
    assert lesson._spread([3.0]) == 0


def test_noisy_rows_are_marked():
    assert "!:" in lesson.table(ROWS)
    assert "!" not in lesson.table(ROWS[:1])


def test_a_backend_that_cannot_run_has_no_time(monkeypatch):
    monkeypatch.setattr(kernels.get("jitted"), "available", False)
    row = lesson._measure(Workload("nothing", "float64", lambda name: lambda: [1.0]))
    assert row["jitted"] is None
    assert row["vectorized"] > 0


def test_speedup():
    assert lesson.speedup(ROWS[0], "vectorized") == pytest.approx(0.622 / 998e-6)
    assert lesson.speedup(ROWS[0], "jitted", over="vectorized") == pytest.approx(2495)
    assert lesson.speedup(ROWS[1], "vectorized") is None


def test_table_is_aligned_and_says_the_conditions():
    lines = lesson.table(ROWS).splitlines()
    assert lines[0].split() == ["work", "dtype", "loops", "vectorized", "jitted",
                                "vectorized", "×", "jitted", "×", "spread"]  # fmt: skip
    assert lines[2].split() == ["dot", "float64", "622", "ms", "998", "µs", "0.4", "µs",
                                "623", "1,555,000", "4%"]  # fmt: skip
    assert lines[3].split() == ["half", "float32", "2.5", "s", "–", "1", "ms", "–", "2,500", "31%",
                                "!"]  # fmt: skip
    assert len({len(line) for line in lines[:4]}) == 1
    legend = " ".join(lines[5:])
    assert np.__version__ in legend
    assert "one thread" in legend
    assert max(map(len, lines)) == len(lines[1])


def test_rows_without_a_spread_have_no_column_of_it():
    rows = [{key: value for key, value in row.items() if key != "spread"} for row in ROWS]
    assert "spread" not in lesson.table(rows)


def test_markdown_holds_the_same_cells():
    lines = lesson.markdown(ROWS).splitlines()
    assert lines[1] == "| :-- | :-- | --: | --: | --: | --: | --: | --: |"
    assert lines[2] == "| dot | float64 | 622 ms | 998 µs | 0.4 µs | 623 | 1,555,000 | 4% |"
    assert lesson.conditions() + "." in lines[-1]


def test_conditions_admit_threads_that_cannot_be_limited(monkeypatch):
    monkeypatch.setattr(lesson.util, "find_spec", lambda name: None)
    assert "NumPy's products: as many as they take" in lesson.conditions()
