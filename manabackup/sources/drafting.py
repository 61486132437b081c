"""A first profile, made of what databases say of themselves; what only a person can decide is marked and not guessed.

A mark is ``"?"`` in place of a value, or the key ``decide`` beside what was proposed. A profile with a mark in it is
not loaded (:mod:`.decisions`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..text import jsontext
from ..text.printable import one_line
from .catalog import Catalog, CatalogTable, Column
from .decisions import MARK
from .profile import StoreKind
from .secret_names import looks_secret

_WIDTH = 118
_PEOPLE = ("users", "user", "people", "persons", "person", "accounts", "account", "members", "customers", "profiles")
_OWNERS = ("user_id", "userid", "owner_id", "ownerid", "person_id", "account_id", "created_by", "author_id", "authorid")
_ORDER = ("sort_order", "sortorder", "position", "message_index", "messageindex", "created_at", "createdat")
_LOOKUP = frozenset({"email", "handle", "username", "user_name", "login", "did", "name"})
_BARE = re.compile("[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class DraftStore:
    """A database that is drafted from."""

    name: str
    kind: StoreKind
    catalog: Catalog
    schema: str = "public"


@dataclass(frozen=True, slots=True)
class _Way:
    """A way from a table to whom its rows belong."""

    columns: tuple[str, ...]
    identity: str | None = None
    parent: str | None = None
    """``<store>.<table>``; None where the columns hold an identity."""
    key: tuple[str, ...] = ()
    """The parent's columns, where these are not its primary key."""
    certain: bool = True
    """A foreign key says it, and not a name alone."""

    def toml(self) -> str:
        """As ``owner`` has it."""
        if self.parent is None:
            return f"{{ column = {_text(self.columns[0])}, is = {_text(self.identity or '')} }}"
        through, key = _one_or_list(self.columns), ""
        if self.key:
            key = f", key = {_one_or_list(self.key)}"
        return f"{{ through = {through}, to = {_text(self.parent)}{key} }}"

    def words(self) -> str:
        """For people."""
        leads = f"holds the {self.identity}" if self.parent is None else f"leads to {self.parent}"
        return f"{', '.join(self.columns)} {leads}{'' if self.certain else ' by its name'}"


def draft(name: str, stores: Sequence[DraftStore]) -> str:
    """The profile's text, the same for the same catalogs."""
    return "\n".join(_Draft(name, stores).lines()) + "\n"


