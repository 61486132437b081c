"""``parquet``: read by pyarrow and by DuckDB."""

from __future__ import annotations

import json
import stat
import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.conversion.options import ConvertOptions
from manabackup.errors import UsageError
from manabackup.operations.archives.readable import Converted, convert_to

from .archives import Tables, rows_of, write_archive
from .queries import ask

ALL = {"include_secrets": True, "include_technical": True, "include_deleted": True}


def convert(source: Path, target: Path, **options: Any) -> Converted:
    return convert_to(source, "parquet", target, options=ConvertOptions(**options))


def records(path: Path) -> list[dict[str, Any]]:
    """The rows, JSON in them read."""
    table = pq.ParquetFile(path).read()
    nested = [field.name for field in table.schema if str(field.type) == "extension<arrow.json>"]
    found: list[dict[str, Any]] = table.to_pylist()
    for record in found:
        record.update({name: json.loads(record[name]) for name in nested if record[name] is not None})
    return found


def made(tmp_path: Path, table: str, *rows: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    convert(write_archive(tmp_path / "a.mana", {table: rows}), tmp_path / "out", **options)
    return records(tmp_path / "out" / f"{table}.parquet")


@pytest.fixture(scope="module")
def folder(life: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("parquet") / "life"
    convert(life, path, **ALL)
    return path


def value_of(record: dict[str, Any], name: str) -> Any:
    """A field's value, out of its column or out of ``more``."""
    more = record["more"] or {}
    return more[name] if name in more else record[name]


def same(value: Any, found: Any) -> bool:
    """Whether a value that was found says what the row says."""
    if isinstance(found, datetime) and found.tzinfo is not None:
        of = datetime.fromtimestamp(value / 1000, UTC) if isinstance(value, int) else datetime.fromisoformat(value)
        return of == found
    if isinstance(found, datetime | date | time):
        return type(found).fromisoformat(value) == found
    return bool(value == (float(found) if isinstance(value, float) and isinstance(found, int) else found))


def test_every_value_of_every_row_is_there(life: Path, folder: Path) -> None:
    seen = 0
    for table, rows in rows_of(life).items():
        path = folder / f"{table}.parquet"
        if not path.exists():
            assert not rows
            continue
        found = {record["id"]: record for record in records(path)}
        assert found.keys() == rows.keys()
        for identifier, row in rows.items():
            for name, value in row.items():
                if value is not None and not str(value).startswith("enc:1:"):
                    assert same(value, value_of(found[identifier], name)), (table, name, value)
                    seen += 1
    assert seen > 5_000


def test_another_reader_finds_the_same(folder: Path) -> None:
    for path in folder.iterdir():
        count = pq.ParquetFile(path).metadata.num_rows
        assert ask(f"SELECT count(*), count(DISTINCT id) FROM '{path}'") == [(count, count)]
    (kinds,) = ask(
        "SELECT list(DISTINCT column_type ORDER BY column_type) FROM "
        f"(DESCRIBE SELECT * FROM '{folder / 'invoices.parquet'}')"
    )
    assert kinds[0] == ["DATE", "DECIMAL(38,9)", "JSON", "TIMESTAMP WITH TIME ZONE", "VARCHAR"]


def test_types_are_those_that_the_descriptions_say(tmp_path: Path) -> None:
    tables: Tables = {
        "globalTags": [{"id": "t", "name": "garden"}],
        "tasks": [
            {
                "id": "a",
                "title": "Weed",
                "priority": "urgent",
                "isCompleted": True,
                "order": 3,
                "dueDate": "2026-05-01T09:00:00",
                "completedAt": "2026-05-02T10:00:00.125Z",
                "metadata": {"labelIds": ["t"], "storyPoints": 3},
                "createdAt": "2026-04-01T10:00:00.000Z",
            }
        ],
        "sleepEntries": [{"id": "s", "date": "2026-05-01", "bedtime": "2026-05-01T23:30:00", "tags": ["deep"]}],
        "dreams": [{"id": "d", "bedtime": "23:30"}],
        "budgets": [{"id": "b", "month": "2026-05", "amount": 12.5}],
        "invoices": [
            {"id": "i", "currency": "CHF", "totals": {"net": 10001}, "lines": [{"title": "Work", "unitPrice": 5000}]}
        ],
    }
    source = write_archive(tmp_path / "a.mana", tables)
    convert(source, tmp_path / "out", language="de", zone=ZoneInfo("Europe/Zurich"))
    (task,) = records(tmp_path / "out" / "tasks.parquet")
    assert (task["title"], task["isCompleted"], task["order"]) == ("Weed", True, 3.0)
    assert (task["priority"], task["priority_label"], task["tag_names"]) == ("urgent", "Dringend", ["garden"])
    assert task["completedAt"] == datetime(2026, 5, 2, 10, 0, 0, 125_000, UTC)
    assert (task["dueDate"], task["dueDate_utc"]) == ("2026-05-01T09:00:00", datetime(2026, 5, 1, 7, tzinfo=UTC))
    assert task["metadata"] == {"labelIds": ["t"], "storyPoints": 3}
    assert task["created"] == task["createdAt"] == datetime(2026, 4, 1, 10, tzinfo=UTC)
    assert task["more"] is None
    (night,) = records(tmp_path / "out" / "sleepEntries.parquet")
    assert (night["date"], night["bedtime"]) == (date(2026, 5, 1), datetime(2026, 5, 1, 23, 30))  # noqa: DTZ001
    assert night["tags"] == ["deep"]
    assert records(tmp_path / "out" / "dreams.parquet")[0]["bedtime"] == time(23, 30)
    (budget,) = records(tmp_path / "out" / "budgets.parquet")
    assert (budget["month"], budget["amount_decimal"], budget["amount_currency"]) == ("2026-05", Decimal("12.5"), "EUR")
    path = tmp_path / "out" / "invoices.parquet"
    sql = """SELECT "totals.net_decimal", "totals.net_currency", lines->0->>'title' FROM """
    assert ask(f"{sql}'{path}'") == [(Decimal("100.01"), "CHF", "Work")]
    sql = "SELECT title, epoch_ms(completedAt), tag_names[1] FROM "
    assert ask(f"{sql}'{path.with_name('tasks.parquet')}'") == [("Weed", 1777716000125, "garden")]


def test_times_of_blocks_stand_beside_what_has_them(tmp_path: Path) -> None:
    tables: Tables = {
        "events": [{"id": "e", "timeBlockId": "b"}, {"id": "f", "timeBlockId": "gone"}],
        "timeBlocks": [{"id": "b", "startDate": "2026-05-01T09:00:00", "endDate": None, "allDay": True}],
    }
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out", zone=ZoneInfo("Europe/Zurich"))
    event, other = records(tmp_path / "out" / "events.parquet")
    assert (event["starts"], event["ends"], event["all_day"]) == ("2026-05-01T09:00:00", None, True)
    assert (event["starts_utc"], event["ends_utc"]) == (datetime(2026, 5, 1, 7, tzinfo=UTC), None)
    assert (other["starts"], other["starts_utc"], other["all_day"]) == (None, None, None)


ODD: list[tuple[str, str, Any]] = [
    ("tasks", "title", "half \ud83d"),
    ("tasks", "title", 7),
    ("tasks", "isCompleted", "yes"),
    ("tasks", "order", 2**53 + 1),
    ("tasks", "order", "3"),
    ("tasks", "order", True),
    ("tasks", "completedAt", "2026-05-02T10:00:00"),
    ("tasks", "completedAt", "2026-13-02T10:00:00Z"),
    ("tasks", "completedAt", "2026-05-02T10:00:00.123456789Z"),
    ("tasks", "unheard", {"of": [1, None]}),
    ("journalEntries", "entryDate", "0000-01-01"),
    ("journalEntries", "entryDate", "99999-01-01"),
    ("journalEntries", "entryDate", "2026-05-01T00:00:00.000Z"),
    ("journalEntries", "tags", ["a", None]),
    ("journalEntries", "tags", "a"),
    ("dreams", "bedtime", "25:00"),
]


@pytest.mark.parametrize(("table", "name", "value"), ODD)
def test_what_is_not_of_its_columns_type_is_in_more(tmp_path: Path, table: str, name: str, value: Any) -> None:
    (record,) = made(tmp_path, table, {"id": "a", name: value})
    assert record.get(name) is None
    assert record["more"] == {name: value}


def test_hostile_words_and_names_come_through(tmp_path: Path) -> None:
    titles = ["a\0b", "\u202eexe", "=cmd|x", "\U0001f468‍\U0001f469‍\U0001f467", "x" * 10_000_000, "'; DROP TABLE tasks"]
    tables: Tables = {
        "tasks": [{"id": f"{n}", "title": title, "more": n, "_more": n, "Title": n} for n, title in enumerate(titles)],
        "../x": [{"id": "a"}],
        "CON": [{"id": "b", "any": 1}],
        "con": [{"id": "c"}],
    }
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out")
    path = tmp_path / "out" / "tasks.parquet"
    assert [record["title"] for record in records(path)] == titles
    assert records(path)[1]["more"] == {"more": 1, "_more": 1, "Title": 1}
    assert [title for (title,) in ask(f"SELECT title FROM '{path}' ORDER BY id")] == titles
    assert len({file.name.casefold() for file in (tmp_path / "out").iterdir()}) == 4
    assert not (tmp_path / "x.parquet").exists()


def test_amounts_are_exact_or_not_there(tmp_path: Path) -> None:
    rows = [
        {"id": f"{n}", "amount": amount, "type": "expense"} for n, amount in enumerate([0.1, 7, 10**20, 1e-10, 1e23])
    ]
    found = made(tmp_path, "transactions", *rows)
    assert [record["amount_decimal"] for record in found] == [
        Decimal("-0.1"),
        Decimal(-7),
        Decimal(-(10**20)),
        None,
        Decimal(-(10**23)),
    ]


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(codec=None), max_size=8),
    st.lists(st.text(max_size=3) | st.none(), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
    st.datetimes().map(lambda at: f"{at.isoformat(timespec='milliseconds')}Z"),
    st.dates().map(str),
)
FIELDS = ("title", "order", "isCompleted", "completedAt", "dueDate", "subtasks", "metadata", "unheard", "deletedAt")


@settings(max_examples=40, deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(FIELDS, VALUES)), min_size=1, max_size=5))
def test_no_value_gets_lost(tmp_path_factory: pytest.TempPathFactory, drawn: list[dict[str, Any]]) -> None:
    rows = [{"id": f"{n}", **row} for n, row in enumerate(drawn)]
    found = made(tmp_path_factory.mktemp("parquet"), "tasks", *rows, include_deleted=True)
    for record, row in zip(found, rows, strict=True):
        for name, value in row.items():
            if value is not None:
                assert same(value, value_of(record, name))


def test_the_folder_is_the_owners_and_the_same_each_time(life: Path, folder: Path, tmp_path: Path) -> None:
    convert(life, tmp_path / "again", **ALL)
    assert stat.S_IMODE((tmp_path / "again").stat().st_mode) == 0o700
    for path in (tmp_path / "again").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_bytes() == (folder / path.name).read_bytes()


def test_without_the_extra_it_says_how_to_get_it(life: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("manabackup.conversion.parquet", "manabackup.conversion.parquet_columns"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match="pyarrow, which is not installed") as caught:
        convert(life, tmp_path / "out")
    assert caught.value.hint == "install manabackup with the extra [parquet]: guide, Installed how"
    assert not (tmp_path / "out").exists()
