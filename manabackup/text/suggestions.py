"""What somebody may have meant by a name that is none."""

from __future__ import annotations

from collections.abc import Iterable

from .printable import printable

_MOST = 3


def did_you_mean(name: str, existing: Iterable[str]) -> str | None:
    """A question that names what is written much like ``name``; None where nothing is."""
    import difflib  # of use only where something is wrong

    near = difflib.get_close_matches(name, sorted(existing), n=_MOST)
    return f"did you mean {', '.join(map(printable, near))}?" if near else None
