"""Accounts in an embedded server, and the computers that their owners call the program from."""

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from manabackup.crypto.fields import FieldCipher
from manabackup.sandbox import Sandbox, StoredChange
from manabackup.sandbox.plan import Plan, Truth
from manabackup.sandbox.population import Account, populate
from manabackup.text import jsontext
from manabackup.text.jsontext import JSON
from tests.support.patience import PATIENCE

from . import screen
from .processes import CommandLine, Finished

PASSPHRASE = "Grüße an die Überraschung 🔑"
PASSWORD = "Straße-nach-Süden-7"
"""Of every newcomer."""
START = 1_767_225_600_000_000
"""2026-01-01T00:00:00Z in microseconds."""

Rows = dict[str, dict[str, dict[str, JSON]]]
"""Table → id → values without ``id``."""


class Computer(CommandLine):
    """A home folder with a state folder and a folder for temporary files in it."""

    def __init__(self, home: Path, url: str) -> None:
        super().__init__(home)
        self.at(url)
        self.temporary = home / "tmp"
        self.temporary.mkdir(parents=True, exist_ok=True)
        self.environ |= {"TMPDIR": str(self.temporary), "NO_COLOR": "1"}

    @property
    def state(self) -> Path:
        """The state folder."""
        return self.home / "state"

    @property
    def archive(self) -> Path:
        """A place for an output."""
        return self.home / "out" / "all.mana"

    def with_state_of(self, other: Computer) -> Computer:
        """Takes a copy of another computer's state folder."""
        shutil.copytree(other.state, self.state)
        return self

    def export(self, *arguments: str, env: Mapping[str, str] = {}, output: Path | None = None) -> Finished:
        """``export --json`` to :attr:`archive`."""
        path = output or self.archive
        path.parent.mkdir(exist_ok=True)
        return self("export", "-o", str(path), "--json", *arguments, env=env)

    def files(self) -> list[Path]:
        """All files under the home folder."""
        return [path for path in self.home.rglob("*") if path.is_file()]


@dataclass(frozen=True)
class Owner:
    """Somebody with an account, as generated."""

    account: Account
    truth: Truth

    def sign_in(self, computer: Computer) -> Computer:
        """A real sign-in; the recovery code then comes from the environment."""
        done = computer("login", "--email", self.account.email, env={"MANABACKUP_PASSWORD": self.account.password})
        assert done.code == 0, done.err
        return self.at(computer)

    def at(self, computer: Computer) -> Computer:
        """What the owner's shell sets."""
        computer.environ["MANABACKUP_RECOVERY_CODE"] = str(self.account.recovery_code)
        computer.environ["MANABACKUP_PASSPHRASE"] = PASSPHRASE
        return computer

    @property
    def live(self) -> Rows:
        """What an export holds by default."""
        unknown = {f"{app}.{collection}": rows for (app, collection), rows in self.truth.unknown.items()}
        return self.truth.rows | unknown


def move_in(box: Sandbox, plan: Plan, **options: Any) -> Owner:
    """A generated account in ``box``."""
    truth = Truth()
    return Owner(populate(box.log, box.accounts, plan, truth=truth, **options), truth)


