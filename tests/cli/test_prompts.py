"""Questions at a terminal: where they stand, whom they name, and what is asked again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import manabackup
from manabackup.cli.groups import read_groups
from manabackup.sandbox import Sandbox
from manabackup.sandbox.accounts import User
from tests.support.processes import CommandLine

SMALL = Path(__file__).parents[2] / "fixtures" / "vectors" / "archives" / "plain-small.mana"
ONE, OTHER = "correct horse battery staple", "another one altogether"
CODE = "0123456789ABCDEF" * 4
GROUPS = "\n".join(["  0123-4567-89AB-CDEF"] * 4)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of archives: ``a`` and ``b`` under one passphrase, ``c`` under another."""
    folder = tmp_path_factory.mktemp("sealed")
    for name, passphrase in (("a", ONE), ("b", ONE), ("c", OTHER)):
        manabackup.seal(SMALL, folder / f"{name}.mana", passphrase.__str__)
    return folder


def _lines(shown: str) -> list[str]:
    """What stands on a terminal in the end: what was overwritten is gone."""
    return [re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", line).rpartition("\r")[2].rstrip() for line in shown.splitlines()]


@pytest.mark.parametrize("secret", ["passphrase", "recovery-code"])
def test_no_bar_stands_before_a_question(trial: CommandLine, secret: str) -> None:
    done = trial.at_terminal("work", "--ask", secret, typed=[CODE])
    assert done.code == 0, done.err
    assert f"{secret.replace('-', ' ')}:" in _lines(done.err)
    assert "working" in done.err


def test_verify_asks_on_a_line_of_its_own(manabackup: CommandLine, sealed: Path) -> None:
    done = manabackup.at_terminal("verify", str(sealed / "a.mana"), typed=[ONE])
    assert done.code == 0, done.err
    assert "passphrase:" in _lines(done.err)


def test_of_several_archives_the_question_names_the_file_and_is_put_once(manabackup: CommandLine, sealed: Path) -> None:
    files = [str(sealed / f"{name}.mana") for name in "abc"]
    done = manabackup.at_terminal("verify", *files, typed=[ONE, OTHER])
    assert (done.code, len(done.out.splitlines())) == (0, 3), done.err
    asked = [line for line in _lines(done.err) if "passphrase" in line]
    assert [line.rpartition("/")[2] for line in asked] == ["a.mana:", "c.mana:"]


def test_diff_asks_for_a_second_passphrase_only_where_the_first_does_not_open(
    manabackup: CommandLine, sealed: Path
) -> None:
    a, b, c = (str(sealed / f"{name}.mana") for name in "abc")
    alike = manabackup.at_terminal("diff", a, b, typed=[ONE])
    assert (alike.code, alike.err.count("passphrase")) == (0, 1)
    unlike = manabackup.at_terminal("diff", a, c, typed=[ONE, OTHER])
    assert (unlike.code, unlike.err.count("passphrase")) == (0, 2)


@pytest.mark.parametrize(
    "command",
    [
        "verify {}",
        "cat {} tasks",
        "find {} nothing",
        "unseal {} -o OUT",
        "report {} --format markdown",
        "convert {} --to csv -o OUT",
        "roundtrip {}",
        "diff {} {}",
    ],
)
def test_a_wrong_passphrase_is_asked_for_again(
    manabackup: CommandLine, sealed: Path, tmp_path: Path, command: str
) -> None:
    words = command.replace("{}", str(sealed / "a.mana")).replace("OUT", str(tmp_path / "out")).split()
    done = manabackup.at_terminal(*words, typed=[OTHER, ONE])
    assert done.code == 0, done.err
    assert done.err.count("wrong passphrase; once more") == 1


def test_a_wrong_passphrase_is_asked_for_three_times(manabackup: CommandLine, sealed: Path) -> None:
    done = manabackup.at_terminal("verify", str(sealed / "a.mana"), typed=[OTHER] * 3)
    assert done.code == 12
    assert done.err.count("once more") == 2


def test_a_new_passphrase_is_not_asked_for_before_somebody_is_signed_in(
    manabackup: CommandLine, tmp_path: Path
) -> None:
    done = manabackup.at_terminal("export", "--seal", "-o", str(tmp_path / "a.mana"), typed=[])
    assert done.code == 13, done.err
    assert "passphrase" not in done.err


def test_what_was_misspelt_is_told_before_a_passphrase_is_typed(
    manabackup: CommandLine, box: Sandbox, user: User, tmp_path: Path
) -> None:
    manabackup.at(box.url).environ["MANABACKUP_TOKEN"] = box.accounts.issue_token(user.id)
    for words, told in (
        (["--app", "jurnal", "-o", str(tmp_path / "a.mana")], "did you mean journal"),
        (["-o", str(tmp_path / "nowhere" / "a.mana")], "the folder does not exist"),
    ):
        done = manabackup.at_terminal("export", "--seal", *words, typed=[])
        assert done.code in (2, 17), done.err
        assert told in done.err
        assert "passphrase" not in done.err


# --- recovery codes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (CODE[1:], "has 63 digits in place of 64"),
        (CODE.replace("0", "O"), "holds 4 characters other than 0 to 9 and A to F"),
    ],
)
def test_a_recovery_code_that_is_none_is_told_at_once_and_asked_for_again(
    trial: CommandLine, typed: str, told: str
) -> None:
    done = trial.at_terminal("show-secret", "recovery-code", "--json", typed=[typed, CODE])
    assert done.record["secret"] == CODE
    assert told in " ".join(done.err.split())
    assert typed not in done.err
    assert trial.at_terminal("show-secret", "recovery-code", typed=[typed] * 3).code == 2


