"""Info: what an archive says of itself, as far as it shows without a passphrase, and further with one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...archive.manifest import AS_STORED, Manifest
from ...archive.places import Location
from ...archive.reader import open_archive, open_outer
from ...archive.v1 import FORMAT_VERSION as EVENTS_FORMAT_VERSION
from ...archive.v1 import EventManifest, open_events
from ...errors import OlderArchiveError
from ...limits import DEFAULT_LIMITS, Limits
from ...text.jsontext import JSON


@dataclass(frozen=True, slots=True)
class Info:
    """The description of an archive."""

    archive: Location
    bytes: int
    sealed: bool
    opened: bool
    """Whether the seal was opened, so that the inner manifest speaks."""
    manifest: Manifest
    notes: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The object that ``info --json`` prints (``formats/schemas/info.schema.json``)."""
        manifest = self.manifest
        counts = manifest.row_counts
        described: dict[str, JSON] = {
            "archive": str(self.archive),
            "bytes": self.bytes,
            "formatVersion": manifest.raw["formatVersion"],
            "sealed": self.sealed,
            "opened": self.opened,
            "producedBy": manifest.produced_by,
            "exportedAt": manifest.exported_at,
            "userId": manifest.user_id,
            "scope": manifest.raw["scope"],
            "fieldsPlaintext": manifest.fields_plaintext,
            "schemaVersion": manifest.raw["schemaVersion"],
            "rowCounts": counts,
            "rows": sum(count for count in counts.values() if type(count) is int and count > 0),
            "tables": len(counts),
            "notes": self.notes,
        }
        for key in (
            "keyFingerprint",
            "rekeyedFor",
            "dataSha256",
            "sealedSha256",
            "registryVersion",
            "filter",
            "binaryAssets",
            "source",
            AS_STORED,
        ):
            if key in manifest.raw:
                described[key] = manifest.raw[key]
        completeness = manifest.completeness
        if completeness is not None:
            if manifest.status is not None:
                described["status"] = manifest.status
            described["completeness"] = _counts(completeness)
        return described


@dataclass(frozen=True, slots=True)
class OlderInfo:
    """The description of an archive of version 1."""

    archive: Location
    bytes: int
    manifest: EventManifest
    notes: list[str] = field(default_factory=list)
    sealed: bool = False

    def to_json(self) -> dict[str, Any]:
        """The object that ``info --json`` prints for it."""
        return {
            "archive": str(self.archive),
            "bytes": self.bytes,
            "formatVersion": EVENTS_FORMAT_VERSION,
            "sealed": self.sealed,
            "opened": True,
            "producedBy": self.manifest.produced_by,
            "exportedAt": self.manifest.created_at,
            "userId": self.manifest.user_id,
            "apps": list(self.manifest.apps),
            "events": self.manifest.event_count,
            "notes": self.notes,
        }


def info(
    path: Location,
    passphrase: Callable[[], str] | None = None,
    *,
    limits: Limits = DEFAULT_LIMITS,
    allow_weak_kdf: bool = False,
) -> Info | OlderInfo:
    """Describe an archive. Without ``passphrase`` a sealed one shows its outer manifest, and its body is checked
    only; in a far place not even that, for which all of it would have to be fetched.

    Raises :class:`~manabackup.errors.DamagedArchiveError`, :class:`~manabackup.errors.WrongPassphraseError`,
    :class:`~manabackup.errors.NotFoundError`.
    """
    try:
        outer = open_outer(path, limits)
    except OlderArchiveError:
        with open_events(path, limits) as events:
            return OlderInfo(path, events.size, events.manifest, events.notes)
    with outer.resources:
        if not outer.manifest.sealed or passphrase is None:
            if outer.manifest.sealed:
                outer.manifest.seal_parameters(limits, allow_weak=allow_weak_kdf)
                if isinstance(path, Path):  # far away all of it would have to be fetched for that: `verify` does
                    outer.check_sealed_body()
            return Info(path, outer.size, outer.manifest.sealed, opened=False, manifest=outer.manifest)
    with open_archive(path, passphrase, limits=limits, allow_weak_kdf=allow_weak_kdf) as archive:
        return Info(path, archive.size, archive.sealed, opened=True, manifest=archive.manifest, notes=archive.notes)


def _counts(completeness: dict[str, JSON]) -> dict[str, JSON]:
    """The manifest's completeness with counts in place of cases; what is no count is left out."""
    shown = dict(completeness)
    for group in {"losses", "notices"} & shown.keys():
        kinds = shown[group] if isinstance(shown[group], dict) else {}
        counts = {kind: found.get("count") for kind, found in kinds.items() if isinstance(found, dict)}
        shown[group] = {kind: count for kind, count in counts.items() if type(count) is int and count > 0}
    return shown
