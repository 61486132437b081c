"""Verify: read an archive to its last byte and say all that is wrong with it.

A plain archive proves nothing against somebody who changes it and computes its sums anew; only the seal does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ...archive import names
from ...archive.container import printable
from ...archive.places import Location
from ...archive.reader import Archive, Row, open_archive
from ...archive.repacked import HINT as HINT_PACKED_AGAIN
from ...archive.sums import data_sha256
from ...archive.v1 import open_events
from ...crypto.fields import PREFIX, FieldCipher, is_encrypted
from ...crypto.seal import ByteSource
from ...errors import DamagedArchiveError, NewerArchiveError, OlderArchiveError
from ...limits import DEFAULT_LIMITS, Limits
from ...model.projection import MetaLineError, check_meta
from ...rows.archived import RESERVED_META, is_ours
from ...rows.blobs import indexed_files
from ...rows.encrypted_fields import EncryptedFields
from ...rows.marks import Marks, listed_in
from ...rows.problem import Problem as Problem
from ...rows.side_by_side import MetaLines
from ...text.jsontext import JSON
from ...text.printable import counted
from ..progress import Step, Tell, Watch, teller

PACKED_AGAIN = HINT_PACKED_AGAIN
"""The hint of problems of archives that another program packed again."""
NEWER = NewerArchiveError.default_hint
"""The hint of problems of archives of a newer format version."""
_NO_ARCHIVE = frozenset({"notAnArchive", "unreadable"})
UNAUTHENTICATED = "not sealed: its checksums find damage, not somebody who changed it and computed them anew"
_MAY_BE_ENCRYPTED = (PREFIX.encode(), b"\\u")
"""What a row's text holds if a value begins like ciphertext; JSON may spell any character by its number."""


