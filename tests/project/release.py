"""What strangers get: built, listed, installed, tried. ``python -m tests.project.release``, by ``make release-check``.

Wheel and source archive are built from the checkout. What is in the wheel is held against ``contents.txt``, what is in
either against what git tracks, and the wheel that the source archive gives against the one that was built, byte for
byte. Then each is installed into an environment of its own, away from the checkout, and takes the tour.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from manabackup import __version__

ROOT = Path(__file__).parents[2]
CONTENTS = Path(__file__).with_name("contents.txt")
NAME = f"manabackup-{__version__}"
MADE_BY_THE_BUILD = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


class ReleaseError(Exception):
    """What is wrong with a release."""


def main() -> None:
    """Raises :class:`ReleaseError`, or :class:`subprocess.CalledProcessError` of a command that failed."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel, source = build(folder / "dist")
        check_wheel(wheel, tracked())
        check_source(source, tracked())
        again = folder / "again"
        pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(again), str(source))
        (rebuilt,) = again.iterdir()
        if rebuilt.read_bytes() != wheel.read_bytes():
            raise ReleaseError("the source archive gives another wheel than the checkout")
        for kind, package in (("wheel", wheel), ("source archive", source)):
            print(f"-- installed from the {kind}", flush=True)
            try_out(folder / kind.replace(" ", "-"), package)


def build(folder: Path) -> tuple[Path, Path]:
    """(wheel, source archive) of the checkout."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=ROOT, check=True)
    (wheel,), (source,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    return wheel, source


def tracked() -> set[str]:
    """The files of the checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return {name for name in listed.decode().split("\0") if name and (ROOT / name).exists()}


def check_wheel(wheel: Path, files: Iterable[str]) -> None:
    """It holds the package, the formats inside it, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        found = set(archive.namelist())
    package = {name for name in files if name.startswith("manabackup/")}
    formats = {f"manabackup/{name}" for name in files if name.startswith("formats/")}
    _same("the wheel", found, package | formats | {f"{NAME}.dist-info/{name}" for name in MADE_BY_THE_BUILD})
    expected = {line for line in CONTENTS.read_text("utf-8").splitlines() if line and not line.startswith("#")}
    _same(f"the wheel, by {CONTENTS.relative_to(ROOT)}", {_kind(name) for name in found}, expected)


def check_source(source: Path, files: Iterable[str]) -> None:
    """It holds what git tracks, and is what a fresh clone is."""
    with tarfile.open(source) as archive:
        found = {member.name.removeprefix(f"{NAME}/") for member in archive if member.isfile()}
    _same("the source archive", found, {*files, "PKG-INFO"})


def try_out(home: Path, package: Path) -> None:
    """Installed into a fresh environment, with what it depends on, the program does what it does for anybody."""
    venv.create(home, with_pip=True)
    python = home / "bin" / "python"
    pip(str(python), "install", str(package))
    pip(str(python), "check")
    work = home / "work"
    work.mkdir()
    program = str(home / "bin" / "manabackup")
    for command in (
        [program, "--version"],
        [str(python), "-m", "manabackup", "--help"],
        [program, "demo", "--no-progress", "--keep", str(work / "kept")],
        [program, "verify", str(work / "kept" / "demo.mana")],
        [str(python), "-c", "import manabackup; [getattr(manabackup, name) for name in manabackup.__all__]"],
    ):
        _run(command, work)


def pip(python: str, *arguments: str) -> None:
    """Of any interpreter, without a word."""
    _run([python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], Path("/"))


def _run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    if done.returncode:
        raise ReleaseError(f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}{done.stderr}")


def _kind(name: str) -> str:
    """``manabackup/archive/*.py``; files that are all that their folder can hold go by their own name."""
    path = PurePosixPath(name.replace(NAME, "manabackup-VERSION"))
    return str(path.with_name(f"*{path.suffix}")) if path.suffix and "dist-info" not in name else str(path)


def _same(what: str, found: set[str], expected: set[str]) -> None:
    wrong = [f"not expected: {one}" for one in found - expected] + [f"missing: {one}" for one in expected - found]
    if wrong:
        raise ReleaseError("\n  ".join([f"{what}:", *sorted(wrong)]))
    print(f"-- {what}: {len(found)} as expected", flush=True)


if __name__ == "__main__":
    try:
        main()
    except ReleaseError as error:
        sys.exit(f"error: {error}")
