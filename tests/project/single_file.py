"""The program in one file, with all that it needs but Python: ``python -m tests.project.single_file WHEEL FOLDER``.

A file for every CPython of ``MINORS`` on this kind of machine (``docs/decisions``: "One file is a pex"). Equal wheels
give an equal file, byte for byte.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from packaging import tags
from packaging.markers import default_environment

from manabackup import __version__

MINORS = (11, 12, 13, 14)
"""Python 3.x for which everything that is compiled can be had ready-made."""
GLIBC = 28
"""2.x: what Debian 10, Ubuntu 20.04 and Red Hat 8 have at least."""
_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


def build(wheel: Path, folder: Path) -> Path:
    """The file, in ``folder``, made of a wheel of this project and of what it depends on, from the package index."""
    with tempfile.TemporaryDirectory() as name:
        return pack(collect(wheel, Path(name)), folder)


def collect(wheel: Path, folder: Path) -> Path:
    """Puts a wheel and all that it depends on into a folder, for each Python."""
    if not sys.platform.startswith("linux"):
        sys.exit("error: the single file is made on Linux")
    for minor in MINORS:
        _download(wheel, minor, folder)
    return folder


def pack(wheels: Path, folder: Path) -> Path:
    """The file, in ``folder``, of collected wheels."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"manabackup-{__version__}-linux-{platform.machine()}.pex"
    with tempfile.TemporaryDirectory() as name:
        targets = []
        for minor in MINORS:
            target = Path(name) / f"{minor}.json"
            target.write_text(json.dumps(_target(minor)), "utf-8")
            targets += ["--complete-platform", str(target)]
        # --venv: unpacked once, started like any other program. --sh-boot: finds that again without starting a Python.
        command = [sys.executable, "-m", "pex", "--pre-resolved-dists", str(wheels), "manabackup", *targets]
        command += ["--console-script", "manabackup", "--venv", "--sh-boot", "--output-file", str(file)]
        subprocess.run(command, env=os.environ | {"PEX_ROOT": f"{name}/root"}, stdout=subprocess.DEVNULL, check=True)
    return file


def _download(wheel: Path, minor: int, wheels: Path) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "download", "--dest", str(wheels)]
    command += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", f"3.{minor}"]
    command += [word for one in _platforms() for word in ("--platform", one)]
    subprocess.run([*command, str(wheel)], stderr=subprocess.DEVNULL, check=True)


def _target(minor: int) -> dict[str, object]:
    """What pex wants to know of an interpreter that need not be here: its markers (PEP 508) and tags (PEP 425)."""
    version = {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.0"}
    markers = {**default_environment(), **version, "implementation_version": f"3.{minor}.0"}
    for varying in ("platform_release", "platform_version"):
        del markers[varying]
    abi = f"cp3{minor}"
    known = [
        *tags.cpython_tags((3, minor), [abi], _platforms()),
        *tags.compatible_tags((3, minor), abi, _platforms()),
    ]
    return {"marker_environment": markers, "compatible_tags": [str(one) for one in known]}


def _platforms() -> list[str]:
    """Linux with a glibc of 2.28 or later, the newest first (PEP 600)."""
    return [f"{name}_{platform.machine()}" for name in _systems()]


def _systems() -> Iterator[str]:
    for minor in range(GLIBC, 4, -1):
        yield f"manylinux_2_{minor}"
        if minor in _MANYLINUX:
            yield _MANYLINUX[minor]


if __name__ == "__main__":
    print(build(Path(sys.argv[1]), Path(sys.argv[2])))
