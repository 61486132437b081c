"""One file that a reader must refuse or open, and what it says of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from tests.support.handmade import PASSPHRASE, known_keys, text
from tests.support.zips import Part, build, deflated, stored

NOTES = b'{"id":"n-1","title":"x"}\n{"id":"n-2"}\n'
OBEYED = b"\x1b[2J\x1b]0;owned\x07"


@dataclass(frozen=True)
class Case:
    """One file."""

    name: str
    threat: str
    why: str
    content: bytes
    exit: int = 15
    code: str | None = None
    where: str | None = None
    passphrase: str | None = None

    def entry(self) -> dict[str, Any]:
        """Its line in the index."""
        known = {
            "file": f"{self.name}.mana",
            "threat": self.threat,
            "why": self.why,
            "exit": self.exit,
            "code": self.code,
            "where": self.where,
            "passphrase": self.passphrase,
        }
        return {key: value for key, value in known.items() if value is not None}


def bad(name: str, threat: str, code: str, why: str, parts: list[Part] | bytes, where: str = "", **how: Any) -> Case:
    """A file that is refused."""
    content = parts if isinstance(parts, bytes) else build(parts, **how)
    return Case(name, threat, why, content, 15, code, where or None)


def good(name: str, threat: str, why: str, parts: list[Part] | bytes, **how: Any) -> Case:
    """A file that opens."""
    return Case(name, threat, why, parts if isinstance(parts, bytes) else build(parts, **how), 0)


def sealed(case: Case, passphrase: str = PASSPHRASE) -> Case:
    """The same with the passphrase that it is tried with."""
    return replace(case, passphrase=passphrase)


def wrong(name: str, threat: str, why: str, parts: list[Part], passphrase: str = PASSPHRASE) -> Case:
    """A file of which no more can be said than that the passphrase does not fit."""
    return Case(name, threat, why, build(parts), 12, passphrase=passphrase)


def simple() -> list[Part]:
    """A manifest and one table, nothing that would find a fault besides the container."""
    return [stored("manifest.json", text(known_keys({"notes": NOTES}))), deflated("data/notes.jsonl", NOTES)]


def with_part(part: Part) -> list[Part]:
    """That, and one more."""
    return [*simple(), part]


def lying(number: int = 1, *, local: dict[str, Any] | None = None, central: dict[str, Any] | None = None) -> list[Part]:
    """That, with a lie in a header."""
    parts = simple()
    parts[number] = replace(parts[number], local=local or {}, central=central or {})
    return parts
