"""What a ledger has to tell of its last run, in numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ...text.timestamps import app_time
from .ledger import Ledger
from .outcome import State, said_of, worst

MOST_NAMED = 100
"""Items that the summary names of those that have changed, and of those that are not good."""


@dataclass(frozen=True, slots=True)
class FleetSummary:
    """The items of the last run, whether they were done in it or before."""

    ledger: Path
    run: Mapping[str, Any]
    """As the ledger keeps it."""
    states: Counter[str]
    codes: Counter[int]
    """Exit code → items, of those that have one."""
    by_outcome: Counter[tuple[str, int, str | None]]
    """(state, exit code, page of the error) → items."""
    losses: Mapping[str, int]
    rows: int
    seconds: float
    """Of all items, added."""
    tried: int
    """Items that this run has done."""
    changed: int
    """Of those that were done before, how many have another outcome now."""
    new: int
    gone: int
    """Items of earlier runs that are not there any more."""
    gone_now: int
    """Those of them that the run before had."""
    changes: list[dict[str, Any]] = field(default_factory=list)
    """The first of them: what is new counts as none."""
    gone_items: list[dict[str, Any]] = field(default_factory=list)
    """The first of those that the run before had, as it left them."""
    failing: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, ledger: Ledger, *, most: int = MOST_NAMED) -> FleetSummary:
        """Of a ledger as it is now; a run may be at work."""
        counts = ledger.counts()
        states: Counter[str] = Counter()
        codes: Counter[int] = Counter()
        by_outcome: Counter[tuple[str, int, str | None]] = Counter()
        for count in counts:
            states[count["state"]] += count["items"]
            if count["exit_code"] is not None:
                codes[count["exit_code"]] += count["items"]
                by_outcome[count["state"], count["exit_code"], count["error"]] += count["items"]

        def total(name: str) -> Any:
            return sum(count[name] or 0 for count in counts)

        changes = [item for item in ledger.items(changed=True, most=most) if not item["new"]]
        return cls(
            ledger=ledger.path,
            run=ledger.last_run() or {},
            states=states,
            codes=codes,
            by_outcome=by_outcome,
            losses=ledger.losses(),
            rows=total("rows"),
            seconds=total("seconds"),
            tried=total("tried"),
            changed=ledger.changed(),
            new=total("new"),
            gone=ledger.gone(),
            gone_now=ledger.gone_now(),
            changes=changes,
            gone_items=list(ledger.gone_items(most=most)),
            failing=list(ledger.items(failing=True, most=most)),
        )

    @property
    def items(self) -> int:
        """All of them."""
        return self.states.total()

    @property
    def left(self) -> int:
        """Those that are not done yet."""
        return self.states[State.WAITING] + self.states[State.RUNNING]

    @property
    def exit_code(self) -> int:
        """That of all items together."""
        return worst(self.codes)

    @property
    def not_good(self) -> int:
        """Items that are not done yet, or whose command said anything but 0."""
        known = sum(count for (state, code, _), count in self.by_outcome.items() if state == State.DONE and code == 0)
        return self.items - known

    def to_html(self, meanings: Mapping[int, str]) -> str:
        """A page without a script that loads nothing; ``meanings`` are those of exit codes."""
        from ...viewer.report.render import fleet_to_html

        return fleet_to_html(self.to_json(), self.not_good, meanings)

    def to_json(self) -> dict[str, Any]:
        """The object that the commands of ``fleet`` print with ``--json`` (``formats/schemas/fleet.schema.json``)."""
        return {
            "ledger": str(self.ledger),
            "command": self.run.get("command"),
            "began": _time(self.run.get("began")),
            "ended": _time(self.run.get("ended")),
            "ending": self.run.get("ending"),
            "engine": self.run.get("engine"),
            "workers": self.run.get("workers"),
            "takenOver": self.run.get("taken_over", 0),
            "items": self.items,
            "states": {state.value: self.states[state] for state in State},
            "exitCodes": {str(code): count for code, count in sorted(self.codes.items())},
            "exitCode": self.exit_code,
            "losses": dict(self.losses),
            "rows": self.rows,
            "tried": self.tried,
            "changed": self.changed,
            "new": self.new,
            "gone": self.gone,
            "goneNow": self.gone_now,
            "changes": [_described(item) for item in self.changes],
            "goneItems": [_described(item) for item in self.gone_items],
            "failing": [_described(item) for item in self.failing],
        }


def _described(item: Mapping[str, Any]) -> dict[str, Any]:
    before = None
    if item["before_exit_code"] is not None:
        before = {
            "exitCode": item["before_exit_code"],
            "error": item["before_error"],
            "rows": item["before_rows"],
            "dataSha256": item["before_data_sha256"],
        }
    return {
        "name": item["name"],
        "state": item["state"],
        "exitCode": item["exit_code"],
        "error": item["error"],
        "message": said_of(item),
        "rows": item["rows"],
        "dataSha256": item["data_sha256"],
        "losses": item["losses"],
        "before": before,
    }


def _time(seconds: float | None) -> str | None:
    return None if seconds is None else app_time(datetime.fromtimestamp(seconds, UTC))