class _Draft:
    def __init__(self, name: str, stores: Sequence[DraftStore]) -> None:
        self._name = name
        self._stores = stores
        self._tables = {
            f"{store.name}.{table.name}": (store, table) for store in stores for table in store.catalog.tables.values()
        }
        self._subject = self._find_subject()
        self._identities: dict[str, str] = {}
        self._ways = self._find_ways()

    # --- who and whose

    def _find_subject(self) -> str | None:
        """The table that looks most as if it had a row for each person."""

        def pointed_at(name: str) -> int:
            store, table = self._tables[name]
            return sum(
                any(reference.table == table.name for reference in other.references)
                for other in store.catalog.tables.values()
                if other is not table
            )

        def rank(name: str) -> tuple[int, int, str]:
            table = self._tables[name][1]
            known = _PEOPLE.index(table.name.lower()) if table.name.lower() in _PEOPLE else len(_PEOPLE)
            return known, -pointed_at(name), name

        keyed = [name for name, (_, table) in self._tables.items() if len(table.key) == 1]
        return min(keyed, key=rank, default=None)

    def _find_ways(self) -> dict[str, list[_Way]]:
        """Table → ways to its owner, the best first: people are reached from each, and none leads in a circle."""
        found: dict[str, list[_Way]] = {}
        if self._subject is None:
            return found
        store, subject = self._tables[self._subject]
        self._identities = {"user": subject.key[0]}
        found[self._subject] = [_Way((subject.key[0],), "user")]
        for name, (own_store, table) in self._tables.items():
            ways = [*self._direct(table, subject)] if own_store is store else []
            ways += self._by_name(table, subject) if not ways else []
            if ways and name != self._subject:
                found[name] = _best_first(ways, table)
        while True:
            reached = {
                name: ways
                for name, (own_store, table) in self._tables.items()
                if name not in found and (ways := list(self._through(own_store, table, found)))
            }
            if not reached:
                return found
            for name, ways in reached.items():
                found[name] = _best_first(ways, self._tables[name][1])

    def _direct(self, table: CatalogTable, subject: CatalogTable) -> Iterator[_Way]:
        for reference in table.references:
            if reference.table == subject.name and len(reference.columns) == 1 and table is not subject:
                (key,) = reference.key
                identity = "user" if key == subject.key[0] else key
                self._identities[identity] = key
                yield _Way(reference.columns, identity)

    def _by_name(self, table: CatalogTable, subject: CatalogTable) -> list[_Way]:
        """Where no foreign key says anything: a column called as such columns mostly are, of the key's type."""
        wanted = subject.columns[subject.key[0]].type
        declared = {column for reference in table.references for column in reference.columns}
        names = [*_OWNERS, f"{subject.name.lower().removesuffix('s')}_id"]
        return [
            _Way((column.name,), "user", certain=False)
            for column in table.columns.values()
            if column.name.lower() in names and column.type == wanted and column.name not in declared
        ]

    def _through(self, store: DraftStore, table: CatalogTable, found: Mapping[str, list[_Way]]) -> Iterator[_Way]:
        for reference in table.references:
            parent = f"{store.name}.{reference.table}"
            if parent in found and parent != f"{store.name}.{table.name}":
                key = () if reference.key == self._tables[parent][1].key else reference.key
                yield _Way(reference.columns, parent=parent, key=key)

    # --- text

    def lines(self) -> Iterator[str]:
        """The whole file."""
        yield "# Drafted from what the database says of itself: tables, columns, keys and references; no row was read."
        yield from _comment(
            f'Nothing holds before you have decided it. What is marked by "{MARK}" wants a value; where there is a '
            "line `decide`, look at what is proposed below it, put it right, and take the line away. How a profile is "
            "written: formats/profiles.md. Then `manabackup profile check` holds it against the database."
        )
        yield "profile = 1"
        yield f"name = {_text(self._name)}"
        yield f"title = {_text(MARK)}"
        for store in self._stores:
            yield ""
            yield f"[stores.{store.name}]"
            yield f"kind = {_text(store.kind)}"
            if store.kind is StoreKind.POSTGRESQL:
                yield f"schema = {_text(store.schema)}"
            if store.catalog.views:
                yield from _comment(f"Not read, since their rows stand in tables: {', '.join(store.catalog.views)}")
        yield ""
        yield from self._subject_lines()
        for name in sorted(self._tables):
            yield ""
            yield from self._table_lines(name)

    def _subject_lines(self) -> Iterator[str]:
        yield "[subject]"
        if self._subject is None:
            yield f"table = {_text(MARK)}"
            yield f"key = {_text(MARK)}"
            return
        _, table = self._tables[self._subject]
        pointing = sum(1 for ways in self._ways.values() for way in ways[:1] if way.parent is None) - 1
        yield f"decide = {_text(f'does this table have a row for each person? {pointing} tables name one of its rows')}"
        yield f"table = {_text(self._subject)}"
        yield f"key = {_text(table.key[0])}"
        unique = sorted(next(iter(names)) for names in table.unique if len(names) == 1)
        lookup = [name for name in unique if name != table.key[0] and name.lower() in _LOOKUP]
        if lookup:
            yield from _listed("lookup", lookup)
        if len(self._identities) > 1:
            pairs = ", ".join(f"{_key(name)} = {_text(column)}" for name, column in self._identities.items())
            yield f"identities = {{ {pairs} }}"

    def _table_lines(self, name: str) -> Iterator[str]:
        store, table = self._tables[name]
        ways = self._ways.get(name, [])
        yield f"[tables.{_text(name)}]"
        yield f"class = {_text(MARK)}"
        if not ways:
            yield from _comment(
                "Nothing leads to a person. Catalogue: the same for everybody. System and never: with `why`. If it is "
                f"somebody's all the same: `owner`, and `columns`, which are {', '.join(table.columns)}"
            )
            return
        told = "; ".join(way.words() for way in ways)
        yield f"decide = {_text(one_line(f'whose are its rows? {told}', 2_000))}"
        yield f"owner = {ways[0].toml()}"
        secrets = [column for column in table.columns if looks_secret(column)]
        derived = [column.name for column in table.columns.values() if _is_derived(column)]
        kept = [column for column in table.columns if column not in secrets and column not in derived]
        yield from _listed("columns", kept)
        if secrets:
            yield from _comment('These look like secrets: "secret", or into `columns`, with a reason in `allow`.')
            yield from _mapped("omit", dict.fromkeys(secrets, MARK))
        if derived:
            yield from _comment("These look as if they could be computed again.")
            yield from _listed("derived", derived)
        if not table.key:
            yield from self._key_lines(table)
        order = [column for wanted in _ORDER for column in kept if column.lower() == wanted]
        if order:
            yield from _listed("order", order)
        references = dict(self._other_references(store, table, ways[0]))
        if references:
            yield from _mapped("references", references)

    @staticmethod
    def _key_lines(table: CatalogTable) -> Iterator[str]:
        whole = [names for names in table.unique if not any(table.columns[name].nullable for name in names)]
        best = min(whole, key=lambda names: (len(names), sorted(names)), default=None)
        yield from _comment("There is no primary key: what tells its rows apart?")
        if best is None:
            yield f"key = {_text(MARK)}"
        else:
            yield from _listed("key", [column for column in table.columns if column in best])

    def _other_references(self, store: DraftStore, table: CatalogTable, way: _Way) -> Iterator[tuple[str, str]]:
        for reference in sorted(table.references, key=lambda each: each.columns):
            target = f"{store.name}.{reference.table}"
            if len(reference.columns) == 1 and reference.columns != way.columns and target in self._tables:
                yield reference.columns[0], target


