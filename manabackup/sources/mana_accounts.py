"""What Mana's account database says of its users: who they are, which spaces they are members of, and their vaults.

Only what is named here is asked for, so that grants on these columns suffice; what is secret is not among it but the
wrapped keys, of which :attr:`Vault.wrapped_key` is read where somebody brings the key that opens it, and no sooner.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from ..errors import JSONTextError, SourceError
from ..text import jsontext
from ..text.jsontext import JSON

Mode = Literal["none", "standard", "zero-knowledge"]

USERS: Final = ("id", "name", "email", "kind", "created_at", "deleted_at")
SPACES: Final = ("id", "name", "metadata")
MEMBERS: Final = ("organization_id", "user_id", "role", "created_at")
VAULTS: Final = (
    "user_id",
    "kek_id",
    "format_version",
    "recovery_wrapped_mk",
    "recovery_iv",
    "recovery_format_version",
    "zero_knowledge",
)
WRAPPED: Final = ("wrapped_mk", "wrap_iv")
"""Columns of a vault that are read with a KEK only."""
TABLES: Final = {"users": USERS, "organizations": SPACES, "members": MEMBERS, "encryption_vaults": VAULTS}
"""Tables of the schema ``auth``, and the columns that are read of each."""

Values = Mapping[str, bytes | None]
"""A row: column → its text, None is NULL."""


class Wrapped(NamedTuple):
    """A master key under another key, as the database has it: two texts of base64."""

    key: str
    iv: str


@dataclass(frozen=True, slots=True)
class Vault:
    """A user's vault, as far as it may be read."""

    mode: Mode
    kek_id: str | None = None
    recovery: Wrapped | None = field(default=None, repr=False)
    """The master key under the recovery code. It is the user's own, and nobody else's."""
    wrapped_key: Wrapped | None = field(default=None, repr=False)
    """The master key under the operator's KEK."""


NO_VAULT: Final = Vault("none")


@dataclass(frozen=True, slots=True)
class ManaUser:
    """Somebody with an account."""

    id: str
    email: str
    name: str
    kind: str
    """``human``, ``persona`` (test accounts) or ``system``."""
    created_at: str
    deleted_at: str | None
    """Set: the account is being deleted."""


@dataclass(frozen=True, slots=True)
class ManaSpace:
    """A space, and what a user is in it."""

    id: str
    name: str
    type: str | None
    """None where its metadata does not tell."""
    role: str


@dataclass(frozen=True, slots=True)
class ManaAccount:
    """What the account database says of one user."""

    user: ManaUser
    spaces: tuple[ManaSpace, ...]
    vault: Vault

    @property
    def space_ids(self) -> frozenset[str]:
        """The spaces that the user is a member of."""
        return frozenset(space.id for space in self.spaces)

    @property
    def space_types(self) -> dict[str, str]:
        """Space → type, where that is known."""
        return {space.id: space.type for space in self.spaces if space.type is not None}

    def to_json(self) -> dict[str, JSON]:
        """What goes into an archive: nothing secret."""
        user = self.user
        return {
            "user": {
                "id": user.id,
                "email": user.email,
                "name": user.name,
                "kind": user.kind,
                "createdAt": user.created_at,
                **({"deletedAt": user.deleted_at} if user.deleted_at is not None else {}),
            },
            "spaces": [
                {"id": space.id, "name": space.name, "type": space.type, "role": space.role} for space in self.spaces
            ],
        }


def user_of(row: Values) -> ManaUser:
    """A row of ``users``."""
    return ManaUser(
        id=_text(row, "id"),
        email=_text(row, "email"),
        name=_text(row, "name"),
        kind=_text(row, "kind") or "human",
        created_at=_text(row, "created_at"),
        deleted_at=_optional(row, "deleted_at"),
    )


def vault_of(row: Values) -> Vault:
    """A row of ``encryption_vaults``. Raises :class:`SourceError` for one that contradicts itself."""
    zero_knowledge = _text(row, "zero_knowledge") in ("t", "true")
    recovery = _wrap(row, "recovery_wrapped_mk", "recovery_iv")
    if zero_knowledge and recovery is None:
        raise SourceError("a vault is zero-knowledge, and its wrapped key is missing: it is damaged")
    return Vault(
        "zero-knowledge" if zero_knowledge else "standard",
        _optional(row, "kek_id"),
        recovery,
        _wrap(row, *WRAPPED) if WRAPPED[0] in row else None,
    )


def accounts_of(
    users: Iterable[Values], spaces: Iterable[Values], members: Iterable[Values], vaults: Iterable[Values]
) -> list[ManaAccount]:
    """Accounts by all rows of the four tables, by id of their users."""
    known = {_text(row, "id"): row for row in spaces}
    vault_rows = {_text(row, "user_id"): row for row in vaults}
    roles: dict[str, dict[str, str]] = {}
    for row in members:
        roles.setdefault(_text(row, "user_id"), {})[_text(row, "organization_id")] = _text(row, "role")
    found = []
    for row in users:
        user = user_of(row)
        own = roles.get(user.id, {})
        vault = vault_rows.get(user.id)
        found.append(
            ManaAccount(
                user,
                tuple(_space(known[space], own[space]) for space in sorted(own) if space in known),
                NO_VAULT if vault is None else vault_of(vault),
            )
        )
    return sorted(found, key=lambda account: account.user.id)


def _space(row: Values, role: str) -> ManaSpace:
    return ManaSpace(_text(row, "id"), _text(row, "name"), _type_of(row.get("metadata")), role)


def _type_of(metadata: bytes | None) -> str | None:
    """``metadata.type``; metadata are an object, or the JSON text of one."""
    try:
        found = jsontext.parse(metadata or b"null")
        if isinstance(found, str):
            found = jsontext.parse(found)
    except JSONTextError:
        return None
    kind = found.get("type") if isinstance(found, dict) else None
    return kind if isinstance(kind, str) else None


def _wrap(row: Values, key: str, iv: str) -> Wrapped | None:
    found = _optional(row, key), _optional(row, iv)
    if found[0] is None or found[1] is None:
        return None
    for text in found:
        try:
            b64decode(text or "", validate=True)
        except (binascii.Error, ValueError):
            raise SourceError(f"a vault's {key} is no base64: the vault is damaged") from None
    return Wrapped(found[0], found[1])


def _text(row: Values, column: str) -> str:
    return _optional(row, column) or ""


def _optional(row: Values, column: str) -> str | None:
    value = row.get(column)
    return None if value is None else value.decode("utf-8", "replace")
