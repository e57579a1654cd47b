"""Ranks of MPI: the same bits at any number, one sentence for all, and none is left waiting."""

import contextlib
import json
import os
import sys
from pathlib import Path

import pytest

import fastnn
from fastnn.cli.main import main

sys.path.insert(0, str(Path(__file__).parent))
import launch
import program

launch.skip_without_mpi()
pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ranks")


@pytest.fixture(scope="module")
def told(folder):
    """What three ranks found, by check: their values or errors."""
    done = launch.on_ranks(3, HERE / "program.py", folder, folder=folder)
    assert done.returncode == 0, done.stderr
    lines = map(json.loads, done.stdout.splitlines())
    found = {line["check"]: line["ranks"] for line in lines}
    assert list(found) == [check.__name__ for check in program.CHECKS]
    return found


def values(ranks):
    """What each rank returned; none raised anything."""
    assert not [each for each in ranks if "error" in each]
    return [each["found"] for each in ranks]


@pytest.mark.parametrize("name", program.FITS)
def test_the_bits_are_those_of_one_process(told, name):
    assert [each[name] for each in values(told["bits"])] == 3 * [program.fitted(name)]


@pytest.mark.parametrize("name", program.ESTIMATORS)
def test_the_bits_of_estimators_are_those_of_one_process(told, name):
    assert [each[name] for each in values(told["estimators"])] == 3 * [
        program.fitted_estimator(name)
    ]


def test_rank_0_alone_warns(told):
    assert values(told["warns"]) == [1, 0, 0]


@pytest.mark.parametrize(("check", "rank", "error", "sentence"), [
    ("bad_estimator", 2, "ValueError", "Input X contains infinity"),
    ("bad_data", 1, "DataError", "X holds nan in row 3"),
    ("callback_raises", 2, "KeyError", "'the lamp is out'"),
    ("schedule_raises", 1, "OSError", "the sensor is gone"),
    ("no_folder", 0, "FileNotFoundError", "there is no folder"),
])  # fmt: skip
def test_the_error_of_one_rank_is_that_of_all(told, check, rank, error, sentence):
    """Between steps, in the middle of an epoch, before the first one."""
    for number, each in enumerate(told[check]):
        if number == rank:
            assert (each["error"], each["is"]) == (error, False)
            assert each["sentence"].startswith(sentence)
        else:
            assert each["error"] == "RankError"
            expected = f"rank {rank} of 3 ended the fit: {error}: {sentence}"
            assert each["sentence"].startswith(expected)


def test_a_row_that_is_none_brings_all_networks_back(told):
    found = values(told["late_rows"])
    sentence = "DataError: X holds nan in row 1"
    for rank, (error, said, as_before) in enumerate(found):
        assert error == ("DataError" if rank == 1 else "RankError")
        assert sentence in f"{error}: {said}"
        assert as_before


