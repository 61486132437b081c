"""What a person has still to decide in a profile that was drafted (:mod:`.drafting`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

MARK = "?"
"""In place of a value."""
DECIDE = "decide"
"""The key that asks for a look at what stands beside it."""
_REASONS = ("omit", "allow")


def undecided(values: Mapping[str, Any]) -> Iterator[str]:
    """The paths of all marks in a profile's TOML, in its order."""
    yield from _marks(values, "")
    for name in ("subject", "outbox"):
        yield from _marks(values.get(name), name)
    for name in ("stores", "tables"):
        group = values.get(name)
        for inner, section in group.items() if isinstance(group, Mapping) else ():
            path = f'{name}."{inner}"' if name == "tables" else f"{name}.{inner}"
            yield from _marks(section, path)
            for reasons in _REASONS if isinstance(section, Mapping) else ():
                yield from _marks(section.get(reasons), f"{path}.{reasons}", is_names=True)


def _marks(section: Any, path: str, *, is_names: bool = False) -> Iterator[str]:
    """Those of a table itself. Where ``is_names``, its keys are somebody's columns."""
    for key, value in section.items() if isinstance(section, Mapping) else ():
        if value == MARK or (key == DECIDE and not is_names):
            yield f"{path}.{key}" if path else key
