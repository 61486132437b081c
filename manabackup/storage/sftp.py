"""``sftp://``: files behind SSH, asked as OpenSSH's own ``sftp`` would ask: its configuration, agent and known hosts.

An archive is sent under a name of its own beside its place, flushed where the server can, and renamed when it is whole.
The plain rename of SFTP 3 is refused where something lies already; some servers overwrite all the same, which two small
files tell that stay in the folder.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from urllib.parse import quote, unquote

from ..archive.places import State, Unfinished
from ..errors import ManabackupError, NotFoundError, OutputError, ServerError
from ..host.set_aside import SetAside
from .addresses import Address, is_archive, is_shown
from .asking import exists_already, no_folder
from .far import TRIAL_FILES, TRIAL_WORDS, FarFolder, WritablePlace
from .ranges import TAIL, RangedBytes
from .shell import Line, LostError
from .writing import CHANGED, SILENT, meant_name, unfinished_name

_log = logging.getLogger(__name__)


class SftpPlace(WritablePlace):
    """An archive on a computer that is reached by SSH."""

    def __init__(self, address: Address) -> None:
        super().__init__(address)
        self._path = _path(address)

    def open(self) -> RangedBytes:
        """The archive, by ranges. Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        line = Line(self._address)
        try:
            state = line.state(self._path)
            size = state[0]
            tail = line.read(self._path, max(0, size - TAIL), size, state)

            def fetch(begin: int, stop: int) -> bytes:
                try:
                    return line.read(self._path, begin, stop, state)
                except LostError:
                    line.again()
                    return line.read(self._path, begin, stop, state)

            return RangedBytes(size, tail, fetch, line.close)
        except BaseException:
            line.close()
            raise

    def state(self) -> State | None:
        """What is there. Raises :class:`AccessError`, :class:`ServerError`."""
        with Line(self._address) as line:
            if not line.exists(self._path):
                return None
            size, changed = line.state(self._path)
            return State(size, str(changed))

    def remove(self) -> None:
        """Takes away what is there. Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        with Line(self._address) as line:
            line.remove(self._path)

    def _send(self, held: SetAside, *, force: bool) -> None:
        folder, slash, name = self._path.rpartition("/")
        part = f"{folder}{slash}{unfinished_name(name)}"
        with Line(self._address) as line:
            try:
                try:
                    spares = force or _spares(line, f"{folder}{slash}")
                    line.write(part, held.sent())
                except NotFoundError:
                    raise no_folder(str(self)) from None
                if line.state(part)[0] != held.size:
                    raise ServerError(f"{self}: the server did not keep all that was sent")
                if not spares:
                    _log.warning(SILENT, self)
                self._appear(line, part, held.size, force=force)
            except BaseException:
                self._remove(line, part)
                raise

    def _appear(self, line: Line, part: str, size: int, *, force: bool) -> None:
        if not force and line.exists(self._path):
            raise exists_already(str(self))
        try:
            line.rename(part, self._path, replace=force)
        except LostError:
            line.again()
            if not line.exists(part) and line.exists(self._path) and line.state(self._path)[0] == size:
                return
            raise
        except OutputError:
            if not force and line.exists(self._path):
                raise exists_already(str(self)) from None
            raise

    def _remove(self, line: Line, part: str) -> None:
        """Takes away what was sent in vain; tells where that cannot be done."""
        try:
            try:
                line.remove(part)
            except LostError:
                line.again()
                line.remove(part)
        except NotFoundError:
            return  # nothing was sent yet, or it is gone
        except ManabackupError:
            _log.warning("%s: what was sent of it is left there: remove %s", self, part.rpartition("/")[2])


class SftpFolder(FarFolder):
    """A folder on a computer that is reached by SSH."""

    def archives(self) -> Iterator[SftpPlace]:
        """Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        with Line(self._address) as line:
            names = line.names(_path(self._address) or ".")
        for name in sorted(names):
            if is_archive(name):
                yield SftpPlace(replace(self._address, path=self._address.path + _quoted(name)))

    def folders(self) -> Iterator[SftpFolder]:
        """Raises :class:`NotFoundError`, :class:`AccessError`, :class:`ServerError`."""
        with Line(self._address) as line:
            names = line.folders(_path(self._address) or ".")
        for name in sorted(names):
            if is_shown(name):
                yield SftpFolder(replace(self._address, path=f"{self._address.path}{_quoted(name)}/"))

    def unfinished(self) -> Iterator[Unfinished]:
        """As :meth:`manabackup.archive.places.ClearableFolder.unfinished` says. Raises as :meth:`archives` does.

        SFTP tells of no clock: ages are by this computer's.
        """
        with Line(self._address) as line:
            for name in sorted(line.names(_path(self._address) or ".")):
                archive = meant_name(name)
                if archive is None:
                    continue
                with suppress(NotFoundError):  # it may have been moved to its place
                    size, changed = line.state(self._place_of(name))
                    age = timedelta(seconds=time.time() - changed)
                    yield Unfinished(name, archive, size, age, True, partial(self._clear, name, (size, changed)))

    def _clear(self, name: str, judged: tuple[int, int]) -> None:
        with Line(self._address) as line:
            if line.state(self._place_of(name)) != judged:
                raise OutputError(CHANGED)
            line.remove(self._place_of(name))

    def _place_of(self, name: str) -> str:
        return _path(self._address) + name


def _path(address: Address) -> str:
    """As the server knows it; what begins with ``/~/`` lies in the home there."""
    path = unquote(address.path, errors="surrogateescape")
    return path.removeprefix("/~/") if path.startswith("/~/") else path


def _quoted(name: str) -> str:
    """The name of a file as it stands in an address."""
    return quote(name, errors="surrogateescape")


def _spares(line: Line, folder: str) -> bool:
    """Whether the server spares what lies in the way of a file that is renamed."""
    first, second = (folder + name for name in TRIAL_FILES)
    for _ in range(2):
        try:
            line.rename(second, first, replace=False)
        except OutputError:
            if line.exists(first) and line.exists(second):
                return True
        except NotFoundError:
            pass
        for path in (first, second):
            if not line.exists(path):
                with suppress(OutputError):
                    line.write(path, [TRIAL_WORDS])
    return False
