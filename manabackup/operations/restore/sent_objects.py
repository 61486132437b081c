"""Which documents and songs were sent, and under which keys: noted before any row leads there.

Each that is sent gets a key of its own, and nothing but this tells a later run which one. No content is named, and what
stands here is only where to look: an object is read before anybody believes that it is the file.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable
from pathlib import Path

from ...errors import JSONTextError
from ...host.output import flush, flush_folder, reading_from, writing_to
from ...text import jsontext


def sent_beside(folder: Path) -> Path:
    """The file for an account, beside the folder of what is still to be written into it."""
    return folder.with_name(f"{folder.name}.sent")


class SentObjects:
    """A file of notes, read when it is asked first, and made when the first one is written.

    Safe to share between threads. Raises :class:`OutputError`.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._keys: dict[str, str] | None = None

    def recall(self, address: str) -> str | None:
        """The key under which the object of an address of the archive was sent last."""
        with self._lock:
            return self._read().get(address)

    def note(self, addresses: Iterable[str], key: str) -> None:
        """Keeps this, durably."""
        with self._lock, writing_to(self._path):
            notes = dict.fromkeys(addresses, key)
            self._read().update(notes)
            is_new = not self._path.exists()
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "ab") as file:
                # It begins with a line's end: what a run left that was killed in the middle of a line is by itself.
                file.write(b"".join(b"\n" + jsontext.dumps(list(note)) for note in notes.items()) + b"\n")
                file.flush()
                flush(file.fileno())
            if is_new:
                flush_folder(self._path)

    def forget(self) -> None:
        """Rows lead to what was sent: the notes are not needed any more."""
        with self._lock, writing_to(self._path):
            self._path.unlink(missing_ok=True)
            self._keys = None

    def _read(self) -> dict[str, str]:
        if self._keys is None:
            self._keys = {}
            try:
                with reading_from(self._path):
                    lines = self._path.read_bytes().splitlines()
            except FileNotFoundError:
                lines = []
            for line in lines:
                try:
                    match jsontext.parse(line):
                        case [str(address), str(key)]:
                            self._keys[address] = key
                except JSONTextError:
                    continue  # cut off, or empty
        return self._keys
