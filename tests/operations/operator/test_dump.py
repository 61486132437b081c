"""Accounts out of what pg_dump and pg_dumpall write; the server says what is right."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from manabackup.archive.reader import open_archive
from manabackup.errors import DamagedArchiveError, ManabackupError, SourceError, UsageError
from manabackup.operations.account.state import StateFolder
from manabackup.operations.operator import (
    DatabasePlaces,
    Dump,
    HowWritten,
    Opening,
    export_everybody_of_dump,
    export_user,
    export_user_of_dump,
)
from manabackup.operations.operator.dump import in_utc
from manabackup.sources.postgresql_dump import PostgresqlDump
from tests.support import mana_database, postgres
from tests.support.processes import CommandLine

from .conftest import Town
from .test_database import ANNA, notes, put
from .test_database import mana as mana
from .test_one_user import entries


def dumped(dsn: str, *options: str, program: str = "pg_dump") -> bytes:
    """What a program of PostgreSQL writes of a database."""
    folder = postgres.binaries()
    if folder is None or not (folder / program).exists():
        pytest.skip(f"there is no {program}")
    return subprocess.run([str(folder / program), "-d", dsn, *options], stdout=subprocess.PIPE, check=True).stdout


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def export(paths: list[Path], who: str, target: Path, opening: Opening | None = None) -> None:
    opening = opening or Opening()
    export_user_of_dump(Dump(paths, kek=opening.kek is not None), who, target, HowWritten(opening))


def test_a_dump_gives_what_the_database_gives(town: Town, state: StateFolder, tmp_path: Path) -> None:
    dump = dumped(town.dsn)
    files = [
        written(tmp_path / "a.sql", dump),
        written(tmp_path / "a.sql.gz", gzip.compress(dump, 1)),
        written(tmp_path / "a.sql.zst", zstandard.compress(dump)),
    ]
    opening = Opening(mana_database.KEK)
    for who in (town.anna.user_id, town.bert.email):
        export_user(DatabasePlaces(town.dsn), who, tmp_path / "database.mana", state, opening=opening, force=True)
        for file in files if who == town.bert.email else files[:1]:
            target = tmp_path / f"{file.name}-{who}.mana"
            export([file], who, target, opening)
            assert entries(target) == entries(tmp_path / "database.mana")
    done = export_everybody_of_dump(Dump([files[0]], kek=True), tmp_path / "all", HowWritten(opening))
    assert done.failed == []
    assert entries(tmp_path / "all" / f"{town.bert.user_id}.mana") == entries(tmp_path / "database.mana")
    with open_archive(tmp_path / "database.mana") as live, open_archive(target) as of_dump:
        kinds = [archive.manifest.raw["source"]["kind"] for archive in (live, of_dump)]
    assert kinds == ["database", "dump"]


def test_two_dumps_and_one_of_the_whole_server_are_the_same(state: StateFolder, tmp_path: Path) -> None:
    """On a server of its own, with the databases that Mana has."""
    with (
        postgres.cluster() as cluster,
        named(cluster, "mana_platform", "public.sync_changes", "TABLE") as accounts,
        named(cluster, "mana_sync", "auth", "SCHEMA") as log,
    ):
        with psycopg.connect(accounts, autocommit=True) as connection:
            connection.execute(b"INSERT INTO auth.users (id, name, email) VALUES ('u-anna', 'Anna', 'a@example.org')")
        put(log, "n-1", json.dumps({"title": "ä\\b\tc\n"}))
        # The account service's database is found beside the other.
        export_user(DatabasePlaces(log), ANNA, tmp_path / "database.mana", state)
        files = [written(tmp_path / str(at), dumped(dsn)) for at, dsn in enumerate((accounts, log))]
        whole = written(tmp_path / "whole", dumped(cluster, program="pg_dumpall"))
        with psycopg.connect(cluster, autocommit=True) as connection:
            connection.execute(b"CREATE DATABASE another TEMPLATE mana_sync")
        twice = written(tmp_path / "twice", dumped(cluster, program="pg_dumpall"))
        with psycopg.connect(cluster, autocommit=True) as connection:
            connection.execute(b"DROP DATABASE another")
    for number, paths in enumerate((files, files[::-1], [whole])):
        export(paths, ANNA, tmp_path / f"{number}.mana")
        assert entries(tmp_path / f"{number}.mana") == entries(tmp_path / "database.mana")
    with pytest.raises(SourceError, match=r"auth\.members"):
        export(files[1:], ANNA, tmp_path / "c.mana")
    with pytest.raises(SourceError, match=r"twice \((another, mana_sync|mana_sync, another)\)"):
        export([twice], ANNA, tmp_path / "c.mana")
    written(whole, whole.read_bytes().replace(b"database cluster dump complete", b""))
    with pytest.raises(DamagedArchiveError):
        export([whole], ANNA, tmp_path / "c.mana")


@contextmanager
def named(cluster: str, name: str, without: str, kind: str) -> Iterator[str]:
    """A database of Mana's that lacks what the other one has."""
    with psycopg.connect(cluster, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    dsn = psycopg.conninfo.make_conninfo(cluster, dbname=name)
    try:
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"{mana_database.SCHEMA}; DROP {kind} {without} CASCADE".encode())
        yield dsn
    finally:
        with psycopg.connect(cluster, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)".encode())


