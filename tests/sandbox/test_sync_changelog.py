"""The change log: two ways in, one way out."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from manabackup.sandbox.changelog import Asked, ChangeLog, StoredChange
from manabackup.sandbox.changeset import decode
from manabackup.sandbox.postgres import StorageError
from manabackup.sandbox.record import record_of, record_of_mapping
from manabackup.text.jsontext import Number

NAMES = st.text(st.characters(exclude_characters="\x00"), max_size=5)
TEXTS = NAMES.filter(bool)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**65), 2**65) | st.floats(allow_nan=False, allow_infinity=False) | NAMES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=10,
)
FIELDS = st.dictionaries(NAMES, st.fixed_dictionaries({"value": VALUES}, optional={"at": NAMES, "updatedAt": NAMES}))
CHANGES = st.fixed_dictionaries(
    {"table": TEXTS, "id": TEXTS, "op": st.sampled_from(["insert", "update", "delete"])},
    optional={
        "data": st.dictionaries(NAMES, VALUES, max_size=3),
        "fields": FIELDS,
        "deletedAt": NAMES,
        "spaceId": NAMES,
        "actor": st.none() | st.dictionaries(TEXTS, NAMES | st.integers(), max_size=3),
        "origin": NAMES,
        "schemaVersion": st.integers(-1, 9),
    },
)


def insert(record_id: str, **members: Any) -> dict[str, Any]:
    return {"table": "t", "id": record_id, "op": "insert", **members}


def ids(log: ChangeLog, user: str = "u", spaces: frozenset[str] = frozenset(), since_us: int = 0) -> list[str]:
    rows = log.pull("app", "t", Asked(user, spaces, "reader", since_us, 1_000))
    return [json.loads(row.wire())["id"] for row in rows]


@given(CHANGES)
@example({**insert("0"), "actor": {"\ud800": ""}})
def test_a_change_put_in_past_http_is_kept_as_a_pushed_one(change: dict[str, Any]) -> None:
    (pushed,) = decode(json.dumps({"changes": [change]}).encode()).changes
    try:
        expected = record_of(pushed)
    except StorageError:
        with pytest.raises(StorageError):
            record_of_mapping(change)
    else:
        assert record_of_mapping(change) == expected


def test_numbers_and_surrogates_change_in_bulk_as_they_do_in_a_push() -> None:
    record = record_of_mapping(
        insert(
            "1",
            data={"big": 2**53 + 1, "exact": Number("1.10"), "float": 1e21, "lone": "a\ud83d", "z": {"\udc00": -0.0}},
        )
    )
    data = '{"big":9007199254740992,"exact":1.1,"float":1e+21,"lone":"a\ufffd","z":{"\ufffd":0}}'
    assert record.body == f'"table":"t","id":"1","op":"insert","data":{data}'.encode()


@pytest.mark.parametrize(
    "change", [insert("\x00"), insert("1", data={"a": ["\x00"]}), insert("1", actor={"a": "\x00"})]
)
def test_a_nul_is_refused(change: dict[str, Any]) -> None:
    log = ChangeLog()
    with pytest.raises(StorageError):
        log.append("u", "c", "app", change)
    assert log.count() == 0
    log.close()


def test_a_text_that_only_looks_like_an_escaped_nul_is_kept() -> None:
    assert rb"\\u0000" in record_of_mapping(insert("1", data={"a": "\\u0000"})).body


def test_times_given_by_the_log_rise_even_when_the_clock_stands_or_goes_back() -> None:
    times = iter((5_000_000, 5_000_000, 3_000_000, *[3_000_000] * 20))
    log = ChangeLog(clock=lambda: next(times))
    log.append_many(StoredChange("u", "c", "app", insert(str(number))) for number in range(3))
    rows = log.pull("app", "t", Asked("u", frozenset(), "reader", 0, 10))
    assert [row.created_at_us for row in rows] == [5_000, 5_001, 5_002]
    assert log.now_ns() > 5_002_000
    log.close()


def test_given_times_decide_the_order_and_ties_keep_the_order_of_arrival() -> None:
    log = ChangeLog()
    log.append_many(
        StoredChange("u", "c", "app", insert(name), at) for name, at in [("b", 20), ("c", 20), ("a", 10), ("d", 20)]
    )
    assert ids(log) == ["a", "b", "c", "d"]
    assert ids(log, since_us=10) == ["b", "c", "d"]
    assert ids(log, since_us=20) == []
    log.close()


def test_a_row_is_visible_to_its_author_and_to_members_of_its_space() -> None:
    log = ChangeLog()
    log.append("u", "c", "app", insert("own"))
    log.append("v", "c", "app", insert("shared", spaceId="s"))
    log.append("v", "c", "app", insert("in data only", data={"spaceId": "s"}))
    log.append("v", "c", "app", insert("private"))
    log.append("u", "reader", "app", insert("own device"))
    assert ids(log) == ["own"]
    assert ids(log, spaces=frozenset({"s", "other"})) == ["own", "shared", "in data only"]
    log.close()


def test_events_can_be_removed_replaced_and_counted() -> None:
    log = ChangeLog()
    event = log.append("u", "c", "app", insert("a"), created_at_us=1)
    log.append("u", "c", "other", insert("b"), created_at_us=2)
    log.append("v", "c", "app", insert("c", spaceId="s"), created_at_us=3)
    assert log.activity("u") == [("app", "t", 1, 1), ("other", "t", 1, 2)]
    log.forget(event)
    log.append("u", "c", "app", insert("another"), created_at_us=1, event_id=event)
    assert ids(log) == ["another"]
    assert (log.count(), log.count("app"), log.erase("u"), log.count()) == (3, 2, 2, 1)
    log.close()


def test_a_log_in_a_file_is_there_again_and_goes_on_behind_its_last_row(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite3"
    log = ChangeLog(path)
    log.append("u", "c", "app", insert("first"))
    log.close()
    log = ChangeLog(path, clock=lambda: 0)
    log.append("u", "c", "app", insert("second"), created_at_us=None)
    assert sorted(ids(log)) == ["first", "second"]
    log.close()
    with pytest.raises(sqlite3.ProgrammingError):
        log.count()


def test_a_long_stream_of_changes_is_stored_while_it_comes() -> None:
    log = ChangeLog()

    def endless_until_seen() -> Any:
        number = 0
        while log.count() == 0:
            number += 1
            yield StoredChange("u", "c", "app", insert(str(number)))

    assert log.append_many(endless_until_seen()) == log.count() > 0
    log.close()
