from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import NotFoundError, UsageError
from manabackup.secret_sources import EnvironmentSource, FileSource, SecretSources, secret_text

from .processes import CommandLine

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
    done = trial.at_terminal("show-secret", "passphrase", "--json", "--confirm", typed=[SECRET, "other"])
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


@given(body=st.text(min_size=1).filter(lambda text: text[-1] not in "\r\n"), end=st.sampled_from(["", "\n", "\r\n"]))
def test_exactly_one_newline_is_cut(tmp_path_factory: pytest.TempPathFactory, body: str, end: str) -> None:
    path = tmp_path_factory.getbasetemp() / f"secret-{os.getpid()}"
    path.write_bytes((body + end).encode())
    assert secret_text(FileSource(path), "passphrase") == body
    path.write_bytes((body + "\n" + end).encode())
    assert secret_text(FileSource(path), "passphrase") == (body + "\n" if end else body)
    assert secret_text(EnvironmentSource(body + end), "passphrase") == body + end


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
        FileSource(Path("/no/\x1b[2J")).read()
