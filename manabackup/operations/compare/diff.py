"""Diff: what differs between two archives, by table and id.

Both sides are read in the order of their ids, side by side, in constant memory. Rows whose texts are equal are equal;
the others are decrypted where a key is at hand, parsed, and compared field by field (``equality``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from enum import Enum
from tempfile import TemporaryFile
from typing import Any, NamedTuple, Protocol, TypeAlias

from ...archive.blobs import INDEX
from ...archive.reader import Archive
from ...crypto.fields import FieldCipher, may_be_encrypted
from ...crypto.spools import SpoolFile
from ...errors import FieldDecryptionError, WrongKeyError
from ...limits import MIB
from ...model import registry
from ...model.choosing import apps_of, chosen_tables
from ...model.registry import Registry
from ...rows.equality import changed_fields, equal_values
from ...rows.identity import columns
from ...rows.marks import Listed, Marks, listed_in
from ...rows.side_by_side import MetaLines, sorted_rows
from ...text import jsontext
from ...text.jsontext import JSON
from ...text.printable import printable
from ..progress import Progress, Step, Watch

MOST_CASES = 1_000
"""Rows of one kind that are named for a table; all are counted."""
_BUDGET = 16 * MIB
"""Bytes of ids, names and values that are kept of all tables together; rows beyond are counted only."""
_NONE: frozenset[str] = frozenset()
_Row: TypeAlias = tuple[str, bytes]


@dataclass(frozen=True, slots=True)
class Side:
    """One of two archives that are compared."""

    archive: Archive
    cipher: FieldCipher | None = None
    """Opens its encrypted fields. Without it a ciphertext equals nothing but itself."""


def check_key(archive: Archive, cipher: FieldCipher | None) -> None:
    """Raises :class:`WrongKeyError` for a key that is given for an archive and is not the one that it names."""
    stated = archive.manifest.key_fingerprint
    if cipher is not None and stated is not None and stated != cipher.fingerprint:
        raise WrongKeyError(
            f"{printable(str(archive.path))} is encrypted under another key ({stated}) than the one given "
            f"({cipher.fingerprint})"
        )


class FieldState(Enum):
    """What a field was before it was compared."""

    CLEAR = "clear"
    PRIVATE = "private"
    """Ciphertext at its source, and open now."""
    CLOSED = "closed"
    """Ciphertext of the first side that nothing opened."""


class FieldChange(NamedTuple):
    """A field that is written differently on both sides; null stands for an absent one too."""

    name: str
    one: JSON
    other: JSON
    state: FieldState


class Expectation(Protocol):
    """What may differ, because somebody meant it to: such differences are not counted."""

    def takes_field(self, table: str, identifier: str, change: FieldChange) -> bool:
        """A field of a row of both sides.

        It is also told numbers that are equal for a server and are written differently.
        """

    def takes_removed(self, table: str, identifier: str, values: dict[str, JSON], closed: Collection[str]) -> bool:
        """A row that the first side alone has; ``closed`` are its fields that are ciphertext and did not open."""

    def takes_added(self, table: str, identifier: str, values: dict[str, JSON]) -> bool:
        """A row that the second side alone has."""


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that both sides have, and differently."""

    id: str
    fields: list[str]
    """The names of the fields that differ, sorted."""
    values: dict[str, tuple[JSON, JSON]] | None = None
    """Field → its two values, where they were asked for; null stands for an absent one too."""

    def to_json(self) -> dict[str, JSON]:
        """As ``diff --json`` lists it."""
        shown: dict[str, JSON] = {"id": self.id, "fields": self.fields}
        if self.values is not None:
            shown["values"] = {name: list(pair) for name, pair in self.values.items()}
        return shown


