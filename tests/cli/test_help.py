"""What the program says of itself: alone, asked for help, and to somebody who misspelt a command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click
import pytest

from manabackup import __version__, errors
from manabackup.cli import overview
from manabackup.cli.examples import ENDINGS, EXIT_CODES
from manabackup.cli.frame import program
from manabackup.cli.run import Exit
from manabackup.operations.account.last_backup import LastBackup, remember_backup
from manabackup.operations.account.state import StateFolder
from tests.support.processes import CommandLine


def _commands(parent: click.Context | None = None) -> Iterator[tuple[str, click.Context]]:
    """Each command's name, those of groups included, and its context."""
    parent = parent or click.Context(program(), info_name=overview.PROGRAM)
    assert isinstance(parent.command, click.Group)
    for name in parent.command.list_commands(parent):
        command = parent.command.get_command(parent, name)
        assert command is not None
        context = click.Context(command, parent, info_name=name)
        yield context.command_path.removeprefix("manabackup "), context
        if isinstance(command, click.Group):
            yield from _commands(context)


COMMANDS = dict(_commands())


def test_every_command_ends_with_two_examples_and_its_exit_codes() -> None:
    assert ENDINGS.keys() == COMMANDS.keys()
    for name, context in COMMANDS.items():
        text = context.get_help()
        examples, _, codes = text.partition("\nExamples:\n")[2].partition("\n\nExit codes:\n")
        assert [line.startswith(f"  manabackup {name}") for line in examples.splitlines()] == [True] * 2
        assert codes.startswith("  0 done")
        assert max(map(len, examples.splitlines())) < 80


@pytest.mark.parametrize("name", ENDINGS)
def test_the_examples_are_command_lines(name: str) -> None:
    parent = COMMANDS[name].parent
    assert parent is not None
    for example in ENDINGS[name].examples:
        words = shlex.split(example)[len(name.split()) :]
        if "--help" not in words and not isinstance(COMMANDS[name].command, click.Group):
            COMMANDS[name].command.make_context(name, words, parent=parent)


def test_exit_codes_are_those_of_the_errors() -> None:
    classes = [found for found in vars(errors).values() if isinstance(found, type)]
    codes = {found.exit_code for found in classes if issubclass(found, errors.ManabackupError)}
    assert set(EXIT_CODES) == codes | set(Exit) | {130}
    for ending in ENDINGS.values():
        assert list(ending.codes) == sorted(set(ending.codes) & set(EXIT_CODES))


def test_help_shows_what_the_commands_own_help_shows(manabackup: CommandLine) -> None:
    assert manabackup("help") == manabackup("--help")
    assert manabackup("help", "verify") == manabackup("verify", "--help")
    assert manabackup("help", "sandbox", "serve") == manabackup("sandbox", "serve", "--help")
    codes = manabackup("help", "exit-codes")
    assert re.findall(r"^ *(\d+)  ", codes.out, re.MULTILINE) == [str(code) for code in EXIT_CODES]


@pytest.mark.parametrize("arguments", [["--version"], ["-V"], ["version"], ["-q", "-V"], ["version", "-q"]])
def test_the_version_has_many_names(manabackup: CommandLine, arguments: list[str]) -> None:
    assert manabackup(*arguments).out == f"manabackup {__version__}\n"


@pytest.mark.parametrize(
    ("typed", "meant"),
    [("exprot", "export"), ("backup", "export"), ("verfy", "verify"), ("ls", "info"), ("help verfiy", "verify")],
)
def test_a_misspelt_command_gets_a_suggestion(manabackup: CommandLine, typed: str, meant: str) -> None:
    done = manabackup(*typed.split())
    assert (done.code, done.out) == (2, "")
    error, hint = done.err.splitlines()
    assert error == f"error: there is no command {typed.split()[-1]}"
    assert hint.startswith(f"hint: did you mean {meant}")


def test_what_nobody_means_gets_none(manabackup: CommandLine) -> None:
    done = manabackup("\x1b[2Jxyzzy")
    assert (done.code, done.err) == (
        2,
        "error: there is no command \\x1b[2Jxyzzy\nhint: see `manabackup --help`\n",
    )


# --- the program alone ------------------------------------------------------------------------------------------------