def test_a_dump_that_is_cut_off_is_no_shorter_account(mana: str, tmp_path: Path) -> None:
    for number in range(20):
        put(mana, f"n-{number}", f'{{"title": "{number}"}}')
    dump = dumped(mana)
    file = tmp_path / "dump"
    begin, end = dump.index(b"COPY public.sync_changes"), dump.rindex(b"-- PostgreSQL database dump complete")
    rows = dump.index(b"\n", begin) + 1
    for cut in (rows, dump.index(b"\n", rows) + 1, dump.index(b"\n", rows) + 9, dump.index(b"\n\\.\n", rows) + 1, end):
        written(file, dump[:cut])
        with pytest.raises(DamagedArchiveError, match="cut off"):
            export([file], ANNA, tmp_path / "a.mana")
    written(file, gzip.compress(dump)[:-20])
    with pytest.raises(DamagedArchiveError, match="cut off"):
        export([file], ANNA, tmp_path / "a.mana")
    assert not (tmp_path / "a.mana").exists()
    export([written(file, dump)], ANNA, tmp_path / "a.mana")
    assert len(notes(tmp_path / "a.mana")) == 20


def test_dumps_of_other_forms_are_refused_with_what_to_run(mana: str, tmp_path: Path) -> None:
    put(mana, "n-1")
    for name, content, said in (
        ("custom", dumped(mana, "-Fc"), "pg_restore -f"),
        ("tar", dumped(mana, "-Ft"), "pg_restore -f"),
        ("inserts", dumped(mana, "--inserts"), "without --inserts"),
        ("columns", dumped(mana, "--column-inserts"), "without --inserts"),
        ("hidden", dumped(mana, "--enable-row-security"), "BYPASSRLS"),
        ("latin", dumped(mana, "-E", "LATIN1"), "UTF8"),
        ("text", b"hello\n", "pg_dump"),
        ("empty", b"", "pg_dump"),
    ):
        with pytest.raises(UsageError) as refused:
            export([written(tmp_path / name, content)], ANNA, tmp_path / "a.mana")
        assert said in (refused.value.hint or ""), name
    dumped(mana, "-Fd", "-f", str(tmp_path / "folder"))
    with pytest.raises(UsageError) as refused:
        export([tmp_path / "folder"], ANNA, tmp_path / "a.mana")
    assert "pg_restore" in (refused.value.hint or "")


def test_the_command_reads_the_standard_input(mana: str, tmp_path: Path) -> None:
    put(mana, "n-1", '{"title": "a"}')
    dump = written(tmp_path / "dump.sql", dumped(mana))
    line = CommandLine(tmp_path)
    done = line("export", "--dump", str(dump), "--user", "anna@example.org", "-o", str(tmp_path / "a.mana"), "--json")
    assert (done.code, done.record["rows"]) == (0, 1), done.err
    assert line("export", "--dump", str(dump), "--user", ANNA, "-o", str(dump), "--force").code == 2
    assert line("export", "--dump", str(tmp_path / "none"), "--user", ANNA, "-o", str(tmp_path / "b.mana")).code == 10
    words = [
        sys.executable,
        "-m",
        "manabackup",
        "export",
        "--dump",
        "-",
        "--user",
        ANNA,
        "-o",
        str(tmp_path / "c.mana"),
    ]
    with dump.open("rb") as stdin:
        assert subprocess.run(words, stdin=stdin, env={**os.environ, **line.environ}, check=False).returncode == 0
    assert entries(tmp_path / "a.mana") == entries(tmp_path / "c.mana")


def test_every_text_is_read_as_the_server_wrote_it(server: str, tmp_path: Path) -> None:
    """All characters below 256 and some beyond, each between others; the oracle is the server."""
    texts = [f"a{chr(number)}b\\{chr(number)}" for number in range(1, 256)] + ["", "\\N", "\\.", "🔑\t\n", "\\x41\\101"]
    with postgres.database(server, 'CREATE TABLE "a ""b" ("c, d" int, "e" text)') as dsn:
        with psycopg.connect(dsn, autocommit=True) as connection:
            for number, text in enumerate(texts):
                connection.execute(b'INSERT INTO "a ""b" VALUES (%s, %s)', (number, text))
            connection.execute(b'INSERT INTO "a ""b" VALUES (NULL, NULL)')
        file = written(tmp_path / "dump", dumped(dsn))
    (block,) = ((block.columns, list(block.rows)) for block in PostgresqlDump(file, ['public.a "b']).blocks())
    assert block == (
        ("c, d", "e"),
        [[b"%d" % number, text.encode()] for number, text in enumerate(texts)] + [[None, None]],
    )


@given(st.datetimes(), st.integers(-12 * 60, 14 * 60))
def test_times_in_any_zone_are_the_same_instants(moment: object, offset: int) -> None:
    text = f"{moment!s:0>4}{'-' if offset < 0 else '+'}{abs(offset) // 60:02}"
    text += f":{abs(offset) % 60:02}" if offset % 60 else ""
    try:
        found = in_utc(text.encode())
    except SourceError:
        assert text[:4] in ("0001", "9999")
        return
    assert re.fullmatch(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00", found)


@given(st.binary(max_size=200))
def test_whatever_a_dump_holds_it_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    file = tmp_path_factory.getbasetemp() / "noise"
    head = b"-- PostgreSQL database dump\nCOPY public.sync_changes (id, app_id) FROM stdin;\n"
    for content in (noise, head + noise, head + noise + b"\n\\.\n-- PostgreSQL database dump complete\n"):
        file.write_bytes(content)
        try:
            for block in PostgresqlDump(file, ["public.sync_changes"]).blocks():
                assert all(len(row) == 2 for row in block.rows)
        except ManabackupError:
            pass
