"""Columns that take texts for equal that are not: nobody gets another person's rows through them."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from manabackup.errors import SourceError
from manabackup.operations.databases import StorePlaces, export_everybody, export_rows
from tests.support.loads import described, profile_of, run_sql

_COLLATION = b"CREATE COLLATION public.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false)"


@pytest.fixture
def loose(empty: str) -> str:
    """A type of which ``anna`` and ``ANNA`` are one value, in a database that has it."""
    with psycopg.connect(empty, autocommit=True) as connection:
        try:
            connection.execute(_COLLATION)
        except psycopg.errors.FeatureNotSupported:
            pytest.skip("this PostgreSQL is built without ICU, as those of the package index are")
    return "text COLLATE public.ci"


PROFILE = described(
    "s",
    """
[tables."main.notes"]
class = "user"
owner = { column = "who", is = "user" }
columns = "*"
""",
)


def fill(dsn: str, people: str, notes: str, *names: str) -> None:
    """People, whose ids are of one type, and two notes whose owners are of another."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(f"CREATE TABLE public.people (id {people} PRIMARY KEY)".encode())
        connection.execute(f"CREATE TABLE public.notes (id int PRIMARY KEY, who {notes} NOT NULL)".encode())
        for name in names:
            connection.execute(b"INSERT INTO public.people VALUES (%s)", (name,))
        connection.execute(b"INSERT INTO public.notes VALUES (1, 'anna'), (2, 'ANNA')")
        found = connection.execute(b"SELECT count(*) FROM public.notes WHERE who = 'anna'").fetchone()
    assert found == (2,)


def test_two_people_are_never_one(loose: str, empty: str, tmp_path: Path) -> None:
    profile = profile_of(PROFILE)
    fill(empty, "text", loose, "anna", "ANNA")
    for export in (
        lambda: export_rows(profile, StorePlaces(dsn=empty), "anna", tmp_path / "anna.mana"),
        lambda: export_everybody(profile, StorePlaces(dsn=empty), tmp_path / "all"),
    ):
        with pytest.raises(SourceError, match=r"looserThanParent: main\.notes, column who"):
            export()
    assert not (tmp_path / "anna.mana").exists()


@pytest.mark.parametrize("people", ["text", "citext"])
def test_citext_is_such_a_type(empty: str, people: str, tmp_path: Path) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION citext")
    profile = profile_of(PROFILE)
    fill(empty, people, "citext", "anna")
    if people == "citext":
        assert export_rows(profile, StorePlaces(dsn=empty), "anna", tmp_path / "anna.mana").rows == 3
    else:
        with pytest.raises(SourceError, match=r"looserThanParent: main\.notes, column who"):
            export_rows(profile, StorePlaces(dsn=empty), "anna", tmp_path / "anna.mana")
    with pytest.raises(SourceError):
        export_everybody(profile, StorePlaces(dsn=empty), tmp_path / "all")


def test_a_way_through_citext_is_the_databases_own(empty: str, tmp_path: Path) -> None:
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION citext")
    profile = profile_of(
        PROFILE
        + """[tables."main.words"]
class = "user"
owner = { through = "note", to = "main.notes", key = "called" }
columns = "*"
"""
    )
    fill(empty, "citext", "citext", "anna")
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("ALTER TABLE notes ADD COLUMN called citext UNIQUE")
        connection.execute("UPDATE notes SET called = CASE id WHEN 1 THEN 'beds' ELSE 'trees' END")
        connection.execute("CREATE TABLE words (id int PRIMARY KEY, note citext REFERENCES notes (called))")
        connection.execute("INSERT INTO words VALUES (1, 'beds'), (2, 'BEDS'), (3, 'Trees')")
    done = export_rows(profile, StorePlaces(dsn=empty), "anna", tmp_path / "anna.mana")
    assert {name: found.own for name, found in done.tables.items()} == {
        "main.people": 1,
        "main.notes": 2,
        "main.words": 3,
    }


@pytest.mark.parametrize(
    ("people", "notes", "told"),
    [
        ("TEXT", "TEXT COLLATE NOCASE", "looserThanParent"),
        ("TEXT COLLATE NOCASE", "TEXT", "stricterThanParent"),
        ("TEXT COLLATE NOCASE", "TEXT COLLATE NOCASE", None),
        ("TEXT", "TEXT", None),
    ],
)
def test_so_are_some_of_sqlites_collations(people: str, notes: str, told: str | None, tmp_path: Path) -> None:
    places = StorePlaces({"main": tmp_path / "x.sqlite"})
    run_sql(
        places,
        f"CREATE TABLE people (id {people} PRIMARY KEY NOT NULL)",
        f"CREATE TABLE notes (id INTEGER PRIMARY KEY, who {notes} NOT NULL REFERENCES people)",
        "INSERT INTO people VALUES ('anna')",
        "INSERT INTO notes VALUES (1, 'anna'), (2, 'ANNA')",
    )
    profile = profile_of(PROFILE)
    if told is not None:
        with pytest.raises(SourceError, match=rf"{told}: main\.notes, column who"):
            export_rows(profile, places, "anna", tmp_path / "anna.mana")
        return
    rows = export_rows(profile, places, "anna", tmp_path / "anna.mana").rows
    assert rows == (3 if "NOCASE" in notes else 2)


def test_where_keys_are_as_loose_the_database_says_whose_a_row_is(loose: str, empty: str, tmp_path: Path) -> None:
    profile = profile_of(PROFILE)
    fill(empty, loose, loose, "anna")
    done = export_rows(profile, StorePlaces(dsn=empty), "anna", tmp_path / "anna.mana")
    assert done.rows == 3
    with pytest.raises(SourceError, match="whose rows are cannot be told by"):
        export_everybody(profile, StorePlaces(dsn=empty), tmp_path / "all")
