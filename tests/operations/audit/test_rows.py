"""Whose rows are, when they were written, and where their references lead."""

from __future__ import annotations

import tempfile
import tracemalloc
from pathlib import Path

import pytest

from manabackup.limits import MIB
from manabackup.mirror import LossKind
from manabackup.model import registry
from manabackup.model.projection import Record
from manabackup.operations.audit import references
from manabackup.operations.audit.findings import Findings
from tests.support.audited import OTHER_USER, TEAM, USER, T, cases, delete, insert, looked_at, only, sealed, update

# --- whose rows -------------------------------------------------------------------------------------------------------


def test_rows_with_two_owners_and_rows_of_others_are_found(tmp_path: Path) -> None:
    found = looked_at(
        tmp_path,
        [
            insert("tasks", "both", {"userId": USER}),
            insert("userSettings", "settings-global", {"theme": "dark"}, spaceId=TEAM),
            insert("spaceMembers", "data", {"userId": OTHER_USER}),
            insert("tasks", "pushed", {"authorId": OTHER_USER}),
            insert("tasks", "theirs", {"authorId": OTHER_USER, "spaceId": TEAM}),
            insert("tasks", "mine", {"authorId": USER}),
        ],
    )
    assert cases(found) == {
        ("twoOwners", "tasks", "both", None),
        ("twoOwners", "userSettings", "settings-global", None),
        ("strangeAuthor", "tasks", "pushed", None),
        ("memberRow", "tasks", "theirs", None),
    }


def test_S10_times_beyond_tomorrow_are_found_in_whatever_form_they_win(tmp_path: Path) -> None:
    found = looked_at(
        tmp_path,
        [
            insert("tasks", "years", {"order": 1}, "2031-01-01T00:00:00.000Z"),
            insert("tasks", "today", {"order": 1}, "2026-06-02T11:59:59.999Z"),
            insert("tasks", "field", {"order": 1}),
            update("tasks", "field", {"order": 2}, "2026-06-02T12:00:00.001Z"),
            insert("tasks", "words", {"order": 1}, "morgen"),
            insert("tasks", "digits", {"order": 1}, "1780000000000"),
        ],
    )
    assert only(cases(found), "futureTime") == [
        ("tasks", "field", None),
        ("tasks", "words", None),
        ("tasks", "years", None),
    ]


# --- references -------------------------------------------------------------------------------------------------------


def test_references_are_followed_through_fields_lists_and_junctions(tmp_path: Path) -> None:
    found = looked_at(
        tmp_path,
        [
            insert("notes", "n", {"title": sealed()}),
            insert("noteTags", "whole", {"noteId": "n", "tagId": "tag"}),
            insert("noteTags", "broken", {"noteId": "nowhere", "tagId": "no-tag"}),
            insert("globalTags", "tag", {"name": sealed()}),
            insert("reminders", "r", {"taskId": "elsewhere"}),
            insert("bodyRoutines", "b", {"exerciseIds": ["e1", "e2", "e3", 7, None]}),
            insert("bodyExercises", "e1", {}),
            insert("events", "e", {"calendarId": "personal-calendar", "timeBlockId": None, "tagIds": ["tag", "?"]}),
            insert("tasks", "t", {"projectId": "p"}),
            insert("todoProjects", "p", {}),
            delete("todoProjects", "p", T[1]),
            insert("reminders", "in the bin", {"taskId": "elsewhere"}),
            delete("reminders", "in the bin", T[1]),
        ],
    )
    assert only(cases(found), "danglingReference") == [
        ("bodyRoutines", "b", "exerciseIds"),
        ("noteTags", "broken", "noteId"),
        ("reminders", "r", "taskId"),
    ]
    assert only(cases(found), "danglingTag") == [("events", "e", "tagIds"), ("noteTags", "broken", "tagId")]
    assert only(cases(found), "referenceToDeleted") == [("tasks", "t", "projectId")]
    finding = found.finding("danglingReference")
    assert finding is not None
    assert finding.tables == {"bodyRoutines": 2, "noteTags": 1, "reminders": 1}
    assert {case["reason"] for case in finding.cases} == {"bodyExercises", "notes", "tasks"}


def test_a_reference_that_a_newer_app_encrypts_is_followed_with_the_key(tmp_path: Path) -> None:
    stored = [
        insert("reminders", "leads", {"taskId": sealed("t")}),
        insert("reminders", "leads nowhere", {"taskId": sealed("?")}),
        insert("tasks", "t", {}),
    ]
    assert cases(looked_at(tmp_path, stored)) == {("danglingReference", "reminders", "leads nowhere", "taskId")}
    assert only(cases(looked_at(tmp_path, stored, locked=True)), "danglingReference") == []


def test_what_leads_into_a_table_that_the_server_cannot_read_is_not_judged(tmp_path: Path) -> None:
    stored = [insert("reminders", "r", {"taskId": "unread"})]
    found = looked_at(tmp_path, stored, losses=[(LossKind.UNREADABLE_PAGE, "todo", "tasks")])
    assert cases(found) == {("unreadablePage", "tasks", None, None)}


def test_many_references_to_one_row_cost_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "_BUDGET", MIB)
    known = registry.load()
    search = references.References(known, tempfile.TemporaryFile)
    table, count = known.by_name["reminders"], 30_000
    tracemalloc.start()
    try:
        for number in range(count):
            record = Record(f"r{number}", values={"taskId": "nowhere"})
            search.add(table, record, record.values)
        findings = Findings()
        search.find(findings)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert findings.of("danglingReference").count == count
    assert peak < 6 * MIB  # of more than 10
