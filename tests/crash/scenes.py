"""Commands that change something on the disk, the home folders in which they are called, and what must hold after."""

from __future__ import annotations

import shutil
import sqlite3
import stat
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.mirror import Snapshot
from manabackup.operations.archives.verify import verify
from manabackup.sandbox import Asked, Sandbox
from manabackup.text import jsontext
from tests.support.homes import PASSPHRASE, Computer, fill

from .steps import Ended, Step

KEY = bytes(range(32))
SQLITE = (".sqlite", ".sqlite-wal", ".sqlite-shm", ".sqlite-journal", ".sqlite.sums", ".sqlite.sums.part")
PROFILE = "state/profiles/default"
COUNT = 24
"""Rows that are restored; the target holds half of them otherwise."""


@dataclass
class Scene:
    """A command in a home folder that is made anew, as a copy of ``template``, for each run."""

    name: str
    template: Computer
    arguments: Callable[[Computer], Sequence[str]]
    about: tuple[str, ...]
    """Folders of the home folder where this command's steps are looked at by default."""
    codes: tuple[int, ...] = (0,)
    """How it ends when nothing disturbs it."""
    content: Any = field(default=None)
    """What an undisturbed run leads to."""

    def begin(self) -> Computer:
        """A fresh home folder."""
        home = self.template.home.with_name(f"{self.template.home.name}.{self.name}")
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(self.template.home, home)
        computer = Computer(home, self.template.environ["MANABACKUP_SYNC_URL"])
        moved = {"MANABACKUP_STATE_DIR": computer.environ["MANABACKUP_STATE_DIR"]}
        computer.environ = {**self.template.environ, "HOME": str(home), "TMPDIR": str(computer.temporary), **moved}
        return computer

    def learn(self, computer: Computer) -> None:
        """Remembers what an undisturbed run led to."""
        self.content = self.state(computer)

    def state(self, computer: Computer) -> Any:
        """What there is now, as far as the command is about it. Fails for what is neither old nor new."""
        raise NotImplementedError

    def check_whole(self, computer: Computer) -> None:
        """After a run that did not come to its end."""
        check_modes(computer)
        check_mirrors(computer)

    def check_done(self, computer: Computer) -> None:
        """After one that did."""
        check_modes(computer)
        check_mirrors(computer)
        assert self.state(computer) == self.content
        assert not leftovers(computer, self.template)

    def is_refused_now(self, computer: Computer) -> bool:
        """The killed run came so far that the same command is a mistake."""
        return False


# --- archives ---------------------------------------------------------------------------------------------------------


@dataclass
class Writing(Scene):
    """One that writes an archive to :attr:`Computer.archive`."""

    key: bytes | None = None
    """What private fields are encrypted under in it."""

    def state(self, computer: Computer) -> Any:
        """The content of the output; None for the one before."""
        if not computer.archive.exists():
            assert not self.template.archive.exists()
            return None
        data = computer.archive.read_bytes()
        if self.template.archive.exists() and data == self.template.archive.read_bytes():
            return None
        assert len(data) > 0
        return content_of(computer.archive, self.key)

    def check_whole(self, computer: Computer) -> None:
        """The old output, or the new one."""
        super().check_whole(computer)
        assert self.state(computer) in (None, self.content)
        remaining = leftovers(computer, self.template)
        assert remaining <= {"out/.all.mana.part", "out/.all.mana.spool", f"{PROFILE}/.last-backup.json.part"}, (
            remaining
        )

    def is_refused_now(self, computer: Computer) -> bool:
        """Nobody said that the new output may be replaced."""
        return "--force" not in self.arguments(computer) and computer.archive.exists()


@dataclass
class Filling(Scene):
    """One that makes a folder of tables, ``out/tables``."""

    def state(self, computer: Computer) -> Any:
        """File → content of the folder; None for the one before. Fails where there is none and one was before."""
        before = files_of(self.template.home / "out" / "tables")
        found = files_of(computer.home / "out" / "tables")
        return None if found == before else found

    def check_whole(self, computer: Computer) -> None:
        """The old folder or the whole new one, in this place; the old one is kept in any case."""
        super().check_whole(computer)
        assert self.state(computer) in (None, self.content)
        self._check_aside(computer)

    def check_done(self, computer: Computer) -> None:
        """The new folder, and the old one beside it."""
        check_modes(computer)
        assert self.state(computer) == self.content
        assert not list((computer.home / "out").glob("*.part"))
        self._check_aside(computer)
        before = files_of(self.template.home / "out" / "tables")
        assert before is None or before in self._aside(computer)

    def is_refused_now(self, computer: Computer) -> bool:
        """Nobody said that the new folder may be replaced."""
        return "--force" not in self.arguments(computer) and (computer.home / "out" / "tables").exists()

    def _aside(self, computer: Computer) -> list[dict[str, bytes] | None]:
        return [files_of(path) for path in (computer.home / "out").glob("tables.previous*")]

    def _check_aside(self, computer: Computer) -> None:
        """What stands beside it is whole, too."""
        before = files_of(self.template.home / "out" / "tables")
        assert all(found in (before, self.content) for found in self._aside(computer))


