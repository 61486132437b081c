"""One connection to an SFTP server, by asyncssh, for callers that wait.

asyncssh reads what OpenSSH reads: ``~/.ssh/config``, the agent, keys without a passphrase, ``known_hosts``. A server
that is not known there is not spoken to. Passwords are neither asked for nor sent.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from ..errors import AccessError, ManabackupError, NotFoundError, OutputError, ServerError, UsageError
from ..host.interrupts import uninterrupted
from ..host.output import NO_SPACE
from ..limits import DEFAULT_LIMITS
from ..remote.answers import UnknownServerError, is_unknown_host
from ..text.printable import one_line
from .addresses import Address

try:
    import asyncssh
except ImportError:
    raise UsageError(
        "sftp:// needs a package that is not installed", hint="install manabackup[sftp], in the way it was installed"
    ) from None

# Its lines name users and files.
logging.getLogger("asyncssh").setLevel(logging.CRITICAL)

_T = TypeVar("_T")
_PATIENCE = 120.0
"""Seconds for one step, of at most some MiB."""
_ALIVE = 15
"""Seconds after which a silent server is asked whether it is there; the fourth time without an answer it is not."""
_random = random.SystemRandom().random


class LostError(ServerError):
    """The connection broke; another one may do."""

    page = ServerError.page


class _UnknownHostError(LostError, UnknownServerError):
    """No address is known of the host."""

    page = ServerError.page


class Line:
    """A connection, which is made at once. Safe to share between threads. Errors name the archive that it is about.

    Raises :class:`AccessError`, :class:`ServerError`, :class:`LostError`, :class:`NotFoundError`, :class:`OutputError`.
    """

    def __init__(self, address: Address) -> None:
        self._address = address
        self._shown = str(address)
        self._lock = threading.Lock()
        self._connection: asyncssh.SSHClientConnection | None = None
        self._loop = asyncio.new_event_loop()
        # What a broken connection takes along of asyncssh's own tasks is told once, by whoever waits for them.
        self._loop.set_exception_handler(lambda loop, context: None)
        self._thread = threading.Thread(target=self._loop.run_forever, name="sftp", daemon=True)
        with uninterrupted():
            self._thread.start()
        try:
            self.again()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def again(self) -> None:
        """Connects anew, as often as may help."""
        with self._lock:
            for attempt in range(1, DEFAULT_LIMITS.attempts + 1):
                try:
                    self._wait(self._connected())
                    return
                except LostError:
                    if attempt == DEFAULT_LIMITS.attempts:
                        raise
                    time.sleep(_random() * min(8.0, 0.5 * 2.0 ** (attempt - 1)))

    def close(self) -> None:
        """Closes it for good."""

        async def closing() -> None:
            if self._connection is not None:
                self._connection.abort()
                with suppress(Exception):
                    await self._connection.wait_closed()

        with suppress(Exception):
            asyncio.run_coroutine_threadsafe(closing(), self._loop).result(_PATIENCE)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def state(self, path: str) -> tuple[int, int]:
        """Size and time of the last change of a file."""
        found = self._do(lambda: self._sftp.stat(path))
        if found.type not in (asyncssh.FILEXFER_TYPE_REGULAR, asyncssh.FILEXFER_TYPE_UNKNOWN):
            raise NotFoundError(f"{self._shown} is not a regular file")
        return found.size or 0, found.mtime or 0

    def names(self, path: str) -> list[str]:
        """Of what lies in a folder."""
        return [str(name) for name in self._do(lambda: self._sftp.listdir(path))]

    def folders(self, path: str) -> list[str]:
        """Names of the folders in a folder, links to folders included."""

        async def listing() -> list[str]:
            found = []
            for entry in await self._sftp.readdir(path):
                name, kind = str(entry.filename), entry.attrs.type
                if name in (".", "..") or kind == asyncssh.FILEXFER_TYPE_REGULAR:
                    continue
                if kind == asyncssh.FILEXFER_TYPE_DIRECTORY or await self._sftp.isdir(f"{path.rstrip('/')}/{name}"):
                    found.append(name)
            return found

        return self._do(listing)

    def exists(self, path: str) -> bool:
        """Whether anything has this name."""
        return bool(self._do(lambda: self._sftp.lexists(path)))

    def read(self, path: str, begin: int, stop: int, state: tuple[int, int]) -> bytes:
        """Exactly these bytes of a file that is still as :meth:`state` said. Raises :class:`ServerError` where not."""

        async def reading() -> bytes:
            async with self._sftp.open(path, "rb") as file:
                found = await file.stat()
                if (found.size or 0, found.mtime or 0) != state:
                    raise changed
                content: Any = await file.read(stop - begin, begin)
                return bytes(content)

        changed = ServerError(f"{self._shown} changed while it was read", hint="try again")
        content = self._do(reading)
        if len(content) != stop - begin:
            raise changed
        return content

    def write(self, path: str, pieces: Iterable[bytes]) -> None:
        """A new file, flushed where the server can. Raises :class:`OutputError` where there is one already."""
        attributes = asyncssh.SFTPAttrs(permissions=0o600)
        file = self._do(lambda: _awaited(self._sftp.open(path, "xb", attributes)), writes=True)
        try:
            at = 0
            for piece in pieces:
                self._do(partial(file.write, piece, at), writes=True)
                at += len(piece)
            with suppress(_CannotError):
                self._do(file.fsync, writes=True)
        except BaseException:
            with suppress(ManabackupError):
                self._do(file.close)
            raise
        self._do(file.close, writes=True)

    def rename(self, old: str, new: str, *, replace: bool) -> None:
        """Gives a file another name; with ``replace`` in the place of what has it."""
        if not replace:
            self._do(lambda: self._sftp.rename(old, new), writes=True)
            return
        try:
            self._do(lambda: self._sftp.posix_rename(old, new), writes=True)
        except _CannotError:
            raise OutputError(
                f"cannot write {self._shown}: this server replaces no file at once",
                hint="give the archive another name",
            ) from None

    def remove(self, path: str) -> None:
        """Removes a file."""
        self._do(lambda: self._sftp.remove(path), writes=True)

    async def _connected(self) -> None:
        address = self._address
        if self._connection is not None:
            self._connection.abort()
        self._connection = await asyncssh.connect(
            address.host,
            address.port or (),
            username=address.user or (),
            preferred_auth="publickey",
            password_auth=False,
            kbdint_auth=False,
            connect_timeout=DEFAULT_LIMITS.connect_seconds,
            login_timeout=2 * DEFAULT_LIMITS.connect_seconds,
            keepalive_interval=_ALIVE,
        )
        # Names of files are bytes, which need not be UTF-8.
        self._sftp = await self._connection.start_sftp_client(path_errors="surrogateescape")

    def _do(self, make: Callable[[], Awaitable[_T]], *, writes: bool = False) -> _T:
        async def step() -> _T:
            return await make()

        return self._wait(step(), writes=writes)

    def _wait(self, step: Coroutine[Any, Any, _T], *, writes: bool = False) -> _T:
        future = asyncio.run_coroutine_threadsafe(asyncio.wait_for(step, _PATIENCE), self._loop)
        try:
            return future.result()
        except (asyncssh.Error, OSError, TimeoutError, ValueError) as error:
            raise self._meaning(error, writes=writes) from None
        except BaseException:
            future.cancel()
            raise

    def _meaning(self, error: Exception, *, writes: bool) -> ManabackupError:
        shown = self._shown
        match error:
            case asyncssh.SFTPNoSuchFile() | asyncssh.SFTPNoSuchPath():
                return NotFoundError(f"{shown}: there is no such file")
            case asyncssh.SFTPPermissionDenied() | asyncssh.SFTPWriteProtect():
                return AccessError(f"{shown}: the server does not allow it")
            case asyncssh.SFTPNoSpaceOnFilesystem() | asyncssh.SFTPQuotaExceeded():
                return OutputError(f"cannot write {shown}: there is no room", hint=NO_SPACE)
            case asyncssh.SFTPOpUnsupported():
                return _CannotError(f"{shown}: the server cannot do that")
            case asyncssh.SFTPConnectionLost() | asyncssh.SFTPNoConnection():
                return LostError(f"{shown}: the connection broke")
            case asyncssh.SFTPError() if writes:
                return OutputError(f"cannot write {shown}: {one_line(error.reason)}")
            case asyncssh.HostKeyNotVerifiable():
                return self._host_key()
            case asyncssh.PermissionDenied():
                return AccessError(
                    f"{shown}: the server takes none of the keys", hint="`ssh` with the same host says which it tries"
                )
            case asyncssh.KeyExchangeFailed() | asyncssh.ProtocolNotSupported() | asyncssh.SFTPError():
                return ServerError(f"{shown}: {one_line(error.reason)}")
            case asyncssh.ConfigParseError() | asyncssh.KeyImportError():
                return UsageError(f"{shown}: a file in ~/.ssh cannot be read: {one_line(str(error))}")
            case TimeoutError():
                return LostError(f"{shown}: no answer in time")
            case asyncssh.Error():
                return LostError(f"{shown}: {one_line(error.reason) or 'the connection broke'}")
            case OSError():
                kind = _UnknownHostError if is_unknown_host(error) else LostError
                return kind(f"{shown}: no connection: {one_line(error.strerror or str(error))}")
        return ServerError(f"{shown}: {type(error).__name__}")

    def _host_key(self) -> ServerError:
        address, known = self._address, False
        with suppress(Exception):
            path = Path.home() / ".ssh" / "known_hosts"
            known = bool(asyncssh.match_known_hosts(str(path), address.host, "", address.port or 22)[0])
        if known:
            return UnknownServerError(
                f"{self._shown}: the server's host key has changed; somebody may have taken its place",
                hint="ask who runs it; `ssh-keygen -R HOST` forgets the old one",
            )
        return UnknownServerError(
            f"{self._shown}: the server's host key is not known",
            hint="`ssh` with the same host shows it and remembers it, when it is the right one",
        )


class _CannotError(OutputError):
    """The server knows no such thing."""

    page = OutputError.page


async def _awaited(opening: Awaitable[_T]) -> _T:
    """What asyncssh gives for opening can be awaited, and is no coroutine."""
    return await opening
