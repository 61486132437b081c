from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import NotFoundError, UsageError
from manabackup.host.secret_sources import SecretFile, SecretSources, SecretVariable, secret_text
from manabackup.text.passphrases import oddities
from tests.support.processes import CommandLine

SECRET = "Grüße, hunter2"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "secret"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return path


def _shown(trial: CommandLine, *arguments: str, env: dict[str, str] | None = None) -> str:
    done = trial("show-secret", "passphrase", "--json", *arguments, env=env or {})
    assert (done.code, done.err) == (0, "")
    return str(done.record["secret"])


def test_a_secret_comes_from_a_file(trial: CommandLine, file: Path) -> None:
    assert _shown(trial, "--passphrase-file", str(file)) == SECRET


def test_a_secret_comes_from_a_command_without_a_shell(trial: CommandLine, file: Path) -> None:
    assert _shown(trial, "--passphrase-command", f"cat '{file}'") == SECRET
    assert _shown(trial, "--passphrase-command", "echo '$HOME;  x'") == "$HOME;  x"
    assert _shown(trial, "--passphrase-command", f"sh -c 'cat {file} | tr r R'") == SECRET.replace("r", "R")


def test_a_secret_comes_from_the_environment_as_it_is(trial: CommandLine) -> None:
    assert _shown(trial, env={"MANABACKUP_PASSPHRASE": SECRET + "\n"}) == SECRET + "\n"


def test_files_and_commands_are_named_in_the_environment_and_the_profile_too(trial: CommandLine, file: Path) -> None:
    assert _shown(trial, env={"MANABACKUP_PASSPHRASE_FILE": str(file)}) == SECRET
    assert _shown(trial, env={"MANABACKUP_PASSPHRASE_COMMAND": f"cat {file}"}) == SECRET
    (trial.home / "c.toml").write_text('[profiles.default]\npassphrase-file = "secret"\n')
    assert _shown(trial, "--config", str(trial.home / "c.toml")) == SECRET


def test_dashes_in_a_secrets_name_are_underscores_in_the_environment(trial: CommandLine) -> None:
    done = trial("show-secret", "recovery-code", "--json", env={"MANABACKUP_RECOVERY_CODE": "AB"})
    assert done.record["secret"] == "AB"


def test_options_win_over_the_environment_and_that_over_the_profile(trial: CommandLine, file: Path) -> None:
    (trial.home / "c.toml").write_text('[profiles.default]\npassphrase-command = "echo profile"\n')
    config = ["--config", str(trial.home / "c.toml")]
    assert _shown(trial, *config) == "profile"
    assert _shown(trial, *config, env={"MANABACKUP_PASSPHRASE": "environment"}) == "environment"
    chosen = _shown(trial, *config, "--passphrase-file", str(file), env={"MANABACKUP_PASSPHRASE": "environment"})
    assert chosen == SECRET


def test_two_sources_side_by_side_are_an_error(trial: CommandLine, file: Path) -> None:
    done = trial("show-secret", "passphrase", "--passphrase-file", str(file), "--passphrase-command", "echo x")
    assert (done.code, done.out) == (2, "")
    assert done.err == ("error: --passphrase-file and --passphrase-command are both given\nhint: give one of them\n")
    env = {"MANABACKUP_PASSPHRASE": "a", "MANABACKUP_PASSPHRASE_FILE": "b"}
    assert trial("show-secret", "passphrase", env=env).code == 2


def test_without_source_and_terminal_it_says_what_to_pass(trial: CommandLine) -> None:
    done = trial("show-secret", "recovery-code", stdin="typed\n")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error: no recovery code was given\n"
        "hint: --recovery-code-file FILE, --recovery-code-command CMD, or MANABACKUP_RECOVERY_CODE\n"
    )


