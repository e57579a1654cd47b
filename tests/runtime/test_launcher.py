"""Launchers of MPI: what their variables say, and what is missing where they ask for ranks."""

import sys
from types import SimpleNamespace

import pytest

from fastnn._runtime import launcher
from fastnn._runtime.versions import collect
from fastnn.cli.main import main
from fastnn.errors import MissingExtraError, SettingError


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    for name in (*launcher.SIZES, *launcher.RANKS):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(("variables", "size", "rank"), [
    ({}, 1, 0),
    ({"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3"}, 4, 3),
    ({"PMI_SIZE": "2", "PMI_RANK": "1"}, 2, 1),
    ({"PMIX_RANK": "5"}, 0, 5),
    ({"SLURM_STEP_NUM_TASKS": "8", "SLURM_PROCID": "7"}, 8, 7),
    ({"SLURM_STEP_NUM_TASKS": "1", "SLURM_PROCID": "0"}, 1, 0),
    ({"OMPI_COMM_WORLD_SIZE": "many"}, 1, 0),
])  # fmt: skip
def test_size_and_rank(monkeypatch, variables, size, rank):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert (launcher.launched_size(), launcher.launched_rank()) == (size, rank)
    assert ("started by a launcher" in collect()["ranks"]) == (size != 1)


def world_of(size):
    """A module that stands for mpi4py.MPI."""
    return SimpleNamespace(
        COMM_WORLD=SimpleNamespace(size=size), Get_library_version=lambda: "Open MPI v5.0.11, by"
    )


def test_the_world_is_that_of_mpi4py(monkeypatch):
    assert launcher.world() is None
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", world_of(2))
    assert launcher.world().size == 2


def test_a_launcher_of_another_library_is_refused(monkeypatch):
    monkeypatch.setenv("PMI_SIZE", "2")
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", world_of(1))
    with pytest.raises(SettingError, match=r"started 2 ranks, but mpi4py works with Open MPI v5"):
        launcher.world()


def test_a_launcher_that_names_no_size_may_have_started_one(monkeypatch):
    monkeypatch.setenv("PMIX_RANK", "0")
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", world_of(1))
    assert launcher.world() is None


def test_without_mpi4py_the_extra_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "4")
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", None)
    with pytest.raises(MissingExtraError, match="mpi4py"):
        launcher.world()
    assert main(["train", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().err.splitlines()
    assert said == [
        "fastnn: training on the 4 ranks that a launcher has started needs mpi4py; install it "
        'with: pip install "fastnn[mpi]"'
    ]
    assert not list(tmp_path.iterdir())


def test_one_rank_tells_the_versions(monkeypatch, capsys):
    monkeypatch.setenv("PMI_SIZE", "2")
    for rank, lines in (("1", 0), ("0", 1)):
        monkeypatch.setenv("PMI_RANK", rank)
        assert main(["info"]) == 0
        assert capsys.readouterr().out.count("2 started by a launcher") == lines
