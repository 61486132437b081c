"""What readers of rows ask of a table's description: titles, dates, tags, labels, money, places."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.model import modules
from manabackup.model.tables import Money, TableModel
from manabackup.model.values import decimal, moment, shortened, values_at
from manabackup.text import jsontext
from manabackup.text.jsontext import JSON, Number


def table(name: str) -> TableModel:
    found = modules.load().table(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-05-01", date(2026, 5, 1)),
        ("2026-04-30T22:00:00.000Z", datetime(2026, 4, 30, 22, tzinfo=UTC)),
        ("2026-05-01T00:30:00+02:00", datetime(2026, 4, 30, 22, 30, tzinfo=UTC)),
        ("2026-05-01T09:00", datetime(2026, 5, 1, 9)),  # noqa: DTZ001 - a local clock
        ("2026-05-01T09:00:00.1234567", datetime(2026, 5, 1, 9, 0, 0, 123456)),  # noqa: DTZ001
        ("2026-05", date(2026, 5, 1)),
        ("07:45", time(7, 45)),
        ("", None),
        ("0000-01-01", None),
        ("99999-01-01", None),
        ("2026-02-30", None),
        ("2026-05-01T25:00:00Z", None),
        ("2026-05-01T09:00:00 Europe/Berlin", None),
        ("0001-01-01T00:00:00+02:00", None),
        ("٢٠٢٦-05-01", None),
        ("tomorrow", None),
        (5, None),
        (True, None),
        ({"a": 1}, None),
    ],
)
def test_a_date_is_read_by_its_own_form(text: JSON, expected: object) -> None:
    found = moment(text)
    assert found == expected
    assert type(found) is type(expected)


def test_numbers_are_times_where_the_table_says_so() -> None:
    assert moment(1_777_593_600_000, "epoch-ms") == datetime(2026, 5, 1, tzinfo=UTC)
    assert moment(10**20, "epoch-ms") is None
    assert table("wetterLocations").all_dates({"createdAt": 0}) == {"createdAt": datetime(1970, 1, 1, tzinfo=UTC)}


def test_an_event_has_the_time_of_its_block() -> None:
    events = table("events")
    assert events.date({"timeBlockId": "b"}) is None
    assert events.date({}, {"startDate": "2026-05-01T09:00:00"}) == datetime(2026, 5, 1, 9)  # noqa: DTZ001


def test_a_title_is_what_the_owner_gave() -> None:
    contacts = table("contacts")
    assert contacts.title({"firstName": " Ada ", "lastName": "Lovelace"}) == "Ada Lovelace"
    assert contacts.title({"firstName": "", "company": "Analytical", "email": "a@example.org"}) == "Analytical"
    assert contacts.title({"firstName": None, "email": "a@example.org"}) == "a@example.org"
    assert contacts.title({}) is None
    assert table("slides").title({"content": {"title": "One"}}) == "One"
    assert table("slides").title({"content": ["no object"]}) is None


def test_where_a_title_is_missing_something_else_names_the_row() -> None:
    journal = table("journalEntries")
    assert journal.heading({"title": "", "content": "\n\nFirst line\nsecond"}, "de") == "First line"
    assert journal.heading({"entryDate": "2026-05-01"}, "de") == "Tagebuch 2026-05-01"
    assert journal.heading({"entryDate": "2026-05-01"}, "en") == "Journal 2026-05-01"
    assert journal.heading({"title": {"odd": 1}}, "en") == "Journal"


def test_values_have_labels_and_unknown_ones_none() -> None:
    tasks = table("tasks")
    assert tasks.value_label("priority", "urgent", "de") == "Dringend"
    assert tasks.value_label("priority", "urgent", "en") == "Urgent"
    assert tasks.value_label("priority", "extreme", "de") is None
    assert tasks.value_label("priority", ["urgent"], "de") is None
    assert table("firsts").value_label("priority", 3, "en") == "ASAP"


def test_money_is_exact_whatever_it_was_written_in() -> None:
    assert list(table("transactions").amounts({"amount": Number("12.10"), "type": "expense"})) == [
        ("amount", Money(Decimal("-12.10"), "EUR", None))
    ]
    invoice = {"currency": "CHF", "totals": {"net": 12345}, "lines": [{"unitPrice": 5}, {"unitPrice": "free"}, 7]}
    assert list(table("invoices").amounts(invoice)) == [
        ("totals.net", Money(Decimal("123.45"), "CHF", None)),
        ("lines[].unitPrice", Money(Decimal("0.05"), "CHF", None)),
    ]
    project: dict[str, JSON] = {
        "billingRate": {"amount": 90, "currency": "EUR", "per": "hour"},
        "budget": {"type": "hours", "amount": 40, "currency": "EUR"},
    }
    assert list(table("timeProjects").amounts(project)) == [("billingRate.amount", Money(Decimal(90), "EUR", "hour"))]
    project["budget"]["type"] = "fixed"
    assert [path for path, _ in table("timeProjects").amounts(project)] == ["billingRate.amount", "budget.amount"]


@pytest.mark.parametrize("value", [True, "5", None, Number("1e400"), Number("1e-999999"), float("inf")])
def test_what_is_no_amount_is_none(value: JSON) -> None:
    assert decimal(value) is None


def test_tags_stand_in_several_places() -> None:
    contacts = table("contacts")
    row: dict[str, JSON] = {"tagIds": ["t1", "t1", 5, ""], "tags": ["old"]}
    assert contacts.tag_ids(row) == ["t1"]
    assert contacts.tag_names(row) == ["old"]
    assert contacts.tags is not None
    assert contacts.tags.junctions == ("contactTags",)
    assert table("tasks").tag_ids({"metadata": {"labelIds": ["t2"]}}) == ["t2"]
    assert table("timeEntries").tag_names({"tags": ["t3"]}) == []
    labels = modules.load().junctions["taskLabels"]
    assert labels.pair({"taskId": "a", "labelId": "t"}) == ("a", "t")
    assert labels.pair({"taskId": "a", "tagId": "n", "labelId": "t"}) == ("a", "n")
    assert labels.pair({"taskId": "a"}) is None


def test_no_place_is_on_the_gulf_of_guinea() -> None:
    places = table("places")
    assert places.place({"latitude": Number("52.5"), "longitude": Number("13.4")}) == (Decimal("52.5"), Decimal("13.4"))
    assert places.place({"latitude": 0, "longitude": 0}) is None
    assert places.place({"latitude": 91, "longitude": 0}) is None
    assert places.place({"latitude": 1}) is None
    log = {"latitude": 1, "longitude": 2, "altitude": 3}
    assert table("locationLogs").place(log) == (Decimal(1), Decimal(2), Decimal(3))
    assert table("tasks").place({}) is None


def test_the_bin_is_where_the_app_has_it() -> None:
    assert table("files").in_bin({"isDeleted": True})
    assert not table("files").in_bin({"isDeleted": False})
    assert table("tasks").in_bin({"deletedAt": "2026-05-01T00:00:00.000Z"})
    assert not table("tasks").in_bin({"isDeleted": True})


def test_a_path_leads_through_lists() -> None:
    assert list(values_at({"a": [{"b": 1}, {"b": None}, {}, 5, {"b": 2}]}, "a[].b")) == [1, 2]
    assert list(values_at({"a": {"b": 1}}, "a.b")) == [1]
    assert list(values_at({"a": 1}, "a[]")) == []
    assert list(values_at({"a": [None, 1]}, "a[]")) == [1]


def test_a_long_text_is_cut_between_words() -> None:
    assert shortened("a" * 100, 10) == "a" * 9 + "…"
    assert shortened("one two three four", 12) == "one two…"
    assert shortened(" \n\n short ") == "short"
    assert shortened("") == ""


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda members: st.lists(members, max_size=3) | st.dictionaries(st.text(max_size=3), members, max_size=3),
    max_leaves=8,
)


@given(st.data())
def test_nothing_in_a_row_makes_a_reader_fail(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(modules.load().names))
    described = table(name)
    heads = sorted({path.split(".")[0].removesuffix("[]") for path in described.fields} | {"id", "deletedAt"})
    row: dict[str, Any] = jsontext.parse(jsontext.dumps(data.draw(st.dictionaries(st.sampled_from(heads), _JSON))))
    described.title(row)
    assert described.heading(row, "de")
    described.all_dates(row)
    described.date(row, row)
    described.tag_ids(row)
    described.tag_names(row)
    list(described.amounts(row))
    described.place(row)
    described.in_bin(row)