def files_of(folder: Path) -> dict[str, bytes] | None:
    """File → content; None for a folder that is not there."""
    if not folder.exists():
        return None
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def content_of(path: Path, key: bytes | None = None) -> dict[str, Any]:
    """What an archive says, its private fields opened; checks it from end to end."""
    with zipfile.ZipFile(path) as container:
        assert container.testzip() is None
        sealed = "data.sealed" in container.namelist()
    report = verify(path, lambda: PASSPHRASE)
    assert report.ok, report.problems
    if key is None:
        return {"sealed": sealed, "dataSha256": report.data_sha256}
    cipher = FieldCipher(key)
    rows = {}
    with open_archive(path, lambda: PASSPHRASE) as archive:
        for table in archive.tables:
            for row in archive.rows(table):
                values = row.values()
                opened = {
                    name: cipher.decrypt(value) if type(value) is str and value.startswith("enc:1:") else value
                    for name, value in values.items()
                }
                rows[table, row.id] = opened
    return {"sealed": sealed, "rows": rows}


# --- the mirror -------------------------------------------------------------------------------------------------------


@dataclass
class Pulling(Scene):
    """One that fills the mirror."""

    def state(self, computer: Computer) -> Any:
        """(app, collection) → the changes that are held, in their order."""
        held: dict[tuple[str, str], list[bytes]] = {}
        for path in (computer.state / "mirrors").glob("*.sqlite"):
            held |= changes_of(path, computer.home)
        return held

    def check_whole(self, computer: Computer) -> None:
        """Nothing that was held is lost, and nothing else is held than what the server has."""
        super().check_whole(computer)
        before = self.state(self.template)
        now = self.state(computer)
        for place, changes in before.items():
            assert set(changes) <= set(now[place])
        for place, changes in now.items():
            assert set(changes) <= set(self.content[place])
            assert len(changes) == len(set(changes))
        assert not leftovers(computer, self.template)


@dataclass
class Healing(Pulling):
    """One that puts a sound mirror in the place of a damaged one, and reads what is missing again."""

    def check_whole(self, computer: Computer) -> None:
        """Whatever stands there is a mirror; which one, the next run sees."""
        check_modes(computer)
        check_mirrors(computer)

    def check_done(self, computer: Computer) -> None:
        """All is there again, and of the rest only the damaged file."""
        self.check_whole(computer)
        assert self.state(computer) == self.content
        assert {name.rpartition(".")[2] for name in leftovers(computer, self.template)} == {"damaged"}


def changes_of(path: Path, home: Path) -> dict[tuple[str, str], list[bytes]]:
    """What a mirror holds, read from a copy: recovering is the next run's task."""
    with copied(path, home) as copy:
        if not sqlite_objects(copy):
            return {}
        with Snapshot(copy) as snapshot:
            return {
                (one.app, one.name): [line for page in snapshot.read(one.app, one.name) for line in page.lines()]
                for one in snapshot.collections()
            }


# --- the session ------------------------------------------------------------------------------------------------------


@dataclass
class SigningIn(Scene):
    """One that keeps a session."""

    def state(self, computer: Computer) -> Any:
        """Who is signed in."""
        path = computer.state / "profiles" / "default" / "session.json"
        if not path.exists():
            return None
        kept = jsontext.parse(path.read_bytes())
        assert kept["cookie"]
        return kept["userId"]

    def check_whole(self, computer: Computer) -> None:
        super().check_whole(computer)
        assert self.state(computer) in (self.state(self.template), self.content)
        remaining = leftovers(computer, self.template)
        assert remaining <= {"state/profiles/default/.session.json.part"}, remaining

    def is_refused_now(self, computer: Computer) -> bool:
        return "--force" not in self.arguments(computer) and self.state(computer) is not None


# --- an account -------------------------------------------------------------------------------------------------------


