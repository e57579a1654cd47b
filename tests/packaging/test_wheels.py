"""Wheels and sdists, built by the hooks that pip calls: their names, and what they hold."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

pytest.importorskip("setuptools", minversion="77", reason="setuptools is too old or missing")
pytest.importorskip("wheel", minversion="0.40", reason="wheel is too old or missing")
build = pytest.importorskip("build", reason="build is not installed")

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
PACK = "fastnn/kernels/packs/x86-64-v3.pack"

#: Stands in for `python -m fastnn warmup --pack LEVELS`, which takes minutes.
COMPILE = """
import os, sys, fastnn
*command, levels = sys.argv[1:]
assert command == ["warmup", "--pack"], command
assert fastnn.__file__.startswith(__file__.removesuffix("__main__.py")), fastnn.__file__
if levels != "x86-64-v3":
    raise SystemExit(f"there is no CPU level {levels!r}")
folder = __file__.removesuffix("__main__.py") + "kernels/packs/"
os.mkdir(folder)
with open(folder + levels + ".pack", "xb") as file:
    file.write(b"compiled")
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy of the sources, with a pack that somebody compiled there."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("fastnn", "kernels"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, folder)
    (folder / "kernels" / "packs").mkdir(exist_ok=True)
    (folder / "kernels" / "packs" / "x86-64-v3.pack").write_bytes(b"of the checkout")
    (folder / "fastnn" / "__main__.py").write_text(COMPILE)
    return folder


@pytest.fixture(scope="module")
def source(checkout, tmp_path_factory):
    """An unpacked sdist of the checkout."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(builder(checkout).build("sdist", folder)) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = (path for path in folder.iterdir() if path.is_dir())
    return unpacked


@pytest.fixture(scope="module")
def pure(checkout, tmp_path_factory):
    """The wheel that the checkout gives without the setting."""
    return builder(checkout).build("wheel", tmp_path_factory.mktemp("pure"))


def builder(folder):
    """What calls the hooks of a source folder, each in a process of its own; quiet."""
    return build.ProjectBuilder(folder, runner=run_quietly)


def run_quietly(command, cwd=None, extra_environ=None):
    """Run a hook; what it says stands in the error of one that fails."""
    done = subprocess.run(
        command, cwd=cwd, env=os.environ | (extra_environ or {}), capture_output=True, text=True,
        check=False, timeout=300,
    )  # fmt: skip
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, command, done.stdout, done.stderr)


def names_in(wheel):
    """The files of a wheel, but for those that describe it."""
    return {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}


def test_an_sdist_holds_the_backend_and_no_pack(source):
    assert (source / "fastnn" / "_packaging" / "wheel_backend.py").is_file()
    assert not list(source.rglob("*.pack"))


def test_without_the_setting_a_wheel_is_pure(checkout, pure):
    assert pure.endswith("-py3-none-any.whl")
    assert "fastnn/kernels/jitted/step/loop.py" in names_in(pure)
    assert not [name for name in names_in(pure) if name.endswith(".pack")]
    assert not any("numba" in each for each in builder(checkout).get_requires_for_build("wheel"))


def test_with_the_setting_a_wheel_of_the_platform_holds_packs(source, pure, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_BUILD_KERNELS", " x86-64-v3 ")
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)  # no bytecode all the same
    assert {"numba>=0.62", "wheel>=0.40"} <= builder(source).get_requires_for_build("wheel")
    wheel = builder(source).build("wheel", tmp_path)
    assert [str(path) for path in tmp_path.iterdir()] == [wheel]
    stem, python, abi, platform = Path(wheel).stem.rsplit("-", 3)
    assert (stem, python, abi) == (Path(pure).stem.rsplit("-", 3)[0], "py3", "none")
    assert platform.startswith(("linux_", "macosx_", "win"))
    assert names_in(wheel) == names_in(pure) | {PACK}
    assert zipfile.ZipFile(wheel).read(PACK) == b"compiled"
    (about,) = (n for n in zipfile.ZipFile(wheel).namelist() if n.endswith(".dist-info/WHEEL"))
    assert f"Tag: py3-none-{platform}\n" in zipfile.ZipFile(wheel).read(about).decode()
    # `unpack` compares every file with the sum in RECORD.
    command = [sys.executable, "-m", "wheel", "unpack", wheel, "--dest", tmp_path / "unpacked"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)


def test_a_misspelt_level_makes_no_wheel(source, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_BUILD_KERNELS", "x86-64-v33")
    with pytest.raises(build.BuildBackendException) as caught:
        builder(source).build("wheel", tmp_path)
    said = caught.value.exception.stderr
    assert "there is no CPU level 'x86-64-v33'" in said
    assert "FASTNN_BUILD_KERNELS=x86-64-v33 failed; unset it" in said
    assert "Traceback" not in said
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:Editable installation")
def test_an_editable_installation_compiles_nothing(source, tmp_path, monkeypatch):
    monkeypatch.setenv("FASTNN_BUILD_KERNELS", "x86-64-v3")
    wheel = builder(source).build("editable", tmp_path)
    assert wheel.endswith("-py3-none-any.whl")
    assert not list(source.rglob("*.pack"))
