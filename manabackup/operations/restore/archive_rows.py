"""The rows of an archive as they would stand in the target, in the order of the ids that they have there."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from ...archive.reader import Archive
from ...crypto.fields import FieldCipher, is_encrypted, may_be_encrypted
from ...crypto.spools import SpoolFile
from ...errors import DamagedArchiveError, FieldDecryptionError
from ...host.sorting import LineSorter
from ...model.file_moves import FileMoves, Moved, moved
from ...model.projection import MetaLineError, read_meta
from ...model.projection.change import data_of
from ...model.registry import Registry, Table
from ...model.spaces import OPEN_TO_OTHERS
from ...rows.archived import clean_rows, is_ours
from ...rows.capabilities import capability_fields, held, within
from ...rows.identity import CHANGED_BY, TOKEN, ActorKinds, columns
from ...rows.marks import Listed, Marks
from ...rows.side_by_side import MetaLines, sorted_rows
from ...text import jsontext
from ...text.jsonmembers import members
from ...text.jsontext import JSON
from .archived import ArchivedRow
from .changes import as_stored
from .decision import Reason
from .identity import ArchiveSpaces, RowDestination

ONE_PER_SPACE = "kontextDoc"
"""A table with one row in each space, under a random id."""
_SPACE_ID = "<spaceId>"
_NOT_MOVED = Moved({}, frozenset())
_BREAK = b"\0"
"""Between a row and what is known of it while they are sorted: no JSON text holds it."""


@dataclass(frozen=True, slots=True)
class RowOptions:
    """What was asked for about rows. Empty collections mean all."""

    ids: Collection[str] = ()
    """Ids in the archive."""
    spaces: Collection[int] | None = None
    """Numbers of the archive's spaces; -1 for rows of none. None means all."""
    keep_visibility: bool = False
    in_clear: bool = False
    """The target has no vault, and that was said to be well."""


@dataclass(frozen=True, slots=True)
class RowTarget:
    """What is known of the account that rows go to."""

    registry: Registry
    spaces: ArchiveSpaces
    homes: Mapping[str, str]
    """Its row of :data:`ONE_PER_SPACE` for each space that has one."""
    cipher: FieldCipher | None
    """None where its key is not at hand."""
    moves: FileMoves | None = None
    """Where files are now that rows refer to; None: where they were."""


@dataclass(frozen=True, slots=True, eq=False)
class RowToRestore:
    """A row on its way."""

    archive_id: str
    row: ArchivedRow
    destination: RowDestination | Reason
    space: int | None
    """Its space's number in the archive."""
    left_out: Mapping[str, JSON] = field(default_factory=dict)
    """Fields that no key at hand opens, with what the archive holds of them."""
    withheld: Sequence[str] = ()
    """Secrets and capabilities of the account that the archive was made in, which is another one."""
    moved: frozenset[str] = frozenset()
    """Ids of files in the archive in the place of which it holds others."""


@dataclass(frozen=True, slots=True)
class _Raw:
    id: str
    line: bytes
    common: str = ""
    times: Mapping[str, str] = field(default_factory=dict)
    also_encrypted: Collection[str] = ()
    omitted: Collection[str] = ()
    space: int | None = None
    ciphertext: Listed = None
    well_known_id: str | None = None

    def packed(self) -> bytes:
        known = [
            self.id,
            self.common,
            dict(self.times),
            list(self.also_encrypted),
            list(self.omitted),
            self.space,
            None if self.ciphertext is None else list(self.ciphertext),
            self.well_known_id,
        ]
        return self.line + _BREAK + jsontext.dumps(known)

    @classmethod
    def unpacked(cls, packed: bytes) -> _Raw:
        line, _, known = packed.partition(_BREAK)
        identifier, *rest = jsontext.parse(known)
        return cls(identifier, line, *rest)


class _Private(NamedTuple):
    """What is known of a row's fields that are not for everybody."""

    private: frozenset[str]
    """Those that are ciphertext in the target."""
    ciphertext: frozenset[str]
    """Those that are ciphertext already, under the target's key."""
    lost: frozenset[str]
    """Those that nothing opens, so that they cannot go there."""


