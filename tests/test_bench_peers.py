"""The comparison with peers: costs before times, rows and their twins, table and picture."""

import importlib.util
import json
import math
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import builders
import numpy as np
import pytest

from fastnn import kernels

pytestmark = pytest.mark.medium

ROOT = Path(__file__).resolve().parent.parent


#: Compare a peer with fastnn in rows that it can do; the first argument names the peer.
COMPARE = """
import sys
from bench.peers import measure, rows
kinds = measure.contenders([sys.argv[1]])
for name in sys.argv[2:]:
    (row,) = rows.chosen(name)
    measure.compare(row, {n: kind for n, kind in kinds.items() if kind.can(row)})
"""


def run(*arguments):
    """Run Python from the repository root."""
    return subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=builders.environment_of_bench(),
        capture_output=True, text=True, encoding="utf-8", timeout=300, check=False,
    )  # fmt: skip


def command(*arguments):
    """Run a module from the repository root."""
    return run("-m", *arguments)


def record(place, small=False, refused=None, **seconds):
    """A worker's record of one row."""
    return {
        "name": f"row{place}", "title": "2→1", "small": small, "goals": [2, 3],
        "refused": refused, "seconds": {n.replace("_", " "): s for n, s in seconds.items()},
        "least": 1e-6,
    }  # fmt: skip


def records(*rows_by_threads):
    """Records of 1, 2 … threads."""
    machine = {"flops": 1e11, "bytes": 1e10}
    return {
        threads: {"machine": machine, "rows": rows, "varied": []}
        for threads, rows in enumerate(rows_by_threads, start=1)
    }


