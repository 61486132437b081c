"""Who wrote what when, apart from the values (rule 10): lines of ``meta/<table>.jsonl``, and ``__fieldMeta`` of old.

A line is ``{"id", "space", "at", "actor", "origin", "fields", "sealed"}``. ``at``, ``actor``, ``origin`` are the triple
that most of the row's fields share; ``fields`` names those that differ, each with its whole triple; ``null`` is
unknown. ``actor`` is a line number, from 0, of ``meta/actors.jsonl``; ``space``, in space-scoped tables only, one of
``meta/spaces.jsonl``. ``sealed`` lists fields that were ciphertext at the source without being registered as such.
What few lines have besides stands in :class:`RowMeta`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from ...errors import ManabackupError
from ...text.jsontext import JSON
from ..registry import Table
from .change import is_data
from .record import UNKNOWN, Record, Stamp

_Triple: TypeAlias = tuple[str | None, JSON, str | None]

_TEXT_OR_NULL = (str, type(None))
_RARE = ("omitted", "ciphertext", "wellKnownId")
_UNKNOWN_TRIPLE: _Triple = (None, None, None)


class MetaLineError(ManabackupError, ValueError):
    """A line of ``meta/`` is not what this format says. The message names the member, never its content."""


class RowMeta(NamedTuple):
    """One line of ``meta/``, with the actors looked up."""

    id: str
    space: int | None
    """Line number in ``meta/spaces.jsonl``; ``None`` when unknown or the table has no spaces."""
    common: Stamp
    """The stamp of every field that :attr:`fields` does not name."""
    fields: Mapping[str, Stamp]
    also_encrypted: tuple[str, ...]
    """Fields that were ciphertext at the source without being registered as such; ``sealed`` in the line."""
    omitted: tuple[str, ...] = ()
    """Fields that the row has and a rekeyed archive has not: nothing opened them, or they were to stay behind."""
    ciphertext: tuple[str, ...] | None = None
    """The fields whose value in the archive is ciphertext; None where the line does not say."""
    well_known_id: str | None = None
    """The one of the registry's ids with a space's in them that the row's id stands for."""

    def stamp(self, name: str) -> Stamp:
        """The stamp of one field."""
        return self.fields.get(name, self.common)

    def stamps(self, names: Iterable[str]) -> dict[str, Stamp]:
        """The stamps of a row that has the fields ``names``, and of the dotted names that the line holds."""
        return {**dict.fromkeys(names, self.common), **self.fields}

    @property
    def last_modified(self) -> str:
        """The largest time in the line, ``""`` when it holds none."""
        return max([self.common.at, *(stamp.at for stamp in self.fields.values())])


class Numbering(NamedTuple):
    """Gives what stands in a line for an actor and for a space, the same for equal ones: a number, or a mark for it."""

    actor: Callable[[dict[str, JSON]], JSON]
    space: Callable[[str], JSON]


def meta_line(
    record: Record,
    table: Table | None,
    numbering: Numbering,
    *,
    also_encrypted: Sequence[str] = (),
    ciphertext: Sequence[str] = (),
) -> dict[str, JSON]:
    """The line of ``meta/`` for ``record``.

    What the caller found when it decrypted: fields that are ``also_encrypted``, though not registered as such, and
    ``ciphertext``, which did not open. A field without a stamp counts as one of which nothing is known.
    """
    line: dict[str, JSON] = {"id": record.id}
    if table is not None and table.scope == "space":
        line["space"] = None if record.space is None else numbering.space(record.space)
    fields: dict[str, JSON] = {}
    if record.sole_stamp is not None:
        common = _triple(record.sole_stamp, numbering.actor)
    else:
        common, fields = _by_field(record.stamps, sorted(record.values.keys() - record.stamps.keys()), numbering.actor)
    line["at"], line["actor"], line["origin"] = common
    line["fields"] = fields
    line["sealed"] = sorted(also_encrypted)
    if ciphertext:
        line["ciphertext"] = sorted(ciphertext)
    return line


def _by_field(
    stamps: Mapping[str, Stamp], unknown: Sequence[str], actors: Callable[[dict[str, JSON]], JSON]
) -> tuple[_Triple, dict[str, JSON]]:
    """The common triple, and the ``fields`` that differ from it."""
    # Fields written together share one stamp object, so that a row has few of them. Where the first of their fields
    # stands by name decides in which order actors are numbered and, of equally many fields, which triple is common.
    first = {id(stamp): name for name, stamp in sorted(stamps.items(), reverse=True)}
    triples = {number: _triple(stamps[first[number]], actors) for number in sorted(first, key=first.__getitem__)}
    common = _common(stamps, triples, first, unknown)
    differing = {number for number, triple in triples.items() if triple != common}
    fields: dict[str, JSON] = {
        name: _member(triples[id(stamp)]) for name, stamp in stamps.items() if id(stamp) in differing
    }
    if common != _UNKNOWN_TRIPLE:
        fields.update((name, _member(_UNKNOWN_TRIPLE)) for name in unknown)
    return common, fields


def _triple(stamp: Stamp, actors: Callable[[dict[str, JSON]], JSON]) -> _Triple:
    return stamp.at or None, None if stamp.actor is None else actors(stamp.actor), stamp.origin


def _member(triple: _Triple) -> dict[str, JSON]:
    return {"at": triple[0], "actor": triple[1], "origin": triple[2]}