@dataclass
class Restoring(Scene):
    """One that writes into an account, which is made as it was for each run."""

    box: Sandbox = field(kw_only=True)
    user: str = field(kw_only=True)

    def begin(self) -> Computer:
        self.box.log.erase(self.user)
        fill(self.box, self.user, range(0, COUNT, 2), "theirs")
        computer = super().begin()
        computer.environ["MANABACKUP_TOKEN"] = self.box.accounts.issue_token(self.user)
        return computer

    def state(self, computer: Computer) -> Any:
        """What was done to rows → their number, and what they show."""
        done: dict[str, list[str]] = {}
        shown = {}
        spaces = self.box.accounts.spaces_of(self.user)
        for row in self.box.log.pull("todo", "tasks", Asked(self.user, spaces, "?", -1, 10**6)):
            change = jsontext.parse(row.wire())
            done.setdefault(change["id"], []).append(change["op"])
            if change["op"] == "insert":
                shown[change["id"]] = change["data"]["priority"]
        return Counter(" ".join(found) for found in done.values()), Counter(shown.values())

    def check_whole(self, computer: Computer) -> None:
        """No row is half of two, and what is kept is the outbox."""
        super().check_whole(computer)
        remaining = leftovers(computer, self.template)
        assert all(path.startswith("state/restores/") for path in remaining), remaining

    def check_done(self, computer: Computer) -> None:
        super().check_done(computer)
        assert not any((computer.state / "restores").glob("*/*"))


# --- a database -------------------------------------------------------------------------------------------------------


@dataclass
class Loading(Scene):
    """One that writes into a database, ``out/shop.sqlite``."""

    def state(self, computer: Computer) -> Any:
        """All its rows; None where it has no tables."""
        path = computer.home / "out" / "shop.sqlite"
        if not path.exists():
            return None
        with copied(path, computer.home) as copy, closing(sqlite3.connect(copy)) as connection:
            names = [name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")]
            return {name: connection.execute(f'SELECT * FROM "{name}"').fetchall() for name in sorted(names)} or None

    def check_whole(self, computer: Computer) -> None:
        """The old rows, or all of them."""
        super().check_whole(computer)
        assert self.state(computer) in (self.state(self.template), self.content)
        remaining = leftovers(computer, self.template)
        assert remaining <= {"out/shop.sqlite", "out/shop.sqlite-journal"}, remaining

    def check_done(self, computer: Computer) -> None:
        check_modes(computer)
        check_mirrors(computer)
        assert self.state(computer) == self.content
        assert leftovers(computer, self.template) <= {"out/shop.sqlite"}


# --- what holds for all -----------------------------------------------------------------------------------------------


@contextmanager
def copied(path: Path, home: Path) -> Iterator[Path]:
    """A copy of a database with its logs."""
    folder = home.with_name(f"{home.name}.looked-at")
    folder.mkdir()
    try:
        for suffix in ("", "-wal", "-journal"):
            log = path.with_name(path.name + suffix)
            if log.exists():
                shutil.copy(log, folder / log.name)
        yield folder / path.name
    finally:
        shutil.rmtree(folder)


def sqlite_objects(path: Path) -> int:
    """How many tables and indexes a database has; it is recovered, and checked from end to end."""
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        (count,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        return int(count)
    finally:
        connection.close()


def check_mirrors(computer: Computer) -> None:
    """Every database is sound, but in a folder that is on its way and goes."""
    for path in computer.home.rglob("*.sqlite"):
        if any(part.endswith(".part") for part in path.parts):
            continue
        with copied(path, computer.home) as copy:
            sqlite_objects(copy)


def check_modes(computer: Computer) -> None:
    """Everything that was made is for the owner alone; what the test made has a mode of its own."""
    for path in computer.home.rglob("*"):
        mode = stat.S_IMODE(path.lstat().st_mode)
        assert mode in ((0o700, 0o755) if path.is_dir() else (0o600,)), (path, oct(mode))


def names(computer: Computer) -> set[str]:
    """All files, from the home folder on."""
    return {str(path.relative_to(computer.home)) for path in computer.files()}


def leftovers(computer: Computer, before: Computer) -> set[str]:
    """Files that were not there before and are no output or state."""
    known = {"state/lock", "out/all.mana", *(f"{PROFILE}/{name}" for name in ("session.json", "last-backup.json"))}
    new = names(computer) - names(before) - known
    return {
        name
        for name in new
        if not (name.startswith("state/mirrors/") and name.endswith(SQLITE)) and not name.startswith("out/tables")
    }


def litter(computer: Computer, before: Computer) -> set[str]:
    """Of the leftovers those that nobody has a use for: no outbox, and no damaged mirror that was replaced.

    By its journal SQLite undoes what could not be undone on a disk that fails.
    """
    left = leftovers(computer, before)
    of_use = (".sqlite.damaged", ".sqlite-journal")
    return {path for path in left if not (path.startswith("state/restores/") or path.endswith(of_use))}


def told(done: Ended) -> str:
    """What a run said, for a test that fails."""
    last = done.steps[-1] if done.steps else "no step"
    return f"exit {done.code} after step {len(done.steps)}: {last}\n{done.err}"


def in_folders(step: Step, folders: Sequence[str]) -> bool:
    """Whether a step is in one of some folders."""
    return any(step.path == folder or step.path.startswith(f"{folder}/") for folder in folders)