def test_a_missing_file_is_told_apart_from_a_wrong_command_line(trial: CommandLine) -> None:
    assert trial("show-secret", "passphrase", "--passphrase-file", "/no/such/file").code == 10
    assert trial("show-secret", "passphrase", "--passphrase-file", "/tmp").code == 2
    assert trial("show-secret", "passphrase", "--passphrase-file", "").code == 2


@pytest.mark.parametrize(
    ("command", "told"),
    [
        ("false hunter2", "false failed with exit code 1"),
        ("/no/such/program hunter2", "cannot run /no/such/program"),
        ("echo 'hunter2", "open quotation mark"),
        ("", "is empty"),
        ("printf ''", "the passphrase is empty"),
        ("printf '\\377hunter2'", "not UTF-8"),
        ("head -c 1100000 /dev/zero", "too much"),
    ],
)
def test_a_command_that_gives_no_secret_is_told_by_its_name_alone(trial: CommandLine, command: str, told: str) -> None:
    done = trial("show-secret", "passphrase", "--passphrase-command", command, "-vv")
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert "hunter2" not in done.err.rpartition("error: ")[2]


def test_a_file_that_is_not_utf8_or_too_large_is_refused_without_quoting_it(trial: CommandLine, file: Path) -> None:
    for content, told in ((b"hunter2\xff", "not UTF-8"), (b"x" * (1 << 20) + b"x", "too large"), (b"\n", "empty")):
        file.write_bytes(content)
        done = trial("show-secret", "passphrase", "--passphrase-file", str(file), "-vv")
        assert (done.code, done.out) == (2, "")
        assert told in done.err
        assert "hunter2" not in done.err


def test_an_environment_that_is_not_utf8_is_refused(trial: CommandLine) -> None:
    assert trial("show-secret", "passphrase", env={"MANABACKUP_PASSPHRASE": os.fsdecode(b"\xff")}).code == 2


def test_a_file_that_others_can_read_is_used_with_a_warning(trial: CommandLine, file: Path) -> None:
    for mode, warned in ((0o600, False), (0o640, True), (0o604, True)):
        file.chmod(mode)
        done = trial("show-secret", "passphrase", "--passphrase-file", str(file), "--json")
        assert done.record["secret"] == SECRET
        assert ("warning: other users of this computer can read" in done.err) is warned


def test_a_secret_on_the_command_line_is_refused_with_the_right_way(trial: CommandLine) -> None:
    for arguments in (["--passphrase", "hunter2"], ["--passphrase=hunter2"]):
        done = trial("show-secret", "passphrase", *arguments)
        assert done.code == 2
        assert "hint: secrets never stand on the command line: --passphrase-file" in done.err
        assert "hunter2" not in done.err


def test_at_a_terminal_it_is_asked_for_and_not_shown(trial: CommandLine) -> None:
    done = trial.at_terminal("show-secret", "passphrase", "--json", typed=[SECRET])
    assert done.record["secret"] == SECRET
    assert done.err == "passphrase: \n"


def test_a_new_passphrase_is_asked_for_twice(trial: CommandLine) -> None:
    done = trial.at_terminal("show-secret", "passphrase", "--json", "--confirm", typed=[SECRET, SECRET])
    assert done.record["secret"] == SECRET
    done = trial.at_terminal("show-secret", "passphrase", "--json", "--confirm", typed=["one", "two", SECRET, SECRET])
    assert done.record["secret"] == SECRET
    assert done.err.count("differ") == 1
    done = trial.at_terminal("show-secret", "passphrase", "--json", "--confirm", typed=[SECRET, "other"] * 3)
    assert (done.code, done.out) == (2, "")
    assert "differ" in done.err


def test_nothing_typed_is_an_error(trial: CommandLine) -> None:
    done = trial.at_terminal("show-secret", "passphrase", typed=[""])
    assert done.code == 2
    assert "the passphrase is empty" in done.err


def test_an_interrupt_at_the_question_is_130(trial: CommandLine) -> None:
    done = trial.at_terminal("show-secret", "passphrase", typed=["\x03"])
    assert (done.code, done.out) == (130, "")
    assert "interrupted" in done.err
    assert "Traceback" not in done.err


