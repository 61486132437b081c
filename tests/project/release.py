"""What strangers get: built, listed, installed, tried. ``python -m tests.project.release``, by ``make release-check``.

Wheel and source archive are built from the checkout. What is in the wheel is held against ``contents.txt``, what is in
either against what git tracks, and both against what the source archive gives when it is built elsewhere, to the byte.
Then they are installed in the ways that the README names, with the oldest and the newest Python of this machine, away
from the checkout, and take the tour; so does the single file.

``python -m tests.project.release FOLDER``, by ``make dist``, puts them into a folder, and tries the single file.

``python -m tests.project.release page`` notes the page that the version to be released writes, so that every later one
knows it; without that no release passes.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from manabackup import __version__
from manabackup.viewer import page

from . import single_file
from .interpreters import Interpreter, interpreters

ROOT = Path(__file__).parents[2]
UNRELEASED = "Not released yet"
CONTENTS = Path(__file__).with_name("contents.txt")
PAGES = ROOT / "manabackup" / "viewer" / "released.json"
NAME = f"manabackup-{__version__}"
MADE_BY_THE_BUILD = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE"}


class ReleaseError(Exception):
    """What is wrong with a release."""


def main() -> None:
    """Raises :class:`ReleaseError`, or :class:`subprocess.CalledProcessError` of a command that failed."""
    check_page((ROOT / "CHANGELOG.md").read_text("utf-8"), PAGES.read_text("utf-8"), page.code().digest(), __version__)
    found = interpreters()
    oldest, newest = found[0], found[-1]
    print(f"-- of the Pythons here the oldest is {oldest}, the newest {newest}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel, source = build(folder / "dist")
        check_wheel(wheel, tracked())
        check_source(source, tracked())
        check_rebuilt(wheel, source, folder / "again")
        for python, package in ((newest, wheel), (oldest, source)):
            print(f"-- {package.name} with {python}", flush=True)
            try_out(folder / package.suffix, package, python)
        try_tools(folder / "tools", oldest)
        check_single_file(wheel, folder / "file", {oldest, newest})


def check_page(changelog: str, released: str, digest: str, version: str) -> None:
    """A version that is released knows its own page. Whether it is, the changelog says: nothing is unreleased then."""
    newest = next(line.removeprefix("## ") for line in changelog.splitlines() if line.startswith("## "))
    if newest == UNRELEASED:
        return
    if newest.split()[0].rstrip(",") != version:
        raise ReleaseError(f"CHANGELOG.md begins with {newest}, and the version is {version}")
    if digest not in json.loads(released)["pages"]:
        raise ReleaseError(
            f"{PAGES.relative_to(ROOT)} does not know the page of {version}: `python -m tests.project.release page`"
        )


def note_page() -> None:
    """Writes down the page of the version to be released."""
    PAGES.write_text(with_page(PAGES.read_text("utf-8"), page.code().digest(), __version__), "utf-8")


def with_page(released: str, digest: str, version: str) -> str:
    """``released.json`` with a page's digest added; what stands there stays."""
    known = json.loads(released)
    if digest in known["pages"]:
        return released  # an earlier version wrote the very same
    return json.dumps({**known, "pages": {**known["pages"], digest: version}}, indent=2) + "\n"


def distribute(folder: Path) -> None:
    """Wheel, source archive and single file, into a folder; the last is tried with every Python of this machine."""
    wheel, _ = build(folder)
    file = single_file.build(wheel, folder)
    with tempfile.TemporaryDirectory() as name:
        for python in interpreters():
            try_file(file, Path(name) / python.number, python)
    print(f"-- {file}: {file.stat().st_size:,} bytes", flush=True)


def build(folder: Path, checkout: Path = ROOT) -> tuple[Path, Path]:
    """(wheel, source archive) of the checkout."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", str(folder)], cwd=checkout, check=True)
    (wheel,), (source,) = folder.glob(f"{NAME}-*.whl"), folder.glob(f"{NAME}.tar.gz")
    return wheel, source


def tracked() -> set[str]:
    """The files of the checkout."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return {name for name in listed.decode().split("\0") if name and (ROOT / name).exists()}


def check_wheel(wheel: Path, files: Iterable[str]) -> None:
    """It holds the package, the formats and the errors' pages inside it, the manual pages, and nothing else."""
    with zipfile.ZipFile(wheel) as archive:
        found = set(archive.namelist())
    package = {name for name in files if name.startswith("manabackup/")}
    made = {f"{NAME}.dist-info/{name}" for name in MADE_BY_THE_BUILD}
    _same("the wheel", found, package | set(_from_other_folders(files)) | made)
    expected = {line for line in CONTENTS.read_text("utf-8").splitlines() if line and not line.startswith("#")}
    _same(f"the wheel, by {CONTENTS.relative_to(ROOT)}", {_kind(name) for name in found}, expected)


