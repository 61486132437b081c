"""Reading a ledger: for whoever is no fleet, and wants to know what came of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from .ledger import Ledger
from .outcome import State
from .summary import FleetSummary


@dataclass(frozen=True, slots=True)
class FleetItem:
    """An archive or account of a fleet's last run, and what the command said of it.

    What is None is not known: the item was not done yet, or the command counts no such thing.
    """

    name: str
    state: State
    """``waiting``, ``running``, ``done``, ``failed`` or ``bad``."""
    new: bool
    """The last run is the first with it."""
    changed: bool
    """The last run's outcome is another than the one before."""
    exit_code: int | None
    error: str | None
    """The error's page (``docs/errors``)."""
    message: str
    rows: int | None
    data_sha256: str | None
    losses: Mapping[str, int]
    """Kind → how many."""
    output: str | None
    """The path or address where it was to be written."""
    done: datetime | None
    """When."""
    seconds: float | None
    before_exit_code: int | None
    before_error: str | None
    before_rows: int | None
    before_data_sha256: str | None

    @property
    def is_good(self) -> bool:
        """Whether it is done and the command said 0."""
        return self.state is State.DONE and self.exit_code == 0


def fleet_summary(ledger: Path) -> FleetSummary:
    """What there is to tell of a fleet's last run, in numbers. The fleet may be at work.

    Raises :class:`NotFoundError`, and :class:`UsageError` for a file that is no ledger.
    """
    with Ledger.to_read(ledger) as opened:
        return FleetSummary.of(opened)


def fleet_items(ledger: Path, *, changed: bool = False, failing: bool = False) -> list[FleetItem]:
    """The items of a fleet's last run: what has changed first, then what is not good, then by name.

    ``changed``: only those that the last run found other than before; ``failing``: only those that are not good or not
    done. Raises as :func:`fleet_summary`.
    """
    with Ledger.to_read(ledger) as opened:
        found = [
            FleetItem(
                name=item["name"],
                state=State(item["state"]),
                new=bool(item["new"]),
                changed=bool(item["has_changed"]) and not item["new"],
                exit_code=item["exit_code"],
                error=item["error"],
                message=item["message"] or "",
                rows=item["rows"],
                data_sha256=item["data_sha256"],
                losses=item["losses"],
                output=item["output"],
                done=None if item["done"] is None else datetime.fromtimestamp(item["done"], UTC),
                seconds=item["seconds"],
                before_exit_code=item["before_exit_code"],
                before_error=item["before_error"],
                before_rows=item["before_rows"],
                before_data_sha256=item["before_data_sha256"],
            )
            for item in opened.items(changed=changed, failing=failing)
        ]
    return [item for item in found if item.changed] if changed else found
