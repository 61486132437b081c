"""Spaces: what a row belongs to, and the words of the app for them."""

from __future__ import annotations

from collections.abc import Mapping

PERSONAL = "personal"
"""The type of the space that every account has for itself; also what it is called where its id does not matter."""
SENTINEL = "_personal:"
"""Begins the id that stands for a personal space until the client knows the real one; the user's id follows."""
OPEN_TO_OTHERS = ("unlisted", "public")
"""Values of ``visibility`` with which others than the space's members may see a row."""


def is_personal(space: str, types: Mapping[str, str]) -> bool:
    """Whether a space is a personal one, as far as its id or ``types`` (id → type) tell."""
    return space.startswith(SENTINEL) or types.get(space) == PERSONAL
