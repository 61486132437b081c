"""What a reader needs to trust that nothing is missing: every problem named, counted, and told apart.

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
        "rowSetAside",  # a row that cannot be written into the archive
        "ciphertextLeftOut",  # a field that was not opened, and that another account could not open either
    }
)
MOST_CASES = 1_000
"""Cases of one kind that the manifest lists; ``meta/problems.jsonl`` lists them all."""
MOST_CASE_BYTES = 8 * MIB
"""Of all cases in the manifest together, so that readers take it whatever the ids are."""
_LONGEST = 200


@dataclass(slots=True)
class Kind:
    """All problems of one kind."""

    count: int = 0
    cases: list[dict[str, JSON]] = field(default_factory=list)


@dataclass(slots=True)
class Completeness:
    """Collects problems. ``line`` takes each as a line of ``meta/problems.jsonl``."""

    line: Callable[[bytes], object]
    losses: dict[str, Kind] = field(default_factory=dict)
    notices: dict[str, Kind] = field(default_factory=dict)
    _case_bytes: int = 0

    def note(
        self,
        kind: str,
        table: str,
        record: str | None = None,
        field_name: str | None = None,
        reason: str | None = None,
        count: int = 1,
    ) -> None:
        """Count a problem. ``reason`` is a stable word or phrase, never a value out of the data."""
        severity: Literal["loss", "notice"] = "loss" if kind in LOSSES else "notice"
        found = (self.losses if severity == "loss" else self.notices).setdefault(kind, Kind())
        found.count += count
        named = (("table", table), ("id", record), ("field", field_name), ("reason", reason))
        case: dict[str, JSON] = {name: _short(value) for name, value in named if value is not None}
        line = jsontext.dumps({"kind": kind, "severity": severity, "count": count, **case})
        if len(found.cases) < MOST_CASES and self._case_bytes + len(line) <= MOST_CASE_BYTES:
            found.cases.append(case)
            self._case_bytes += len(line)
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
            name: {kind: {"count": found.count, "cases": found.cases} for kind, found in sorted(group.items())}
            for name, group in (("losses", self.losses), ("notices", self.notices))
        }


class NotedProblems(list[tuple[str, str, str | None, str | None, str | None]]):
    """Problems of a part of the whole, until they can be counted: the arguments of :meth:`Completeness.note`."""

    def note(
        self,
        kind: str,
        table: str,
        record: str | None = None,
        field_name: str | None = None,
        reason: str | None = None,
    ) -> None:
        """Keep a problem."""
        self.append((kind, table, record, field_name, reason))


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
