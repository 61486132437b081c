from __future__ import annotations

import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.cli.terminal import json_line
from manabackup.text import jsontext
from tests.support.patience import PATIENCE
from tests.support.processes import CommandLine

HOSTILE = "a\x1b[2Jb\x07\u202ec\x9bd\ne\u2066"


def _raw(text: str) -> set[str]:
    """What must not reach a terminal."""
    return {
        char for char in text if char != "\n" and (char < " " or "\x7f" <= char <= "\x9f" or char in "\u202e\u2066")
    }


def test_results_go_to_stdout_and_words_for_people_to_stderr(trial: CommandLine) -> None:
    done = trial("speak", "x")
    assert (done.code, done.out) == (0, "result x\n")
    assert done.err == "note x\nwarning: warned x\n"


def test_v_says_more_and_q_says_less(trial: CommandLine) -> None:
    assert trial("speak", "x", "-v").err == "note x\ndetail x\nwarning: warned x\nlog x\n"
    assert trial("speak", "x", "-q").err == "warning: warned x\n"


def test_json_is_one_object_on_stdout(trial: CommandLine) -> None:
    done = trial("speak", "x", "--json")
    assert done.out == '{"text":"x"}\n'
    assert "note x" in done.err


@pytest.mark.parametrize("arguments", [[], ["--json"]])
def test_control_characters_in_data_are_escaped(trial: CommandLine, arguments: list[str]) -> None:
    done = trial("speak", HOSTILE, "-v", *arguments)
    assert not _raw(done.out)
    assert not _raw(done.err)
    assert done.out.count("\n") == 1
    if arguments:
        assert done.record == {"text": HOSTILE}


@given(st.text())
def test_json_lines_mean_what_was_given(text: str) -> None:
    line = json_line({"text": text})
    assert line.endswith(b"\n")
    assert b"\n" not in line[:-1]
    assert not _raw(line.decode("utf-8")[:-1])
    assert jsontext.parse(line) == {"text": text}


def test_errors_are_one_line_with_a_hint(trial: CommandLine) -> None:
    done = trial("fail", "ServerError", "--json")
    assert (done.code, done.out) == (14, "")
    assert done.err == "error: line one line two \\x1b[2J\nhint: try \\x07 again\n"


@pytest.mark.parametrize(
    ("kind", "pages"),
    [("28", ["output"]), ("open", ["not-found"]), ("13", []), ("nesting", []), ("memory", [])],
)
def test_without_a_hint_of_its_own_an_error_names_its_page_unless_that_is_one_of_many_errors(
    trial: CommandLine, kind: str, pages: list[str]
) -> None:
    _, *hints = trial("fail", kind).err.splitlines()
    assert hints == [f"hint: `manabackup help errors/{page}` explains it" for page in pages]


def test_a_traceback_stands_only_with_vv(trial: CommandLine) -> None:
    assert "Traceback" not in trial("fail", "ServerError", "-v").err
    assert "Traceback" in trial("fail", "ServerError", "-vv").err


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("ManabackupError", 1),
        ("UsageError", 2),
        ("NotFoundError", 10),
        ("LockedError", 11),
        ("WrongPassphraseError", 12),
        ("SignInError", 13),
        ("ServerError", 14),
        ("DamagedArchiveError", 15),
        ("SubscriptionError", 16),
        ("OutputError", 17),
        ("open", 10),
        ("28", 17),
        ("30", 17),
        ("122", 17),
        ("5", 17),
        ("13", 1),
        ("nesting", 1),
        ("memory", 1),
    ],
)
def test_every_error_ends_with_its_exit_code(trial: CommandLine, kind: str, code: int) -> None:
    done = trial("fail", kind)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("error: ")
    assert "Traceback" not in done.err


def test_an_error_in_the_program_does_not_quote_data(trial: CommandLine) -> None:
    done = trial("fail", "bug")
    assert done.code == 1
    assert done.err == "error: an error in this program (KeyError)\nhint: -vv shows where; a report of it is welcome\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 0),
        (["--losses", "2"], 3),
        (["--notices", "2"], 0),
        (["--notices", "2", "--strict"], 3),
        (["--strict"], 0),
        (["--differences"], 4),
    ],
)
def test_losses_and_differences_show_in_the_exit_code(trial: CommandLine, arguments: list[str], code: int) -> None:
    assert trial("end", *arguments).code == code


@pytest.mark.parametrize(
    "arguments", [["no-such"], ["end", "--no-such"], ["end", "too much"], ["end", "--losses", "x"]]
)
def test_a_wrong_command_line_is_2_in_the_same_words(trial: CommandLine, arguments: list[str]) -> None:
    done = trial(*arguments)
    assert (done.code, done.out) == (2, "")
    error, hint = done.err.splitlines()
    assert error.startswith("error: ")
    assert hint.startswith("hint: see `manabackup")


def test_colours_and_bars_stand_on_terminals_only(trial: CommandLine) -> None:
    assert "\x1b" not in trial("work").err
    assert trial("work").err == "warning: in between\n"
    shown = trial.at_terminal("work").err
    assert "working" in shown
    assert "\x1b[33mwarning: \x1b[0min between" in shown


@pytest.mark.parametrize("arguments", [["--no-progress"], ["-q"], ["--json"]])
def test_bars_can_be_kept_away(trial: CommandLine, arguments: list[str]) -> None:
    assert "working" not in trial.at_terminal("work", *arguments).err


def test_no_color_and_dumb_terminals_are_honoured(trial: CommandLine) -> None:
    for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
        assert trial.at_terminal("speak", "x", env=env).err == "note x\nwarning: warned x\n"
    assert "\x1b[33m" in trial.at_terminal("speak", "x", env={"NO_COLOR": ""}).err


def test_a_full_disk_behind_stdout_is_17(trial: CommandLine) -> None:
    onto_full = CommandLine(trial.home, ["sh", "-c", '"$0" "$@" >/dev/full', *trial.program])
    done = onto_full("speak", "x")
    assert done.code == 17
    assert "error: cannot write to the standard output: No space left on device" in done.err
    assert "Exception" not in done.err


def test_a_closed_stdout_is_17(trial: CommandLine) -> None:
    done = CommandLine(trial.home, ["sh", "-c", '"$0" "$@" >&-', *trial.program])("speak", "x")
    assert done.code == 17
    assert "the standard output is closed" in done.err


def test_a_reader_that_has_had_enough_ends_the_command_quietly(trial: CommandLine) -> None:
    process = trial.start("pour")
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    _, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (1, "")


@pytest.mark.parametrize("number", [2, 15, 1])
def test_an_interrupt_tidies_up_and_ends_with_130(trial: CommandLine, number: int) -> None:
    before = signal.signal(number, signal.SIG_DFL)  # hang-ups may be ignored here, as under nohup
    try:
        process = trial.start("wait", "--json")
    finally:
        signal.signal(number, before)
    assert process.stdout is not None
    assert process.stdout.readline().startswith('{"pid"')
    process.send_signal(number)
    out, said = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (130, "")
    assert said == "tidied up\nerror: interrupted\n"


def test_a_narrow_encoding_loses_no_result(trial: CommandLine) -> None:
    done = trial("speak", "Grüße", env={"PYTHONIOENCODING": "ascii"})
    assert done.out == "result Grüße\n"
    assert done.err.startswith("note Gr\\xfc\\xdfe\n")
