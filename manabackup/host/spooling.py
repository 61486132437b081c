"""Where a run sets things aside: anonymous files in the output's folder, gone when the run is, however it ends."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from ..crypto.spools import SpoolFile
from .output import beside, real_path, writing_to

_FLAGS = os.O_RDWR | os.O_CLOEXEC


def spool_files(output: object) -> Callable[[], SpoolFile]:
    """Makes the files of :class:`~manabackup.crypto.spools.CipherSpool`, beside ``output``: there must be room anyway.

    For what is no path, such as the standard output, that is the folder for temporary files.
    """
    if not isinstance(output, Path):
        return tempfile.TemporaryFile
    place = real_path(output)

    def make_file() -> SpoolFile:
        with writing_to(place.parent):
            return os.fdopen(_nameless(place), "w+b")

    return make_file


def _nameless(output: Path) -> int:
    """A descriptor of a new file without a name.

    Where the file system knows no such thing, the file has one until it is open. That is always the same, so that what
    a run left that was killed in between is removed by the next one.
    """
    try:
        return os.open(output.parent, _FLAGS | os.O_TMPFILE, 0o600)
    except (OSError, AttributeError):
        pass  # what stands in the way of any file is told by the next attempt
    path = beside(output, ".spool")
    while True:
        path.unlink(missing_ok=True)
        try:
            descriptor = os.open(path, _FLAGS | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        except FileExistsError:  # another run, in between as well
            continue
        try:
            path.unlink(missing_ok=True)
        except BaseException:
            os.close(descriptor)
            raise
        return descriptor
