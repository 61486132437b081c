"""Spaces (the service calls them organizations), their members and invitations."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import JSONTextError
from ..text import jsontext
from . import credentials
from .accountdb import AccountDatabase

SPACE_TYPES = ("personal", "brand", "club", "family", "team", "practice")
_INVITED_FOR_MS = 2 * 86_400_000


@dataclass(frozen=True, slots=True)
class Space:
    """One space. ``created_at`` is milliseconds since 1970."""

    id: str
    name: str
    slug: str
    created_at: int
    metadata: jsontext.JSON
    """An object, or the JSON text of one: the service shows both."""

    @property
    def type(self) -> str | None:
        """What the metadata call it; None when they cannot be read."""
        try:
            metadata = jsontext.parse(self.metadata) if isinstance(self.metadata, str) else self.metadata
        except JSONTextError:
            return None
        return metadata.get("type") if isinstance(metadata, dict) else None


@dataclass(frozen=True, slots=True)
class Member:
    """One membership."""

    id: str
    space_id: str
    user_id: str
    role: str
    created_at: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """One invitation to a space."""

    id: str
    space_id: str
    email: str
    role: str
    status: str
    expires_at: int
    created_at: int
    inviter_id: str


class Spaces:
    """All spaces. ``now`` is milliseconds since 1970 throughout."""

    def __init__(self, database: AccountDatabase) -> None:
        self._db = database

    def create(
        self, owner_id: str, name: str, slug: str, metadata: jsontext.JSON, now: int, *, space_id: str, member_id: str
    ) -> Space:
        """A space with its owner in it. A slug that is taken gets a suffix."""
        if self._db.row("SELECT 1 FROM spaces WHERE slug = ?", slug) is not None:
            slug = f"{slug}-{credentials.opaque_id(6).lower()}"
        text = jsontext.dumps(metadata).decode()
        with self._db.transaction():
            self._db.write("INSERT INTO spaces VALUES (NULL, ?, ?, ?, ?, ?)", space_id, name, slug, now, text)
            self.add(space_id, owner_id, "owner", now, member_id=member_id)
        return Space(space_id, name, slug, now, metadata)

    def find(self, space_id: str) -> Space | None:
        """The space, or None."""
        row = self._db.row("SELECT id, name, slug, created_at, metadata FROM spaces WHERE id = ?", space_id)
        return None if row is None else _space(dict(row))

    def delete(self, space_id: str) -> None:
        """With its memberships and invitations."""
        self._db.write("DELETE FROM spaces WHERE id = ?", space_id)

    def of_user(self, user_id: str) -> list[tuple[Space, str]]:
        """The spaces that a user is a member of and the role there, by the time of joining."""
        rows = self._db.rows(
            "SELECT s.id, s.name, s.slug, s.created_at, s.metadata, m.role FROM members m"
            " JOIN spaces s ON s.id = m.space_id WHERE m.user_id = ? ORDER BY m.seq",
            user_id,
        )
        found = [dict(row) for row in rows]
        return [(_space(row), str(role)) for row in found if (role := row.pop("role"))]

    def add(self, space_id: str, user_id: str, role: str, now: int, *, member_id: str | None = None) -> Member:
        """Makes a user a member, or gives a member another role."""
        member = Member(member_id or credentials.opaque_id(), space_id, user_id, role, now)
        self._db.write(
            "INSERT INTO members VALUES (NULL, ?, ?, ?, ?, ?) ON CONFLICT (space_id, user_id) DO UPDATE"
            " SET role = excluded.role",
            *(member.id, space_id, user_id, role, now),
        )
        return member

    def remove(self, space_id: str, user_id: str) -> None:
        """Ends a membership; none is no error."""
        self._db.write("DELETE FROM members WHERE space_id = ? AND user_id = ?", space_id, user_id)

    def members(self, space_id: str) -> list[Member]:
        """By the time of joining."""
        rows = self._db.rows(
            "SELECT id, space_id, user_id, role, created_at FROM members WHERE space_id = ? ORDER BY seq", space_id
        )
        return [Member(**dict(row)) for row in rows]

    def member(self, space_id: str, user_id: str) -> Member | None:
        """One user's membership."""
        return next((member for member in self.members(space_id) if member.user_id == user_id), None)

    def invite(self, space_id: str, email: str, role: str, inviter_id: str, now: int) -> Invitation:
        """An invitation that is good for two days."""
        invitation = Invitation(
            credentials.opaque_id(), space_id, email, role, "pending", now + _INVITED_FOR_MS, now, inviter_id
        )
        self._db.write(
            "INSERT INTO invitations VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(invitation.id, space_id, email, role, "pending", invitation.expires_at, now, inviter_id),
        )
        return invitation

    def invitation(self, invitation_id: str) -> Invitation | None:
        """One invitation, whatever became of it."""
        row = self._db.row("SELECT * FROM invitations WHERE id = ?", invitation_id)
        return None if row is None else Invitation(**dict(row))

    def invitations(self, *, space_id: str | None = None, email: str | None = None) -> list[Invitation]:
        """The invitations to a space, or the open ones of an address."""
        rows = self._db.rows(
            "SELECT * FROM invitations WHERE space_id = ? OR (email = ? AND status = 'pending') ORDER BY created_at",
            *(space_id, email),
        )
        return [Invitation(**dict(row)) for row in rows]

    def accept(self, invitation: Invitation, user_id: str, now: int) -> Member:
        """The invited user becomes a member."""
        with self._db.transaction():
            self._db.write("UPDATE invitations SET status = 'accepted' WHERE id = ?", invitation.id)
            return self.add(invitation.space_id, user_id, invitation.role, now)


def _space(row: dict[str, jsontext.JSON]) -> Space:
    return Space(row["id"], row["name"], row["slug"], row["created_at"], jsontext.parse(row["metadata"]))
