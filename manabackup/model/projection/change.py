"""What an accepted change says: its times, and which of its names are data."""

from __future__ import annotations

import re

from ...text.jsontext import JSON

_ISO_TIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


def is_data(name: str) -> bool:
    """Whether a field of that name is the user's data (rule 7). A path is judged by its first name."""
    if name[:1] not in "_i":  # nearly all: this runs once per field of every change
        return True
    head = name.partition(".")[0]
    return head not in ("id", "_updatedAtIndex") and not head.startswith("__")


_PLAIN_NAMES: set[str] = {"id"}
"""``id``, and names that :func:`is_data` has passed: whole rows are compared with it at once."""
_MOST_PLAIN_NAMES = 10_000


def data_of(row: dict[str, JSON]) -> dict[str, JSON]:
    """The members of an insert's data that are the user's (rule 7), as a new dictionary."""
    if row.keys() <= _PLAIN_NAMES:
        values = dict(row)
        values.pop("id", None)
        return values
    values = {name: value for name, value in row.items() if is_data(name)}
    if len(_PLAIN_NAMES) < _MOST_PLAIN_NAMES:
        _PLAIN_NAMES.update(values)
    return values


def insert_time(data: dict[str, JSON]) -> str:
    """The time that an insert's data carry: the first of ``updatedAt``, ``createdAt`` that is a string; ``""`` if none.

    ``wetterLocations.createdAt`` is a number, so neither may be taken for a string unseen.
    """
    time = data.get("updatedAt")
    if type(time) is str and time:
        return time
    time = data.get("createdAt")
    return time if type(time) is str else ""


def field_time(field: dict[str, JSON]) -> str:
    """The time of one update field, ``""`` if it has none. Older clients wrote it as ``updatedAt``."""
    time: str = field.get("at", "")
    if time:
        return time
    time = field.get("updatedAt", "")
    return time if type(time) is str else ""


def is_dated(data: dict[str, JSON]) -> bool:
    """Whether a web client finds an ISO 8601 time in an insert's data.

    It takes the first of ``updatedAt``, ``createdAt`` that is not null, whatever its type, and its own clock where both
    are missing.
    """
    time = data.get("updatedAt")
    if time is None:
        time = data.get("createdAt")
    return type(time) is str and _ISO_TIME.fullmatch(time) is not None
