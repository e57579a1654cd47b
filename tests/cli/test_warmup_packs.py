"""Packs for the installation: which levels are meant, where they are written, and what refuses."""

import stat
from pathlib import Path

import pytest
from fastnn.kernels.jitted.compiler import build
from fastnn.kernels.jitted.loader import pack, target

from fastnn import errors
from fastnn._runtime import packs
from fastnn.cli.main import main


@pytest.fixture
def machine(monkeypatch):
    """A machine whose CPU has the lesser one of its two levels; a third is of another machine."""

    def level(architecture):
        return target.Level(architecture, target.Target("", ""), frozenset())

    levels = {"best": level("here"), "good": level("here"), "other": level("there")}
    monkeypatch.setattr(target, "LEVELS", levels)
    monkeypatch.setattr(target, "machine", lambda: "here")
    monkeypatch.setattr(target, "levels_here", lambda: ["good"])


@pytest.fixture
def package(monkeypatch, tmp_path):
    """A folder in the place of the installed kernels; a pack takes no time to be compiled."""

    def write(level, folder):
        path = folder / f"{level}.pack"
        path.write_bytes(bytes(1_250_000))
        return path

    package = tmp_path / "kernels"
    package.mkdir(0o755)
    monkeypatch.setattr(pack, "FOLDER", package / "packs")
    monkeypatch.setattr(build, "build_pack", write)
    return package


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("auto", ["good"]),
        ("all", ["best", "good"]),
        ("best", ["best"]),
        (" Good, best ,all", ["good", "best"]),
    ],
)
def test_levels_are_named(machine, text, levels):
    assert packs.parse_levels(text) == levels


@pytest.mark.parametrize("text", ["bets", "other", "", "good,"])
def test_unknown_levels_are_refused(machine, text):
    with pytest.raises(errors.SettingError) as caught:
        packs.parse_levels(text)
    name = text.removeprefix("good,")
    assert f"no CPU level {name!r}; the levels of this machine are best, good," in str(caught.value)


def test_a_cpu_without_any_level(machine, monkeypatch):
    monkeypatch.setattr(target, "levels_here", list)
    with pytest.raises(errors.SettingError, match="'auto': this CPU has none, and the levels of"):
        packs.parse_levels("auto")


def test_a_machine_without_any_level(machine, monkeypatch):
    monkeypatch.setattr(target, "machine", lambda: "elsewhere")
    monkeypatch.setattr(target, "levels_here", list)
    for text in ("auto", "all", "best"):
        with pytest.raises(errors.SettingError, match="the levels of this machine are none"):
            packs.parse_levels(text)


def test_the_command_writes_into_the_installation(machine, package, capsys):
    assert main(["warmup", "--pack", "all"]) == 0
    said = capsys.readouterr()
    for level in ("best", "good"):
        path = package / "packs" / f"{level}.pack"
        assert path.is_file()
        assert f"wrote {path}, 1.2 MB, in 0 s\n" in said.out
        assert f"compiling all kernels for {level}" in said.err
    assert "`fastnn info`" in said.out


def test_without_a_level_the_command_takes_the_best(machine, package):
    assert main(["warmup", "--pack"]) == 0
    assert [path.name for path in (package / "packs").iterdir()] == ["good.pack"]


def test_the_folder_is_as_hard_to_write_as_the_package(machine, package):
    package.chmod(0o750)
    packs.build_pack("good")
    assert stat.S_IMODE((package / "packs").stat().st_mode) & ~0o750 == 0


def test_a_folder_that_cannot_be_written(machine, package, capsys):
    """Something else has its name: root, who runs some tests, may write whatever its mode is."""
    (package / "packs").touch()
    assert main(["warmup", "--pack"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith(
        f"fastnn: '{package / 'packs'}': no pack can be written into this folder"
    )
    assert "owner of the installation, or `fastnn warmup` without --pack" in said


def test_an_archive(machine, package, monkeypatch, capsys):
    monkeypatch.setattr(pack, "FOLDER", Path("app.zip", "fastnn", "kernels", "packs"))
    assert main(["warmup", "--pack"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said.startswith("fastnn: fastnn is imported from an archive, so that 'app.zip")


def test_what_cannot_be_compiled_is_a_sentence(machine, package, monkeypatch, capsys):
    def refuse(level, folder):
        raise RuntimeError("packs cannot be built: Numba is not installed")

    monkeypatch.setattr(build, "build_pack", refuse)
    assert main(["warmup", "--pack"]) == 1
    said = capsys.readouterr().err.splitlines()[-1]
    assert said == "fastnn: packs cannot be built: Numba is not installed"