@dataclass
class Newcomer:
    """Somebody whose every change stands in the test, in zero-knowledge mode unless told otherwise."""

    box: Sandbox
    name: str
    key: bytes = bytes(range(32))
    vault: bool = True
    bootstrap: bool = True
    """The account begins with the rows that the service writes, private fields in clear."""
    id: str = ""
    recovery_code: str = ""
    _minutes: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.email = f"{self.name}@example.org"
        user = self.box.accounts.create_user(self.email, PASSWORD, self.name, bootstrap=self.bootstrap)
        self.id = user.id
        if self.vault:
            self.recovery_code = str(self.box.accounts.set_vault(user.id, "zero-knowledge", self.key))

    def sign_in(self, computer: Computer) -> Computer:
        """A real sign-in, by which spaces are known; the recovery code, if any, then comes from the environment."""
        done = computer("login", "--email", self.email, env={"MANABACKUP_PASSWORD": PASSWORD})
        assert done.code == 0, done.err
        if self.recovery_code:
            computer.environ["MANABACKUP_RECOVERY_CODE"] = self.recovery_code
        return computer

    def at(self, computer: Computer) -> Computer:
        """A token in place of a login."""
        computer.environ["MANABACKUP_TOKEN"] = self.box.accounts.issue_token(self.id)
        computer.environ["MANABACKUP_RECOVERY_CODE"] = self.recovery_code
        computer.environ["MANABACKUP_PASSPHRASE"] = PASSPHRASE
        return computer

    def write(self, change: dict[str, JSON], app: str = "notes", **options: Any) -> str:
        """One change of ``notes`` unless told otherwise, a minute after the one before."""
        defaults: dict[str, JSON] = {"table": "notes", "op": "insert"}
        at = START + 60_000_000 * next(self._minutes)
        options = {"created_at_us": at, **options}
        return self.box.log.append(self.id, "laptop", app, {**defaults, **change}, **options)

    def sealed(self, value: JSON, key: bytes | None = None) -> str:
        """A private field's value."""
        return FieldCipher(key or self.key).encrypt(jsontext.dumps(value))


def fill(box: Sandbox, user: str, numbers: Sequence[int], title: str) -> None:
    """Rows without a time, as most of the app's stores write them."""
    home = next(space.id for space, _ in box.accounts.spaces.of_user(user))
    scope = {"spaceId": home, "authorId": user, "visibility": "space"}
    box.log.append_many(
        StoredChange(
            user,
            "laptop",
            "todo",
            {
                "table": "tasks",
                "id": f"r{number:04}",
                "op": "insert",
                "data": {"order": number, "priority": title, **scope},
                "spaceId": home,
            },
            START + number,
        )
        for number in numbers
    )


def rows_of(path: Path) -> Rows:
    """The rows of a plain archive, read without the code under test but for JSON itself."""
    with zipfile.ZipFile(path) as archive:
        found = {name: archive.read(name) for name in archive.namelist() if name.startswith("data/")}
    tables: Rows = {}
    for name, content in found.items():
        rows = [jsontext.parse(line) for line in content.splitlines()]
        tables[name.removeprefix("data/").removesuffix(".jsonl")] = {row.pop("id"): row for row in rows}
    return tables


def filled(rows: Rows) -> Rows:
    """Without the tables that are empty."""
    return {table: found for table, found in rows.items() if found}


def entry(path: Path, name: str) -> bytes:
    """An entry of a plain archive."""
    with zipfile.ZipFile(path) as archive:
        return archive.read(name)


def manifest_of(path: Path) -> dict[str, JSON]:
    """The manifest that stands outside."""
    manifest: dict[str, JSON] = jsontext.parse(entry(path, "manifest.json"))
    return manifest


def on_a_screen(computer: CommandLine, *arguments: str) -> tuple[int, str]:
    """The exit code, and all that a terminal gets to see of a command's two outputs."""
    ours, theirs = screen.open_terminal()
    process = subprocess.Popen(
        [*computer.program, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        env=computer.environ,
    )
    os.close(theirs)
    shown = screen.all_shown(ours)
    return process.wait(PATIENCE), shown


def assert_refused(done: Finished, code: int, words: str = "") -> None:
    """Ended with this code, in one line and perhaps a hint, and nothing on the standard output."""
    assert (done.code, done.out) == (code, ""), done.err
    lines = [line for line in done.err.splitlines() if not line.startswith(("warning: ", "the account"))]
    assert lines[0].startswith("error: "), done.err
    assert [line.startswith("hint: ") for line in lines[1:]] in ([], [True]), done.err
    assert words in done.err
