"""``profile draft``: what a database says of itself as a profile, and every decision left to a person."""

from __future__ import annotations

import re
import sqlite3
import tomllib
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from manabackup.errors import OutputError, UsageError
from manabackup.operations.databases import StorePlaces, check_profile, draft_profile
from manabackup.sources.loading import load_profile, parse_profile
from manabackup.sources.profile import Profile, table_of
from tests.support import postgres
from tests.support.loads import run_sql
from tests.support.models import Model
from tests.support.processes import CommandLine
from tests.support.schemas import check


def decided(text: str) -> str:
    """Somebody in a hurry: takes what is proposed, and everything else for a catalogue."""
    parts = []
    for part in re.split(r"(?m)^(?=\[)", text):
        kind = "user" if re.search(r"(?m)^owner", part) else "catalogue"
        columns = re.search(r"(?ms)^columns = (\[.*?\])$", part)
        if columns is not None:
            part = part.replace('\nkey = "?"', f"\nkey = {columns[1]}")
        part = part.replace('class = "?"', f'class = "{kind}"').replace('title = "?"', 'title = "Shop"')
        parts.append(re.sub(r"(?m)^decide = .*\n", "", part).replace('= "?"', '= "secret"'))
    return "".join(parts)


def drafted(places: StorePlaces, folder: Path) -> str:
    draft_profile(places, folder / "shop.toml", name="shop", force=True)
    return (folder / "shop.toml").read_text()


@pytest.mark.parametrize("name", ["vivim", "rebuild", "rebuild-deployed"])
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_draft_is_refused_until_it_is_decided_and_then_fits_its_database(
    name: str, kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    script = Model.of(name).script(kind)
    if kind == "sqlite":
        places = StorePlaces({"main": tmp_path / "shop.sqlite"})
        with closing(sqlite3.connect(places.files["main"])) as connection:
            connection.executescript(script)
    else:
        places = StorePlaces(dsn=request.getfixturevalue("empty"))
        run_sql(places, script)
    text = drafted(places, tmp_path)
    assert drafted(places, tmp_path) == text
    with pytest.raises(UsageError, match=r"\d+ decisions left to be taken: title, subject\.decide, tables\."):
        parse_profile(text.encode(), "shop.toml")
    profile = parse_profile(decided(text).encode(), "shop.toml")
    assert [str(finding) for finding in check_profile(profile, places).errors] == []
    assert len(profile.tables) == len(Model.of(name).tables)
    # What people wrote down of the same tables, as far as keys and names tell it.
    ours = load_profile(name)
    same = [
        table
        for table in ours.read_tables()
        if owner_of(profile, f"main.{table_of(table.name)}") == owner_of(ours, table.name)
    ]
    wanted = len(list(ours.read_tables()))
    assert len(same) >= {"vivim": 18, "rebuild": 55, "rebuild-deployed": 55}[name], (len(same), wanted)


def owner_of(profile: Profile, name: str) -> str:
    return re.sub(r"'(?:main|master|user)\.", "'", repr(profile.tables[name].owner))


def test_every_single_decision_is_demanded(tmp_path: Path) -> None:
    places = StorePlaces({"main": tmp_path / "shop.sqlite"})
    run_sql(
        places,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT UNIQUE, password TEXT)",
        "CREATE TABLE orders (person INT REFERENCES users, gift_to INT REFERENCES users, api_token TEXT)",
        "CREATE TABLE countries (name TEXT PRIMARY KEY)",
    )
    text = drafted(places, tmp_path)
    assert 'decide = "whose are its rows? gift_to holds the user; person holds the user"' in text
    assert 'lookup = ["email"]' in text
    with pytest.raises(UsageError) as raised:
        parse_profile(text.encode(), "shop.toml")
    named = raised.value.message.partition("taken: ")[2].split(", ")
    assert named == [
        "title",
        "subject.decide",
        'tables."main.countries".class',
        'tables."main.orders".class',
        'tables."main.orders".decide',
        'tables."main.orders".key',
        'tables."main.orders".omit.api_token',
        'tables."main.users".class',
        'tables."main.users".decide',
        'tables."main.users".omit.password',
    ]
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if '"?"' in line and not line.startswith("#"):
            rest = decided("\n".join(lines[number + 1 :]))
            left = "\n".join([decided("\n".join(lines[:number])), line, rest])
            with pytest.raises(UsageError, match="1 decision left to be taken"):
                parse_profile(left.encode(), "shop.toml")


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=12).filter(
    lambda name: not name.lower().startswith("sqlite_")
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    tables=st.dictionaries(names, st.lists(names, min_size=1, max_size=4, unique_by=str.lower), min_size=1, max_size=4)
)
def test_names_of_any_kind_stand_in_a_draft_as_they_are(tables: dict[str, list[str]], tmp_path: Path) -> None:
    path = tmp_path / "odd.sqlite"
    path.unlink(missing_ok=True)
    made: dict[str, list[str]] = {}
    with closing(sqlite3.connect(path)) as connection:
        for name, columns in tables.items():
            text = ", ".join(map(quoted, ["user_id", *columns]))
            try:
                connection.execute(f"CREATE TABLE {quoted(name)} (id INTEGER PRIMARY KEY, {text})")
            except sqlite3.OperationalError:  # called as another one is, but for capitals
                continue
            made[name] = columns
    text = drafted(StorePlaces({"main": path}), tmp_path) if made else ""
    values: Any = tomllib.loads(text)
    assert values.get("tables", {}).keys() == {f"main.{name}" for name in made}
    for name, columns in made.items():
        table = values["tables"][f"main.{name}"]
        if "columns" in table:
            assert {*table["columns"], *table.get("omit", {})} >= set(columns)


