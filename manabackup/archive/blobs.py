"""The files of an archive: ``blobs/`` beside what the manifest's ``binaryAssets`` says of them.

A file's name is the SHA-256 of its content, and ``meta/blobs.jsonl`` says of each what it is and which rows refer to
it. ``binaryAssets`` counts the files and names the index, so that none can be taken away or put in unseen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from ..errors import DamagedArchiveError
from ..text.jsontext import JSON
from . import names
from .container import Container
from .manifest import Manifest

INDEX = names.entry("meta", "blobs")
KEY = "binaryAssets"


@dataclass(frozen=True, slots=True)
class BinaryAssets:
    """What an archive says of its files."""

    references: int
    """Places in rows that lead to a file."""
    left_out: int
    """Those of them whose file is not in the archive."""
    count: int = 0
    bytes: int = 0
    sha256: str | None = None
    """Of ``meta/blobs.jsonl``, if there is one."""

    def to_json(self) -> dict[str, JSON]:
        """As it stands in the manifest."""
        stated: dict[str, JSON] = {"count": self.count, "bytes": self.bytes}
        if self.sha256 is not None:
            stated["sha256"] = self.sha256
        return {**stated, "references": self.references, "leftOut": self.left_out}

    def with_files(self, count: int, size: int, sha256: str | None) -> BinaryAssets:
        """The same with the files that were written."""
        return replace(self, count=count, bytes=size, sha256=sha256)


def carried_assets(manifest: Manifest) -> BinaryAssets | None:
    """What a manifest says of references, for an archive that is written anew; None where it does not speak of them."""
    stated = manifest.binary_assets
    if stated is None:
        return None
    references, left_out = stated.get("references"), stated.get("leftOut")
    return BinaryAssets(
        references if type(references) is int else 0,
        left_out if type(left_out) is int else 0,
    )


def check_files(container: Container, manifest: Manifest, sums: Mapping[str, str]) -> None:
    """Whether the files are those that the manifest counts, where this tool wrote it.

    Raises :class:`DamagedArchiveError`. What they hold is checked when they are read.
    """
    if manifest.data_sha256 is None:
        return
    entries = container.of_kind("blob")
    stated = manifest.binary_assets
    if stated is None:
        if entries or INDEX in container.entries:
            raise _contradiction("holds files, and the manifest does not count them")
        return
    if entries and INDEX not in container.entries:
        raise _contradiction("holds files without an index of them")
    found = BinaryAssets(0, 0, len(entries), sum(entry.size for entry in entries), sums.get(INDEX)).to_json()
    if any(stated.get(key) != found.get(key) or type(stated.get(key)) is bool for key in ("count", "bytes", "sha256")):
        raise _contradiction("the manifest counts other files, or names another index, than there are")


def _contradiction(message: str) -> DamagedArchiveError:
    return DamagedArchiveError(message, code="blobs", where=names.MANIFEST)
