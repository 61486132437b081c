"""What tests of ``audit`` write into an account, and what they read of an audit."""

from __future__ import annotations

from typing import Any

from manabackup.model import registry
from tests.support.homes import Computer, Newcomer
from tests.support.schemas import check

JSON = Any
KEY, OTHER_KEY = bytes(range(32)), bytes(range(32, 64))
THEN = "2026-01-02T03:04:05.678Z"
REGISTRY = registry.load()


def note(newcomer: Newcomer, record: str, home: str | None = None, **data: JSON) -> str:
    """A note with a time; gives the event's id."""
    space = {} if home is None else {"spaceId": home}
    return newcomer.write({"id": record, "data": {"createdAt": THEN, **space, **data}, **space}, created_at_us=None)


def update(newcomer: Newcomer, record: str, at: str, **values: JSON) -> str:
    fields = {name: {"value": value, "at": at} for name, value in values.items()}
    return newcomer.write({"id": record, "op": "update", "fields": fields}, created_at_us=None)


def audited(computer: Computer, *arguments: str, code: int = 4) -> JSON:
    """The record of an audit."""
    done = computer("audit", "--json", *arguments)
    assert done.code == code, (done.out, done.err)
    check("audit", done.record)
    return done.record


def _place(case: JSON) -> tuple[str, ...]:
    return tuple(case[name] for name in ("table", "id", "field") if name in case)


def found(record: JSON, *kinds: str) -> dict[str, list[tuple[str, ...]]]:
    """Kind → (table, id, field) of what is graver than a note, or of some kinds."""
    return {
        finding["id"]: [_place(case) for case in finding["cases"]]
        for finding in record["findings"]
        if (finding["id"] in kinds if kinds else finding["severity"] != "note")
    }
