"""Reads profiles: TOML in the form that ``formats/profiles.md`` tells of, and the rules that it must keep."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any

from ..errors import NotFoundError, OutputError, UsageError
from ..limits import MIB
from ..model.registry import formats_folder
from ..text.printable import counted, one_line, printable
from ..text.suggestions import did_you_mean
from .decisions import undecided
from .profile import (
    FORMAT,
    OWNED,
    USER,
    AllOf,
    AnyOf,
    Checks,
    Holds,
    OnUnknown,
    Others,
    Outbox,
    Owner,
    Profile,
    ProfiledTable,
    Store,
    StoreKind,
    Subject,
    TableClass,
    Through,
    store_of,
    table_of,
)
from .rules import check_rules
from .sections import Section

LARGEST = 4 * MIB
"""Bytes of a profile."""
DEEPEST = 16
"""``any`` and ``all`` within each other."""
REASONS = frozenset({"secret", "other-person", "internal"})
"""Why a column is left out."""
TYPES = frozenset({"epoch-ms", "epoch-s", "iso", "auto", "bool", "json", "base64"})
"""What values of a column mean."""
_MOST_NAMED = 20
_NAME = re.compile("[a-z0-9][a-z0-9-]{0,62}")
_ENDING = ".toml"


def shipped() -> dict[str, Path]:
    """The profiles that come with this program, by name."""
    return {path.stem: path for path in sorted((formats_folder() / "profiles").glob(f"*{_ENDING}"))}


def load_profile(name: str) -> Profile:
    """The profile that is shipped under a name, else the one in a file of that name.

    Raises :class:`NotFoundError`, and :class:`UsageError` with the file and the key for one that breaks a rule.
    """
    ours = shipped()
    path = ours.get(name) or Path(name)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except FileNotFoundError:
        hint = did_you_mean(name, ours) or f"profiles of this program: {', '.join(ours)}"
        raise NotFoundError(f"there is no profile {printable(name)}", hint=hint) from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a file name"
        raise OutputError(f"the profile {printable(name)} cannot be read: {reason}") from None
    return parse_profile(content, printable(str(path)))


def parse_profile(content: bytes, file: str) -> Profile:
    """The profile that a file holds. Raises :class:`UsageError` as :func:`load_profile` does."""
    if len(content) > LARGEST:
        raise UsageError(f"{file}: too large for a profile")
    try:
        values = tomllib.loads(content.decode("utf-8"))
    except UnicodeDecodeError:
        raise UsageError(f"{file}: is not UTF-8 text") from None
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file}: is not TOML: {one_line(str(error))}") from None
    except RecursionError:
        raise UsageError(f"{file}: nests too deeply") from None
    left = list(undecided(values))
    if left:
        named = ", ".join(map(one_line, left[:_MOST_NAMED]))
        more = f", and {len(left) - _MOST_NAMED:,} more" if len(left) > _MOST_NAMED else ""
        raise UsageError(
            f"{file}: {counted(len(left), 'decision')} left to be taken: {named}{more}",
            hint='put a value in place of "?", and take the lines `decide` away when what they ask is decided',
        )
    return _profile(Section(values, "", file), hashlib.sha256(content).hexdigest())


def _profile(top: Section, sha256: str) -> Profile:
    version = top.raw("profile")
    if type(version) is not int or version != FORMAT:
        top.fail("profile", f"is not {FORMAT}, the version of the format that this program reads")
    name = top.text("name")
    if _NAME.fullmatch(name) is None:
        top.fail("name", "is made of small letters, digits and dashes, 63 at most")
    title = top.text("title")
    stores = {store: _store(store, section) for store, section in top.sections("stores")}
    for store in stores:
        if _NAME.fullmatch(store) is None:
            top.section("stores").fail(store, "is made of small letters, digits and dashes, 63 at most")
    subject = _subject(top.section("subject"))
    tables = {table: _table(table, section, stores, top) for table, section in top.sections("tables")}
    profile = Profile(name, title, stores, subject, tables, _checks(top), _types(top, tables), sha256, _outbox(top))
    top.end()
    check_rules(profile, top)
    return profile


def _store(name: str, section: Section) -> Store:
    kind = StoreKind(section.word("kind", frozenset(StoreKind)))
    if "schema" in section and kind is StoreKind.SQLITE:
        section.fail("schema", "is for postgresql alone")
    proof = None
    if "holds" in section:
        inner = section.section("holds")
        proof = inner.name("table"), inner.name("column")
        inner.end()
    store = Store(
        name,
        kind,
        schema=section.name("schema") if "schema" in section else "public",
        per_subject="per" in section and section.word("per", frozenset({"subject"})) == "subject",
        proof=proof,
        within=section.text("within") if "within" in section else None,
    )
    section.end()
    if store.per_subject and proof is None:
        section.fail("holds", "is missing: a file is believed to be somebody's by what stands in it alone")
    return store


def _subject(section: Section) -> Subject:
    key = section.name("key")
    identities = section.texts("identities")
    if identities.get(USER, key) != key:
        section.fail("identities", f"`{USER}` is not {printable(key)}, the key")
    subject = Subject(
        table=section.name("table"),
        key=key,
        identities={USER: key, **identities},
        lookup=section.names("lookup"),
        row_optional=section.flag("row_optional"),
    )
    section.end()
    return subject


def _table(name: str, section: Section, stores: dict[str, Store], top: Section) -> ProfiledTable:
    if store_of(name) not in stores or not table_of(name):
        top.section("tables").fail(f'"{name}"', "is not `<store>.<table>` of a store that the profile names")
    kind = TableClass(section.word("class", frozenset(TableClass)))
    owned = kind in OWNED
    if not owned:
        for key in ("owner", "others", "columns", "omit", "derived", "allow", "order", "key"):
            if key in section:
                section.fail(key, f"says nothing of a table of class {kind}: its rows are not read")
    table = ProfiledTable(
        name=name,
        kind=kind,
        owner=_owner(section.section("owner"), 0) if owned else None,
        columns=_columns(section) if owned else None,
        key=section.names("key"),
        order=section.names("order"),
        omit=_reasons(section),
        derived=section.names("derived"),
        allow=section.texts("allow"),
        references=section.texts("references"),
        others=_others(section.section("others")) if "others" in section else None,
        why=section.text("why") if "why" in section else None,
    )
    section.end()
    if kind in (TableClass.SYSTEM, TableClass.NEVER) and table.why is None:
        section.fail("why", "is missing: somebody will ask why these rows are left out")
    return table


def _columns(section: Section) -> tuple[str, ...] | None:
    if section.raw("columns") == "*":
        return None
    found = section.names("columns")
    if not found:
        section.fail("columns", "is empty")
    return found


def _reasons(section: Section) -> dict[str, str]:
    found = section.texts("omit")
    for column in found:
        section.section("omit").word(column, REASONS)
    return found


def _others(section: Section) -> Others:
    columns = section.names("columns")
    owner = _owner(section, 0, besides=("columns",))
    return Others(owner, columns)


def _owner(section: Section, depth: int, besides: tuple[str, ...] = ()) -> Owner:
    if depth > DEEPEST:
        section.fail(None, "nests too deeply")
    kinds = [key for key in ("column", "through", "any", "all") if key in section]
    if len(kinds) != 1:
        section.fail(None, "has one of `column`, `through`, `any` and `all`")
    owner: Owner
    match kinds[0]:
        case "column":
            owner = Holds(section.name("column"), section.text("is"))
        case "through":
            columns = section.one_or_more("through")
            key = section.one_or_more("key") if "key" in section else ()
            if key and len(key) != len(columns):
                section.fail("key", "has not as many columns as `through`")
            owner = Through(columns, section.name("to"), key)
        case kind:
            parts = tuple(_owner(part, depth + 1) for part in section.parts(kind))
            owner = AnyOf(parts) if kind == "any" else AllOf(parts)
    for other in besides:
        assert other in section
    section.end()
    return owner


def _outbox(top: Section) -> Outbox | None:
    if "outbox" not in top:
        return None
    section = top.section("outbox")
    position = None
    if "position" in section:
        inner = section.section("position")
        position = inner.name("table"), inner.name("column")
        inner.end()
        if "id" not in section:
            section.fail("id", "is missing: a position is one of its numbers")
    outbox = Outbox(
        table=section.name("table"),
        key=section.name("key"),
        type=section.name("type"),
        payload=section.name("payload"),
        created_at=section.name("created_at"),
        id=section.name("id") if "id" in section else None,
        position=position,
    )
    section.end()
    return outbox


def _checks(top: Section) -> Checks:
    if "checks" not in top:
        return Checks()
    section = top.section("checks")
    words = frozenset(OnUnknown)
    given: dict[str, Any] = {
        key: OnUnknown(section.word(key, words, OnUnknown.ERROR))
        for key in ("unknown_table", "unknown_column", "missing_column")
    }
    section.end()
    return Checks(**given)


def _types(top: Section, tables: dict[str, ProfiledTable]) -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    if "types" not in top:
        return found
    section = top.section("types")
    for path in section.every_key():
        table, _, column = path.rpartition(".")
        if table not in tables or not column:
            section.fail(f'"{path}"', "is not `<store>.<table>.<column>` of a table that the profile names")
        found[table, column] = section.word(path, TYPES)
    return found