class TestCommand:
    def test_a_row_runs_from_start_to_end(self, tmp_path):
        out = tmp_path / "out.json"
        done = command(
            "bench.peers", "--rows=moons-adam", "--peers=NumPy", "--threads=1", "--rounds=1",
            "--seconds=0.001", "--goals", f"--json={out}",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "moons-adam: 2→5→2→1, 300 examples, Adam, batch 64" in done.stdout
        (row,) = json.loads(out.read_text(encoding="utf-8"))["1"]["rows"]
        assert row["refused"] is None
        assert set(row["seconds"]) == {"fastnn", "NumPy"}

    @pytest.mark.parametrize("wrong", ["--rows=no", "--peers=no", "--threads=0", "--rounds=0"])
    def test_a_wrong_wish_is_an_error_before_measuring(self, bench, monkeypatch, capsys, wrong):
        main = bench("peers.__main__")
        monkeypatch.setattr(main, "measure_apart", None)
        monkeypatch.setattr("sys.argv", ["peers", wrong])
        with pytest.raises(SystemExit, match="2"):
            main.main()
        assert "error: " in capsys.readouterr().err


class TestAgreement:
    @pytest.fixture
    def measure(self, bench):
        return bench("peers.measure")

    @pytest.fixture
    def circles(self, bench):
        return replace(bench("peers.rows").chosen("circles")[0], epochs=20)

    def measured(self, bench, row, kinds):
        measure, limit = bench("peers.measure"), bench("peers.roofline").Machine(1e11, 1e10)
        return measure.measured(row, kinds, measure.Effort(1, 0.001), limit)

    def test_a_wrong_cost_refuses_the_row(self, bench, measure, circles):
        kinds = measure.contenders(["NumPy"])

        class Wrong(kinds["NumPy"]):
            def fit(self, epochs):
                costs = super().fit(epochs)
                costs[-1] *= 1.01
                return costs

        right = self.measured(bench, circles, kinds)
        assert right["refused"] is None
        assert min(right["seconds"].values()) > 0
        wrong = self.measured(bench, circles, kinds | {"NumPy": Wrong})
        assert "costs of NumPy differ" in wrong["refused"]
        assert wrong["seconds"] == {}

    def test_wrong_labels_refuse_the_row(self, bench, measure):
        (row,) = bench("peers.rows").chosen("predict-1-circles")
        kinds = measure.contenders(["NumPy"])
        measure.compare(row, kinds)

        class Wrong(kinds["NumPy"]):
            def predict(self):
                labels = super().predict()
                labels[::50] ^= True
                return labels

        with pytest.raises(measure.DisagreementError, match="labels of NumPy differ"):
            measure.compare(row, kinds | {"NumPy": Wrong})

    def test_reduced_precision_that_differs_is_left_out(self, bench, measure, capsys):
        (row,) = bench("peers.rows").chosen("predict-1-circles")
        kinds = measure.contenders(["NumPy", "fastnn int8"])
        assert list(measure.compare(row, kinds)) == ["fastnn", "NumPy", "fastnn int8"]

        class Wrong(kinds["fastnn int8"]):
            def predict(self):
                return 1 - super().predict()

        found = measure.compare(row, kinds | {"fastnn int8": Wrong})
        assert list(found) == ["fastnn", "NumPy"]
        assert "labels of fastnn int8 differ" in capsys.readouterr().err

    @pytest.mark.parametrize("what", ["batch", "l2", "epsilon"])
    def test_every_setting_reaches_the_peers(self, bench, measure, what):
        row = bench("peers.rows").chosen("moons-adam")[0]
        row = replace(row, l2=0.7) if what == "l2" else row
        kinds = measure.contenders(["NumPy"])
        measure.compare(row, kinds)

        class Deaf(kinds["NumPy"]):
            def __init__(self, task):
                other = {"batch": 60} if what == "batch" else {"l2": 0.0}
                if what == "epsilon":
                    other = {"optimizer": replace(task.row.optimizer, epsilon=1e-2)}
                super().__init__(replace(task, row=replace(task.row, **other)))

        with pytest.raises(measure.DisagreementError):
            measure.compare(row, kinds | {"NumPy": Deaf})

    @pytest.mark.parametrize(
        ("name", "package"),
        [
            ("scikit-learn", "sklearn"),
            ("PyTorch", "torch"),
            ("JAX", "jax"),
            ("PyTorch bfloat16", "torch"),
            ("ONNX Runtime int8 static", "onnxruntime"),
            ("OpenVINO", "openvino"),
        ],
    )
    def test_the_other_peers_agree(self, name, package):
        """Each in a process of its own, for their threads stay in the one that imports them."""
        if importlib.util.find_spec(package) is None:
            pytest.skip(f"needs {package}")
        done = run("-c", COMPARE, name, "planar", "dropout2d", "moons-adam", "predict-1-circles")
        assert done.returncode == 0, done.stderr


class TestRows:
    def test_twins_change_every_size_but_outputs_a_little(self, bench):
        for row in bench("peers.rows").ROWS:
            twin = row.varied()
            assert len(twin.sizes) == len(row.sizes)
            if row.m > 1:
                assert twin.m != row.m
            assert (twin.batch is None) == (row.batch is None)
            for old, new in zip(row.sizes[:-1], twin.sizes[:-1], strict=True):
                assert old != new
                assert abs(old - new) <= max(2, 0.1 * old), row.name
            assert [len(a) for a in twin.checked().load()] == [twin.checked().m] * 2

    def test_data_are_their_shapes_without_the_real_files(self, bench, monkeypatch):
        data = bench("peers.data")
        monkeypatch.delenv("FASTNN_DATA", raising=False)
        for load, classes in ((data.cats, 2), (data.mnist, 10), (data.signs, 6)):
            X, y = load.__wrapped__(50, 100)
            assert (X.shape, X.dtype, len(y)) == ((50, 100), np.uint8, 50)
            assert set(y) <= set(range(classes))

    def test_the_roofline_of_a_step(self, bench):
        (row,) = bench("peers.rows").chosen("circles")
        assert row.flops() == 2 * 300 * (3 * (20 + 50 + 5) - 20)
        assert row.bytes() == 2 * 300 * 2 * 4 + 4 * 4 * (30 + 55 + 6)
        limit = bench("peers.roofline").Machine(1e9, 1e6)
        assert limit.seconds(2e9, 1e6) == 2
        assert limit.seconds(1e9, 3e6) == 3

    def test_the_roofline_of_two_threads_is_that_of_products_by_both(self, bench, monkeypatch):
        roofline, taken = bench("peers.roofline"), []
        monkeypatch.setattr(roofline, "kernel", lambda: lambda A, B, C: taken.append(C))
        with ThreadPoolExecutor(2) as pool:
            count, call = roofline._products(4, 2, pool)[-1]
            call()
        assert count == len(taken) == 2
        assert taken[0] is not taken[1]
        monkeypatch.setattr(roofline, "_best", lambda n: n**3)  # seconds, however many there are
        assert roofline._rate(lambda n, *rest: [(1, n), (2, n)], 2, None) == 4
        assert math.isnan(roofline._rate(lambda *_: [], 2, None))

    def test_reduced_precision_is_at_least_as_fast_as_float32(self, bench, monkeypatch):
        roofline = bench("peers.roofline")
        rates = {"_products": 2.0, "_bfloat16_products": math.nan, "_int8_products": 1.0}
        monkeypatch.setattr(roofline, "_rate", lambda products, *_: rates[products.__name__])
        monkeypatch.setattr(roofline, "_bandwidth", lambda *_: 3.0)
        machine = roofline.machine(1)
        assert (machine.flops, machine.bytes, machine.int8) == (2, 3, 2)
        assert math.isnan(machine.bfloat16)
        rates["_bfloat16_products"] = 5.0
        assert roofline.machine(1).bfloat16 == 5

    def test_the_roofline_of_bytes_is_that_of_products_by_every_thread(self, bench, monkeypatch):
        roofline, taken = bench("peers.roofline"), []
        with ThreadPoolExecutor(2) as pool:
            monkeypatch.setattr(pool, "map", lambda call, Xs: [taken.append(call(X)) for X in Xs])
            ((count, call),) = roofline._int8_products(16, 2, pool)
            call()
        assert count == len(taken) == 2
        assert taken[0].shape == (16, 16)
        limit = roofline.Machine(1e9, 1e6, int8=4e9)
        assert limit.seconds(2e9, 1e6, "int8") == 1
        assert limit.seconds(2e9, 1e6) == 2
        assert math.isnan(limit.seconds(2e9, 1e6, "bfloat16"))


class TestReport:
    def test_small_nets_are_held_against_either_thread_count(self, bench):
        report = bench("peers.report")
        for small, name, best in ((True, "JAX (1 thread)", 20e-6), (False, "JAX", 80e-6)):
            found = records(
                [record(0, small, fastnn=5e-6, JAX=20e-6)],
                [record(0, small, fastnn=4e-6, JAX=80e-6, NumPy=90e-6)],
            )
            assert report.fastest(found, 2, 0) == (name, best)
            assert report.ratio(found, 2, 0) == pytest.approx(best / 4e-6)
            assert report.fastest(found, 1, 0) == ("JAX", 20e-6)

    def test_refused_rows_are_not_in_the_table(self, bench):
        report = bench("peers.report")
        found = records([record(0, refused="costs differ"), record(1, fastnn=5e-6, JAX=20e-6)])
        table = report.markdown(found, 3)
        assert "row0" not in table
        assert "| row1: 2→1 | 5 | JAX 20 | 4.00 | 20% |" in table
        text = report.terminal(found, goals=True)
        assert "refused: costs differ" in text
        assert "≥ 2" in text

    def test_reduced_precision_is_held_against_its_like(self, bench):
        report = bench("peers.report")
        times = {"fastnn": 5e-6, "fastnn int8": 2e-6, "JAX": 20e-6, "PyTorch bfloat16": 3e-6,
                 "ONNX Runtime int8 static": 6e-6}  # fmt: skip
        row = record(0, **times) | {"least_of": {"int8": 1e-6, "bfloat16": math.nan}}
        found = records([row])
        assert report.fastest(found, 1, 0) == ("JAX", 20e-6)
        assert report.ratio(found, 1, 0, "rows", "int8") == pytest.approx(3)
        (table,) = report.reduced(found)
        assert "| row0 | 1 | int8 | 2 | 50% | ONNX Runtime int8 static 6 | 3.00 | 5 |" in table
        assert "| row0 | 1 | bfloat16 | – | – | PyTorch bfloat16 3 | – | 5 |" in table
        assert report.reduced(records([record(1, fastnn=5e-6, JAX=20e-6)])) == []

    def test_without_peers_there_is_no_ratio(self, bench):
        found = records([record(0, fastnn=5e-6)])
        assert math.isnan(bench("peers.report").ratio(found, 1, 0))

    def test_the_picture_names_the_fastest_peer(self, bench, tmp_path):
        pytest.importorskip("matplotlib", reason="needs matplotlib")
        found = records([record(0, fastnn=5e-6, JAX=20e-6), record(1, refused="no")])
        bench("peers.picture").draw(found, tmp_path / "p.svg")
        text = (tmp_path / "p.svg").read_text(encoding="utf-8")
        assert "4 × JAX" in text
        assert "row1" not in text

    def test_the_block_has_markers_of_its_own(self, bench):
        main, readme = bench("peers.__main__"), bench("readme")
        text = f"a\n{main.BEGIN}\nold\n{main.END}\nb\n"
        found = readme.replaced(text, "new", main.BEGIN, main.END)
        assert found == text.replace("old", "new")
        with pytest.raises(ValueError, match="peers table: begin"):
            readme.replaced("a\n", "new", main.BEGIN, main.END)


class TestProducts:
    def test_all_transpositions_run(self):
        done = command("bench.products", "128×128×128", "--stand-in", "--seconds=0.001")
        assert done.returncode == 0, done.stderr
        lines = [line for line in done.stdout.splitlines() if line.startswith("128×")]
        assert {tuple(line.split()[1:3]) for line in lines} == {
            (flags, dtype) for flags in ("NN", "NT", "TN", "TT") for dtype in ("float32", "float64")
        }
        assert "fastnn / NumPy: median" in done.stdout

    @pytest.mark.skipif(not kernels.get("jitted").available, reason="needs compiled kernels")
    def test_products_of_rounded_numbers_are_checked_beside_those_of_float32(self, bench):
        products = bench("products")
        case = next(products.cases("128×128×128      NT", ("bfloat16",)))
        rates = products.measured(case, products.rounded_kernel(), 0)
        assert rates.keys() >= {"fastnn", "NumPy", "float32"}

    def test_a_wrong_product_is_not_timed(self, bench):
        products = bench("products")
        case = next(products.cases("128×128×128      TN"))

        def wrong(A, B, C, transpose_a, transpose_b):
            products.stand_in(A, B, C, not transpose_a, transpose_b)

        assert products.measured(case, products.stand_in, 0)["fastnn"] > 0
        with pytest.raises(AssertionError, match="of fastnn"):
            products.measured(case, wrong, 0)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
def test_memory_is_measured_against_the_promise():
    done = command("bench.memory", "--rows=moons-adam")
    assert done.returncode == 0, done.stderr
    assert "MiB promised" in done.stdout


def test_the_promise_counts_parameters_slots_copies_and_activations(bench):
    (row,) = bench("peers.rows").chosen("moons-adam")
    p = 15 + 12 + 3
    expected = 4 * (p + 2 * p + 3 * p) + 4 * 64 * (5 + 2 + 1) + 8 * 2**20
    assert bench("memory").promised(row) == expected
