"""The project as strangers meet it: a wheel, a checkout, and the commands that its texts name."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import sysconfig
import zipfile
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import click
import pytest

from manabackup import __version__
from manabackup.cli import overview
from manabackup.cli.frame import program
from tests.project import release
from tests.support.processes import CommandLine

ROOT = Path(__file__).parents[2]
_FENCED = re.compile(r"^```[a-z]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from this checkout."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    (built,) = folder.glob("*.whl")
    return built


class Installed(CommandLine):
    """A program in an environment under its home folder, started from there."""

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.home / "venv" / "bin" / "python"


@pytest.fixture
def installed(wheel: Path, tmp_path: Path) -> Installed:
    """The wheel's program in an environment of its own, which borrows the libraries of this one."""
    home = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--quiet", "--no-index", "--no-deps", wheel], check=True)
    (packages,) = home.glob("lib/python*/site-packages")
    (packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"))
    return Installed(tmp_path, ["env", "-C", str(tmp_path), str(home / "bin" / "manabackup")])


def test_the_wheel_holds_the_package_and_its_formats_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    others = {f"manabackup-{__version__}.{kind}" for kind in ("data", "dist-info")}
    assert {name.partition("/")[0] for name in names} == {"manabackup", *others}
    manual = {f"manabackup-{__version__}.data/data/share/man/man1/{page.name}" for page in (ROOT / "man").iterdir()}
    assert {name for name in names if name.startswith(f"manabackup-{__version__}.data/")} == manual
    formats = {f"manabackup/{path.relative_to(ROOT)}" for path in (ROOT / "formats").rglob("*") if path.is_file()}
    assert formats <= names
    assert {"manabackup/py.typed", f"manabackup-{__version__}.dist-info/licenses/LICENSE"} <= names
    assert not [name for name in names if name.endswith((".pyc", ".mana")) or "/tests/" in name]


def test_what_is_installed_from_the_wheel_runs_without_the_checkout(installed: Installed) -> None:
    assert installed("--version").out == f"manabackup {__version__}\n"
    archive = ROOT / "fixtures" / "vectors" / "archives" / "all-tables.mana"
    sealed = installed.home / "sealed.mana"
    done = installed("seal", str(archive), "-o", str(sealed), env={"MANABACKUP_PASSPHRASE": "correct horse battery"})
    assert done.code == 0, done.err
    assert sealed.exists()
    where = subprocess.run(
        [installed.python, "-c", "import manabackup.model.registry as r; print(r.formats_folder())"],
        cwd=installed.home,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert Path(where.strip()).is_relative_to(installed.home / "venv")


def _documents() -> list[Path]:
    return [ROOT / "README.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _command_lines(document: Path) -> Iterator[list[str]]:
    """The words after ``manabackup`` in fenced blocks, each up to a pipe, a redirection or a comment."""
    for block in _FENCED.findall(document.read_text()):
        for line in block.replace("\\\n", " ").splitlines():
            if match := re.match(r"\s*(?:\$ )?(?:[A-Z_]+=\S+ )*manabackup (.*)", line):
                words = shlex.shlex(match[1], posix=True, punctuation_chars=True)
                yield list(takewhile(lambda word: not set(word) <= set("|&;<>()"), words))


@pytest.mark.parametrize("document", _documents(), ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_options_that_a_document_names_exist(document: Path) -> None:
    everywhere = {name for names, _, _ in overview.GLOBAL_OPTIONS for name in names} | {"--help", "--version", "-h"}
    for words in _command_lines(document):
        found: click.Command = program()
        options = set(everywhere)
        for word in words:
            if word == "--":  # another command, which this one is to run
                found, options = program(), set(everywhere)
            elif word.startswith("-") and word != "-":  # which stands for the standard output
                assert word.partition("=")[0] in options, shlex.join(words)
            elif isinstance(found, click.Group) and (named := found.get_command(click.Context(found), word)):
                found = named
                options |= {name for parameter in found.params for name in parameter.opts}


def test_every_test_that_the_security_policy_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", (ROOT / "SECURITY.md").read_text())
    assert len(named) > 20
    for path, name in named:
        assert f"\ndef {name}" in (ROOT / path).read_text(), name


def test_the_targets_that_the_readme_names_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"\bmake ([a-z-]+)", "\n".join(_FENCED.findall((ROOT / "README.md").read_text()))))
    assert {"demo", "test"} <= named <= targets


def test_the_changelog_s_latest_release_is_this_version() -> None:
    first = re.search(r"^## ([0-9]\S*)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert first is not None
    assert first[1] == __version__


NEXT, THEN = "## Not released yet\n\n## 0.1.0, 1 May 2026\n", "## 0.2.0, 1 June 2026\n\n## 0.1.0, 1 May 2026\n"


def test_no_version_is_released_that_does_not_know_its_own_page() -> None:
    none = '{"about": "kept", "pages": {"aa": "0.1.0"}}'
    release.check_page(NEXT, none, "bb", "0.1.0")
    with pytest.raises(release.ReleaseError, match=r"does not know the page of 0\.2\.0"):
        release.check_page(THEN, none, "bb", "0.2.0")
    with pytest.raises(release.ReleaseError, match=r"begins with 0\.2\.0"):
        release.check_page(THEN, none, "aa", "0.1.0")
    noted = release.with_page(none, "bb", "0.2.0")
    release.check_page(THEN, noted, "bb", "0.2.0")
    assert json.loads(noted) == {"about": "kept", "pages": {"aa": "0.1.0", "bb": "0.2.0"}}
    assert release.with_page(noted, "aa", "0.2.0") == noted, "what was released first stays"