def test_a_wrong_recovery_code_is_asked_for_again(trial: CommandLine, box: Sandbox, user: User) -> None:
    code = box.accounts.set_vault(user.id, "zero-knowledge", bytes(range(32)))
    assert code is not None
    trial.at(box.url)
    trial.environ["MANABACKUP_TOKEN"] = box.accounts.issue_token(user.id)
    done = trial.at_terminal("open-vault", "--json", typed=[CODE, code])
    assert done.code == 0, done.err
    assert "wrong recovery code or corrupted vault; once more" in done.err
    done = trial.at_terminal("open-vault", typed=[CODE] * 3)
    assert done.code == 12
    assert done.err.count("once more") == 2


def test_show_shows_a_recovery_code_in_groups_while_it_is_typed(trial: CommandLine) -> None:
    dashed = "-".join(CODE[at : at + 4] for at in range(0, 64, 4)).lower()
    for typed in (CODE, dashed, f"\x1b[200~{dashed}\x1b[201~", CODE[:20] + "ff\x7f\x08\x1b[D" + CODE[20:]):
        done = trial.at_terminal("show-secret", "recovery-code", "--show", "--json", typed=[typed])
        assert done.record["secret"] == CODE
        assert done.err.startswith("recovery code: \n  0123-4567-89AB-CDEF\n  0123")
    assert trial.at_terminal("show-secret", "recovery-code", "--show", typed=[CODE]).err == (
        f"recovery code: \n{GROUPS}\n"
    )


def test_an_interrupt_while_a_code_is_shown_is_130_and_the_terminal_is_as_before(trial: CommandLine) -> None:
    done = trial.at_terminal("show-secret", "recovery-code", "--show", typed=["01\x03"])
    assert (done.code, done.out) == (130, "")


class _Screen:
    """As much of a terminal as is needed: what it shows after everything was written."""

    def __init__(self) -> None:
        self.lines, self.row, self.column = [[]], 0, 0  # type: list[list[str]], int, int

    def write(self, data: bytes) -> None:
        for part in re.findall(rb"\x1b\[(\d*)([A-Z])|(.)", data, re.DOTALL):
            self._obey(*(piece.decode() for piece in part))

    def _obey(self, number: str, command: str, char: str) -> None:
        if command == "A":
            self.row -= 1
        elif command == "C":
            self.column += int(number)
        elif char == "\b":
            self.column -= 1
        elif char == "\r":
            self.column = 0
        elif char == "\n":
            self.row, self.column = self.row + 1, 0
            self.lines += [[]] * (self.row == len(self.lines))
        elif char != "\a":
            line = self.lines[self.row]
            line[self.column : self.column + 1] = char
            self.column += 1

    @property
    def text(self) -> str:
        return "\n".join("".join(line).rstrip() for line in self.lines).rstrip()


@given(st.lists(st.sampled_from([*"0123456789abcdefABCDEF", "\x7f", "-", " ", "x", "\x15", "\x1b[A"]), max_size=120))
def test_what_is_shown_is_what_was_typed_however_it_was_corrected(keys: list[str]) -> None:
    kept = ""
    for key in keys:
        if key == "\x7f":
            kept = kept[:-1]
        elif key == "\x15":
            kept = ""
        elif key.upper() in "0123456789ABCDEF" and len(kept) < 64:
            kept += key.upper()
    screen = _Screen()
    given = iter([bytes([byte]) for byte in ("".join(keys) + "\n").encode()])
    assert read_groups(lambda: next(given, b""), screen.write).decode() == kept
    lines = [kept[at : at + 16] for at in range(0, len(kept), 16)]
    shown = ["  " + "-".join(line[at : at + 4] for at in range(0, len(line), 4)) for line in lines]
    assert screen.text.removeprefix("\n") == "\n".join(shown)
