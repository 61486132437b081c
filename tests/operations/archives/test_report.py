"""Reports: what an archive is and whether it is whole, in three forms and two languages, without its content."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from manabackup.errors import OlderArchiveError, UsageError, WrongPassphraseError
from manabackup.operations.archives.report import ReportFormat, report, write
from manabackup.viewer.report.words import LOSSES, WORDS, Language, note
from tests.support.exports import VECTORS
from tests.support.schemas import check
from tests.viewer import example

FORMATS: tuple[ReportFormat, ...] = ("html", "markdown", "json")
LANGUAGES: tuple[Language, ...] = ("de", "en")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("report") / "<b>&anna|_.mana"
    example.write(path, example.example(), partial=True)
    return path


def written(path: Path, form: ReportFormat, language: Language = "en", **options: Any) -> str:
    out = path.with_name(f"report-{language}.{form}")
    write(report(path, **options), out, form, language, force=True)
    return out.read_text(encoding="utf-8")


def marked(value: Any) -> Any:
    """The same with a word in every text that is no time."""
    if isinstance(value, str):
        return value if re.match(r"\d{4}-\d\d|\d\d:\d\d", value) else f"Kanarienvogel {value}"
    if isinstance(value, dict):
        return {key: marked(each) for key, each in value.items()}
    return [marked(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_word_of_a_row_stands_in_a_report(tmp_path: Path, language: Language) -> None:
    tables = {name: [marked(row) for row in rows] for name, rows in example.example().items()}
    example.write(tmp_path / "a.mana", tables)
    for form in FORMATS:
        assert "kanarienvogel" not in written(tmp_path / "a.mana", form, language).lower()


def test_the_numbers_are_those_of_the_rows(archive: Path) -> None:
    found = report(archive)
    tables = example.example()
    counted = {table.table: table.rows for app in found.apps for table in app.tables}
    assert counted == {name: len(rows) for name, rows in tables.items()}
    assert found.rows == sum(counted.values())
    activity = found.activity
    assert activity is not None
    assert sum(activity.months["journal"].values()) == len(tables["journalEntries"])
    assert activity.months["journal"]["2026-04"] == sum(
        row["entryDate"].startswith("2026-04") for row in tables["journalEntries"]
    )
    assert activity.months["notes"] == {"2026-04": 7}, "rows without a date count by their first writing"
    dated = sum(sum(months.values()) for months in activity.months.values())
    assert dated + activity.undated == found.rows


def test_json_fits_its_schema(archive: Path, tmp_path: Path) -> None:
    found = json.loads(written(archive, "json"))
    check("report", found)
    assert found["losses"] == {"undecryptable": 3}
    assert found["notices"] == {"unknownCollection": 1}
    assert found["status"] == "partial"
    (tmp_path / "no.mana").write_bytes(b"no archive")
    check("report", report(tmp_path / "no.mana").to_json())


@pytest.mark.parametrize("language", LANGUAGES)
def test_html_runs_nothing_and_loads_nothing(archive: Path, language: Language) -> None:
    text = written(archive, "html", language)
    assert "default-src 'none'" in text
    assert re.findall(r"<script|\bon\w+=|src=|href=|url\(|@import", text) == []
    assert "&lt;b&gt;&amp;anna" in text, "a file's name is text"
    assert LOSSES["undecryptable"][1][LANGUAGES.index(language)] in text.replace("&#39;", "'"), (
        "what to do stands there"
    )


def test_notes_of_the_check_are_said_in_german_too() -> None:
    encrypted = "fields that the writer could not open are still encrypted, in 1,305 rows"
    text, language = note(encrypted, "de")
    assert (language, text.endswith("1.305"), "verschlüsselt" in text) == ("de", True, True)
    assert note("unknown entry a,b", "de") == ("Unbekannte Datei darin: a,b", "de")
    for other in (encrypted, "something new"):
        assert note(other, "en") == (other, "en")
    assert note("something new", "de") == ("something new", "en"), "and marked as what it is"


def test_what_mana_keeps_for_itself_stands_last(archive: Path) -> None:
    groups = [group for _, group in dict.fromkeys(app.group for app in report(archive).apps)]
    assert groups[-2:] == ["System", "Others"]
    assert groups[0] == "Life"


def test_markdown_takes_names_for_nothing_else(archive: Path) -> None:
    text = written(archive, "markdown")
    assert text.startswith("# Report on an archive: \\<b\\>\\&anna\\|\\_.mana\n")
    tables = [line for line in text.splitlines() if line.startswith("|")]
    assert all(line.endswith("|") for line in tables)


def test_a_damaged_archive_gets_a_report_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "sealed.mana"
    example.write(path, {"notes": example.notes()}, passphrase=example.PASSPHRASE)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = report(path, lambda: example.PASSPHRASE)
    assert not found.whole
    assert found.problems
    assert found.activity is None
    for form in FORMATS:
        assert found.problems[0][0] in written(path, form, passphrase=lambda: example.PASSPHRASE)


def test_a_sealed_archive_needs_its_passphrase_once(tmp_path: Path) -> None:
    path = tmp_path / "sealed.mana"
    example.write(path, {"notes": example.notes()}, passphrase=example.PASSPHRASE)
    asked: list[str] = []

    def ask() -> str:
        asked.append("asked")
        return example.PASSPHRASE

    assert report(path, ask).whole
    assert asked == ["asked"]
    with pytest.raises(WrongPassphraseError):
        report(path, lambda: "wrong")
    with pytest.raises(UsageError):
        report(path)


def test_an_archive_of_version_1_is_converted_first() -> None:
    cases = sorted((VECTORS.parent / "v1").rglob("*.mana"))
    assert cases
    with pytest.raises(OlderArchiveError):
        report(cases[0])


def test_the_latest_audit_comes_along(archive: Path, tmp_path: Path) -> None:
    finding = {"id": "plaintext", "severity": "warning", "title": "Plain <fields>", "count": 2, "advice": "Edit them."}
    audit = {"userId": "u", "pulledAt": "2026-05-01T12:00:00Z", "errors": 0, "warnings": 2, "notes": 0}
    path = tmp_path / "audit.json"
    path.write_text(json.dumps({**audit, "findings": [{**finding, "cases": [{"id": "secret-id"}]}]}))
    html = written(archive, "html", "de", audit=path)
    assert "Plain &lt;fields&gt;" in html
    assert "secret-id" not in html
    check("report", report(archive, audit=path).to_json())
    path.write_text(json.dumps({**audit, "findings": []}))
    assert WORDS["audit_clean"][1] in written(archive, "markdown", audit=path)


@pytest.mark.parametrize("content", [b"", b"[]", b'{"findings": 3}', b'{"findings": [{"id": 1}]}', b"\xff"])
def test_what_is_no_audit_is_refused(archive: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "audit.json").write_bytes(content)
    with pytest.raises(UsageError):
        report(archive, audit=tmp_path / "audit.json")
    with pytest.raises(UsageError):
        report(archive, audit=tmp_path / "nowhere.json")