def test_tokens_and_keys_are_not_asked_for(trial: CommandLine) -> None:
    done = trial.at_terminal("show-secret", "token", typed=["x"])
    assert done.code == 2
    assert "no access token was given" in done.err


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("\x1b[D\x1b[D" + SECRET, "holds 2 control characters"),
        ("\t" + SECRET, "holds 1 control character"),
        ("first\nsecond", "has more than one line"),
        ("k" * 4_095, "is cut by the terminal after 4,095 bytes"),
        ("k" * 4_500, "is cut by the terminal after 4,095 bytes"),
    ],
)
def test_what_nobody_meant_to_type_is_told_and_asked_for_again(trial: CommandLine, typed: str, told: str) -> None:
    done = trial.at_terminal("show-secret", "passphrase", "--json", typed=[typed, SECRET])
    assert done.record["secret"] == SECRET
    assert told in done.err
    assert "kkk" not in done.err
    done = trial.at_terminal("show-secret", "passphrase", "--json", typed=[typed] * 3)
    assert (done.code, done.out) == (2, "")
    assert "no passphrase could be read from the terminal" in done.err


def test_the_marks_that_a_terminal_puts_around_a_paste_are_no_part_of_it(trial: CommandLine) -> None:
    done = trial.at_terminal("show-secret", "passphrase", "--json", typed=[f"\x1b[200~{SECRET}\x1b[201~"])
    assert done.record["secret"] == SECRET


def test_the_longest_line_that_a_terminal_takes_is_taken(trial: CommandLine) -> None:
    done = trial.at_terminal("show-secret", "passphrase", "--json", typed=["k" * 4_094])
    assert done.record["secret"] == "k" * 4_094


BOM = "\ufeff"
UNTYPABLE = {
    "first\nsecond and more": "holds 1 line break",
    "a\nb\r\nc and some more": "holds 2 line breaks",
    "a long passphrase\n": "holds 1 line break",
    "a long passphrase\r": "holds 1 line break",
    "a long\u2028passphrase": "holds 1 line break",
    "a long\tpassphrase": "holds 1 control character",
    "\x1b[200~a long passphrase\x1b[201~": "holds 2 control characters",
    "a long passphrase\0": "holds 1 control character",
    " a long passphrase\x7f ": "holds 1 control character, begins with a blank and ends with a blank",
}
ODD = {
    "a long passphrase ": "ends with a blank",
    "\u00a0a long passphrase": "begins with a blank",
    "a long\u200bpassphrase": "holds characters that nobody sees",
    "u\u0308ber allen Gipfeln": "is not composed as keyboards do it",
    "k" * 5_000: "is longer than the 4,095 bytes that a terminal takes",
}
USUAL = [
    "a long passphrase",
    "Grüße an die Überraschung 🔑",
    "👩\u200d👩\u200d👧 Familie Tanne",
    "correct  horse  battery",
]


@pytest.mark.parametrize(
    ("passphrase", "way", "mark"),
    [(passphrase, "file", BOM) for passphrase in (*UNTYPABLE, *ODD, *USUAL)]
    + [(passphrase, "environment", "") for passphrase in ("a long passphrase\n", "a long passphrase ", *USUAL[:2])]
    + [(passphrase, "command", "") for passphrase in ("first\nsecond and more", *USUAL[:2])],
)
def test_what_nobody_can_type_seals_nothing_and_what_is_odd_is_told(
    trial: CommandLine, passphrase: str, way: str, mark: str
) -> None:
    file = trial.home / "given"
    ending = "" if way == "environment" or passphrase.endswith("\r") else "\n"
    file.write_bytes((mark + passphrase + ending).encode())
    file.chmod(0o600)
    arguments = {"file": ["--passphrase-file", str(file)], "command": ["--passphrase-command", f"cat '{file}'"]}
    env = {"MANABACKUP_PASSPHRASE": mark + passphrase} if way == "environment" else {}
    done = trial("show-secret", "passphrase", "--confirm", "--json", *arguments.get(way, []), env=env)
    if passphrase in UNTYPABLE:
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(f"error: the passphrase {UNTYPABLE[passphrase]}: at a prompt it cannot be typed\n")
    else:
        assert done.record["secret"] == passphrase
        assert done.err.startswith(f"warning: the passphrase {ODD[passphrase]}" if passphrase in ODD else "")
        assert bool(done.err) == (passphrase in ODD)
    # To open something it is taken as it is.
    done = trial("show-secret", "passphrase", "--json", *arguments.get(way, []), env=env)
    assert done.record["secret"] == mark + passphrase


