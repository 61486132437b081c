"""Profiles: those that are shipped load, and whatever breaks a rule is refused with its file and its key."""

from __future__ import annotations

import copy
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manabackup.errors import NotFoundError, OutputError, UsageError
from manabackup.sources.loading import LARGEST, load_profile, parse_profile, shipped
from manabackup.sources.profile import Profile
from manabackup.sources.secret_names import looks_secret
from tests.support.schemas import check, fits
from tests.support.toml import as_toml

DOCUMENTED = Path(__file__).parents[2] / "fixtures" / "sources"
TABLES = {"vivim": 28, "rebuild": 73, "rebuild-deployed": 93}

SHOP: dict[str, Any] = {
    "profile": 1,
    "name": "shop",
    "title": "Shop",
    "stores": {"main": {"kind": "postgresql"}},
    "subject": {"table": "main.users", "key": "id", "lookup": ["email"], "identities": {"name": "name"}},
    "tables": {
        "main.users": {"class": "user", "owner": {"column": "id", "is": "user"}, "columns": ["id", "email", "name"]},
        "main.orders": {"class": "user", "owner": {"column": "user_id", "is": "user"}, "columns": "*"},
        "main.lines": {
            "class": "cross",
            "owner": {"any": [{"through": "order_id", "to": "main.orders"}, {"column": "by", "is": "name"}]},
            "others": {"through": "order_id", "to": "main.orders", "columns": ["id"]},
            "columns": ["id", "order_id", "by"],
            "omit": {"token": "secret"},
        },
        "main.articles": {"class": "catalogue"},
        "main.log": {"class": "system", "why": "nobody's"},
    },
}


def load(values: dict[str, Any]) -> Profile:
    return parse_profile(as_toml(values).encode(), "shop.toml")


def test_a_profile_that_keeps_the_rules_loads_and_fits_its_schema() -> None:
    profile = load(SHOP)
    assert [table.name for table in profile.read_tables()] == ["main.users", "main.orders", "main.lines"]
    assert profile.subject.identities == {"user": "id", "name": "name"}
    check("profile", SHOP)


def test_the_shipped_profiles_name_every_table_and_column_of_their_documents() -> None:
    assert shipped().keys() == TABLES.keys()
    for name, path in shipped().items():
        profile = load_profile(name)
        check("profile", tomllib.loads(path.read_text()))
        assert profile.name == name
        documented = json.loads((DOCUMENTED / f"{name}.json").read_text())
        assert len(documented) == TABLES[name]
        assert {table.partition(".")[2] for table in profile.tables} == documented.keys()
        for table in profile.read_tables():
            columns = {column for column, _, _ in documented[table.name.partition(".")[2]]["columns"]}
            assert table.named_columns() == columns, table.name


def test_no_secret_of_the_documents_is_taken_out() -> None:
    """A second look, by another pair of eyes than the loader's: no column that is called so at all."""
    for name in shipped():
        for table in load_profile(name).read_tables():
            for column in table.columns or ():
                if looks_secret(column):
                    assert table.allow[column]
                assert column not in {"access_token", "refresh_token", "id_token", "token", "session_state", "code"}
                assert not column.startswith("passphrase")


def set_at(path: str, value: object) -> Callable[[dict[str, Any]], None]:
    def change(values: dict[str, Any]) -> None:
        *folders, last = path.split("/")
        for folder in folders:
            values = values[folder]
        if value is None:
            del values[last]
        else:
            values[last] = value

    return change


