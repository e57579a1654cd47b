"""Commands that a launcher has started: which ones ranks may run, and what one rank trains with."""

import pytest

from fastnn._runtime import launcher
from fastnn.cli import ranks
from fastnn.cli.main import main, parse, refused_on_ranks
from fastnn.ranks.group import Alone


@pytest.fixture(autouse=True)
def clean(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for name in (*launcher.SIZES, *launcher.RANKS):
        monkeypatch.delenv(name, raising=False)


def shared(*options):
    """What `fastnn train` gives `fit` about ranks."""
    arguments = parse(["train", *options])
    arguments.ranks = Alone()
    return ranks.sharing(arguments)


@pytest.mark.parametrize("variable", ["PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_one_rank_of_a_launcher_has_shards_as_several_have(monkeypatch, variable):
    assert shared() == {"shards": None}
    monkeypatch.setenv(variable, "1")
    assert shared().keys() == {"comm", "shards"}
    assert shared("--shards", "4")["shards"] == 4


def test_one_rank_may_do_what_shards_do_not_allow(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "1")
    assert shared("--batch-norm") == {"shards": None}


@pytest.mark.parametrize("rank", ["0", "2"])
@pytest.mark.parametrize(
    "verb", ["tune", "compare", "check", "predict a b.png", "export a --onnx b"]
)
def test_other_commands_are_refused_by_one_rank_for_all(monkeypatch, capsys, verb, rank):
    monkeypatch.setenv("PMI_SIZE", "4")
    monkeypatch.setenv("PMI_RANK", rank)
    assert main(verb.split()) == 1
    said = capsys.readouterr().err
    name = verb.split()[0]
    expected = f"fastnn: fastnn {name} runs as one process; start it without mpiexec"
    assert said.startswith(expected) if rank == "0" else not said
    assert ("--study" in said) == (rank == "0" and name == "tune")


@pytest.mark.parametrize("command", [
    ["train"], ["info"], ["warmup"], ["tune", "--study", "a.study"],
])  # fmt: skip
def test_what_ranks_may_run(monkeypatch, command):
    monkeypatch.setenv("PMI_SIZE", "4")
    assert refused_on_ranks(parse(command)) is None


def test_a_checkpoint_that_one_host_has_is_refused(monkeypatch, capsys, tmp_path):
    """Before anything is written; on all ranks, for each has the numbers of all."""
    monkeypatch.setattr(Alone, "agree", lambda self, value, wish=False: [5, value])
    folder = tmp_path / "out"
    assert main(["train", "--checkpoint", str(tmp_path / "state"), "--out", str(folder)]) == 1
    (said,) = capsys.readouterr().err.splitlines()
    assert "is not the same on all hosts: 5 epochs on rank 0, 0 epochs on rank 1" in said
    assert not list(tmp_path.iterdir())