@pytest.fixture
def state(manabackup: CommandLine) -> StateFolder:
    manabackup.environ["MANABACKUP_STATE_DIR"] = str(manabackup.home / "state")
    return StateFolder(manabackup.home / "state")


def _proposed(shown: str) -> list[str]:
    return re.findall(r"^  manabackup (\w+)", shown, re.MULTILINE)


@pytest.mark.usefixtures("state")
def test_alone_it_says_what_it_is_and_how_to_start(manabackup: CommandLine) -> None:
    done = manabackup()
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("manabackup takes your data out of Mana, and puts it back.\n")
    assert _proposed(done.out) == ["demo", "login", "export"]
    assert not (manabackup.home / "state").exists()


def test_to_somebody_who_is_signed_in_it_proposes_a_backup(manabackup: CommandLine, state: StateFolder) -> None:
    folder = state.profile_folder("default")
    folder.mkdir(parents=True)
    (folder / "session.json").touch()
    shown = manabackup().out
    assert "You are signed in. No backup was made here yet." in shown
    assert _proposed(shown) == ["export", "verify", "view"]


@pytest.mark.parametrize(("days", "told"), [(0, "just now"), (40, "40 days ago")])
def test_it_tells_how_old_the_last_backup_is(manabackup: CommandLine, state: StateFolder, days: int, told: str) -> None:
    archive = manabackup.home / "a b.mana"
    backup = LastBackup(archive, datetime.now(UTC) - timedelta(days=days), "partial", sealed=True)
    remember_backup(state, "default", backup)
    (state.profile_folder("default") / "session.json").touch()
    shown = manabackup().out
    assert f"The last backup was made {told}, and is not complete: {archive} (which is not there any more)." in shown
    assert ("That is a while." in shown) == (days > 30)
    archive.touch()
    shown = manabackup().out
    assert "not there any more" not in shown
    assert _proposed(shown) == ["export", "verify", "diff"]
    assert f"verify {shlex.quote(str(archive))}" in shown
    record = manabackup("--json").record
    assert (record["signedIn"], record["lastBackup"]["status"]) == (True, "partial")


def test_each_profile_has_its_own_last_backup(manabackup: CommandLine, state: StateFolder) -> None:
    remember_backup(state, "home", LastBackup(None, datetime.now(UTC), "complete", sealed=True))
    (state.profile_folder("home") / "session.json").touch()
    assert "No backup" not in manabackup("--profile", "home").out
    assert "Nobody is signed in" in manabackup().out
    assert manabackup("--profile", "nobody").code == 2
    (state.profile_folder("home") / "last-backup.json").write_bytes(b"\xff")
    assert manabackup("--profile", "home").code == 0


def test_help_explains_an_error_in_lines_for_the_terminal(manabackup: CommandLine) -> None:
    explained = manabackup("help", "errors/wrong-passphrase")
    assert explained.code == 0
    assert explained.out.startswith("# wrong-passphrase\n")
    assert "## What to do\n" in explained.out
    pages = manabackup("help", "errors").out.splitlines()
    assert "errors/wrong-passphrase" in pages
    assert manabackup("help", "errors/nope").code == 10
    assert "(`manabackup help troubleshooting`)" in " ".join(explained.out.split())
    assert "(`manabackup help errors/damaged-archive`)" in " ".join(explained.out.split())
    assert manabackup("help", "troubleshooting").out.startswith("# Troubleshooting\n")


@pytest.mark.parametrize("more", [[], ["-v"]], ids=["plain", "more"])
def test_an_error_without_a_hint_of_its_own_names_the_page_that_explains_it(
    manabackup: CommandLine, more: list[str]
) -> None:
    hint = "hint: `manabackup help errors/not-found` explains it"
    assert manabackup(*more, "verify", "nowhere.mana").err.splitlines()[1:] == [hint]


def test_beside_a_hint_the_page_is_told_to_those_who_ask_for_more(manabackup: CommandLine) -> None:
    _, hint, page = manabackup("-v", "schedule", "remove").err.splitlines()
    assert (hint, page) == ("hint: `manabackup schedule install` makes one", "more: `manabackup help errors/not-found`")
    assert manabackup("schedule", "remove").err.splitlines()[1:] == [hint]
