"""What a reader needs to trust that nothing is missing: every case of it named, counted, and told apart.

*Losses* make an export partial: something that exists is not in it, or not readable. *Notices* do not: the data is
there, and somebody may want to know. Kinds and their meanings: ``formats/mana-v2.md``, "Completeness".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from ..limits import MIB
from ..text import jsontext
from ..text.jsontext import JSON

LOSSES = frozenset(
    {
        "undecryptable",  # a field that no key at hand opens
        "malformedChange",  # a change that is none; what it would have done is not in the rows
        "unreadableTie",  # more changes in one microsecond than the server gives out
        "mirrorDamaged",  # changes that the local mirror lost, and that were not read again yet
        "unreadablePage",  # a page that the server cannot read itself
        "unreadableChange",  # a change that is larger than any that the server takes
        "tableSetAside",  # a collection that an archive has no place for
        "notText",  # bytes of a text in a database that are no UTF-8
        "rowSetAside",  # a row that cannot be written into the archive
        "fileGone",  # a file that rows refer to, and that the media service knows no more
        "fileUnavailable",  # one that could not be had now
        "fileDamaged",  # one that came, again and again, otherwise than the service says it is
        "fileTooLarge",  # one beyond the limits, or that an archive has no place for
        "fileUnresolved",  # a reference that nobody can follow
        "ciphertextLeftOut",  # a field that was not opened, and that another account could not open either
    }
)
MOST_CASES = 1_000
"""Cases of one kind that the manifest lists; ``meta/problems.jsonl`` lists them all."""
MOST_CASE_BYTES = 8 * MIB
"""The size of all cases in the manifest together, so that readers take it whatever the ids are."""
_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Case:
    """One loss or notice."""

    kind: str
    table: str
    """What it is about: a table, ``account``, or where a change was to come from."""
    record: str | None = None
    """The row's id, where it is about one."""
    field: str | None = None
    reason: str | None = None
    """A stable word or phrase, never a value out of the data."""
    count: int = 1
    """How many it stands for."""

    @property
    def severity(self) -> Literal["loss", "notice"]:
        """Whether it makes an export partial."""
        return "loss" if self.kind in LOSSES else "notice"

    def about(self) -> dict[str, JSON]:
        """What it is about, as the manifest lists it under its kind."""
        named = (("table", self.table), ("id", self.record), ("field", self.field), ("reason", self.reason))
        return {name: _short(value) for name, value in named if value is not None}


@dataclass(slots=True)
class CasesOfKind:
    """All cases of one kind."""

    count: int = 0
    listed: list[dict[str, JSON]] = field(default_factory=list)
    """The first of them."""


@dataclass(slots=True)
class Completeness:
    """Collects cases. ``line`` takes each as a line of ``meta/problems.jsonl``."""

    line: Callable[[bytes], object]
    losses: dict[str, CasesOfKind] = field(default_factory=dict)
    notices: dict[str, CasesOfKind] = field(default_factory=dict)
    _listed_bytes: int = 0

    def note(self, case: Case) -> None:
        """One more."""
        found = (self.losses if case.severity == "loss" else self.notices).setdefault(case.kind, CasesOfKind())
        found.count += case.count
        about = case.about()
        line = jsontext.dumps({"kind": case.kind, "severity": case.severity, "count": case.count, **about})
        if len(found.listed) < MOST_CASES and self._listed_bytes + len(line) <= MOST_CASE_BYTES:
            found.listed.append(about)
            self._listed_bytes += len(line)
        self.line(line)

    @property
    def status(self) -> Literal["complete", "partial"]:
        """``partial`` as soon as anything was lost."""
        return "partial" if self.losses else "complete"

    def counts(self) -> dict[str, dict[str, int]]:
        """The counts alone."""
        return {
            "losses": {kind: found.count for kind, found in sorted(self.losses.items())},
            "notices": {kind: found.count for kind, found in sorted(self.notices.items())},
        }

    def cases(self) -> dict[str, JSON]:
        """Counts and first cases, as the manifest holds them."""
        return {
            name: {kind: {"count": found.count, "cases": found.listed} for kind, found in sorted(group.items())}
            for name, group in (("losses", self.losses), ("notices", self.notices))
        }


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
