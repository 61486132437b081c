"""Relational data models as their documents tell them, as databases full of people who share all that can be shared.

``fixtures/sources/<model>.json`` says which tables there are. Rows are made here as plain values, the same for every
kind of database, and every text says whose its row is: what somebody gets of others can be seen in the bytes.
"""

from __future__ import annotations

import json
import random
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import psycopg
from psycopg.types.json import Jsonb

from manabackup.sources.profile import AllOf, AnyOf, Holds, Owner, Profile, ProfiledTable, Through, store_of, table_of

_FOLDER = Path(__file__).parents[2] / "fixtures" / "sources"
NOBODY = "nobody"
Row: TypeAlias = dict[str, Any]
_SQLITE = {"bool": "BOOLEAN", "int": "INTEGER", "bigint": "INTEGER", "float8": "REAL", "real": "REAL", "bytea": "BLOB"}
_FLOATS = (0.1, 1.5, -2.25, 0.0, 1e-7, 123456.75)
_EPOCH = 1_767_225_600_000
"""Milliseconds: 2026 begins."""


@dataclass(frozen=True)
class Model:
    """The tables of a document."""

    tables: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, name: str) -> Model:
        return cls(json.loads((_FOLDER / f"{name}.json").read_text()))

    def part(self, names: Iterable[str]) -> Model:
        """Some of the tables."""
        kept = set(names)
        return Model({name: table for name, table in self.tables.items() if name in kept})

    @cached_property
    def order(self) -> list[str]:
        """Parents first, as foreign keys have it."""
        return parents_first(
            {name: [each["to"] for each in table["references"]] for name, table in self.tables.items()}
        )

    def script(self, kind: str) -> str:
        """What makes the tables, for ``postgresql`` or ``sqlite``."""
        return "\n".join(self._create(name, kind) for name in self.order)

    def _create(self, name: str, kind: str) -> str:
        table = self.tables[name]
        parts = [
            f'"{column}" {self.column_type(type_name, kind)}{"" if nullable else " NOT NULL"}'
            for column, type_name, nullable in table["columns"]
        ]
        if table["key"]:
            parts.append(f"PRIMARY KEY ({_list(table['key'])})")
        parts += [f"UNIQUE ({_list(columns)})" for columns in table["unique"]]
        parts += [
            f'FOREIGN KEY ({_list(reference["columns"])}) REFERENCES "{reference["to"]}" ({_list(reference["key"])})'
            for reference in table["references"]
            if reference["to"] in self.tables
        ]
        return f'CREATE TABLE "{name}" ({", ".join(parts)});'

    @staticmethod
    def column_type(type_name: str, kind: str) -> str:
        if kind == "postgresql":
            return type_name
        return "INTEGER" if type_name.startswith("timestamptz") else _SQLITE.get(type_name, "TEXT")


def parents_first(parents: Mapping[str, Iterable[str]]) -> list[str]:
    """Names, each after its parents; one that is its own or not among them does not count."""
    done: dict[str, None] = {}
    while len(done) < len(parents):
        ready = [
            name
            for name, above in parents.items()
            if name not in done and all(each in done or each == name or each not in parents for each in above)
        ]
        done.update(dict.fromkeys(ready))
    return list(done)