def _from_other_folders(files: Iterable[str]) -> Iterator[str]:
    """What ``pyproject.toml`` puts into the wheel from beside the package: formats, the errors' pages, the manual."""
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["hatch"]["build"]["targets"]["wheel"]
    places = dict(wheel.get("force-include", {}))
    places |= {source: f"{NAME}.data/data/{place}" for source, place in wheel.get("shared-data", {}).items()}
    for source, place in places.items():
        yield from (
            f"{place}{name.removeprefix(source)}" for name in files if name == source or name.startswith(f"{source}/")
        )


def check_source(source: Path, files: Iterable[str]) -> None:
    """It holds what git tracks, and is what a fresh clone is."""
    with tarfile.open(source) as archive:
        found = {member.name.removeprefix(f"{NAME}/") for member in archive if member.isfile()}
    _same("the source archive", found, {*files, "PKG-INFO"})


def check_rebuilt(wheel: Path, source: Path, folder: Path) -> None:
    """The source archive gives the same wheel and the same source archive, elsewhere and at another time."""
    with tarfile.open(source) as archive:
        archive.extractall(folder, filter="data")
    for path in (folder / NAME).rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    for first, second in zip((wheel, source), build(folder / "dist", folder / NAME), strict=True):
        if first.read_bytes() != second.read_bytes():
            raise ReleaseError(f"{first.name}: the source archive gives another one than the checkout")
        print(f"-- {first.name}: built twice, the same bytes", flush=True)


def try_out(home: Path, package: Path, python: Interpreter) -> None:
    """Installed into a fresh environment, with what it depends on, the program does what it does for anybody."""
    _run([str(python.path), "-m", "venv", "--without-pip", str(home)], Path("/"))
    there = str(home / "bin" / "python")
    pip("--python", there, "install", str(package))
    pip("--python", there, "check")
    work = home / "work"
    work.mkdir()
    program = str(home / "bin" / "manabackup")
    take_the_tour([program], work)
    _run([there, "-m", "manabackup", "--help"], work)
    _run([there, "-c", "import manabackup; [getattr(manabackup, name) for name in manabackup.__all__]"], work)


def take_the_tour(program: list[str], work: Path, environ: Mapping[str, str] = {}) -> None:
    """What somebody tries first."""
    for arguments in (
        ["--version"],
        ["demo", "--no-progress", "--keep", str(work / "kept")],
        ["verify", str(work / "kept" / "demo.mana")],
    ):
        _run([*program, *arguments], work, environ)


def try_tools(home: Path, python: Interpreter) -> None:
    """The README's ways to install from a checkout, with their folders in a home of its own."""
    _run([sys.executable, "-m", "venv", "--without-pip", str(home)], Path("/"))
    pip("--python", str(home / "bin" / "python"), "install", "pipx", "uv")
    environ = {
        "HOME": str(home),
        "PIPX_HOME": str(home / "pipx"),
        "PIPX_BIN_DIR": str(home / "pipx-bin"),
        "UV_TOOL_DIR": str(home / "uv"),
        "UV_TOOL_BIN_DIR": str(home / "uv-bin"),
        "UV_PYTHON_DOWNLOADS": "never",
    }
    pipx, uv = (str(home / "bin" / name) for name in ("pipx", "uv"))
    checkout, there = str(ROOT), ["--python", str(python.path)]
    for command in (
        [pipx, "install", *there, checkout],
        [str(home / "pipx-bin" / "manabackup"), "--version"],
        [pipx, "run", *there, "--spec", checkout, "manabackup", "--version"],
        [uv, "tool", "install", *there, checkout],
        [str(home / "uv-bin" / "manabackup"), "--version"],
    ):
        print(f"-- {' '.join(Path(word).name if '/' in word else word for word in command)}", flush=True)
        _run(command, home, environ)


def check_single_file(wheel: Path, folder: Path, pythons: Iterable[Interpreter]) -> None:
    """Made twice it is the same, and each Python runs it."""
    wheels = single_file.collect(wheel, folder / "wheels")
    file, again = (single_file.pack(wheels, folder / name) for name in ("first", "second"))
    if file.read_bytes() != again.read_bytes():
        raise ReleaseError(f"{file.name}: made twice, it is not the same")
    print(f"-- {file.name}: made twice, the same {file.stat().st_size:,} bytes", flush=True)
    for python in sorted(pythons):
        try_file(file, folder / python.number, python)


def try_file(file: Path, work: Path, python: Interpreter) -> None:
    """The single file, with one Python alone, and nothing in its home yet."""
    work.mkdir(parents=True)
    take_the_tour([str(python.path), str(file)], work, {"HOME": str(work), "PEX_ROOT": str(work / "cache")})
    print(f"-- {file.name} with {python}", flush=True)


def pip(*arguments: str) -> None:
    """Without a word."""
    _run([sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], Path("/"))


def _run(command: Sequence[str], folder: Path, environ: Mapping[str, str] = {}) -> None:
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | environ,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
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
        match sys.argv[1:]:
            case []:
                main()
            case ["page"]:
                note_page()
            case [folder]:
                distribute(Path(folder))
    except ReleaseError as error:
        sys.exit(f"error: {error}")
