"""What is wrong with an archive, one thing at a time. Codes: ``formats/mana-v2.md``, "Problems"."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong: a stable code, the entry and line, and words."""

    code: str
    where: str | None
    message: str
    hint: str | None = None
    """What to do about it, where there is something."""

    def to_json(self) -> dict[str, str | None]:
        """As ``verify --json`` lists it."""
        return {"code": self.code, "where": self.where, "message": self.message}