BROKEN: dict[str, tuple[str, object, str]] = {
    "another version": ("profile", 2, "shop.toml: profile: is not 1"),
    "version as a text": ("profile", "1", "profile: is not 1"),
    "version as truth": ("profile", True, "profile: is not 1"),
    "no name": ("name", None, "name: is missing"),
    "a name with capitals": ("name", "Shop", "name: is made of small letters"),
    "an unknown key": ("titel", "x", "titel: is no key of a profile"),
    "a title on two lines": ("title", "a\nb", "title: holds control characters"),
    "no store": ("stores", {}, "stores: is empty"),
    "a kind that is none": ("stores/main/kind", "mysql", "stores.main.kind: is none of postgresql, sqlite"),
    "a file of somebody's without proof": ("stores/main/per", "subject", "stores.main.holds: is missing"),
    "a store in itself": ("stores/main/within", "main", "stores.main.within: is no other store"),
    "a subject that is no table": ("subject/table", "main.people", "subject.table: is no table"),
    "a subject that belongs otherwise": ("subject/key", "email", "subject.table: does not belong to a person"),
    "another user": ("subject/identities/user", "email", "subject.identities: `user` is not id"),
    "a table of no store": ("tables/other.x", {"class": "catalogue"}, 'tables."other.x": is not `<store>.<table>`'),
    "a class that is none": ("tables/main.log/class", "mine", "tables.main.log.class: is none of"),
    "no owner": ("tables/main.orders/owner", None, "tables.main.orders.owner: is missing"),
    "an owner of a system table": ("tables/main.log/owner", {"column": "a", "is": "user"}, "says nothing of a table"),
    "a system table without why": ("tables/main.log/why", None, "tables.main.log.why: is missing"),
    "two kinds of owner": (
        "tables/main.orders/owner",
        {"column": "a", "is": "user", "through": "b", "to": "main.users"},
        "owner: has one of",
    ),
    "an identity that is none": ("tables/main.orders/owner/is", "did", "did is none of the subject's identities"),
    "a parent that is nobody's": (
        "tables/main.orders/owner",
        {"through": "x", "to": "main.articles"},
        "main.articles is no table whose rows belong to people",
    ),
    "an owner in a circle": (
        "tables/main.orders/owner",
        {"through": "x", "to": "main.lines"},
        "its ownership runs in a circle",
    ),
    "an owner by itself": ("tables/main.orders/owner", {"through": "x", "to": "main.orders"}, "runs in a circle"),
    "keys of other lengths": (
        "tables/main.orders/owner",
        {"through": ["a", "b"], "to": "main.users", "key": ["id"]},
        "owner.key: has not as many columns",
    ),
    "a secret": ("tables/main.users/columns", ["id", "resetToken"], "resetToken looks like a secret"),
    "a reason that is none": ("tables/main.lines/omit/token", "because", "omit.token: is none of"),
    "in and out": ("tables/main.lines/omit/by", "secret", "omit: names a column that stands in `columns`"),
    "an order by nothing": ("tables/main.lines/order", ["at"], "order: names a column that is not taken out"),
    "a key that is left out": ("tables/main.lines/key", ["token"], "key: names a column that is not taken out"),
    "more of others": ("tables/main.lines/others/columns", ["id", "x"], "others: has a column that is not among"),
    "a reference to nothing": (
        "tables/main.orders/references",
        {"x": "main.nothing"},
        "references.x: points at a table that the profile does not name",
    ),
    "a column twice": ("tables/main.lines/columns", ["id", "id"], "columns: has a name twice"),
    "a name with NUL": ("tables/main.lines/columns", ["id", "a\0"], "columns: is no name that a database takes"),
    "a check that is none": ("checks", {"unknown_table": "ignore"}, "checks.unknown_table: is none of error, notice"),
    "a type of nothing": ("types", {"main.nothing.x": "iso"}, "is not `<store>.<table>.<column>`"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_what_breaks_a_rule_is_told_with_its_key(case: str) -> None:
    path, value, told = BROKEN[case]
    values = copy.deepcopy(SHOP)
    set_at(path, value)(values)
    with pytest.raises(UsageError) as raised:
        load(values)
    assert raised.value.message.startswith("shop.toml: ")
    assert told in raised.value.message


def test_no_two_tables_of_an_archive_are_called_alike() -> None:
    values = copy.deepcopy(SHOP)
    values["stores"]["more"] = {"kind": "sqlite"}
    values["tables"]["more.orders"] = {"class": "user", "owner": {"column": "x", "is": "user"}, "columns": "*"}
    with pytest.raises(UsageError, match=r"is called as main\.orders is"):
        load(values)


def test_an_owner_stays_in_its_store() -> None:
    values = copy.deepcopy(SHOP)
    values["stores"]["more"] = {"kind": "sqlite"}
    values["tables"]["more.notes"] = {"class": "user", "owner": {"through": "x", "to": "main.orders"}, "columns": "*"}
    with pytest.raises(UsageError, match="leads into another store"):
        load(values)


def test_a_file_of_somebodys_is_proved_by_a_column_that_holds_an_owner() -> None:
    values = copy.deepcopy(SHOP)
    values["stores"]["more"] = {"kind": "sqlite", "per": "subject", "holds": {"table": "notes", "column": "x"}}
    table = {"class": "user", "owner": {"column": "y", "is": "user"}, "columns": "*"}
    values["tables"]["more.notes"] = table
    with pytest.raises(UsageError, match="holds: names no column that holds an owner"):
        load(values)
    table["owner"] = {"column": "x", "is": "user"}
    assert load(values).stores["more"].proof == ("notes", "x")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"profile = ",
        b"[" * 100_000,
        b"x = " + b"[" * 50_000,
        b"#" * (LARGEST + 1),
        b"profile = 2026-01-01",
    ],
    ids=["empty", "latin", "cut", "brackets", "deep", "large", "date"],
)
def test_what_is_no_profile_is_one_clear_line(content: bytes) -> None:
    with pytest.raises(UsageError) as raised:
        parse_profile(content, "x.toml")
    assert "\n" not in raised.value.message


