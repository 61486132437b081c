"""The tour, as somebody who has just installed the program takes it."""

from __future__ import annotations

import hashlib
import re
import shlex
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from manabackup.errors import DamagedArchiveError, OutputError, WrongPassphraseError
from tests.support.patience import PATIENCE
from tests.support.processes import CommandLine, Finished

_RECOVERY_CODE = re.compile(r"(?:[0-9A-F]{4}-){15}[0-9A-F]{4}")


class _In(CommandLine):
    """Started in its home folder, without importing from there."""

    def __init__(self, other: CommandLine) -> None:
        python, *arguments = other.program
        super().__init__(other.home, ["env", "-C", str(other.home), python, "-P", *arguments])
        self.environ = other.environ


@pytest.fixture
def manabackup(tmp_path: Path) -> CommandLine:
    """The program, with a folder for temporary files that is empty."""
    home = CommandLine(tmp_path)
    (tmp_path / "tmp").mkdir()
    home.environ["TMPDIR"] = str(tmp_path / "tmp")
    return home


def _tour(home: CommandLine, *arguments: str) -> Finished:
    process = home.start("demo", "--no-progress", *arguments)
    try:
        out, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    return Finished(process.returncode, out, err)


def _left(home: CommandLine) -> set[str]:
    return {str(path.relative_to(home.home)) for path in home.home.rglob("*") if path.is_file()}


def test_the_tour_shows_each_command_and_leaves_two_archives_and_nothing_else(manabackup: CommandLine) -> None:
    folder = manabackup.home / "kept"
    done = _tour(manabackup, "--keep", str(folder))
    assert (done.code, done.err) == (0, "")
    shown = re.findall(r"^\$ manabackup (\w+)", done.out, re.MULTILINE)
    assert shown == ["login", "status", "pull", "export", "export", "verify", "verify", "verify", "diff", "logout"]
    assert "DAMAGED" in done.out
    assert "error: wrong passphrase" in done.out
    assert '"enc:1:' in done.out
    assert not _RECOVERY_CODE.search(done.out)
    assert _left(manabackup) == {"kept/demo.mana", "kept/demo.sealed.mana"}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    _assert_sums_hold(folder / "demo.mana")
    passphrase = re.findall("passphrase is `(.*)`", done.out)[0]
    _assert_what_is_proposed_works(done.out, manabackup, passphrase)
    opened = manabackup("verify", str(folder / "demo.sealed.mana"), env={"MANABACKUP_PASSPHRASE": passphrase})
    assert opened.code == 0, opened.err


def _assert_what_is_proposed_works(shown: str, home: CommandLine, passphrase: str) -> None:
    """All that the end of the tour proposes, but to sign in, with the programs that are installed here."""
    lines = [line.strip() for line in shown.partition("to try next:\n")[2].splitlines()]
    assert lines[-1].endswith("login  # your own account")
    assert len(lines) >= 4
    assert all(len(line) < 79 for line in lines if not line.startswith("cd ") and "manabackup" not in line)
    typed = ["set -e -o pipefail", *(f"printf '$ %s\\n' {shlex.quote(line)}\n{line}" for line in lines[:-1])]
    tried = subprocess.run(
        ["bash", "-c", "\n".join(typed)],
        env={**home.environ, "MANABACKUP_PASSPHRASE": passphrase},
        capture_output=True,
        text=True,
        check=False,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert "enc:1:" not in tried.stdout
    assert "null" not in tried.stdout.partition("| jq")[2].partition("\n$ ")[0]


def _assert_sums_hold(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        lines = archive.read("SHA256SUMS").decode().splitlines()
        assert len(lines) > 200
        for line in lines:
            digest, _, name = line.partition("  ")
            assert hashlib.sha256(archive.read(name)).hexdigest() == digest


def test_a_program_that_was_called_by_a_relative_path_is_proposed_by_one_that_leads_to_it(
    manabackup: CommandLine,
) -> None:
    called = manabackup.home / "bin" / "manabackup"
    called.parent.mkdir()
    called.symlink_to(Path(sys.executable).with_name("manabackup"))
    here = CommandLine(manabackup.home, ["env", "-C", str(manabackup.home), "bin/manabackup"])
    here.environ = {**manabackup.environ, "PATH": "/usr/bin:/bin"}
    folder = manabackup.home / "deep" / "kept"
    folder.parent.mkdir()
    done = _tour(here, "--keep", str(folder))
    assert (done.code, done.err) == (0, "")
    proposed = set(re.findall(r"(\S+/manabackup) \w+", done.out.partition("to try next:")[2]))
    assert proposed == {"../../bin/manabackup"}


def test_settings_of_the_user_neither_disturb_the_tour_nor_are_touched_by_it(manabackup: CommandLine) -> None:
    state = manabackup.home / "my-state"
    state.mkdir()
    (state / "precious").write_text("mine")
    (manabackup.home / "manabackup-demo").mkdir()
    (manabackup.home / "manabackup.py").write_text("raise SystemExit('the working folder was imported from')")
    manabackup.environ |= {
        "MANABACKUP_STATE_DIR": str(state),
        "MANABACKUP_AUTH_URL": "https://auth.example.org",
        "MANABACKUP_TOKEN": "a.b.c",
        "MANABACKUP_PASSPHRASE_COMMAND": "false",
        "MANABACKUP_PROFILE": "work",
    }
    done = _tour(_In(manabackup), "--json")
    assert (done.code, done.err) == (0, "")
    assert not _RECOVERY_CODE.search(done.out)
    record = done.record
    assert record["folder"] == "manabackup-demo-2"
    assert [(kept["sealed"], kept["status"]) for kept in record["archives"]] == [
        (False, "complete"),
        (True, "complete"),
    ]
    assert record["archives"][0]["dataSha256"] == record["archives"][1]["dataSha256"]
    codes = [step["exitCode"] for step in record["steps"]]
    assert codes == [0, 0, 0, 0, 0, 0, DamagedArchiveError.exit_code, WrongPassphraseError.exit_code, 4, 0]
    assert sorted(path.name for path in state.rglob("*")) == ["precious"]


def test_archives_of_an_earlier_tour_stay_as_they_are(manabackup: CommandLine) -> None:
    kept = manabackup.home / "kept"
    kept.mkdir()
    (kept / "demo.mana").write_bytes(b"an earlier one")
    done = manabackup("demo", "--keep", str(kept))
    assert (done.code, done.out) == (OutputError.exit_code, "")
    assert (kept / "demo.mana").read_bytes() == b"an earlier one"


def test_a_folder_that_cannot_be_made_is_said_before_anything_starts(manabackup: CommandLine) -> None:
    (manabackup.home / "file").touch()
    done = manabackup("demo", "--keep", str(manabackup.home / "file" / "kept"))
    assert (done.code, done.out) == (OutputError.exit_code, "")
    assert done.err.startswith("error: cannot write ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_tour_leaves_nothing_behind(manabackup: CommandLine, number: int) -> None:
    process = _In(manabackup).start("demo", "--no-progress")
    assert process.stdout is not None
    try:
        while not process.stdout.readline().startswith("$ manabackup login"):
            assert process.poll() is None
        process.send_signal(number)
        _, err = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    assert (process.returncode, err) == (130, "error: interrupted\n")
    assert _left(manabackup) == set()
    assert not (manabackup.home / "manabackup-demo").exists()
    assert not any((manabackup.home / "tmp").iterdir())
