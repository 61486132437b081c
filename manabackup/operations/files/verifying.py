"""Verify: every content of the store is read to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..progress import Step, Watch, teller
from .store import FileStore


@dataclass(slots=True)
class StoreReport:
    """What was found in a store."""

    files: int = 0
    """Contents that are whole."""
    bytes: int = 0
    damaged: int = 0
    """Contents that are not what they should be. They are set aside, and the next run fetches them again."""

    def to_json(self) -> dict[str, Any]:
        """The object that ``files verify --json`` prints (``formats/schemas/files-verify.schema.json``)."""
        return {"ok": not self.damaged, "files": self.files, "bytes": self.bytes, "damaged": self.damaged}


def verify_store(store: FileStore, progress: Watch | None = None) -> StoreReport:
    """Reads everything that the store knows of. ``progress`` is told of :attr:`Step.VERIFY`."""
    sizes: dict[bytes, int] = {}
    for record in store.records():
        sizes[bytes.fromhex(record.sha256)] = record.size
    report = StoreReport()
    tell = teller(progress, Step.VERIFY)
    done, total = 0, sum(sizes.values())
    for digest, size in sizes.items():
        sha256 = digest.hex()
        if store.has(sha256, size) and store.is_whole(sha256, size):
            report.files += 1
            report.bytes += size
        else:
            report.damaged += 1
            store.forget(sha256)
        done += size
        tell(done, total)
    return report
