"""How a fleet's run is told to people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..operations.fleet import FleetSummary, State, said_of
from ..text.printable import counted, one_line, printable
from .examples import EXIT_CODES

_SHOWN = 10
"""Items of one kind that are named."""
_BAD = "ended their processes, also when they were tried alone"


def lines(found: FleetSummary, *, shown: int = _SHOWN) -> Iterator[str]:
    """What has changed first, then what is not good, then how many there are."""
    if found.changed:
        yield f"changed since the run before: {counted(found.changed, 'item')}"
        yield from _named(found.changes, found.changed, shown, _change)
    if found.gone_now:
        yield f"gone since the run before: {counted(found.gone_now, 'item')}"
        yield from _named(found.gone_items, found.gone_now, shown, _last)
    if found.not_good:
        yield f"not good: {counted(found.not_good, 'item')}"
        yield from _named(found.failing, found.not_good, shown, outcome_words)
    command = found.run.get("command", "")
    numbers = [counted(found.items, "item"), f"{found.codes[0]:,} good"]
    numbers += [f"{count:,} {EXIT_CODES.get(code, '')} ({code})" for code, count in sorted(found.codes.items()) if code]
    numbers += [f"{found.left:,} not done yet"] if found.left else []
    yield f"{command}: {'; '.join(numbers)}"
    if found.states[State.BAD]:
        yield f"  {found.states[State.BAD]:,} of them {_BAD}"
    if found.losses:
        yield f"  {', '.join(f'{one_line(kind)}: {count:,}' for kind, count in sorted(found.losses.items()))}"
    taken = f"{found.tried:,} tried in this run, {found.items - found.tried - found.left:,} known from before"
    gone = f", {found.gone:,} gone" if found.gone else ""
    yield f"  {taken}, {found.new:,} new{gone}; {counted(found.rows, 'row')}"
    if found.run.get("ending") not in ("done", None):
        yield "  the run was cut off; the same command goes on with it"


def _named(items: list[dict[str, Any]], count: int, shown: int, words: Any) -> Iterator[str]:
    for item in items[:shown]:
        yield f"  {printable(item['name'])}: {words(item)}"
    if count > len(items[:shown]):
        yield f"  … and {count - len(items[:shown]):,} more"


def outcome_words(item: Mapping[str, Any]) -> str:
    """What came of an item, without its name."""
    message = said_of(item)
    if item["exit_code"] is None:
        return "not done yet"
    losses = ", ".join(f"{one_line(kind)}: {count:,}" for kind, count in sorted(item["losses"].items()))
    told = "; ".join(part for part in (message or EXIT_CODES.get(item["exit_code"], ""), losses) if part)
    return f"{told} ({item['exit_code']})"


def _last(item: Mapping[str, Any]) -> str:
    return "was good" if item["exit_code"] == 0 else f"was {outcome_words(item)}"


def _change(item: Mapping[str, Any]) -> str:
    before, now = item["before_exit_code"], item["exit_code"]
    if before != now:
        was = "good" if before == 0 else EXIT_CODES.get(before, "not tried")
        return f"was {was}, now {'good' if now == 0 else outcome_words(item)}"
    if item["before_rows"] != item["rows"]:
        return f"had {item['before_rows'] or 0:,} rows, has {item['rows'] or 0:,}"
    return "has other content" if item["before_data_sha256"] != item["data_sha256"] else outcome_words(item)