class ArchiveRows:
    """Reads an open archive for one target. Reading raises :class:`DamagedArchiveError`."""

    def __init__(
        self,
        archive: Archive,
        target: RowTarget,
        options: RowOptions,
        make_file: Callable[[], SpoolFile],
    ) -> None:
        self._archive = archive
        self._registry = target.registry
        self._cipher = target.cipher
        self._spaces = target.spaces
        self._options = options
        self._make_file = make_file
        self._homes = target.homes
        self._moves = target.moves
        self._found: set[str] = set()
        self._ours = is_ours(archive)
        self._marks = Marks.of(archive)
        self._same_account = archive.manifest.user_id == target.spaces.target.user_id
        self._actors = ActorKinds(archive.meta("actors")).by_line
        self._patterns = {
            table: id_.partition(_SPACE_ID)[::2]
            for table, ids in target.registry.well_known_ids.items()
            for id_ in ids
            if _SPACE_ID in id_
        }

    def table(self, table: Table) -> Iterator[list[RowToRestore]]:
        """The rows of a table by their ids in the target, ascending; of several for one id the latest comes first."""
        latest = self._latest_by_space(table) if table.name == ONE_PER_SPACE else {}
        if self._ours and table.name not in self._patterns and table.name != ONE_PER_SPACE:
            for raw in self._raw(table):
                yield [self._incoming(table, raw, latest)]
            return
        sorter = LineSorter(self._make_file)
        sorter.add((self._incoming(table, raw, latest).row.id, raw.packed()) for raw in self._raw(table))
        for _, lines in sorter.groups():
            found = [self._incoming(table, _Raw.unpacked(line), latest) for line in lines]
            found.sort(key=lambda one: one.row.last_modified, reverse=True)
            yield [found[0], *(replace(other, destination=Reason.SUPERSEDED) for other in found[1:])]

    def of_unknown_table(self, name: str) -> Iterator[str]:
        """The ids of the rows that were asked for of a table that the registry does not know."""
        for row in self._archive.rows(name):
            if self._names(row.id):
                if self._options.ids:
                    self._found.add(row.id)
                yield row.id

    @property
    def not_found(self) -> list[str]:
        """The ids that were asked for and stand in none of the tables that were read, sorted."""
        return sorted(set(self._options.ids) - self._found)

    def _names(self, identifier: str) -> bool:
        """Whether a row's id was named, or none was."""
        return not self._options.ids or identifier in self._options.ids

    def _latest_by_space(self, table: Table) -> dict[str, str]:
        """Space → id in the archive of the row that was written last."""
        found: dict[str, tuple[str, str]] = {}
        for raw in self._raw(table):
            one = self._incoming(table, raw, {})
            if isinstance(one.destination, RowDestination) and one.destination.space is not None:
                candidate = (one.row.last_modified, raw.id)
                found[one.destination.space] = max(candidate, found.get(one.destination.space, candidate))
        return {space: identifier for space, (_, identifier) in found.items()}

    def _raw(self, table: Table) -> Iterator[_Raw]:
        wanted = self._options.spaces
        for raw in self._ours_raw(table) if self._ours else self._foreign_raw(table):
            if not self._names(raw.id):
                continue
            if wanted is not None and table.scope == "space" and self._number(raw) not in wanted:
                continue
            if wanted is not None and table.scope == "user" and -1 not in wanted:
                continue
            if self._options.ids:
                self._found.add(raw.id)
            yield raw

    def _ours_raw(self, table: Table) -> Iterator[_Raw]:
        lines = MetaLines(self._archive, table.name)
        for identifier, line in sorted_rows(self._archive, table.name, self._make_file):
            found = lines.of(identifier)
            if found is None:
                yield _Raw(identifier, line)
                continue
            try:
                meta = read_meta(found, self._actors)
            except MetaLineError as error:
                raise DamagedArchiveError(error.message, code="line", where=lines.where) from None
            yield _Raw(
                identifier,
                line,
                meta.common.at,
                {name: stamp.at for name, stamp in meta.fields.items()},
                meta.also_encrypted,
                meta.omitted,
                meta.space,
                meta.ciphertext,
                meta.well_known_id,
            )
        lines.finish()

    def _foreign_raw(self, table: Table) -> Iterator[_Raw]:
        if table.name not in self._archive.tables:
            return
        for row in clean_rows(self._archive, table.name):
            stamps = row.record.stamps if row.record is not None else {}
            yield _Raw(row.id, row.line, "", {name: stamp.at for name, stamp in stamps.items()})

    def _number(self, raw: _Raw, space: JSON = None) -> int:
        number = self._space(raw, jsontext.parse(raw.line).get("spaceId") if space is None else space)
        return -1 if number is None else number

    def _space(self, raw: _Raw, own: JSON) -> int | None:
        if raw.space is not None and raw.space < len(self._spaces.numbers):
            return raw.space
        return self._spaces.number(own) if type(own) is str and own else None

    def _incoming(self, table: Table, raw: _Raw, latest: Mapping[str, str]) -> RowToRestore:
        values = data_of(jsontext.parse(raw.line))
        space = self._space(raw, values.get("spaceId")) if table.scope == "space" else None
        destination = RowDestination(None) if table.scope == "user" else self._spaces.destination(space)
        named = columns(self._registry, table.name)
        for name in named & values.keys():
            del values[name]
        withheld = self._withhold_capabilities(table, values)
        unknown = {*raw.omitted, *withheld, *self._withhold_visibility(values)} - values.keys()
        in_clear = self._options.in_clear or (isinstance(destination, RowDestination) and destination.shared)
        archived = dict(values)
        fields = self._check_private(values, table.encrypted.union(raw.also_encrypted), raw.ciphertext, in_clear)
        unknown.update(fields.lost)
        if b"\\ud" in raw.line:
            for name in values.keys() - fields.private:
                values[name] = jsontext.parse(as_stored(jsontext.dumps(values[name])))
        led = self._lead_to_files(table, values, fields)
        texts: dict[str, bytes] = {}

        def own_text(name: str) -> bytes:
            if name in led.values:
                return jsontext.dumps(led.values[name])
            if not texts:
                texts.update(members(raw.line))
            return texts[name]

        row = ArchivedRow(
            self._id(table, raw, destination, latest),
            values,
            raw.times,
            raw.common,
            fields.private,
            frozenset(unknown),
            named,
            in_clear,
            self._cipher,
            own_text,
            fields.ciphertext - led.values.keys(),
        )
        if table.name == ONE_PER_SPACE and latest and isinstance(destination, RowDestination):
            assert destination.space is not None
            if latest.get(destination.space) != raw.id:
                destination = Reason.SUPERSEDED
        left_out = {name: archived[name] for name in sorted(fields.lost)}
        return RowToRestore(raw.id, row, destination, space, left_out, withheld, led.ids)

    def _id(self, table: Table, raw: _Raw, destination: RowDestination | Reason, latest: Mapping[str, str]) -> str:
        identifier = raw.id
        if not isinstance(destination, RowDestination) or destination.space is None:
            return identifier
        if latest.get(destination.space) == identifier:
            return self._homes.get(destination.space, identifier)
        before, after = self._patterns.get(table.name, ("", ""))
        if not before:
            return identifier
        held = identifier[len(before) : len(identifier) - len(after)]
        if raw.well_known_id == f"{before}{_SPACE_ID}{after}" or (held and identifier == f"{before}{held}{after}"):
            return f"{before}{destination.space}{after}"
        return identifier

    def _withhold_capabilities(self, table: Table, values: dict[str, JSON]) -> list[str]:
        """Takes secrets and capabilities of another account out, and gives the names of those that it had."""
        if self._same_account:
            return []
        staying = capability_fields(table.name) - {TOKEN}
        names = held(values, staying)
        for name in within(list(values), staying):
            del values[name]
        return names

    def _withhold_visibility(self, values: dict[str, JSON]) -> list[str]:
        """Takes out what shows rows to others, and gives the names."""
        leaving = {CHANGED_BY} if self._options.keep_visibility else {CHANGED_BY, TOKEN}
        if not self._options.keep_visibility and values.get("visibility") in OPEN_TO_OTHERS:
            leaving.add("visibility")
        leaving &= values.keys()
        for name in leaving:
            del values[name]
        return list(leaving)

    def _lead_to_files(self, table: Table, values: dict[str, JSON], fields: _Private) -> Moved:
        """Leads references to where files are now, also in what is ciphertext; gives what is otherwise now, opened."""
        if self._moves is None:
            return _NOT_MOVED
        opened: dict[str, JSON] = {}
        for name in fields.ciphertext if self._cipher is not None else ():
            assert self._cipher is not None
            with suppress(FieldDecryptionError):
                opened[name] = jsontext.parse(self._cipher.decrypt(str(values[name])))
        led = moved(table.name, {**values, **opened}, self._moves)
        values |= led.values
        return led

    def _check_private(
        self, values: dict[str, JSON], private: frozenset[str], listed: Listed, in_clear: bool
    ) -> _Private:
        """Looks at the fields that are, or are to be, ciphertext. Those that cannot go there are taken out."""
        ciphertext, alike, lost = set[str](), set[str](), set[str]()
        for name, value in values.items():
            if may_be_encrypted(value):
                try:
                    opened = self._marks.opened(name, value, listed, self._cipher)
                except FieldDecryptionError:
                    # Without the target's key nobody knows whether it opens there: so it goes as it is.
                    unopened = self._cipher is not None or self._marks.fields_plaintext or in_clear
                    (lost if unopened else ciphertext).add(name)
                    continue
                if opened is not None:
                    if in_clear:
                        values[name] = jsontext.parse(opened)
                    else:
                        ciphertext.add(name)
                    continue
                if is_encrypted(value) and not in_clear:
                    alike.add(name)  # in clear it would be taken for ciphertext
            if (name in private or name in alike) and value is not None and self._cipher is None and not in_clear:
                lost.add(name)
        for name in lost:
            del values[name]
        return _Private(private.union(ciphertext, alike), frozenset(ciphertext), frozenset(lost))
