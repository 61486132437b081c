"""The time zone that this machine is set to."""

from __future__ import annotations

from datetime import UTC, tzinfo


def machine_zone() -> tzinfo:
    """The zone of this machine; UTC where it does not say."""
    from tzlocal import get_localzone

    try:
        return get_localzone()
    except (LookupError, ValueError, OSError):
        return UTC