def test_owners_do_not_nest_for_ever() -> None:
    values = copy.deepcopy(SHOP)
    owner: dict[str, Any] = {"column": "user_id", "is": "user"}
    for _ in range(40):
        owner = {"any": [owner]}
    values["tables"]["main.orders"]["owner"] = owner
    with pytest.raises(UsageError, match="nests too deeply"):
        load(values)


def test_a_profile_that_is_not_there_names_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as raised:
        load_profile("vivm")
    assert raised.value.hint == "did you mean vivim?"
    with pytest.raises(OutputError):
        load_profile(str(tmp_path))


def test_words_of_secrets_are_found_in_every_spelling() -> None:
    for name in ("refreshTokenHash", "private_key", "APIKey", "passphrase_salt", "backupCodes", "OTP", "session_state"):
        assert looks_secret(name), name
    for name in ("hashtag", "publicKey", "description", "spinner", "state", "tokenizer"):
        assert not looks_secret(name), name


names = st.sampled_from(
    ["main.users", "main.orders", "main.lines", "id", "user_id", "x", "token", "", "user", "name", "*"]
)
leaves = st.one_of(names, st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.lists(names, max_size=3))
keys = st.sampled_from(
    [
        *(
            "class",
            "owner",
            "columns",
            "omit",
            "derived",
            "allow",
            "key",
            "order",
            "references",
            "others",
            "why",
            "kind",
        ),
        *("column", "is", "through", "to", "any", "all", "schema", "per", "holds", "within", "table", "lookup"),
        *("identities", "row_optional", "checks", "types", "profile", "name", "title", "stores", "subject", "tables"),
    ]
)
values_ = st.recursive(leaves, lambda inner: st.dictionaries(keys, inner, max_size=4) | st.lists(inner, max_size=3))


def spots(value: object, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(value, dict):
        return [path]
    return [path, *(spot for key, inner in value.items() for spot in spots(inner, (*path, key)))]


@given(st.sampled_from(spots(SHOP)[1:]), values_)
def test_whatever_stands_anywhere_is_refused_or_fits_the_schema(spot: tuple[str, ...], value: object) -> None:
    values = copy.deepcopy(SHOP)
    folder = values
    for key in spot[:-1]:
        folder = folder[key]
    folder[spot[-1]] = value
    try:
        load(values)
    except UsageError as error:
        told = error.message
    else:
        told = "shop.toml: loaded" if fits("profile", values) else "shop.toml was loaded, and its schema refuses it"
    assert told.startswith("shop.toml: ")


@given(st.text() | st.binary())
def test_any_bytes_are_a_profile_or_an_error(content: str | bytes) -> None:
    with pytest.raises(UsageError):
        parse_profile(content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content, "x.toml")
