"""The benchmarks run, check what they time, and put their table into the README; no time counts."""

import importlib.util
import platform
import subprocess
import sys
from pathlib import Path

import builders
import numpy as np
import pytest

pytestmark = pytest.mark.medium

ROOT = Path(__file__).resolve().parent.parent
ROWS = [
    {"name": "dot", "dtype": "float64", "loops": 0.6, "vectorized": 1e-3, "jitted": 5e-4},
    {"name": "step", "dtype": "float32", "loops": 2.0, "vectorized": 1e-4, "jitted": None},
]


def run(*arguments):
    """Run a module from the repository root."""
    return subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=ROOT,
        env=builders.environment_of_bench(),
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


@pytest.mark.skipif(
    importlib.util.find_spec("pytest_benchmark") is None, reason="needs pytest-benchmark"
)
@pytest.mark.long  # CI runs all benchmarks once by itself
def test_smoke_run_passes():
    done = run("pytest", "bench", "--benchmark-disable", "-k", "dot or planar or softmax")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout
    assert "machine: " in done.stdout


def test_ratios_print_the_chosen_rows_losers_first():
    done = run("bench.ratios", "gradient_descent", "--seconds", "0.01")
    assert done.returncode == 0, done.stderr
    rows = [line.split() for line in done.stdout.splitlines()[2:]]
    assert {row[3] for row in rows} == {"gradient_descent"}
    assert {row[-1] for row in rows} == {"float32", "float64"}
    ratios = [float(row[0]) for row in rows]
    assert ratios == sorted(ratios)


@pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="reads x86's cycle counter"
)
def test_profile_prints_every_phase_and_the_whole():
    done = run("bench.profile", "moons-adam", "--seconds", "0.001", "--rounds", "1")
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith("moons-adam: 2→5→2→1, 300 examples, Adam, batch 64; float32")
    assert {line.partition(" ")[0] for line in lines[5:] if line} == {
        "phase", "forward", "loss", "backward", "update", "rest", "step",
    }  # fmt: skip
    (whole,) = (line for line in lines if line.startswith("step"))
    assert whole.endswith("100.0 %")


def test_profile_is_of_rows_that_train():
    done = run("bench.profile", "predict-10000")
    assert done.returncode == 2
    assert "invalid choice" in done.stderr


class TestReadme:
    def text(self, readme, inside="old\n"):
        return f"# Title\n\n{readme.BEGIN}\n{inside}{readme.END}\n\nAfter × µ.\n"

    def test_only_the_block_is_replaced(self, bench, tmp_path):
        readme = bench("readme")
        path = tmp_path / "README.md"
        path.write_text(self.text(readme), encoding="utf-8")
        readme.write(path, ROWS)
        found = path.read_text(encoding="utf-8")
        assert found == self.text(readme, readme.block(ROWS) + "\n")
        assert "| dot | float64 | 600 ms | 1 ms | 500 µs |" in found
        assert "old" not in found
        readme.write(path, ROWS)
        assert path.read_text(encoding="utf-8") == found

    @pytest.mark.parametrize("damage", ["none", "begin", "end", "order", "twice"])
    def test_missing_markers_are_an_error(self, bench, tmp_path, damage):
        readme = bench("readme")
        text = {
            "none": "# Title\n",
            "begin": f"a\n{readme.END}\n",
            "end": f"{readme.BEGIN}\na\n",
            "order": f"{readme.END}\n{readme.BEGIN}\n",
            "twice": f"{readme.BEGIN}\n{readme.END}\n{readme.BEGIN}\n{readme.END}\n",
        }[damage]
        path = tmp_path / "README.md"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ValueError, match="speed table: begin"):
            readme.write(path, ROWS)
        assert path.read_text(encoding="utf-8") == text


class TestAgreement:
    def test_a_wrong_result_is_never_timed(self, bench):
        agree = bench("agreement").agree
        agree("sum", "float32", [1.00001], [1.0])
        for wrong in ([1.01], [np.nan], [np.ones(2)]):
            with pytest.raises(AssertionError, match="sum, float32"):
                agree("sum", "float32", wrong, [np.zeros(2)] if np.ndim(wrong[0]) else [1.0])

    def test_networks_at_once_that_differ_are_never_timed(self, bench, monkeypatch):
        many = bench("many")
        monkeypatch.setattr(many, "STEPS", 3)
        monkeypatch.setattr("fastnn._runtime.threads._wanted", None)  # back at the end
        work = many.works()["circles"]
        many.check("circles", work)

        def wrong(work, nets, steps, threads):
            many.one_by_one(work, nets[::-1], steps)

        monkeypatch.setattr(many, "together", wrong)
        with pytest.raises(AssertionError):
            many.check("circles", work)

    def test_turns_give_one_median_for_every_call(self, bench):
        seen = []
        calls = {name: lambda name=name: seen.append(name) for name in "ab"}
        times = bench("timing").medians(calls, seconds=0, least=3)
        assert times.keys() == {"a", "b"}
        assert {"a", "b"} == set(seen)