def test_the_command_writes_the_whole_file_or_none(tmp_path: Path, server: str) -> None:
    run = CommandLine(tmp_path)
    script = "CREATE SCHEMA app; CREATE TABLE app.users (id int PRIMARY KEY, name text)"
    with postgres.database(server, script) as dsn:
        environ = {"MANABACKUP_DSN": dsn}
        path = str(tmp_path / "shop.toml")
        done = run("profile", "draft", "-o", path, "--schema", "app", "--json", env=environ)
        assert done.code == 0, done.err
        check("profile-draft", done.record)
        assert 'schema = "app"' in Path(path).read_text()
        assert 'name = "shop"' in Path(path).read_text()
        assert run("profile", "draft", "-o", path, "--schema", "app", env=environ).code == 17
        shown = run("profile", "draft", "-o", "-", "--schema", "app", "--name", "shop", env=environ)
        assert shown.out == Path(path).read_text()
        none = run("profile", "draft", "-o", str(tmp_path / "x.toml"), "--schema", "other", env=environ)
        assert (none.code, (tmp_path / "x.toml").exists()) == (2, False)
        refused = run("profile", "check", path, env=environ)
        assert refused.code == 2
        assert "decisions left to be taken" in refused.err


def test_a_database_is_not_replaced_by_its_draft(tmp_path: Path) -> None:
    run_sql(StorePlaces({"main": tmp_path / "a.sqlite"}), "CREATE TABLE users (id INTEGER PRIMARY KEY)")
    run = CommandLine(tmp_path)
    path = str(tmp_path / "a.sqlite")
    assert run("profile", "draft", "--store", f"main={path}", "-o", path, "--force").code == 2
    with pytest.raises(OutputError):
        draft_profile(StorePlaces({"main": tmp_path / "a.sqlite"}), tmp_path / "no" / "a.toml", name="a")
    with pytest.raises(UsageError, match="small letters"):
        draft_profile(StorePlaces({"main": tmp_path / "a.sqlite"}), tmp_path / "a.toml", name="A b")
