"""The build backend: setuptools, and wheels that carry compiled kernels where they are asked for.

`FASTNN_BUILD_KERNELS=x86-64-v3,x86-64-v4 pip install .` compiles all kernels for these CPU levels.
The value is what `fastnn warmup --pack` takes, and that command does the work: it runs in the
unpacked wheel, as it does in an installation. Such a wheel belongs to one operating system and one
processor architecture, but to every CPython. Without the variable the wheel is pure, as are
editable installations and sdists at any time.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from setuptools import build_meta
from setuptools.build_meta import (
    build_editable,
    build_sdist,
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    prepare_metadata_for_build_editable,
    prepare_metadata_for_build_wheel,
)

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
    "prepare_metadata_for_build_editable",
    "prepare_metadata_for_build_wheel",
]

SETTING = "FASTNN_BUILD_KERNELS"

Settings = dict[str, Any] | None


def requested_levels() -> str:
    """Return the levels that the wheel shall have kernels for, as text; "" for none."""
    return os.environ.get(SETTING, "").strip()


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    """Return what building a wheel needs: for kernels, all that fastnn needs to run."""
    needed: list[str] = build_meta.get_requires_for_build_wheel(config_settings)
    if requested_levels():
        project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
        needed += ["wheel>=0.40", *project["dependencies"]]
    return needed


def build_wheel(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    """Build a wheel in a folder and return its name; pip and other front ends call it."""
    levels = requested_levels()
    if not levels:
        name: str = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
        return name
    with tempfile.TemporaryDirectory() as folder:
        pure = build_meta.build_wheel(folder, config_settings, metadata_directory)
        packed = add_packs(Path(folder, pure), levels)
        shutil.copy(packed, wheel_directory)
        return packed.name


def add_packs(wheel: Path, levels: str) -> Path:
    """Replace a pure wheel by one of this platform that holds compiled kernels; return its path."""
    _run_wheel("unpack", wheel, "--dest", wheel.parent)
    (tree,) = (path for path in wheel.parent.iterdir() if path.is_dir())
    compile_packs(tree, levels)
    _run_wheel("pack", tree, "--dest-dir", wheel.parent)
    _run_wheel("tags", "--platform-tag", platform_tag(), "--remove", wheel)
    (packed,) = wheel.parent.glob("*.whl")
    return packed


def compile_packs(tree: Path, levels: str) -> None:
    """Compile the kernels of the package that lies in a folder into that package.

    Raises
    ------
    SystemExit
        If that fails, after the command has said why.
    """
    # Python puts its current folder first on the path, unless PYTHONSAFEPATH forbids it.
    quiet = {"PYTHONSAFEPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "fastnn", "warmup", "--pack", levels]
    done = subprocess.run(command, cwd=tree, env=os.environ | quiet, check=False)
    if done.returncode:
        raise SystemExit(f"fastnn: {SETTING}={levels} failed; unset it for a wheel without kernels")


def platform_tag() -> str:
    """Return the platform of this Python as wheels name it, such as linux_x86_64."""
    name = sysconfig.get_platform().replace("universal2", platform.machine())  # macOS: of both
    return re.sub("[-.]", "_", name)


def _run_wheel(command: str, *arguments: object) -> None:
    """Run a command of the tool `wheel`."""
    subprocess.run([sys.executable, "-m", "wheel", command, *map(str, arguments)], check=True)