@dataclass(slots=True)
class VerifyReport:
    """What was found in an archive."""

    archive: Location
    bytes: int = 0
    """Of the archive; 0 where it could not be opened."""
    sealed: bool = False
    rows: int = 0
    tables: int = 0
    files: int = 0
    data_sha256: str | None = None
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    encrypted_rows: int = 0
    """Rows with fields that still are ciphertext."""
    encrypted_fields: int | None = None
    """In an encrypted archive the fields that are ciphertext as they should be; None in others."""
    opened: bool = False
    """Whether these were opened with the key."""
    status: str | None = None
    """``complete`` or ``partial`` as its writer knew it, None where the archive does not say."""
    events: int | None = None
    """How many an archive of version 1 holds in place of rows; None for any other."""

    @property
    def ok(self) -> bool:
        """Nothing is wrong."""
        return not self.problems

    @property
    def is_newer(self) -> bool:
        """Nothing else can be said than that a newer version of this format was written."""
        return bool(self.problems) and all(problem.hint == NEWER for problem in self.problems)

    @property
    def is_no_archive(self) -> bool:
        """There is nothing that could be damaged: a folder, or a file of another kind."""
        return bool(self.problems) and all(problem.code in _NO_ARCHIVE for problem in self.problems)

    @property
    def is_packed_again(self) -> bool:
        """Nothing is wrong but that another program packed it again, in a way that does not open."""
        return bool(self.problems) and all(problem.hint == PACKED_AGAIN for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """The object that ``verify --json`` prints (``formats/schemas/verify.schema.json``)."""
        described: dict[str, Any] = {
            "archive": str(self.archive),
            "ok": self.ok,
            "sealed": self.sealed,
            "rows": self.rows,
            "tables": self.tables,
            "files": self.files,
            "dataSha256": self.data_sha256,
            "problems": [problem.to_json() for problem in self.problems],
            "notes": self.notes,
            "status": self.status,
            "encryptedFields": self.encrypted_fields,
            "opened": self.opened,
        }
        return described if self.events is None else {**described, "formatVersion": 1, "events": self.events}


def verify(
    path: Location,
    passphrase: Callable[[], str] | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    allow_weak_kdf: bool = False,
    cipher: FieldCipher | None = None,
    progress: Watch | None = None,
    source: ByteSource | None = None,
) -> VerifyReport:
    """Check everything that can be checked. Damage is reported, not raised.

    In an archive that was encrypted for an account every private field must be ciphertext, and must open with
    ``cipher`` where that is given. ``progress`` is told of :attr:`Step.VERIFY`. ``source`` is read in place of the
    file: an archive that lies inside of another one.

    Raises :class:`WrongPassphraseError`, :class:`WrongKeyError` and :class:`NotFoundError`.
    """
    report = VerifyReport(path)
    try:
        archive = open_archive(path, passphrase, limits=limits, allow_weak_kdf=allow_weak_kdf, source=source)
    except DamagedArchiveError as error:
        _add(report, error)
        return report
    except OlderArchiveError:
        _verify_events(report, limits)
        return report
    archive.reader.hashes_behind = True
    with archive:
        _Verification(archive, report, cipher, teller(progress, Step.VERIFY)).run()
    return report


class _Verification:
    def __init__(
        self,
        archive: Archive,
        report: VerifyReport,
        cipher: FieldCipher | None,
        tell: Tell,
    ) -> None:
        self._archive = archive
        self._report = report
        self._fields = None if archive.manifest.fields_plaintext else EncryptedFields(archive, cipher)
        report.opened = self._fields is not None and cipher is not None
        if self._fields is None and cipher is not None:
            report.notes.append("the archive is not encrypted for an account: the key was not needed")
        self._tell = tell
        self._ours = is_ours(archive)
        self._marked = Marks.of(archive).complete
        self._total = archive.reader.size
        self._done = 0

    def run(self) -> None:
        archive, report = self._archive, self._report
        report.bytes = archive.size
        report.sealed = archive.sealed
        report.notes += archive.notes
        if not archive.sealed:
            report.notes.append(UNAUTHENTICATED)
        report.status = archive.manifest.status
        counts: dict[str, int] = {}
        for entry in archive.reader.container.entries.values():
            try:
                if entry.kind == "data":
                    counts[names.table_of(entry.name)] = self._table(names.table_of(entry.name))
                elif entry.kind == "meta":
                    self._meta(names.table_of(entry.name))
                else:
                    for _ in archive.reader.chunks(entry.name):
                        pass
            except DamagedArchiveError as error:
                _add(report, error)
            self._done += entry.size
            self._tell(self._done, self._total)
        if self._fields is not None:
            report.encrypted_fields = self._fields.fields
            report.problems += self._fields.found
        report.tables = len(counts)
        report.files = len(archive.files)
        report.rows = sum(counts.values())
        read = archive.reader.hashes
        hashes = {entry.name: read.get(entry.name, "") for entry in archive.reader.container.of_kind("data")}
        report.data_sha256 = archive.manifest.data_sha256 or (None if report.problems else data_sha256(hashes))
        if report.ok:
            self._compare_counts(counts)
        if report.encrypted_rows and archive.manifest.fields_plaintext:
            report.notes.append(
                f"fields that the writer could not open are still encrypted, in {counted(report.encrypted_rows, 'row')}"
            )

    def _table(self, table: str) -> int:
        rows = 0
        if self._fields is not None:
            blocks = self._fields.row_blocks(table)
        else:
            blocks = self._archive.reader.row_blocks(table, ordered=self._ours)
        for block in blocks:
            rows += len(block)
            if not self._marked:
                self._report.encrypted_rows += sum(map(_looks_encrypted, block))
        return rows

    def _meta(self, subject: str) -> None:
        """Lines that others will rely on: in an archive of this tool they must say what its format says."""
        if self._ours and subject == "blobs":
            for _ in indexed_files(self._archive):
                pass
            return
        if not self._ours or subject in RESERVED_META:
            for _ in self._archive.meta(subject):
                pass
            return
        lines = MetaLines(self._archive, subject)
        while lines.line is not None:
            try:
                check_meta(lines.line, self._actors)
            except MetaLineError as error:
                raise DamagedArchiveError(error.message, code="line", where=lines.where) from None
            self._report.encrypted_rows += self._marked and bool(listed_in(lines.line))
            lines.next()

    @cached_property
    def _actors(self) -> list[dict[str, JSON]]:
        """As many as there are; who they are does not matter here."""
        return [{}] * sum(1 for _ in self._archive.reader.meta_lines("actors"))

    def _compare_counts(self, counts: dict[str, int]) -> None:
        """The rows win over the manifest's counts; where this tool wrote both, they must agree."""
        claimed = self._archive.manifest.row_counts
        for table in sorted(counts.keys() | claimed.keys()):
            stated = claimed.get(table, 0 if self._archive.manifest.data_sha256 is None else None)
            if type(stated) is int and stated == counts.get(table, 0):
                continue
            message = f"the manifest counts other rows of {printable(table)} than there are"
            if self._archive.manifest.data_sha256 is not None:
                self._report.problems.append(Problem("counts", names.MANIFEST, message))
            else:
                self._report.notes.append(message)


def _looks_encrypted(row: Row) -> bool:
    """Whether a value of a row has the form of ciphertext, which is all that can be told where nothing is marked."""
    return any(part in row.line for part in _MAY_BE_ENCRYPTED) and any(map(is_encrypted, row.values().values()))


def _verify_events(report: VerifyReport, limits: Limits) -> None:
    """An archive of version 1: events, whose number and hash its manifest tells."""
    try:
        with open_events(report.archive, limits) as archive:
            events = sum(1 for _ in archive.events())
            report.events = events
            report.notes += [*archive.notes, UNAUTHENTICATED]
    except DamagedArchiveError as error:
        _add(report, error)


def _add(report: VerifyReport, error: DamagedArchiveError) -> None:
    report.problems.append(Problem(error.code, error.where, error.problem, error.hint))
