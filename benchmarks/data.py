"""What is measured on: generated accounts, as a server holds them and as a mirror does.

Each is made once, in a process of its own, in a folder that ``--keep`` keeps between runs.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from manabackup.mirror import Batch, Mirror, prepare
from manabackup.model.registry import load
from manabackup.sandbox import Asked, ChangeLog, Sandbox
from manabackup.sandbox.illustrated import FilePlan, illustrate
from manabackup.sandbox.plan import Plan
from manabackup.sandbox.population import Account, populate
from manabackup.text import jsontext

from .measure import Meter, run

PROSE_TABLES = ("notes", "journalEntries", "dreams")
"""Tables with two or three private fields that people fill with prose."""
PICTURE_BYTES = 300_000
_SYNC_URL = "http://127.0.0.1:1"
_PAGE = 1_000
_ABOUT = "about.json"
_MOST_COPIES = 16


@dataclass(frozen=True, slots=True)
class Dataset:
    """A generated account in a folder: ``server`` for an embedded server, and ``mirror.db`` where one was asked for."""

    folder: str
    email: str
    password: str
    user_id: str
    master_key: str
    """In hexadecimal."""
    changes: int
    """Of the mirror, or of the server where there is no mirror."""
    pictures: int = 0
    """On the media service."""

    @property
    def server(self) -> Path:
        """For ``Sandbox(folder=…)``."""
        return Path(self.folder, "server")

    @property
    def mirror_path(self) -> Path:
        """A mirror that holds everything."""
        return Path(self.folder, "mirror.db")

    def mirror(self) -> Mirror:
        """The filled mirror."""
        return Mirror(self.mirror_path, sync_url=_SYNC_URL, user_id=self.user_id, create=False)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A dataset by what makes it."""

    name: str
    rows: int
    row_bytes: int | None = None
    tables: tuple[str, ...] | None = None
    edits: float = 0.8
    copies: int = 0
    """How often the mirror holds every row, each time under ids of its own; 0: no mirror."""
    pictures: int = 0
    """Of :data:`PICTURE_BYTES` each, on the media service, and in rows."""


def prose(rows: int, *, copies: int = 1) -> Wanted:
    """Rows of 3 kB with two or three private fields each, few edits, one space."""
    name = f"prose-{rows}" + (f"-{copies}" if copies > 1 else "")
    return Wanted(name, rows, 3_000, PROSE_TABLES, 0.05, copies)


def everyday(rows: int) -> Wanted:
    """All tables, as people use them; about 1.8 changes a row."""
    return Wanted(f"everyday-{rows}", rows)


def illustrated(pictures: int) -> Wanted:
    """Some rows, and so many pictures to which others refer; pulled."""
    return Wanted(f"illustrated-{pictures}", 200, copies=1, pictures=pictures)


def in_a_mirror(wanted: Wanted) -> Wanted:
    """The same, pulled."""
    return replace(wanted, name=f"{wanted.name}-pulled", copies=1)


def prepared(cache: Path, wanted: Wanted) -> Dataset:
    """The dataset, made now unless ``cache`` holds it."""
    folder = cache / wanted.name
    about = folder / _ABOUT
    if not about.exists():
        run(make, folder=str(folder), wanted=asdict(wanted))
    return opened(str(folder))


def opened(folder: str) -> Dataset:
    """A dataset that is there."""
    return Dataset(**json.loads(Path(folder, _ABOUT).read_text()))


def make(meter: Meter, *, folder: str, wanted: dict[str, Any]) -> dict[str, Any]:
    """A job: fills ``folder``. What makes the dataset whole is written last."""
    what = Wanted(**{**wanted, "tables": tuple(wanted["tables"]) if wanted["tables"] else None})
    path = Path(folder)
    path.mkdir(parents=True)
    box = Sandbox(folder=path / "server")
    try:
        account = populate(box.log, box.accounts, _plan(what), zero_knowledge=False)
        if what.pictures:
            plan = FilePlan(pictures=what.pictures, picture_bytes=PICTURE_BYTES, gone=0, lost=0, documents=0, songs=0)
            illustrate(box.log, box.files, account, plan)
        changes = box.log.count()
        if what.copies:
            changes = _fill(path / "mirror.db", box.log, account, what)
    finally:
        box.close()
    dataset = Dataset(
        folder, account.email, account.password, account.user_id, account.master_key.hex(), changes, what.pictures
    )
    (path / _ABOUT).write_text(json.dumps(asdict(dataset)))
    return {}


def _plan(wanted: Wanted) -> Plan:
    if wanted.row_bytes is None:
        return Plan(rows=wanted.rows, edits=wanted.edits)
    return Plan(
        rows=wanted.rows,
        row_bytes=wanted.row_bytes,
        tables=wanted.tables,
        edits=wanted.edits,
        deletions=0.01,
        shared_spaces=0,
        plaintext=0,
    )


def _fill(path: Path, log: ChangeLog, account: Account, wanted: Wanted) -> int:
    count = 0
    with Mirror(path, sync_url=_SYNC_URL, user_id=account.user_id) as mirror:
        for table in load().tables:
            if wanted.tables is None or table.name in wanted.tables:
                for copy in range(wanted.copies):
                    changes = _changes(log, account, table.app, table.collection)
                    count += _store(mirror, table.app, table.collection, _renamed(changes, copy))
        mirror.end_pull(0)
    return count


def _store(mirror: Mirror, app: str, collection: str, changes: Iterator[jsontext.JSON]) -> int:
    count, after = 0, None
    while page := prepare(islice(changes, _PAGE)):
        mirror.store(app, {collection: Batch(page, after)})
        after = page[-1].key
        count += len(page)
    return count


def _changes(log: ChangeLog, account: Account, app: str, collection: str) -> Iterator[jsontext.JSON]:
    since = 0
    while rows := log.pull(app, collection, Asked(account.user_id, [account.personal_space], "", since, _PAGE)):
        yield from (jsontext.parse(row.wire()) for row in rows)
        since = rows[-1].created_at_us


def _renamed(changes: Iterable[jsontext.JSON], copy: int) -> Iterator[jsontext.JSON]:
    """The same rows under other ids, and far from each other: the first hexadecimal digit is moved on."""
    for change in changes:
        if copy:
            assert copy < _MOST_COPIES
            change["eventId"] = _moved(change["eventId"], copy)
            change["id"] = _moved(change["id"], copy)
            if "id" in change.get("data", {}):
                change["data"]["id"] = change["id"]
        yield change


def _moved(identifier: str, copy: int) -> str:
    return f"{(int(identifier[0], 16) + copy) % 16:x}{identifier[1:]}"