@dataclass(slots=True)
class TableDiff:
    """What differs in one table. The counts are exact; of the rows the first are named."""

    added: int = 0
    """Rows that the second side alone has."""
    removed: int = 0
    """Rows that the first side alone has."""
    changed: int = 0
    added_ids: list[str] = field(default_factory=list)
    removed_ids: list[str] = field(default_factory=list)
    changed_rows: list[ChangedRow] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether there is anything."""
        return bool(self.added or self.removed or self.changed)

    def to_json(self) -> dict[str, JSON]:
        """As ``diff --json`` prints it."""
        return {
            "added": self.added,
            "removed": self.removed,
            "changed": self.changed,
            "cases": {
                "added": self.added_ids,
                "removed": self.removed_ids,
                "changed": [row.to_json() for row in self.changed_rows],
            },
        }


@dataclass(slots=True)
class FileDiff:
    """Which files one side alone has. The counts are exact; of the files the first are named."""

    added: int = 0
    """Files that the second side alone has."""
    removed: int = 0
    """Files that the first side alone has."""
    added_hashes: list[str] = field(default_factory=list)
    removed_hashes: list[str] = field(default_factory=list)

    @property
    def differs(self) -> bool:
        """Whether there is anything."""
        return bool(self.added or self.removed)

    def to_json(self) -> dict[str, JSON]:
        """As ``diff --json`` prints it."""
        cases: dict[str, JSON] = {"added": list(self.added_hashes), "removed": list(self.removed_hashes)}
        return {"added": self.added, "removed": self.removed, "cases": cases}


def _differing_files(one: Archive, other: Archive) -> FileDiff | None:
    """Which files one of two archives alone has; None where one was made without files, which is no difference."""
    if not (_has_files(one) and _has_files(other)):
        return None
    ours, theirs = set(one.files), set(other.files)
    removed, added = sorted(ours - theirs), sorted(theirs - ours)
    return FileDiff(len(added), len(removed), added[:MOST_CASES], removed[:MOST_CASES])


def _has_files(archive: Archive) -> bool:
    return INDEX in archive.reader.container.entries


@dataclass(slots=True)
class Diff:
    """What differs between two archives."""

    tables: dict[str, TableDiff] = field(default_factory=dict)
    """The tables that differ."""
    rows: tuple[int, int] = (0, 0)
    """Rows that were compared, of the first and of the second side."""
    unopened: tuple[int, int] = (0, 0)
    """Rows of each side that were compared with a field still encrypted."""

    files: FileDiff | None = None
    """Files by their SHA-256; None where they were not compared, because one of the archives was made without."""

    @property
    def equal(self) -> bool:
        """Nothing differs."""
        return not self.tables and (self.files is None or not self.files.differs)

    def to_json(self) -> dict[str, Any]:
        """The object that ``diff --json`` prints (``formats/schemas/diff.schema.json``)."""
        return {
            "equal": self.equal,
            "tables": {name: table.to_json() for name, table in self.tables.items()},
            "rows": list(self.rows),
            "comparedWithoutKey": list(self.unopened),
            "files": None if self.files is None else self.files.to_json(),
        }


def diff(
    one: Side,
    other: Side,
    *,
    make_file: Callable[[], SpoolFile] = TemporaryFile,
    apps: Collection[str] = (),
    tables: Collection[str] = (),
    ignored_fields: Collection[str] = (),
    with_identity: bool = False,
    with_values: bool = False,
    expected: Expectation | None = None,
    progress: Watch | None = None,
) -> Diff:
    """What must change for ``one`` to become ``other``.

    ``userId``, ``spaceId`` and ``authorId`` do not count unless ``with_identity``. ``apps`` and ``tables`` narrow
    the comparison. ``make_file`` makes the files in which rows of foreign archives are sorted, encrypted. What is
    ``expected`` does not count. ``progress`` is told of :attr:`Step.COMPARE`, whose end nobody knows.

    Raises :class:`UsageError` for an app or a table that neither side has, and :class:`DamagedArchiveError`.
    """
    found = Diff()
    terms = _Terms(frozenset(ignored_fields), with_identity, with_values, expected, _Budget(_BUDGET))
    one.archive.reader.hashes_behind = other.archive.reader.hashes_behind = True
    done = 0
    if not apps and not tables:
        found.files = _differing_files(one.archive, other.archive)
    if progress is not None:
        progress(Progress(Step.COMPARE, 0))
    # In the order of the first one.
    existing = apps_of(dict.fromkeys([*one.archive.tables, *other.archive.tables]), registry.load())
    for name in chosen_tables(existing, apps, tables, lacking="neither has the"):
        comparison = _Comparison(name, _OpenSide(one, name), _OpenSide(other, name), terms)
        for count in comparison.run(make_file):
            done += count
            if progress is not None:
                progress(Progress(Step.COMPARE, done))
        if comparison.found.differs:
            found.tables[name] = comparison.found
        a, b = comparison.one, comparison.other
        found.rows = found.rows[0] + a.rows, found.rows[1] + b.rows
        found.unopened = found.unopened[0] + a.unopened, found.unopened[1] + b.unopened
    return found


@dataclass(frozen=True, slots=True)
class _Terms:
    """What counts, and what is kept of it."""

    ignored_fields: frozenset[str]
    with_identity: bool
    with_values: bool
    expected: Expectation | None
    budget: _Budget

    def ignored(self, known: Registry, table: str) -> frozenset[str]:
        """The fields of a table that do not count."""
        return self.ignored_fields if self.with_identity else columns(known, table).union(self.ignored_fields)


class _Budget:
    """How much may still be kept for the report."""

    def __init__(self, bytes_left: int) -> None:
        self._left = bytes_left

    def take(self, count: int) -> bool:
        """Whether so many bytes fit in; then they count as used."""
        if count > self._left:
            return False
        self._left -= count
        return True


class _Opened(NamedTuple):
    """A row, decrypted as far as possible."""

    values: dict[str, JSON]
    opened: set[str]
    closed: set[str]
    """The names of the fields that still are ciphertext."""


class _OpenSide:
    """A table of one side while it is read."""

    def __init__(self, side: Side, table: str) -> None:
        self._side = side
        self._table = table
        self._marks = Marks.of(side.archive)
        self._meta: MetaLines | None = None
        self.rows = 0
        self.unopened = 0

    def read(self, make_file: Callable[[], SpoolFile]) -> Iterator[_Row]:
        """(id, line), ids ascending."""
        for row in sorted_rows(self._side.archive, self._table, make_file):
            self.rows += 1
            yield row

    def values(self, identifier: str, line: bytes) -> _Opened:
        """A row. Asked for in the order of the rows, as :meth:`also_encrypted` is."""
        values: dict[str, JSON] = jsontext.parse(line)
        found = _Opened(values, set(), set())
        candidates = [name for name, value in values.items() if may_be_encrypted(value)]
        listed: Listed = listed_in(self._meta_of(identifier)) if candidates and self._marks.complete else None
        for name in candidates:
            try:
                text = self._marks.opened(name, values[name], listed, self._side.cipher)
            except FieldDecryptionError:
                found.closed.add(name)
                continue
            if text is not None:
                values[name] = jsontext.parse(text)
                found.opened.add(name)
        self.unopened += bool(found.closed)
        return found

    def also_encrypted(self, identifier: str) -> Collection[str]:
        """The fields of a row that were ciphertext without being registered."""
        line = self._meta_of(identifier)
        names_ = line.get("sealed") if line is not None else None
        return names_ if isinstance(names_, list) else ()

    def _meta_of(self, identifier: str) -> dict[str, JSON] | None:
        if self._meta is None:
            self._meta = MetaLines(self._side.archive, self._table)
        return self._meta.of(identifier)


class _Comparison:
    """One table of both sides."""

    def __init__(self, table: str, one: _OpenSide, other: _OpenSide, terms: _Terms) -> None:
        self._table = table
        self.one = one
        self.other = other
        known = registry.load()
        registered = known.by_name.get(table)
        self._encrypted = registered.encrypted if registered is not None else _NONE
        self._ignored = terms.ignored(known, table)
        self._with_values = terms.with_values
        self._budget = terms.budget
        self._expected = terms.expected
        self.found = TableDiff()

    def run(self, make_file: Callable[[], SpoolFile]) -> Iterator[int]:
        """Compares; yields the number of rows done, now and then."""
        ours, theirs = self.one.read(make_file), self.other.read(make_file)
        a, b = next(ours, None), next(theirs, None)
        count = 0
        while a is not None or b is not None:
            if b is None or (a is not None and a[0] < b[0]):
                assert a is not None
                self._removed(a[0], a[1])
                a = next(ours, None)
            elif a is None or b[0] < a[0]:
                self._added(b[0], b[1])
                b = next(theirs, None)
            else:
                if a[1] != b[1]:
                    self._compare(a[0], a[1], b[1])
                a, b = next(ours, None), next(theirs, None)
            count += 1
            if count == 1_000:
                yield count
                count = 0
        yield count

    def _removed(self, identifier: str, line: bytes) -> None:
        if self._expected is not None:
            row = self.one.values(identifier, line)
            if self._expected.takes_removed(self._table, identifier, row.values, row.closed):
                return
        self.found.removed += 1
        self._name(self.found.removed_ids, identifier)

    def _added(self, identifier: str, line: bytes) -> None:
        if self._expected is None or not self._expected.takes_added(
            self._table, identifier, self.other.values(identifier, line).values
        ):
            self.found.added += 1
            self._name(self.found.added_ids, identifier)

    def _compare(self, identifier: str, one: bytes, other: bytes) -> None:
        a, opened_a, closed = self.one.values(identifier, one)
        b, opened_b, _ = self.other.values(identifier, other)
        exact = self._encrypted | opened_a | opened_b
        changed = changed_fields(a, b, exact=exact, ignored=self._ignored)
        close = [
            name
            for name in (a.keys() & b.keys()).difference(exact, changed, self._ignored)
            if not equal_values(a[name], b[name], exact=True)
        ]
        if close:
            # Numbers that only a server could not tell apart: what was ciphertext, no server has touched.
            unregistered = {*self.one.also_encrypted(identifier), *self.other.also_encrypted(identifier)}
            changed = sorted({*changed, *unregistered.intersection(close)})
            exact |= unregistered
        if self._expected is not None:
            states = dict.fromkeys(exact, FieldState.PRIVATE) | dict.fromkeys(closed, FieldState.CLOSED)
            taken = {
                name
                for name in dict.fromkeys([*changed, *close])
                if self._expected.takes_field(
                    self._table,
                    identifier,
                    FieldChange(name, a.get(name), b.get(name), states.get(name, FieldState.CLEAR)),
                )
            }
            changed = [name for name in changed if name not in taken]
        if changed:
            self.found.changed += 1
            self._keep(identifier, changed, a, b, len(one) + len(other))

    def _keep(self, identifier: str, changed: list[str], a: dict[str, JSON], b: dict[str, JSON], size: int) -> None:
        kept = self.found.changed_rows
        if len(kept) >= MOST_CASES:
            return
        values = None
        if self._with_values and self._budget.take(size):
            values = {name: (a.get(name), b.get(name)) for name in changed}
        if self._budget.take(len(identifier) + sum(map(len, changed))):
            kept.append(ChangedRow(identifier, changed, values))

    def _name(self, ids: list[str], identifier: str) -> None:
        if len(ids) < MOST_CASES and self._budget.take(len(identifier)):
            ids.append(identifier)
