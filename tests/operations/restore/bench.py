"""A target account on the embedded server, and jobs that write into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import FieldCipher
from manabackup.limits import DEFAULT_LIMITS
from manabackup.model import registry
from manabackup.model.projection import Record, fold
from manabackup.operations.files.services import Addresses, services
from manabackup.operations.progress import Progress
from manabackup.operations.restore.files import FileTarget
from manabackup.operations.restore.from_archive import RestoreJob, RestoreOrder
from manabackup.operations.restore.identity import TargetSpaces
from manabackup.operations.restore.plan import RestorePlan
from manabackup.operations.restore.result import RestoreResult
from manabackup.operations.restore.target_account import TargetAccount
from manabackup.remote.connection import connect
from manabackup.remote.session import StaticToken
from manabackup.sandbox import Asked, Sandbox
from manabackup.text import jsontext
from tests.support.line import Line

JSON = Any
REGISTRY = registry.load()
KEY = bytes(range(32))
CIPHER = FieldCipher(KEY)
STORED = 1_767_225_600_000_000


class Bench:
    """A target account with a personal and a shared space."""

    def __init__(self, box: Sandbox, line: Line, folder: Path) -> None:
        self.box, self.line, self.folder = box, line, folder
        self.user = box.accounts.create_user(f"{uuid4().hex}@example.org", "password", "Bob", bootstrap=False).id
        self.home = next(space.id for space, _ in box.accounts.spaces.of_user(self.user))
        self.club = box.accounts.create_space(self.user, "Verein", "club", bootstrap=False)
        self.types: Mapping[str, str] | None = {self.home: "personal", self.club: "club"}
        self.personal: str | None = self.home
        self.cipher: FieldCipher | None = CIPHER
        self.has_vault = True
        self.limits = DEFAULT_LIMITS
        self.with_files = False
        self._written = 0

    def write(self, change: JSON, table: str = "tasks", *, user: str | None = None, **more: Any) -> None:
        """A change that the target holds."""
        stored = REGISTRY.by_name[table]
        self._written += 1
        whole = {"table": stored.collection, "op": "insert", **change}
        at = STORED + self._written
        self.box.log.append(user or self.user, "laptop", stored.app, whole, created_at_us=at, **more)

    def row(self, table: str, record: str) -> Record:
        """A row as the log has it."""
        return fold(REGISTRY.by_name[table], self.changes(table, record))

    def changes(self, table: str, record: str | None = None) -> list[JSON]:
        """What the log has of a table, or of one row."""
        stored = REGISTRY.by_name[table]
        spaces = self.box.accounts.spaces_of(self.user)
        rows = self.box.log.pull(stored.app, stored.collection, Asked(self.user, spaces, "?", -1, 10**6))
        changes = [jsontext.parse(row.wire()) for row in rows]
        return [change for change in changes if record is None or change["id"] == record]

    @contextmanager
    def job(self, path: Path, **asked: Any) -> Iterator[RestoreJob]:
        """A restore that is not begun yet."""
        with (
            open_archive(path) as archive,
            self.account() as account,
            self._files() as files,
            RestoreJob(archive, account, RestoreOrder(**asked), self.folder / "restore", files=files) as job,
        ):
            yield job

    def cut_off(self, archive: Path, when: Callable[[Progress], bool]) -> None:
        """A restore that dies when it tells of some progress."""

        def die(progress: Progress) -> None:
            if when(progress):
                raise KeyboardInterrupt

        def run() -> None:
            with self.job(archive) as job:
                job.plan()
                job.push(die)

        with pytest.raises(KeyboardInterrupt):
            run()

    @contextmanager
    def _files(self) -> Iterator[FileTarget | None]:
        """Where files go, if they are asked for; nobody waits."""
        if not self.with_files:
            yield None
            return
        where = Addresses(self.box.media_url, self.box.api_url)
        token = StaticToken(self.box.accounts.issue_token(self.user))
        with services(where, token, sleep=lambda seconds: None) as asked:
            yield FileTarget(asked, self.box.media_url)

    @contextmanager
    def account(self) -> Iterator[TargetAccount]:
        """The account, to be written for."""
        tokens = StaticToken(self.box.accounts.issue_token(self.user))
        with connect(tokens, auth_url=self.box.url, sync_url=self.box.url, limits=self.limits) as connection:
            spaces = TargetSpaces(self.user, self.types, self.personal)
            yield TargetAccount(connection, spaces, self.cipher, self.has_vault)

    def restore(self, path: Path, **asked: Any) -> RestoreResult:
        """From the plan to the verification."""
        with self.job(path, **asked) as job:
            job.plan()
            job.push()
            result = job.result(job.verify())
            job.forget()
        assert result.verification is not None
        assert result.verification.ok, result.verification.cases
        return result

    def plan(self, path: Path, **asked: Any) -> RestorePlan:
        """The plan alone."""
        with self.job(path, **asked) as job:
            return job.plan()
