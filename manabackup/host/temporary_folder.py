"""A folder for what a run needs while it goes on. What a killed run left of its own, the next one removes."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .interrupts import uninterrupted
from .output import writing_to

_SUFFIX = re.compile("[a-z0-9_]{8}")
"""What :func:`tempfile.mkdtemp` adds; a folder that only has a name like ours is nobody's to remove."""


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """A new folder of mode 0700 among the temporary files, gone when the block ends.

    It is locked meanwhile, and others of this ``prefix`` and user that nobody has locked are removed first. Raises
    :class:`OutputError`.
    """
    place = Path(tempfile.gettempdir())
    with ExitStack() as stack:
        with writing_to(place):
            for folder in place.glob(f"{prefix}*"):
                if _SUFFIX.fullmatch(folder.name.removeprefix(prefix)):
                    _remove_abandoned(folder)
            with uninterrupted():
                folder, lock = _create_locked(prefix)
                stack.callback(os.close, lock)
                stack.callback(shutil.rmtree, folder, ignore_errors=True)
        yield folder


def _create_locked(prefix: str) -> tuple[Path, int]:
    """A folder, and the descriptor that holds its lock."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix))
        lock = _lock(folder)
        if lock is not None:
            return folder, lock
        # Another run took it for abandoned in between, and removes it.


def _remove_abandoned(folder: Path) -> None:
    lock = _lock(folder)
    if lock is not None:
        try:
            shutil.rmtree(folder, ignore_errors=True)
        finally:
            os.close(lock)


def _lock(folder: Path) -> int | None:
    """A descriptor that holds the lock of a folder of ours; None when it is gone, somebody else's, or locked."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        found = os.fstat(descriptor)
        ours = (found.st_uid, stat.S_IMODE(found.st_mode)) == (os.geteuid(), 0o700)
        if ours and os.path.samestat(found, folder.lstat()):
            return descriptor
    except OSError:
        pass  # whatever it is, it is not ours to remove
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None