@pytest.mark.parametrize("name", ["password", "recovery-code", "totp", "token", "backup-code"])
def test_a_byte_order_mark_before_any_other_secret_is_dropped(trial: CommandLine, file: Path, name: str) -> None:
    file.write_text(BOM + SECRET)
    assert trial("show-secret", name, f"--{name}-file", str(file), "--json").record["secret"] == SECRET


@given(st.text(min_size=1))
def test_what_a_prompt_takes_seals_and_what_it_does_not_is_told(text: str) -> None:
    found = oddities(text)
    typed = text.encode("utf-8", "ignore")
    a_prompt_takes_it = b"\n" not in typed and b"\r" not in typed and b"\x1b" not in typed and b"\0" not in typed
    assert a_prompt_takes_it or not all(oddity.typable for oddity in found)
    assert [oddity.typable for oddity in found] == sorted(oddity.typable for oddity in found)
    if text == text.strip() and text.isprintable() and text.isascii():
        assert not found


def test_one_source_is_read_once_a_run(trial: CommandLine, tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    command = f"sh -c 'echo x >> {calls}; echo {SECRET.partition(' ')[2]}'"
    for arguments in (["--passphrase-file", "/dev/stdin"], ["--passphrase-command", command]):
        done = trial("show-secret", "passphrase", "passphrase", "--json", *arguments, stdin="hunter2\n")
        assert done.record["secrets"] == ["hunter2", "hunter2"]
    assert calls.read_text() == "x\n"


@given(body=st.text(min_size=1).filter(lambda text: text[-1] not in "\r\n"), end=st.sampled_from(["", "\n", "\r\n"]))
def test_exactly_one_newline_is_cut(tmp_path_factory: pytest.TempPathFactory, body: str, end: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"secret-{os.getpid()}"
    path.write_bytes((body + end).encode())
    assert secret_text(SecretFile(path), "passphrase", exact=True) == body
    path.write_bytes((body + "\n" + end).encode())
    assert secret_text(SecretFile(path), "passphrase", exact=True) == (body + "\n" if end else body)
    assert secret_text(SecretVariable(body + end), "passphrase", exact=True) == body + end


@given(data=st.binary(), where=st.sampled_from(["passphrase", "to-recovery-code"]))
def test_no_error_quotes_what_was_read(tmp_path_factory: pytest.TempPathFactory, data: bytes, where: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"bytes-{os.getpid()}"
    path.write_bytes(b"hunter2" + data)
    source = SecretSources({f"{where}-file": str(path)}, {}, {}).find(where)
    assert source is not None
    try:
        told = secret_text(source, where)
    except UsageError as error:
        told = repr(error)
    assert told.startswith("hunter2") or "hunter2" not in told


def test_an_empty_variable_counts_as_not_set() -> None:
    assert SecretSources({}, {"MANABACKUP_TOKEN": ""}, {}).find("token") is None


def test_representations_of_sources_keep_their_secrets() -> None:
    source = SecretSources({}, {"MANABACKUP_TOKEN": "hunter2"}, {}).find("token")
    assert source is not None
    assert "hunter2" not in repr(source)
    with pytest.raises(NotFoundError, match=r"\\x1b"):
        SecretFile(Path("/no/\x1b[2J")).read()
