"""An invented account on the embedded server, for tries without one of one's own."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ..archive.reader import open_archive
from ..crypto.fields import FieldCipher, is_encrypted
from ..rows.archived import clean_rows
from ..sandbox import Asked, Sandbox
from ..sandbox.illustrated import FilePlan, illustrate
from ..sandbox.plan import Plan
from ..sandbox.population import Account, populate
from ..text import jsontext
from ..text.jsontext import JSON
from ..text.timestamps import format_timestamp

NOTES = "notes"
"""The app, its collection, and its table."""
_MOST = 1 << 20


@dataclass(frozen=True, slots=True)
class BothEyes:
    """One row as the server knows it, and as an archive has it."""

    id: str
    on_server: dict[str, JSON]
    in_archive: dict[str, JSON]


@dataclass(frozen=True, slots=True)
class InventedAccount:
    """The account, and the server that has it."""

    box: Sandbox
    secrets: Account

    @property
    def changes(self) -> int:
        """How many the server holds."""
        return self.box.log.count()

    def encrypted_note(self, archive: Path) -> BothEyes:
        """A note that was never edited, and whose title the server has encrypted."""
        held = self.box.log.pull(NOTES, NOTES, Asked(self.secrets.user_id, [], "", 0, _MOST))
        changes = [jsontext.parse(row.wire()) for row in held]
        times = Counter(change["id"] for change in changes)
        never_edited = {change["id"]: change["data"] for change in changes if times[change["id"]] == 1}
        with open_archive(archive) as opened:
            return next(
                BothEyes(row.id, never_edited[row.id], jsontext.parse(row.line))
                for row in clean_rows(opened, NOTES)
                if row.id in never_edited and is_encrypted(never_edited[row.id]["title"])
            )

    def rename_note(self, note: str, title: str) -> None:
        """A note gets another title, as the web app of another device would push it."""
        encrypted = FieldCipher(self.secrets.master_key).encrypt(jsontext.dumps(title))
        fields: JSON = {"title": {"value": encrypted, "at": format_timestamp(time.time_ns() // 1_000_000 * 1_000)}}
        change = {"table": NOTES, "id": note, "op": "update", "fields": fields}
        self.box.log.append(self.secrets.user_id, "another device", NOTES, change)


@contextmanager
def invented_account(
    *, rows: int, seed: int = 1, oddities: bool = False, zero_knowledge: bool = True, port: int = 0, pictures: int = 0
) -> Iterator[InventedAccount]:
    """Serves an account of about so many rows on the loopback interface until the block ends; all is in memory.

    With ``pictures`` it has so many, some documents and songs, and further rows that refer to them. The same ``seed``,
    ``rows`` and ``pictures`` give the same account, but for the address of the media service in it. Raises
    :class:`OSError` for a ``port`` that is not free.
    """
    with Sandbox(port=port) as box:
        plan = Plan(seed=seed, rows=rows, oddities=oddities)
        account = populate(box.log, box.accounts, plan, zero_knowledge=zero_knowledge)
        if pictures:
            files = FilePlan(seed=seed, pictures=pictures)
            illustrate(box.log, box.files, account, files, media_url=box.media_url)
        yield InventedAccount(box, account)
