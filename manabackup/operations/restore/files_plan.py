"""What a plan says of files: what is there, what is sent, and what cannot be put back."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from ...text.jsontext import JSON
from ..files.returned import ReturnedFile

_MOST_CASES = 1_000
Row = tuple[str, str]
"""Table and id."""


@dataclass(slots=True)
class FilesPlan:
    """What becomes of the files that the rows to be restored refer to. Fit for JSON."""

    asked: bool = False
    """Whether files are restored at all."""
    files: int = 0
    """Files that the archive holds and these rows refer to; what belongs to two services counts for each."""
    references: int = 0
    """Places in rows that lead to one of them."""
    present: int = 0
    """Files that the services have already."""
    to_send: int = 0
    """Files that are sent, or were."""
    to_send_bytes: int = 0
    sent: int = 0
    led_anew: int = 0
    """Files that rows which are written lead to under another id or key than in the archive."""
    lost: Counter[str] = field(default_factory=Counter)
    """Why files cannot be put back → files."""
    cases: list[dict[str, JSON]] = field(default_factory=list)
    """Of the first ones: SHA-256, reason, and the first row that refers to it."""

    @property
    def losses(self) -> int:
        """Files that are not where rows look for them, though that was asked for."""
        return sum(self.lost.values())

    def lose(self, file: ReturnedFile, row: Row) -> None:
        """A file that cannot be put back."""
        assert file.lost is not None
        self.lost[file.lost.value] += 1
        if len(self.cases) < _MOST_CASES:
            self.cases.append({"sha256": file.sha256, "reason": file.lost.value, "table": row[0], "id": row[1]})

    def to_json(self) -> dict[str, JSON]:
        """The member ``files`` of what ``restore --json`` prints."""
        return {
            "asked": self.asked,
            "files": self.files,
            "references": self.references,
            "present": self.present,
            "toSend": self.to_send,
            "toSendBytes": self.to_send_bytes,
            "sent": self.sent,
            "ledAnew": self.led_anew,
            "lost": dict(sorted(self.lost.items())),
            "lostCases": list(self.cases),
        }

    @classmethod
    def of_json(cls, record: dict[str, JSON]) -> FilesPlan:
        """What :meth:`to_json` gave; of nothing, that there are no files."""
        counts = {name: record.get(key, 0) for name, key in _COUNTS.items()}
        return cls(
            record.get("asked") is True,
            **counts,
            lost=Counter(record.get("lost", {})),
            cases=list(record.get("lostCases", [])),
        )


_COUNTS = {
    "files": "files",
    "references": "references",
    "present": "present",
    "to_send": "toSend",
    "to_send_bytes": "toSendBytes",
    "sent": "sent",
    "led_anew": "ledAnew",
}