def _best_first(ways: Iterable[_Way], table: CatalogTable) -> list[_Way]:
    return sorted(ways, key=lambda way: _rank(way, table))


def _rank(way: _Way, table: CatalogTable) -> tuple[bool, bool, int, tuple[str, ...]]:
    """A reference that must be there before one that may be NULL; the usual names before others."""
    nullable = any(table.columns[column].nullable for column in way.columns)
    name = way.columns[0].lower()
    place = _OWNERS.index(name) if way.parent is None and name in _OWNERS else len(_OWNERS)
    return place == len(_OWNERS) and way.parent is None, nullable, place, way.columns


def _is_derived(column: Column) -> bool:
    types = ("double precision[]", "real[]", "vector", "public.vector")
    return "embedding" in column.name.lower() and column.type.startswith(types)


# --- TOML -------------------------------------------------------------------------------------------------------------


def _text(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for one character."""
    return jsontext.dumps(text).decode().replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _one_or_list(names: Sequence[str]) -> str:
    return _text(names[0]) if len(names) == 1 else f"[{', '.join(map(_text, names))}]"


def _comment(text: str) -> Iterator[str]:
    """In as many lines as it takes; a name does not end one."""
    line = "#"
    for word in one_line(text, 100_000).split(" "):
        if len(line) + 1 + len(word) > _WIDTH and line != "#":
            yield line
            line = "#"
        line += f" {word}"
    yield line


def _listed(key: str, names: Iterable[str]) -> Iterator[str]:
    parts = [_text(name) for name in names]
    whole = f"{key} = [{', '.join(parts)}]"
    if len(whole) <= _WIDTH:
        yield whole
        return
    yield f"{key} = ["
    line = "   "
    for part in parts:
        if len(line) + len(part) + 2 > _WIDTH and line.strip():
            yield line
            line = "   "
        line += f" {part},"
    yield line
    yield "]"


def _mapped(key: str, values: Mapping[str, str]) -> Iterator[str]:
    pairs = [f"{_key(name)} = {_text(value)}" for name, value in values.items()]
    whole = f"{key} = {{ {', '.join(pairs)} }}"
    if len(whole) <= _WIDTH:
        yield whole
    else:  # dotted keys, since an inline table ends with its line
        yield from (f"{key}.{pair}" for pair in pairs)
