"""How long ago something was, in words."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from ..text.printable import one_line
from ..text.timestamps import parse_timestamp


def age(moment: datetime) -> str:
    """From a moment to now, roughly."""
    return ago(datetime.now(UTC) - moment)


def ago(span: timedelta) -> str:
    """A span of time up to now, roughly."""
    minutes = max(0, int(span.total_seconds() // 60))
    for unit, length in (("days", 2 * 24 * 60), ("hours", 2 * 60), ("minutes", 2)):
        if minutes >= length:
            return f"{minutes // (length // 2)} {unit} ago"
    return "just now"


def search_words(searched_at: str | None, unsearched_apps: Sequence[str]) -> str:
    """When the server was searched for unknown collections (RFC 3339), and where it could not be."""
    if searched_at is None:
        return "never searched for unknown collections"
    searched = age(datetime.fromtimestamp(parse_timestamp(searched_at) / 1e6, UTC))
    left_out = f", but for {', '.join(map(one_line, unsearched_apps))}" if unsearched_apps else ""
    return f"searched for unknown collections {searched}{left_out}"