class Crowd:
    """Some people and their rows. ``rows`` are by table; people are ``people[0]`` and so on."""

    def __init__(self, model: Model, profile: Profile, *, seed: int = 1, people: int = 3, each: int = 2) -> None:
        self.model = model
        self.profile = profile
        self._random = random.Random(seed)
        self._by_name = {table_of(name): table for name, table in profile.tables.items()}
        self._each = each
        self._taken: set[tuple[Any, ...]] = set()
        self._subject = table_of(profile.subject.table)
        self.rows: dict[str, list[Row]] = {}
        self.people: list[Row] = []
        for name in self._order():
            self.rows[name] = []
            number = people if name == self._subject else people * each
            for index in range(number):
                self._add(name, index)
            if name == self._subject:
                self.people = self.rows[name]
        for name, rows in self.rows.items():
            for row in rows:
                self._sign(name, row)

    def _order(self) -> list[str]:
        """Parents first, as the profile has it too."""
        above = {}
        for name, table in self.model.tables.items():
            steps = [step for owner in _owners(self._by_name[name]) for step in _through(owner)]
            parents = [reference["to"] for reference in table["references"]]
            above[name] = [*parents, *(table_of(step.table) for step in steps), self._subject]
        return parents_first(above)

    def _add(self, name: str, index: int) -> None:
        columns: Sequence[tuple[str, str, bool]] = self.model.tables[name]["columns"]
        row = {column: self._value(name, column, type_name, nullable, index) for column, type_name, nullable in columns}
        keys = [self.model.tables[name]["key"], *self.model.tables[name]["unique"]]
        marks = [(name, *columns, *(repr(row[column]) for column in columns)) for columns in keys if columns]
        if self._taken.isdisjoint(marks):
            self._taken.update(marks)
            self.rows[name].append(row)

    def _value(self, name: str, column: str, type_name: str, nullable: bool, index: int) -> Any:
        table = self._by_name[name]
        steps = {step.column: step for step in _holds(table.owner)} if table.owner is not None else {}
        if table.others is not None:
            steps |= {step.column: step for step in _holds(table.others.owner)}
        if column in steps and name != self._subject:
            if nullable and index % 5 == 4:
                return None
            # Everybody has rows, whatever chance does.
            person = self.people[index % len(self.people)] if index < 2 * len(self.people) else self._one(self.people)
            return person[self.profile.subject.identities[steps[column].identity]]
        for reference in self._references(name):
            if column in reference["columns"]:
                rows = self.rows[reference["to"]]
                if not rows or (nullable and self._random.random() < 0.3):
                    return None
                return self._one(rows)[reference["key"][reference["columns"].index(column)]]
        if nullable and self._random.random() < 0.2:
            return None
        return self._plain(type_name, f"{name}.{column}.{index}")

    def _references(self, name: str) -> list[Mapping[str, Any]]:
        declared = list(self.model.tables[name]["references"])
        # What a profile knows and no foreign key says.
        for step in (step for owner in _owners(self._by_name[name]) for step in _through(owner)):
            key = self.model.tables[table_of(step.table)]["key"]
            declared.append({"columns": list(step.columns), "to": table_of(step.table), "key": list(step.key) or key})
        return [reference for reference in declared if reference["to"] in self.rows]

    def _plain(self, type_name: str, what: str) -> Any:
        if type_name.endswith("[]"):
            inner = type_name.removesuffix("[]")
            return [self._plain(inner, f"{what}.{number}") for number in range(self._random.randrange(3))]
        match type_name.partition("(")[0]:
            case "uuid":
                return str(uuid.UUID(int=self._random.getrandbits(128), version=4))
            case "int":
                return self._random.randrange(-5, 1_000)
            case "bigint":
                return self._random.choice((0, 2**53 + 1, -(2**63)))
            case "bool":
                return self._random.random() < 0.5
            case "float8" | "real":
                return self._one(_FLOATS)
            case "jsonb":
                return {"what": what, "n": [1, None, 1.5]}
            case "timestamptz":
                return _EPOCH + self._random.randrange(10**10)
            case "date":
                return f"2026-{self._random.randrange(1, 13):02}-{self._random.randrange(1, 29):02}"
            case "bytea":
                return self._random.randbytes(5)
            case _:
                return f"{what} {self._random.getrandbits(40):x}"

    def _sign(self, name: str, row: Row) -> None:
        """Lets every text that no other row points at say whose it is."""
        table = self._by_name[name]
        if not table.is_read:
            return
        fixed = {column for reference in self._references(name) for column in reference["columns"]}
        fixed |= {step.column for owner in _owners(table) for step in _holds(owner)}
        fixed |= {"id", "did", "handle", "email", *self.model.tables[name]["key"]}
        signature = " and ".join(sorted(self.owners(name, row))) or NOBODY
        for column, type_name, _ in self.model.tables[name]["columns"]:
            if column not in fixed and type_name == "text" and row[column] is not None:
                row[column] = f"{row[column]} of [{signature}]"

    def _one(self, values: Sequence[Any]) -> Any:
        return self._random.choice(values)

    def owners(self, name: str, row: Row) -> set[str]:
        """The keys of those whose row it is, found without SQL."""
        owner = self._by_name[name].owner
        assert owner is not None
        key = self.profile.subject.key
        return {person[key] for person in self.people if self._is_owned(owner, row, person)}

    def may_see(self, name: str, row: Row, person: Row) -> bool:
        """Whether somebody may have some columns of a row that is not theirs."""
        others = self._by_name[name].others
        mine = person[self.profile.subject.key] in self.owners(name, row)
        return others is not None and not mine and self._is_owned(others.owner, row, person)

    def _is_owned(self, owner: Owner, row: Row, person: Row) -> bool:
        match owner:
            case Holds(column, identity):
                return bool(row[column] == person[self.profile.subject.identities[identity]])
            case Through(columns, table, key):
                parent = self._by_name[table_of(table)]
                names = key or self.model.tables[table_of(table)]["key"]
                assert parent.owner is not None
                return any(
                    all(
                        row[own] is not None and row[own] == other[name]
                        for own, name in zip(columns, names, strict=True)
                    )
                    and self._is_owned(parent.owner, other, person)
                    for other in self.rows[table_of(table)]
                )
            case AnyOf(parts):
                return any(self._is_owned(part, row, person) for part in parts)
            case AllOf(parts):
                return all(self._is_owned(part, row, person) for part in parts)

    # --- into a database ------------------------------------------------------------------------------------------

    def fill_postgresql(self, dsn: str) -> None:
        with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute(self.model.script("postgresql").encode())
            for name in self.model.order:
                types = {column: type_name for column, type_name, _ in self.model.tables[name]["columns"]}
                marks = ", ".join(f"%s::{type_name}" for type_name in types.values())
                text = f'INSERT INTO "{name}" ({_list(types)}) VALUES ({marks})'
                rows = [
                    [_for_postgresql(row[column], type_name) for column, type_name in types.items()]
                    for row in self.rows[name]
                ]
                cursor.executemany(text.encode(), rows)

    def fill_sqlite(self, path: Path, store: str | None = None) -> None:
        """All tables, or those of one store; foreign keys that lead out of it are left out."""
        names = [name for name in self.model.order if store in (None, store_of(self._by_name[name].name))]
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(self.model.part(names).script("sqlite"))
            for name in names:
                columns = [column for column, _, _ in self.model.tables[name]["columns"]]
                text = f'INSERT INTO "{name}" ({_list(columns)}) VALUES ({", ".join("?" * len(columns))})'
                for row in self.rows[name]:
                    connection.execute(text, [for_sqlite(row[column]) for column in columns])
            connection.commit()


def _for_postgresql(value: Any, type_name: str) -> Any:
    if type_name == "jsonb" and value is not None:
        return Jsonb(value)
    if type_name.startswith("timestamptz") and value is not None:
        return datetime.fromtimestamp(value / 1000, UTC)
    return value


def for_sqlite(value: Any) -> Any:
    """A value as these databases keep it."""
    return json.dumps(value) if isinstance(value, (dict, list)) else int(value) if isinstance(value, bool) else value


def _list(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _owners(table: ProfiledTable) -> list[Owner]:
    return [owner for owner in (table.owner, table.others.owner if table.others else None) if owner is not None]


def _holds(owner: Owner) -> list[Holds]:
    return [step for step in _steps(owner) if isinstance(step, Holds)]


def _through(owner: Owner) -> list[Through]:
    return [step for step in _steps(owner) if isinstance(step, Through)]


def _steps(owner: Owner) -> list[Holds | Through]:
    if isinstance(owner, (AnyOf, AllOf)):
        return [step for part in owner.parts for step in _steps(part)]
    return [owner]
