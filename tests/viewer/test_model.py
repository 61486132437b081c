"""What rows mean, by the page: its own tests in Node, and against others that know."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from manabackup.archive.reader import open_archive
from manabackup.conversion.search_text import SearchText
from manabackup.model import modules
from manabackup.model.tables import TableModel
from manabackup.sandbox.plan import Plan
from manabackup.text import jsontext
from manabackup.text.folding import fold, words_of
from tests.conversion.archives import write_account

from . import example
from .reading import NODE, needs_node

pytestmark = needs_node

MODEL = Path(__file__).with_name("model")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
DAYS = st.dates(date(2019, 1, 1), date(2027, 12, 31))


def node(*arguments: str, asked: str = "") -> subprocess.CompletedProcess[str]:
    assert NODE is not None
    environment = {**os.environ, "TZ": "Europe/Berlin"}
    return subprocess.run([NODE, *arguments], input=asked, capture_output=True, text=True, env=environment, check=False)


def answers(*calls: dict[str, Any]) -> list[Any]:
    done = node(str(MODEL / "answer.mjs"), asked=json.dumps(calls))
    assert done.returncode == 0, done.stderr
    found: list[Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("file", sorted(path.name for path in MODEL.glob("*.test.js")))
def test_in_node(file: str) -> None:
    done = node("--test", str(MODEL / file))
    assert done.returncode == 0, done.stdout


# --- series -----------------------------------------------------------------------------------------------------------


@st.composite
def series(draw: st.DrawFn) -> dict[str, Any]:
    freq = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    parts = [f"FREQ={freq}"]
    if draw(st.booleans()):
        parts.append(f"INTERVAL={draw(st.integers(1, 5))}")
    if freq == "WEEKLY" and draw(st.booleans()):
        parts.append("BYDAY=" + ",".join(draw(st.lists(st.sampled_from(WEEKDAYS), min_size=1, unique=True))))
    start = draw(DAYS)
    end = draw(st.sampled_from(["", "COUNT", "UNTIL"]))
    if end == "COUNT":
        parts.append(f"COUNT={draw(st.integers(1, 30))}")
    if end == "UNTIL":
        parts.append(f"UNTIL={draw(DAYS):%Y%m%d}T235959Z")
    first = draw(DAYS)
    span = timedelta(days=draw(st.integers(0, 400)))
    return {"rule": ";".join(parts), "start": f"{start}", "from": f"{first}", "to": f"{first + span}"}


def by_looking_at_every_day(given: dict[str, Any]) -> list[str]:
    """RFC 5545 3.3.10 for the parts that Mana writes, as slowly and plainly as can be."""
    parts = dict(part.split("=") for part in given["rule"].split(";"))
    start, first, last = (date.fromisoformat(given[key]) for key in ("start", "from", "to"))
    interval = int(parts.get("INTERVAL", 1))
    weekdays = [WEEKDAYS.index(day) for day in parts.get("BYDAY", WEEKDAYS[start.weekday()]).split(",")]
    until = date.fromisoformat(parts["UNTIL"][:8]) if "UNTIL" in parts else date.max
    monday = start - timedelta(days=start.weekday())
    found: list[date] = []
    day = start
    while day <= min(last, until) and len(found) < int(parts.get("COUNT", 10**9)):
        months = (day.year - start.year) * 12 + day.month - start.month
        hit = {
            "DAILY": (day - start).days % interval == 0,
            "WEEKLY": (day - monday).days // 7 % interval == 0 and day.weekday() in weekdays,
            "MONTHLY": day.day == start.day and months % interval == 0,
            "YEARLY": (day.month, day.day) == (start.month, start.day) and (day.year - start.year) % interval == 0,
        }
        if hit[parts["FREQ"]]:
            found.append(day)
        day += timedelta(days=1)
    return [day.isoformat() for day in found if day >= first]


@settings(max_examples=5, deadline=None, phases=[Phase.generate])  # a process each: shrinking would take minutes
@given(st.lists(series(), min_size=40, max_size=60))
def test_series_are_those_that_looking_at_every_day_finds(cases: list[dict[str, Any]]) -> None:
    found = answers(*({"what": "days", **case} for case in cases))
    for case, days in zip(cases, found, strict=True):
        assert days == by_looking_at_every_day(case), case


# --- what is taken along ----------------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20) | st.sampled_from(
    ["=1+1", "+49 30 1234", "-5", "'quoted", '"', "a,b", "\r\n", "@x", "\t=1", "＝1", "- a"]
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {"id": st.text(min_size=1, max_size=5)},
        optional={"title": TEXTS, "table": TEXTS, "content": TEXTS, "n": st.integers(), "__proto__": TEXTS},
    ),
    max_size=8,
)


def stored(rows: list[dict[str, Any]], table: str = "notes") -> list[dict[str, str]]:
    return [{"table": table, "text": json.dumps(row, ensure_ascii=False)} for row in rows]


def neutral(cell: str) -> str:
    """The text that a cell stands for: an apostrophe in front only keeps spreadsheets from computing."""
    return cell[1:] if cell.startswith("'") else cell


@settings(max_examples=5, deadline=None, phases=[Phase.generate])  # a process each: shrinking would take minutes
@given(st.lists(ROWS, min_size=10, max_size=20))
def test_csv_is_read_back_by_another_reader(batches: list[list[dict[str, Any]]]) -> None:
    written = answers(*({"what": "csv", "rows": stored(rows)} for rows in batches))
    for rows, text in zip(batches, written, strict=True):
        assert text.startswith("\ufeff")
        read = list(csv.DictReader(io.StringIO(text[1:], newline="")))
        assert len(read) == len(rows)
        for row, cells in zip(rows, read, strict=True):
            for name, value in row.items():
                cell = cells["table (field)" if name == "table" else name]
                assert neutral(cell) == str(value), (row, text)
                assert not cell.startswith(("=", "@", "＝", "＋", "－", "＠")), "no formula"


def test_json_is_exact_and_without_secrets() -> None:
    row = '{"id":"l","n":9007199254740993,"password":"geheim","title":"T","unlistedToken":"tok"}'
    (text,) = answers({"what": "json", "rows": [{"table": "links", "text": row}]})
    assert json.loads(text) == {"links": [{"id": "l", "n": 9007199254740993, "title": "T"}]}
    assert "9007199254740993" in text


def test_csv_holds_no_secrets() -> None:
    (text,) = answers({"what": "csv", "rows": stored([{"id": "l", "title": "T", "password": "geheim"}], "links")})
    assert "password" not in text
    assert "geheim" not in text


# --- the same meaning in both languages -------------------------------------------------------------------------------


def described(table: TableModel, row: dict[str, Any]) -> tuple[str | None, list[str], list[str]]:
    return table.title(row), sorted(set(table.tag_ids(row))), sorted(set(table.tag_names(row)))


def test_titles_and_tags_are_those_that_the_package_finds() -> None:
    known = modules.load()
    rows = [(name, row) for name, rows in example.example().items() for row in rows if known.table(name)]
    found = answers(*({"what": "described", "table": name, "text": json.dumps(row)} for name, row in rows))
    for (name, row), page in zip(rows, found, strict=True):
        table = known.table(name)
        assert table is not None
        title, ids, names = described(table, row)
        assert title is None or page["title"] == title, (name, row)
        assert (sorted(page["tagIds"]), sorted(page["tags"])) == (ids, names), (name, row)


def test_amounts_are_those_that_the_package_finds() -> None:
    known = modules.load()
    for name in ("invoices", "transactions", "wardrobeGarments", "timeClients", "invItems", "budgets"):
        table = known.table(name)
        assert table is not None
        amounts = (1999, 0, -5, 12.5, 0.1, 10**15 + 1)
        nested = [
            {"id": "x", "type": "expense", "currency": "CHF", "priceCents": value, "amount": value,
             "totals": {"net": value}, "billingRate": {"amount": value, "currency": "EUR"},
             "purchaseData": {"price": value, "currency": "USD"}}
            for value in amounts
        ]  # fmt: skip
        for row in nested:
            for path, sum_ in table.amounts(row):
                if "[]" in path:
                    continue
                (page,) = answers({"what": "money", "table": name, "field": path, "text": json.dumps(row)})
                assert page is not None, (name, path, row)
                assert float(page["amount"]) == float(sum_.amount), (name, path, row)
                assert page["currency"] == (sum_.currency or ""), (name, path, row)


# --- what is searched for ---------------------------------------------------------------------------------------------


@settings(max_examples=3, deadline=None, phases=[Phase.generate])  # a process each: shrinking would take minutes
@given(
    st.lists(st.text(st.characters(max_codepoint=0x2FFF, exclude_categories=["Cs", "Cn"]), max_size=30), min_size=200)
)
def test_the_command_line_folds_as_the_page_does(texts: list[str]) -> None:
    texts += ["Straße ÆØÅ Łódź ıİ ẞ ﬁ Ａ e\u0301", "Σίσυφος"]
    assert answers(*({"what": "folded", "text": text} for text in texts)) == [fold(text) for text in texts]


def test_the_command_line_searches_what_the_page_searches(tmp_path: Path) -> None:
    """Every row of an account that has some in every table."""
    path = write_account(tmp_path / "life.mana", Plan(seed=5, rows=300, lifelike=True, oddities=True))
    with open_archive(path) as archive:
        rows = [(table, row.line.decode()) for table in archive.tables for row in archive.rows(table)]
    found = answers(*({"what": "searched", "table": table, "text": line} for table, line in rows))
    described = modules.load()
    for (table, line), theirs in zip(rows, found, strict=True):
        ours = SearchText(described, table)
        values = jsontext.parse(line)
        words = set(words_of(fold("\n".join([ours.title(values), *ours.pieces(values)]))))
        assert words == set(words_of(fold(theirs))), (table, values["id"])
