"""Words reach people in whatever encoding, and where they cannot, one line and the exit code say so."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.cli import words
from manabackup.errors import OutputError
from tests.support.processes import MANABACKUP, CommandLine, Finished

ARCHIVE = Path(__file__).parents[2] / "fixtures" / "vectors" / "archives" / "all-tables.mana"
READS = [["cat", str(ARCHIVE), "notes"], ["info", str(ARCHIVE)]]
HELPS = [["--help"], ["--version"], ["verify", "--help"], ["sandbox", "--help"], ["sandbox", "serve", "-h"]]
WORDS = st.text(st.sampled_from("abc defäöü…→€日") | st.just(" "))


def _redirected(home: Path, redirection: str, *arguments: str, env: dict[str, str] | None = None) -> Finished:
    return CommandLine(home, ["sh", "-c", f'"$0" "$@" {redirection}', *MANABACKUP])(*arguments, env=env or {})


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "iso-8859-1"},  # what LC_ALL=de_DE.ISO-8859-1 comes to, where that is installed
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
    ids=["latin-1", "ascii"],
)
def test_help_is_said_in_any_encoding(manabackup: CommandLine, arguments: list[str], env: dict[str, str]) -> None:
    done = manabackup(*arguments, env=env)
    assert (done.code, done.err) == (0, "")
    assert done.out.isascii()
    assert "\\u" not in done.out


@pytest.mark.parametrize(
    "arguments", [*HELPS, ["cat", str(ARCHIVE), "notes"], ["info", str(ARCHIVE)]], ids=lambda a: a[0]
)
@pytest.mark.parametrize(
    ("redirection", "told"),
    [(">&-", "the standard output is closed"), (">/dev/full", "cannot write to the standard output: No space left")],
)
def test_what_cannot_be_said_is_told_in_one_line_and_a_hint_and_17(
    tmp_path: Path, arguments: list[str], redirection: str, told: str
) -> None:
    done = _redirected(tmp_path, redirection, *arguments)
    assert (done.code, done.out) == (17, "")
    error, hint = done.err.splitlines()
    assert error.startswith(f"error: {told}")
    assert hint == "hint: `manabackup help errors/output` explains it"


@pytest.mark.parametrize("arguments", [["--help"], ["verify", "--help"]], ids=" ".join)
def test_a_reader_who_has_had_enough_of_the_help_ends_it_quietly(tmp_path: Path, arguments: list[str]) -> None:
    done = CommandLine(tmp_path, ["bash", "-c", '"$0" "$@" | true; exit ${PIPESTATUS[0]}', *MANABACKUP])(*arguments)
    assert (done.code in (0, 1), done.err) == (True, "")  # 0: it was said before nobody listened any more


@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_errors_that_nobody_can_be_told_change_no_exit_code(tmp_path: Path, redirection: str) -> None:
    assert _redirected(tmp_path, redirection, "no-such-command").code == 2


def test_all_three_streams_may_be_closed(tmp_path: Path) -> None:
    assert _redirected(tmp_path, "<&- >&- 2>&-", "--help").code == 17


def test_the_exit_code_is_that_of_the_error() -> None:
    assert OutputError.exit_code == words.NOT_WRITTEN


@given(text=st.text(), encoding=st.sampled_from(["ascii", "iso-8859-1", "cp1252", "utf-8", "koi8-r", "shift_jis"]))
def test_every_text_has_a_spelling_in_every_encoding(text: str, encoding: str) -> None:
    said = words.encoded(text, io.TextIOWrapper(io.BytesIO(), encoding=encoding)).decode(encoding)
    if encoding == "utf-8" and not any("\ud800" <= char <= "\udfff" for char in text):
        assert said == text


@given(line=WORDS, width=st.integers(20, 60))
def test_lines_are_broken_between_words_and_lose_none(line: str, width: int) -> None:
    lines = list(words.broken(line, width))
    assert " ".join(lines).split() == line.split()
    for one in lines:
        assert len(one) <= width or len(one.split()) == 1


def test_what_goes_on_stands_beneath_what_it_belongs_to() -> None:
    assert list(words.broken("vault         only the recovery code opens it", 32)) == [
        "vault         only the recovery",
        "              code opens it",
    ]
    assert list(words.broken("error: the archive is damaged", 20)) == ["error: the archive", "  is damaged"]