def _common(
    stamps: Mapping[str, Stamp], triples: Mapping[int, _Triple], first: Mapping[int, str], unknown: Sequence[str]
) -> _Triple:
    """The triple that most fields share; of several, the one of the field first by name."""
    held = Counter(map(id, stamps.values()))
    counts: Counter[_Triple] = Counter()
    names: dict[_Triple, str] = {}
    for number, triple in triples.items():  # in the order of their first names
        counts[triple] += held[number]
        names.setdefault(triple, first[number])
    if unknown:
        counts[_UNKNOWN_TRIPLE] += len(unknown)
        names[_UNKNOWN_TRIPLE] = min(unknown[0], names.get(_UNKNOWN_TRIPLE, unknown[0]))
    if not counts:
        return _UNKNOWN_TRIPLE
    most = max(counts.values())
    return min((triple for triple, count in counts.items() if count == most), key=names.__getitem__)


def read_meta(line: JSON, actors: Sequence[dict[str, JSON]]) -> RowMeta:
    """What a line of ``meta/`` says; the inverse of :func:`meta_line`. ``actors``: the lines of ``meta/actors.jsonl``.

    Members that this version does not know are ignored. Raises :class:`MetaLineError`.
    """
    if _is_usual(line, actors):
        number = line["actor"]
        common = Stamp(line["at"] or "", None if number is None else actors[number], line["origin"])
        return RowMeta(line["id"], line.get("space"), common, {}, ())
    if type(line) is not dict:
        raise MetaLineError("a line of meta is not an object")
    record_id, fields = line.get("id"), line.get("fields")
    if type(record_id) is not str:
        raise MetaLineError("id is not a string")
    space = line.get("space")
    if space is not None and (type(space) is not int or space < 0):
        raise MetaLineError("space is not a line number")
    if type(fields) is not dict:
        raise MetaLineError("fields is not an object")
    well_known_id = line.get("wellKnownId")
    if well_known_id is not None and type(well_known_id) is not str:
        raise MetaLineError("wellKnownId is not a string")
    return RowMeta(
        record_id,
        space,
        _read_stamp(line, actors),
        {name: _read_stamp(field, actors) for name, field in fields.items()},
        _names(line, "sealed"),
        _names(line, "omitted") if "omitted" in line else (),
        _names(line, "ciphertext") if "ciphertext" in line else None,
        well_known_id,
    )


def _names(line: Mapping[str, JSON], member: str) -> tuple[str, ...]:
    names = line.get(member)
    if type(names) is not list or any(type(name) is not str for name in names):
        raise MetaLineError(f"{member} is not a list of strings")
    return tuple(names)


def check_meta(line: JSON, actors: Sequence[dict[str, JSON]]) -> None:
    """Whether :func:`read_meta` can read a line. Raises :class:`MetaLineError`."""
    if not _is_usual(line, actors):
        read_meta(line, actors)


def _is_usual(line: JSON, actors: Sequence[dict[str, JSON]]) -> bool:
    """Whether a line is a sound one of a row with one stamp and nothing else to say, as nearly all are."""
    if type(line) is not dict or line.get("fields") != {} or line.get("sealed") != []:
        return False
    if not line.keys().isdisjoint(_RARE):
        return False
    space, number = line.get("space"), line.get("actor", "")
    return (
        type(line.get("id")) is str
        and (space is None or (type(space) is int and space >= 0))
        and (number is None or (type(number) is int and 0 <= number < len(actors)))
        and type(line.get("at", 0)) in _TEXT_OR_NULL
        and type(line.get("origin", 0)) in _TEXT_OR_NULL
    )


def _read_stamp(triple: JSON, actors: Sequence[dict[str, JSON]]) -> Stamp:
    if type(triple) is not dict or not triple.keys() >= {"at", "actor", "origin"}:
        raise MetaLineError("a stamp without at, actor and origin")
    at, number, origin = triple["at"], triple["actor"], triple["origin"]
    if at is not None and type(at) is not str:
        raise MetaLineError("at is neither a string nor null")
    if origin is not None and type(origin) is not str:
        raise MetaLineError("origin is neither a string nor null")
    if number is not None and (type(number) is not int or not 0 <= number < len(actors)):
        raise MetaLineError("actor is not the number of a line of meta/actors.jsonl")
    return Stamp(at or "", None if number is None else actors[number], origin)


def from_field_meta(row: Mapping[str, JSON]) -> tuple[dict[str, JSON], dict[str, Stamp]]:
    """A row as the web app writes it into its own archives, taken apart: the clean row and its stamps.

    The clean row has no ``_updatedAtIndex`` and no key that starts with ``__``. ``__fieldMeta`` holds
    ``{"at", "actor", "origin"}`` by field; what it holds besides, or in other types, counts as unknown.
    """
    clean = {name: value for name, value in row.items() if not name.startswith("__") and name != "_updatedAtIndex"}
    entries = row.get("__fieldMeta")
    stamps: dict[str, Stamp] = {}
    for name, entry in entries.items() if type(entries) is dict else ():
        if type(entry) is not dict or not is_data(name):
            continue
        at, actor, origin = entry.get("at"), entry.get("actor"), entry.get("origin")
        stamp = Stamp(
            at if type(at) is str else "",
            actor if type(actor) is dict else None,
            origin if type(origin) is str else None,
        )
        if stamp != UNKNOWN:
            stamps[name] = stamp
    return clean, stamps
