"""Incremental runs while others write: a change that commits late is not missed, nor is a run that was killed."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from random import Random

import psycopg

from manabackup.archive.reader import open_archive
from manabackup.mirror import Mirror
from manabackup.operations.account.state import StateFolder
from manabackup.operations.operator import DatabasePlaces, export_user
from manabackup.text.timestamps import parse_timestamp

from .test_database import ANNA, put
from .test_database import mana as mana

RUNS = int(os.environ.get("MANABACKUP_RACES", "8"))
"""A hundred overnight."""
WRITERS = 4


def test_no_late_commit_is_missed(mana: str, state: StateFolder, tmp_path: Path) -> None:
    stop = threading.Event()
    written: list[set[str]] = [set() for _ in range(WRITERS)]

    def write(number: int) -> None:
        rng = Random(number)
        with psycopg.connect(mana) as connection:
            while not stop.is_set():
                with connection.transaction():
                    # What other writers do meanwhile has later times, and is seen earlier.
                    connection.execute(b"SELECT now()")
                    time.sleep(rng.choice((0, 0, 0.002, 0.05)))
                    record = f"n-{number}-{len(written[number])}"
                    connection.execute(
                        b"INSERT INTO sync_changes (app_id, table_name, record_id, user_id, op, data, client_id)"
                        b" VALUES ('notes', 'notes', %s, 'u-anna', 'insert', '{}', 'c')",
                        (record,),
                    )
                written[number].add(record)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for thread in threads:
        thread.start()
    try:
        for _ in range(RUNS):
            seen = set().union(*map(frozenset, written))
            done = export_user(DatabasePlaces(mana), ANNA, tmp_path / "a.mana", state, force=True)
            assert done.watermark.exact
            assert seen <= rows(tmp_path / "a.mana")
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    export_user(DatabasePlaces(mana), ANNA, tmp_path / "a.mana", state, force=True)
    assert rows(tmp_path / "a.mana") == set().union(*written)


def test_a_clock_that_went_back_hides_nothing(mana: str, state: StateFolder, tmp_path: Path) -> None:
    put(mana, "n-1", created_at="2026-01-01T00:00:00Z")
    export_user(DatabasePlaces(mana), ANNA, tmp_path / "a.mana", state)
    (path,) = (state.root / "mirrors").glob("*.sqlite")
    with closing(sqlite3.connect(path)) as connection:
        (url,) = connection.execute("SELECT value FROM meta WHERE key = 'syncUrl'").fetchone()
    with Mirror(path, sync_url=url, user_id=ANNA) as mirror:
        mirror.remember("databaseCursor", str(parse_timestamp("2999-01-01T00:00:00Z")))
    put(mana, "n-2", created_at="2025-01-01T00:00:00Z")
    done = export_user(DatabasePlaces(mana), ANNA, tmp_path / "b.mana", state)
    assert (done.new, rows(tmp_path / "b.mana")) == (1, {"n-1", "n-2"})


def rows(path: Path) -> set[str]:
    with open_archive(path) as archive:
        return {row.id for row in archive.rows("notes")}
