"""``demo --sources``: rows of one of two invented people out of a PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from manabackup.archive.reader import open_archive
from manabackup.errors import UsageError
from manabackup.operations import invented_database as invented
from tests.support.databases import server as server
from tests.support.processes import CommandLine


def test_it_takes_out_what_is_one_person_s_and_leaves_nothing_behind(server: str, tmp_path: Path) -> None:
    run = CommandLine(tmp_path)
    tour = tmp_path / "tour"
    done = run("demo", "--sources", "--keep", str(tour), "--json", env={"MANABACKUP_DSN": server})
    assert done.code == 0, done.err
    assert [step["exitCode"] for step in done.record["steps"]] == [0] * 5
    with open_archive(tour / "anna.mana") as archive:
        lines = [row.line for table in archive.tables for row in archive.rows(table)]
    assert sum(b" of anna" in line for line in lines) > 50
    assert {path.name for path in (tour / "everybody").iterdir()} == {
        *("anna.mana", "ben.mana", "ledger.jsonl", "summary.json")
    }
    with psycopg.connect(server) as connection:
        assert not connection.execute("SELECT 1 FROM pg_database WHERE datname LIKE 'manabackup_demo%'").fetchall()
    again = run("demo", "--sources", "--keep", str(tour), env={"MANABACKUP_DSN": server})
    assert (again.code, "exists" in again.err) == (17, True)


def test_a_server_that_is_not_there_is_one_clear_line(tmp_path: Path) -> None:
    run = CommandLine(tmp_path)
    done = run("demo", "--sources", "--keep", str(tmp_path / "tour"), env={"MANABACKUP_DSN": f"host={tmp_path}"})
    assert done.code == 14
    assert done.err.startswith("error: the invented database cannot be made")
    assert "Traceback" not in done.err


def test_without_any_postgresql_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invented, "binaries", lambda: None)
    with pytest.raises(UsageError, match="there is no PostgreSQL"), invented.invented_database(None):
        pass
