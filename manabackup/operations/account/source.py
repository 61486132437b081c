"""What an export reads: changes, and what is known of the account besides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ...crypto.fields import FieldCipher
from ...mirror import HeldCollection, Loss, MirrorPage
from ...model.registry import Registry
from ...text.jsontext import JSON

APPS_NOT_NAMED = "apps outside the registry that were not named with --extra-app"
"""What no client of the sync server can find out."""


class Changes(Protocol):
    """What an export folds: a :class:`~manabackup.mirror.Snapshot`, or an older archive in its place."""

    def collections(self) -> list[HeldCollection]: ...
    def read(self, app: str, collection: str) -> Iterator[MirrorPage]: ...
    def losses(self) -> list[Loss]: ...


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows come from, and what is known of the account besides its changes."""

    mirror: Changes
    registry: Registry
    user_id: str
    cipher: FieldCipher | None
    """None for an account without a vault: then nothing is encrypted."""
    pulled_at: str | None = None
    """When the mirror last saw the server, RFC 3339; None when that was just now."""
    searched_at: str | None = None
    """When the server was last searched for collections that nobody told of, RFC 3339; None when it never was."""
    space_types: Mapping[str, str] = field(default_factory=dict)
    memberships: frozenset[str] | None = None
    """The spaces that the account is a member of; None where the account service did not say."""
    account: Mapping[str, bytes] = field(default_factory=dict)
    """Entries for ``account/``: name → content."""
    notices: Sequence[tuple[str, str]] = ()
    """(kind, reason) of what the caller found missing besides, such as account data that could not be had."""
    as_stored: bool = False
    """Private fields stay as they stand at the source, and that is no loss: the key is their owner's, who is not here.
    """
    stated: Mapping[str, JSON] = field(default_factory=dict)
    """Keys of the manifest that say where all of this was taken from."""
    unknowable: str = APPS_NOT_NAMED
    """What could not be found out, in words."""
