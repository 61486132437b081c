"""Who wrote what stands in a field, as far as changes tell: whoever pushes may write there what they like."""

from __future__ import annotations

from ..model.projection import UNKNOWN, Record

_PLACEHOLDERS = "legacy:"
"""Begin the names that the app gives to writers of whom it knows no more."""


def is_by(user_id: str, record: Record, field: str) -> bool:
    """Whether a user wrote what stands in a field of a row.

    The field's actor tells where it is a user, else the row's author: an agent, a job or an old client writes for
    somebody, and mostly for the one whose row it is.
    """
    actor = record.stamps.get(field, UNKNOWN).actor
    if actor is not None and actor.get("kind") == "user":
        principal = actor.get("principalId")
        if type(principal) is str and principal and not principal.startswith(_PLACEHOLDERS):
            return principal == user_id
    return record.values.get("authorId") == user_id
