"""Whole processes beside each other: results before times, who can start, tables and sizes."""

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [
    pytest.mark.medium,
    pytest.mark.skipif(not hasattr(os, "wait4"), reason="needs os.wait4"),
]

ROOT = Path(__file__).resolve().parent.parent
SCRIPTS = ROOT / "bench" / "start" / "scripts"
FACTS = {"version": "1.0", "bytes": 2_000_000, "with_needs": 60_000_000, "packs": {"v3": 1_500_000}}


def command(*arguments):
    """Run `python -m bench.start` from the repository root."""
    return subprocess.run(
        [sys.executable, "-m", "bench.start", *arguments], cwd=ROOT, capture_output=True,
        text=True, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture
def contenders(bench):
    return bench("start.contenders")


@pytest.fixture
def measure(bench):
    return bench("start.measure")


@pytest.fixture
def start(contenders):
    """Return a function that makes a contender of a name and a library."""
    return lambda name, library="fastnn", place=None, kernels="jit": contenders.Contender(
        name, library, place or contenders.Place(), FACTS, kernels
    )


def record(*numbers, parameters="00"):
    """What a process says of its results."""
    content = struct.pack(f"{len(numbers)}f", *numbers).hex()
    return {"dtype": "float32", "prediction": content, "parameters": parameters}


class TestCommand:
    def test_a_process_runs_from_start_to_end(self):
        done = command("--only=NumPy", "--rounds=2", "--python=PyTorch=" + sys.executable)
        assert done.returncode == 0, done.stderr
        (row,) = re.findall(r"^\| NumPy .*", done.stdout, re.M)
        seconds, least, ratio, imported, fit, predict = row.split(" | ")[1:7]
        assert float(seconds) >= float(least) > float(imported) > 0
        assert (ratio, fit, predict) == ("1.00", "", "")
        assert "Medians of 2 rounds" in done.stdout

    @pytest.mark.parametrize(
        "wrong", ["--rounds=0", "--only=no", "--python=no=/", "--python=JAX=/no", "--against=no"]
    )
    def test_a_wrong_wish_is_an_error_before_measuring(self, bench, monkeypatch, capsys, wrong):
        monkeypatch.setattr("sys.argv", ["start", wrong])
        with pytest.raises(SystemExit, match="2"):
            bench("start.__main__").main()
        said = capsys.readouterr().err
        assert "error: " in said
        assert "checking" not in said


class TestContenders:
    def test_who_cannot_start_is_told(self, contenders, monkeypatch, tmp_path):

        def survey(place, library):
            if place.checkout:
                return FACTS | {"packs": {}}
            return FACTS if library in ("fastnn", "NumPy") else None

        monkeypatch.setattr(contenders.Place, "survey", survey)
        here, old = contenders.Place("python"), contenders.Place("python", tmp_path)
        found, missing = contenders.contenders({"fastnn": here}, {"old": old}, tmp_path)
        assert [(one.name, one.kernels) for one in found] == [
            ("NumPy", None),
            ("fastnn packed", "pack"), ("fastnn warm", "jit"), ("fastnn cold", "jit"),
            ("old warm", "jit"), ("old cold", "jit"),
        ]  # fmt: skip
        assert {one.name: one.cache for one in found if one.cache} == {
            "fastnn warm": tmp_path / "fastnn", "old warm": tmp_path / "old",
        }  # fmt: skip
        told = [line.partition(":")[0] for line in missing]
        assert told == ["old packed", "scikit-learn", "PyTorch", "JAX"]

    def test_what_would_change_a_measurement_is_not_inherited(self, contenders, monkeypatch):
        monkeypatch.setenv("FASTNN_NUM_THREADS", "1")
        monkeypatch.setenv("NUMBA_OPT", "0")
        found = contenders.Place(checkout=Path("tree")).environment(FASTNN_KERNELS="jit")
        ours = {name: value for name, value in found.items() if name.startswith(contenders.OURS)}
        assert ours == {"FASTNN_KERNELS": "jit", "JAX_PLATFORMS": "cpu", "PYTHONPATH": "tree"}

    def test_what_a_failed_process_said_is_in_the_error(self, contenders):
        start = contenders.Contender("NumPy", "NumPy", contenders.Place("no-python"), FACTS)
        with pytest.raises(contenders.BrokenError, match="no-python"):
            start.run()

    def test_a_checkout_goes_before_what_is_installed(self, contenders, tmp_path):
        package = tmp_path / "fastnn"
        package.mkdir()
        (package / "__init__.py").write_text("x = 1\n")
        (package / "x.pyc").write_bytes(bytes(50))  # is not counted
        (tmp_path / "kernels" / "packs").mkdir(parents=True)
        (tmp_path / "kernels" / "packs" / "v3.pack").write_bytes(bytes(100))
        (tmp_path / "pyproject.toml").write_text('[project]\ndependencies = ["numpy>=2", "no-x"]\n')
        facts = contenders.Place(checkout=tmp_path).survey("fastnn")
        numpy = contenders.Place().survey("NumPy")
        assert numpy["with_needs"] == numpy["bytes"] > 1e6
        assert facts == {
            "version": None, "bytes": 106, "with_needs": 106 + numpy["bytes"], "packs": {"v3": 100},
        }  # fmt: skip


class TestCheck:
    def test_only_ten_finite_numbers_are_a_prediction(self, measure, start):
        starts = [start("JAX", "JAX")]
        measure.check(starts, {"JAX": record(*[0.5] * 10)})
        for wrong in ([0.5] * 9, [0.5] * 9 + [float("nan")], [0.5] * 11):
            with pytest.raises(measure.DisagreementError, match="JAX predicted"):
                measure.check(starts, {"JAX": record(*wrong)})

    def test_starts_of_one_fastnn_give_the_same_bits(self, measure, start, contenders):
        numbers = [0.5] * 10
        old = contenders.Place("python", Path("old"))
        starts = [start("fastnn warm"), start("fastnn cold"), start("old cold", place=old)]
        records = {one.name: record(*numbers) for one in starts}
        measure.check(starts, records | {"old cold": record(*numbers, parameters="01")})
        for other in (record(*numbers, parameters="01"), record(*numbers[1:], 0.5000001)):
            with pytest.raises(measure.DisagreementError, match="cold and fastnn warm gave other"):
                measure.check(starts, records | {"fastnn cold": other})

    def test_a_pack_may_round_otherwise(self, measure, start):
        starts = [start("fastnn packed", kernels="pack"), start("fastnn cold")]
        records = {"fastnn packed": record(*[0.5] * 10, parameters="01")}
        measure.check(starts, records | {"fastnn cold": record(*[0.5000001] * 10)})
        with pytest.raises(AssertionError, match="fastnn cold and fastnn packed"):
            measure.check(starts, records | {"fastnn cold": record(*[0.51] * 10)})

    def test_each_starts_once_in_each_round_and_none_is_always_first(self, measure, start):
        order, starts = [], [start(name, "JAX") for name in "abc"]
        for one in starts:
            one.run = lambda name=one.name: order.append(name) or record(*[0.5] * 10) | {
                "seconds": len(order), "cpu": 1, "peak": 1,
            }  # fmt: skip
        found = measure.measured(starts, 2)
        assert "".join(order) == "abcabcbca"
        assert found["a"]["seconds"] == [4, 9]
        assert measure.median(found["a"], "seconds") == 6.5


def test_the_peak_is_the_process_s_own():
    code = "bytearray(b'1') * 200_000_000"
    small, large = (
        eval(subprocess.check_output(
            [sys.executable, "-IS", SCRIPTS / "launch.py", sys.executable, "-c", c], text=True
        ))
        for c in ("pass", code)
    )  # fmt: skip
    assert 1e6 < small["peak"] < 1e8 < 2e8 < large["peak"] < 4e8


def test_the_table_has_ratios_to_the_first_fastnn(bench):
    report, nan = bench("start.report"), float("nan")
    parts = {"import": [0.5], "fit": [0.25], "predict": [nan], "cpu": [2.0]}
    rows = (
        ("NumPy", [0.1], 3e7), ("fastnn packed", [0.3, 0.2, 0.4], 8e7),
        ("fastnn warm", [0.9], 8e7), ("JAX", [3.0], 2e8),
    )  # fmt: skip
    found = {
        name: parts
        | {"library": name.split()[0], "facts": FACTS, "seconds": seconds, "peak": [peak]}
        for name, seconds, peak in rows
    }
    whole = report.table(found).splitlines()
    assert whole[3] == (
        "| fastnn packed | 0.300 | 0.200 | 1.00 | 0.500 | 0.250 |  | 2.00 | 80 | 1.00 | 60 |"
    )
    assert whole[5].startswith("| JAX | 3.00 | 3.00 | 10.00 |")
    assert report.table(found, report.SHORT).splitlines()[5] == "| JAX | 3.00 | 10.00 | 200 | 60 |"
    found["old cold"] = found["fastnn warm"] | {"facts": FACTS | {"version": None}}
    text = report.conditions(found, 3)
    assert "times as much as fastnn packed" in text
    assert "fastnn alone 2.0 MB, its packs: v3 1.5 MB" in text
    assert text.count("fastnn 1.0") == 1