def test_the_command_line_reads_in_windows(told, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    program.write_images(tmp_path)
    assert main(program.train_on_images(tmp_path, "alone")) == 0
    net = fastnn.load("alone/model.safetensors")
    assert values(told["read_by_the_command_line"]) == 3 * [[0, program.digest(net)]]


@pytest.mark.parametrize(("check", "error", "parts"), [
    ("other_shapes", "SettingError", ["the training examples: 330 × 6", "300 × 6", "on rank 2"]),
    ("other_settings", "SettingError", ["settings of fit", "l2=0.25", "on rank 1"]),
    ("draws_apart", "SettingError", ["random_state=None draws other weights on every rank"]),
    ("other_windows", "SettingError", ["330 × 6 of float64, in 4 windows", "in 5 windows"]),
    ("diverges", "DivergenceError", ["in step 2 of this fit", "in layer 'dense1'"]),
    ("too_few_shards", "SettingError", ["from the number of ranks, 3, to 1024, got 2"]),
    ("alone_in_a_change", "RankError", ["rank 1", "other parameters than rank 0", "2 epochs"]),
    ("other_places", "RankError", ["rank 0 at the end, rank 1 between steps"]),
])  # fmt: skip
def test_what_ranks_do_not_have_in_common_is_one_sentence_on_each(told, check, error, parts):
    assert [each["error"] for each in told[check]] == 3 * [error]
    (sentence,) = {each["sentence"] for each in told[check]}
    assert all(part in sentence for part in parts)


def test_the_wish_of_one_callback_stops_all(told):
    assert values(told["stop_wish"]) == [2, 2, 2]


def test_ranks_go_on_after_an_error_in_the_middle_of_an_epoch(told):
    (found,) = {tuple(each) for each in values(told["goes_on"])}
    assert found[0] == 2


def test_ctrl_c_stops_all_at_one_step(told):
    (found,) = {tuple(each) for each in values(told["ctrl_c"])}
    assert found[:2] == (True, True)


def test_rank_0_alone_shows_progress(told):
    assert values(told["progress"]) == [True, False, False]


def test_threads_are_those_of_the_host_divided_unless_the_user_names_some(told):
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    for share, named in values(told["threads"]):
        assert 1 <= share <= max(1, cores // 3)
        assert named == 5


def test_rank_0_writes_the_checkpoint_and_any_number_goes_on_from_it(told, folder):
    (digest,) = {each[0] for each in values(told["checkpoint"])}
    assert all(each[1] == ["0.safetensors"] for each in values(told["checkpoint"]))
    net = fastnn.load(folder / "0.safetensors")
    assert program.digest(net) == digest
    X, y, _ = program.examples()
    whole = program.fit(epochs=5, shards=8)
    net.fit(X, y, epochs=2, batch_size=64, shards=8)
    assert program.digest(net) == program.digest(whole)


RAISING = """
import sys
import numpy as np
from mpi4py import MPI
import fastnn

comm = MPI.COMM_WORLD
X, y = np.ones((20, 2)), np.arange(20) % 2
X[3] = np.nan if comm.rank else 1
fastnn.Network.mlp([2, 3, 1], output="sigmoid").fit(X, y, comm=comm)
"""
DYING = (
    RAISING.replace("X[3] = ", "")
    + """
import os, signal
def die(network, history):
    if comm.rank:
        os.kill(os.getpid(), signal.SIGKILL)
fastnn.Network.mlp([2, 3, 1], output="sigmoid").fit(X, y, comm=comm, callbacks=[die])
"""
)


def alive(marker):
    """Processes whose command line holds a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # one that has ended meanwhile
            found += [path.parent.name] if marker in path.read_text(errors="replace") else []
    return found


@pytest.mark.parametrize(("name", "code"), [("raising", RAISING), ("dying", DYING)])
def test_a_program_that_fails_on_one_rank_ends_on_all(tmp_path, name, code):
    path = tmp_path / f"{name}.py"
    path.write_text(code, encoding="utf-8")
    done = launch.on_ranks(2, path, folder=tmp_path, timeout=60)
    assert done.returncode != 0
    if name == "raising":
        assert "DataError: X holds nan in row 3" in done.stderr
        assert "RankError: rank 1 of 2 ended the fit: DataError: X holds nan" in done.stderr
    assert not alive(str(path))


def train(*options, folder):
    return launch.on_ranks(2, "-m", "fastnn", "train", *options, folder=folder)


def test_the_command_line_trains_once(tmp_path, monkeypatch):
    """Rank 0 prints and writes; the model is that of one process with as many shards."""
    options = ("--epochs", "2", "--layers", "8", "--shards", "4", "--out")
    done = train(*options, "out", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    monkeypatch.chdir(tmp_path)
    assert main(["train", *options, "alone"]) == 0
    nets = [fastnn.load(f"{folder}/model.safetensors") for folder in ("out", "alone")]
    assert len({net.program.theta.tobytes() for net in nets}) == 1
    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines if line.startswith("ranks")] == [["ranks", "2,"]]
    assert sum(line.startswith("wrote") for line in lines) == 2


def test_an_error_of_the_command_line_is_one_sentence(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "model.safetensors").touch()
    done = train("--out", "out", folder=tmp_path)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("fastnn: ")]
    assert len(said) == 1
    assert "exists already" in said[0]
