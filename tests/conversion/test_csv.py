"""``csv``: read by Python's ``csv`` and by DuckDB."""

from __future__ import annotations

import csv
import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.conversion.csv_records import guarded
from manabackup.conversion.options import ConvertOptions
from manabackup.model import modules
from manabackup.operations.archives.readable import Converted, convert_to

from .archives import Tables, rows_of, write_archive
from .queries import ask

HOSTILE = ["=cmd|' /C calc'!A0", "+1+1", "-2", "@SUM(A1)", "\t=1", " =1", "\r=1", "＝1", "'quoted", "a;b", 'say "so"']


def convert(source: Path, target: Path, **options: Any) -> Converted:
    return convert_to(source, "csv", target, options=ConvertOptions(**options))


def records(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        csv.field_size_limit(10**9)
        return list(csv.DictReader(file, strict=True))


@pytest.fixture(scope="module")
def folder(life: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("csv") / "life"
    convert(life, path, language="de")
    return path


def test_every_row_is_there(life: Path, folder: Path) -> None:
    seen = 0
    for table, rows in rows_of(life).items():
        path = folder / f"{table}.csv"
        bin_path = "isDeleted" if table in ("files", "storageFolders") else ""
        live = {identifier: row for identifier, row in rows.items() if not row.get(bin_path)}
        if not path.exists():
            assert not live or table in TECHNICAL, table
            continue
        model = modules.load().table(table)
        secrets = model.secrets if model is not None else {"unlistedToken"}
        found = {record["id"]: record for record in records(path)}
        assert found.keys() == live.keys()
        for identifier, row in live.items():
            for name, value in row.items():
                readable = isinstance(value, str) and not value.startswith("enc:1:") and name not in secrets
                if readable and name in found[identifier]:
                    whole = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
                    assert found[identifier][name] in (whole, f"'{whole}")
                elif readable:
                    assert json.loads(found[identifier]["more"])[name] == value
            seen += 1
    assert seen > 600


TECHNICAL = {
    "articleImportJobs",
    "articleImportItems",
    "articleExtractPickup",
    "lastsCooldown",
    "newsReactions",
    "spaceMembers",
    "writingGenerations",
}


def test_another_reader_finds_the_same(folder: Path) -> None:
    for name in ("tasks", "notes", "invoices"):
        path = folder / f"{name}.csv"
        options = "header = true, all_varchar = true, strict_mode = true"
        sql = f"SELECT count(*), count(DISTINCT id) FROM read_csv('{path}', {options})"
        assert ask(sql) == [(len(records(path)),) * 2]


def test_numbers_are_numbers_to_a_spreadsheet(tmp_path: Path) -> None:
    tables: Tables = {
        "invoices": [
            {
                "id": "i",
                "number": "2026-0001",
                "currency": "CHF",
                "totals": {"net": 10000, "vat": 810, "gross": 10810},
                "lines": [
                    {"id": "l", "title": "Work", "quantity": 1.5, "unit": "h", "unitPrice": 5000, "vatRate": 8.1},
                    {"id": "m", "title": "Trip", "quantity": 1, "unitPrice": 2505},
                ],
            }
        ],
        "transactions": [{"id": "t", "amount": 12.5, "type": "expense"}],
    }
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out")
    sql = f"SELECT sum(\"totals.gross_decimal\") FROM read_csv('{tmp_path}/out/invoices.csv')"
    assert ask(sql) == [(108.10,)]
    sql = f"SELECT line, title, quantity, \"unitPrice\", currency FROM read_csv('{tmp_path}/out/invoices.lines.csv')"
    assert ask(sql) == [(1, "Work", 1.5, 50.0, "CHF"), (2, "Trip", 1.0, 25.05, "CHF")]
    (record,) = records(tmp_path / "out" / "transactions.csv")
    assert (record["amount"], record["amount_decimal"], record["amount_currency"]) == ("12.5", "-12.5", "EUR")


def test_labels_times_and_tags_stand_beside_values(tmp_path: Path) -> None:
    tables: Tables = {
        "globalTags": [{"id": "t1", "name": "garden"}],
        "taskLabels": [{"id": "x", "taskId": "a", "labelId": "t1"}],
        "tasks": [{"id": "a", "title": "Weed", "priority": "urgent", "unheard": [1, {"of": 2}]}],
        "timeBlocks": [{"id": "b", "startDate": "2026-05-01T09:00:00", "endDate": None, "allDay": True}],
        "events": [{"id": "e", "title": "Fair", "timeBlockId": "b"}],
        "contacts": [{"id": "c", "tagIds": ["t1"], "tags": ["old"]}],
    }
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out", language="de")
    (task,) = records(tmp_path / "out" / "tasks.csv")
    assert (task["priority"], task["priority_label"], task["tag_names"]) == ("urgent", "Dringend", "garden")
    assert json.loads(task["more"]) == {"unheard": [1, {"of": 2}]}
    assert (task["created"], task["modified"]) == ("2026-01-01T10:00:00.000Z", "2026-02-01T10:00:00.000Z")
    (event,) = records(tmp_path / "out" / "events.csv")
    assert (event["starts"], event["ends"], event["all_day"]) == ("2026-05-01T09:00:00", "", "true")
    (contact,) = records(tmp_path / "out" / "contacts.csv")
    assert (contact["tag_names"], contact["tags"]) == ("garden; old", "old")


def test_an_inventory_has_its_own_columns(tmp_path: Path) -> None:
    fields = [{"id": "f2", "name": "Colour", "type": "text", "order": 1}, {"id": "f1", "name": "Size", "order": 0}]
    tables: Tables = {
        "invCollections": [{"id": "k", "name": "Books: A/B", "schema": {"fields": fields}}],
        "invCategories": [{"id": "g", "name": "Novels"}],
        "invItems": [
            {
                "id": "i",
                "name": "Momo",
                "collectionId": "k",
                "categoryId": "g",
                "status": "lent",
                "fieldValues": {"f1": 7, "f2": "red"},
                "purchaseData": {"price": 9.99, "currency": "EUR"},
            },
            {"id": "j", "name": "Lost", "collectionId": "gone"},
            {"id": "l", "name": "Loose"},
        ],
    }
    result = convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out")
    (book,) = records(tmp_path / "out" / "Inventory" / "Books- A-B.csv")
    assert (book["Size"], book["Colour"], book["category"], book["status"]) == ("7", "red", "Novels", "Lent")
    assert (book["price"], book["currency"]) == ("9.99", "EUR")
    assert list(book)[-2:] == ["Size", "Colour"]
    (loose,) = records(tmp_path / "out" / "Inventory" / "Inventory.csv")
    assert loose["name"] == "Loose"
    assert result.left_out.to_json() == {"dangling": {"invItems": 1}}
    assert {record["name"] for record in records(tmp_path / "out" / "invItems.csv")} == {"Momo", "Lost", "Loose"}


@pytest.mark.parametrize("raw", [False, True])
def test_no_cell_is_computed_unless_a_program_reads_it(tmp_path: Path, raw: bool) -> None:
    tables: Tables = {"notes": [{"id": f"n{number:02}", "title": title} for number, title in enumerate(HOSTILE)]}
    convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out", raw=raw)
    found = [record["title"] for record in records(tmp_path / "out" / "notes.csv")]
    if raw:
        assert found == HOSTILE
    else:
        assert [cell.removeprefix("'") if cell.startswith("'") else cell for cell in found] == HOSTILE
        assert sum(cell.startswith("'") for cell in found) == 8


def test_numbers_and_telephones_stay_as_they_are() -> None:
    for cell in ("-12.5", "+49 221 1234", "+41 (44) 123-45", "-7"):
        assert guarded(cell) == cell
    for cell in ("-12.5+A1", "=1", "+A1", "-cmd|x"):
        assert guarded(cell) == f"'{cell}"


@given(st.text(min_size=1))
def test_the_guard_can_be_taken_off_again(cell: str) -> None:
    found = guarded(cell)
    assert (found[1:] if found.startswith("'") else found) == cell


def test_excel_and_everybody_else(tmp_path: Path) -> None:
    source = write_archive(tmp_path / "a.mana", {"notes": [{"id": "n", "title": "Äpfel"}]})
    convert(source, tmp_path / "excel", excel=True)
    convert(source, tmp_path / "plain")
    excel, plain = ((tmp_path / name / "notes.csv").read_bytes() for name in ("excel", "plain"))
    assert excel == b"\xef\xbb\xbf" + plain
    assert plain.endswith(b"\r\n")


def test_the_readme_says_what_is_where_and_what_is_not(folder: Path) -> None:
    text = (folder / "README.txt").read_text("utf-8")
    assert "tasks.csv: Aufgaben" in text
    assert "Was CSV nicht fasst" in text
    assert "Felder, die noch verschlüsselt sind" in text


def test_hostile_names_of_tables_and_half_characters(tmp_path: Path) -> None:
    notes = [{"id": "a", "title": "half \ud83d"}]
    tables: Tables = {"../x": [{"id": "a"}], "notes": notes, "CON": [{"id": "b"}], "con": [{"id": "c"}]}
    result = convert(write_archive(tmp_path / "a.mana", tables), tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert len(names) == 5
    assert not {name.casefold() for name in names} & {"con.csv"}
    assert result.left_out.to_json() == {"altered": {"notes": 1}}
    assert not (tmp_path / "x.csv").exists()


def test_the_folder_is_the_owners_and_the_same_each_time(life: Path, folder: Path, tmp_path: Path) -> None:
    convert(life, tmp_path / "again", language="de")
    assert stat.S_IMODE((tmp_path / "again").stat().st_mode) == 0o700
    for path in (tmp_path / "again").rglob("*.csv"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert path.read_bytes() == (folder / path.relative_to(tmp_path / "again")).read_bytes()
