"""A row of Mana's table of changes becomes what the sync server tells of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import SourceError
from manabackup.model.rawchange import RawChange, UnreadableChange, prepare
from manabackup.sources.mana_change import COLUMNS, ChangeRow, change_of
from manabackup.text import jsontext

EVENT = UUID(int=7)
AT = b"2026-04-14 08:00:04.25+00"
texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
values: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects: Any = st.dictionaries(texts, values, max_size=4)
names = texts.filter(bool)


def row_of(**given: Any) -> ChangeRow:
    usual = {
        "id": str(EVENT).encode(), "app_id": b"notes", "table_name": b"notes", "record_id": b"n-1", "user_id": b"anna",
        "op": b"insert", "data": None, "field_meta": b"{}", "created_at": AT, "schema_version": b"1",
        "actor": None, "origin": None, "space_id": None,
    }  # fmt: skip
    assert list(usual) == list(COLUMNS)
    return ChangeRow.of([*(usual | given).values()])


def wire_of(row: ChangeRow, owner: str = "anna") -> Any:
    found = change_of(row, owner)
    assert isinstance(found, RawChange)
    wire = jsontext.parse(found.text)
    assert prepare([wire]) == [found]  # key, record, text and digest are those of a pull
    assert wire.pop("storedAt") == "2026-04-14T08:00:04.25Z"
    return wire


@given(data=objects, actor=st.none() | objects, origin=st.none() | texts, space=st.none() | texts, record=names)
def test_an_insert_is_told_as_a_whole(
    data: dict[str, Any], actor: dict[str, Any] | None, origin: str | None, space: str | None, record: str
) -> None:
    wire = wire_of(
        row_of(
            data=jsontext.dumps(data),
            actor=None if actor is None else jsontext.dumps(actor),
            origin=None if origin is None else origin.encode(),
            space_id=None if space is None else space.encode(),
            record_id=record.encode(),
        )
    )
    expected: dict[str, Any] = {"eventId": str(EVENT), "schemaVersion": 1, "table": "notes", "id": record}
    expected["op"] = "insert"
    named: dict[str, Any] = {"data": data, "origin": origin, "spaceId": space}
    expected |= {name: value for name, value in named.items() if value}
    if actor is not None:
        expected["actor"] = actor
    assert jsontext.dumps(wire) == jsontext.dumps(expected)


@given(data=objects, times=st.dictionaries(texts, texts, max_size=4), both=st.booleans())
def test_an_update_tells_what_has_a_time_and_names_the_rest(
    data: dict[str, Any], times: dict[str, str], both: bool
) -> None:
    if both:
        times = times | dict.fromkeys(list(data)[:2], "2026-04-14T08:00:04.000Z")
    wire = wire_of(row_of(op=b"update", data=jsontext.dumps(data), field_meta=jsontext.dumps(times)))
    expected = {name: {"value": value, "at": times[name]} for name, value in data.items() if name in times}
    assert jsontext.dumps(wire.get("fields", {})) == jsontext.dumps(expected)
    assert wire.get("withoutTime", []) == sorted(data.keys() - times.keys())
    assert "data" not in wire


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b'{"deletedAt": "2026-04-14T08:00:04.000Z", "more": 1}', "2026-04-14T08:00:04.000Z"),
        (b'{"deletedAt": ""}', None),
        (b'{"deletedAt": 7}', None),
        (b"[]", None),
        (None, None),
    ],
)
def test_a_delete_tells_its_time_alone(data: bytes | None, told: str | None) -> None:
    wire = wire_of(row_of(op=b"delete", data=data))
    assert (wire.get("deletedAt"), "data" in wire) == (told, False)


def test_what_another_wrote_names_its_author() -> None:
    assert wire_of(row_of(), "bert")["author"] == "anna"
    assert "author" not in wire_of(row_of())


def test_a_version_of_0_is_told_as_1() -> None:
    assert [wire_of(row_of(schema_version=text))["schemaVersion"] for text in (b"0", b"1", b"7")] == [1, 1, 7]


def test_what_no_reader_takes_is_named() -> None:
    deep = b"[" * 30_000 + b"]" * 30_000
    for row in (row_of(data=b'{"a": %b}' % deep), row_of(origin=b"\xff"), row_of(record_id=b"n\xff")):
        found = change_of(row, "anna")
        assert isinstance(found, UnreadableChange)
        assert (found.key, (found.id or "")[:1], found.collection) == (EVENT.bytes, "n", "notes")


@given(st.lists(st.datetimes(), min_size=2, max_size=2))
def test_places_order_as_times_do(moments: list[datetime]) -> None:
    def place(moment: datetime) -> str:
        text = moment.isoformat(" ")
        return row_of(created_at=f"{text.rstrip('0') if moment.microsecond else text}+00".encode()).place

    one, other = moments
    assert (place(one) < place(other), place(one) == place(other)) == (one < other, one == other)


@pytest.mark.parametrize(
    "at", [b"infinity", b"-infinity", b"0044-03-15 12:00:00+00 BC", b"12026-01-01 00:00:00+00", b""]
)
def test_times_that_have_no_place_are_an_error(at: bytes) -> None:
    with pytest.raises(SourceError):
        _ = row_of(created_at=at).place
