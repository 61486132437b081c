"""The state folder: who is signed in, where the mirrors are, and one lock for all of it.

::

    lock                              held by the run that changes anything here
    profiles/<profile>/session.json   who is signed in; the session's cookie too, where no keyring keeps it
    profiles/<profile>/last-backup.json   when the last backup was written, and where
    mirrors/<digest>.sqlite           one for each user of each sync server, or of its database; beside it the sums of
                                      its file (….sums), and one that was found damaged (….damaged)
    files/<digest>/                   the same; files that were fetched, encrypted
    restores/<digest>/                the same; what a restore, or `audit --fix-plaintext`, has still to send
    restores/<digest>.sent            which documents and songs a restore has sent, until rows lead there
    followers/<digest>/               the same; `lock` is held by who follows the account, `follower.json` is how far

Folders have mode 0700, files 0600.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from ...errors import JSONTextError, LockedError, OutputError, SignInError, UsageError
from ...host.keyring_store import Keyring, is_wanted_in_vain, platform_keyring
from ...host.output import reading_from, write_whole, writing_to
from ...remote.session import SIGN_IN_HINT, Session
from ...text import jsontext
from ...text.printable import printable

_PROFILE = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}")
_SESSION_VERSION = 1
_log = logging.getLogger(__name__)
_LOOK_AGAIN = 0.5
"""Seconds until a lock that another run holds is tried again."""


class StateFolder:
    """Names the parts of a state folder; ``root`` is the platform's own place unless given. Asking creates nothing.

    ``wait`` is for how many seconds :meth:`lock` waits for another run to end; ``waiting`` is told of that run then.
    """

    def __init__(
        self, root: Path | None = None, *, wait: float = 0.0, waiting: Callable[[str], object] | None = None
    ) -> None:
        self.root = root if root is not None else default_root()
        self._wait = wait
        self._waiting = waiting

    def sessions(
        self, profile: str = "default", *, keyring: Callable[[], Keyring | None] = platform_keyring
    ) -> SessionStore:
        """Where a profile's session is kept. Raises :class:`UsageError` for a name that makes no file name."""
        return SessionStore(self.profile_folder(profile) / "session.json", keyring)

    def profile_folder(self, profile: str) -> Path:
        """Where what a profile has is kept; it may not exist yet. Raises as :meth:`sessions` does."""
        if not _PROFILE.fullmatch(profile):
            raise UsageError(
                f"not a profile's name: {printable(profile[:64])}", hint="letters, digits, '_', '-' and '.', 64 at most"
            )
        return self.root / "profiles" / profile

    def has_session(self, profile: str) -> bool:
        """Whether a profile has a session, even one that has ended. Nothing is created."""
        return _PROFILE.fullmatch(profile) is not None and (self.root / "profiles" / profile / "session.json").exists()

    def mirror_path(self, sync_url: str, user_id: str) -> Path:
        """The file of one user's mirror of one sync server; it may not exist yet (:func:`make_room`)."""
        name = f"{sync_url.rstrip('/')}\n{user_id}".encode("utf-8", "surrogatepass")
        return self.root / "mirrors" / f"{hashlib.sha256(name).hexdigest()[:32]}.sqlite"

    def files_folder(self, sync_url: str, user_id: str) -> Path:
        """Where one user's fetched files are; it may not exist yet (:func:`make_room`)."""
        return self.root / "files" / self.mirror_path(sync_url, user_id).stem

    def restore_folder(self, sync_url: str, user_id: str) -> Path:
        """Where what is written into one user's account is kept until it is sent; it may not exist yet."""
        return self.root / "restores" / self.mirror_path(sync_url, user_id).stem

    def follower_folder(self, sync_url: str, user_id: str) -> Path:
        """Where it is kept how far somebody is who follows one user's account; it may not exist yet."""
        return self.root / "followers" / self.mirror_path(sync_url, user_id).stem

    def lock(self) -> Lock:
        """The lock of the whole folder, not yet taken."""
        make_room(self.root / "lock")
        return Lock(self.root / "lock", wait=self._wait, waiting=self._waiting)


def make_room(path: Path) -> None:
    """Makes the folder of a file of the state, and those above it, mode 0700. Raises :class:`OutputError`."""
    with writing_to(path.parent):
        for folder in reversed([path.parent, *path.parent.parents]):
            if not folder.exists():
                folder.mkdir(mode=0o700, exist_ok=True)


def default_root() -> Path:
    """The platform's folder for state, such as ``~/.local/state/manabackup``."""
    import platformdirs

    return platformdirs.user_state_path("manabackup", appauthor=False)


class Lock:
    """``with Lock(path):`` — held until the block ends, or the process does.

    Raises :class:`LockedError` when another one holds it, at once or after ``wait`` seconds; ``waiting`` is told of the
    other one before. Raises :class:`OutputError` where the file system has no locks. The file stays: removing it would
    let two hold it. ``busy`` are the words for who holds it, with places for ``{process}`` and ``{folder}``; ``hint``
    is what to do.
    """

    def __init__(
        self,
        path: Path,
        *,
        wait: float = 0.0,
        waiting: Callable[[str], object] | None = None,
        busy: str = "another run{process} works with {folder}",
        hint: str = "--wait lets this run wait for it; or give it a --state-dir of its own",
    ) -> None:
        self._path = path
        self._busy = busy
        self._hint = hint
        self._wait = wait
        self._waiting = waiting
        self._descriptor: int | None = None

    @staticmethod
    def is_held(path: Path) -> bool:
        """Whether somebody holds the lock of this file now. Nothing is changed. Raises :class:`OutputError`."""
        try:
            with reading_from(path):
                descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:  # no locks here: nobody can hold one
            return False
        finally:
            os.close(descriptor)
        return False

    def __enter__(self) -> Self:
        with writing_to(self._path):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            self._take(descriptor)
            with writing_to(self._path):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return self

    def _take(self, descriptor: int) -> None:
        until = time.monotonic() + self._wait
        told = False
        while not self._taken(descriptor):
            other = self._other(descriptor)
            left = until - time.monotonic()
            if left <= 0:
                raise LockedError(other, hint=None if told else self._hint)
            if not told and self._waiting is not None:
                self._waiting(other)
            told = True
            time.sleep(min(left, _LOOK_AGAIN))

    def _taken(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            folder = printable(str(self._path.parent))
            raise OutputError(
                f"the file system of {folder} has no locks: {error.strerror or error}",
                hint="--state-dir names a folder on another one, such as a disk of this computer",
            ) from None
        return True

    def _other(self, descriptor: int) -> str:
        holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
        process = f" (process {holder})" if holder.isdigit() else ""
        return self._busy.format(process=process, folder=printable(str(self._path.parent)))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


class SessionStore:
    """Keeps one session. The cookie goes into the platform's keyring where there is one, else into the 0600 file."""

    def __init__(self, path: Path, keyring: Callable[[], Keyring | None] = platform_keyring) -> None:
        self.path = path
        self._keyring = keyring

    def save(self, session: Session) -> None:
        """Replaces what is kept. Raises :class:`OutputError`."""
        kept = {
            "version": _SESSION_VERSION,
            "authUrl": session.auth_url,
            "userId": session.user_id,
            "email": session.email,
        }
        keyring = self._keyring()
        if keyring is None or not keyring.put(self._name, session.cookie):
            kept["cookie"] = session.cookie
        if keyring is None and is_wanted_in_vain():
            shown = printable(str(self.path))
            _log.warning("no keyring is usable here: the session is kept in %s, which only you can read", shown)
        make_room(self.path)
        write_whole(self.path, jsontext.dumps(kept) + b"\n")

    def load(self) -> Session | None:
        """The session, or None when nobody is signed in.

        Raises :class:`SignInError` when what is kept cannot be used: a damaged file, a keyring that is locked or gone;
        :class:`OutputError` when the disk does not give it.
        """
        kept = self._read()
        if kept is None:
            return None
        cookie = kept.get("cookie") or self._cookie_in_keyring()
        parts: list[jsontext.JSON] = [kept.get("authUrl"), kept.get("userId"), kept.get("email"), cookie]
        if not all(isinstance(part, str) and part for part in parts):
            raise self._damaged()
        return Session(*parts)

    def delete(self) -> None:
        """Forgets the session; that there was none is no error. Raises :class:`OutputError`."""
        keyring = self._keyring()
        if keyring is not None:
            keyring.remove(self._name)
        with writing_to(self.path):
            self.path.unlink(missing_ok=True)

    @property
    def _name(self) -> str:
        return str(self.path.absolute())

    def _cookie_in_keyring(self) -> str:
        keyring = self._keyring()
        cookie = keyring.get(self._name) if keyring is not None else None
        if cookie is None:
            raise SignInError("the session is in a keyring that does not give it", hint=SIGN_IN_HINT)
        return cookie

    def _read(self) -> dict[str, jsontext.JSON] | None:
        try:
            with reading_from(self.path):
                content = self.path.read_bytes()
            kept = jsontext.parse(content)
        except FileNotFoundError:
            return None
        except JSONTextError:
            raise self._damaged() from None
        if not isinstance(kept, dict) or kept.get("version") != _SESSION_VERSION:
            raise self._damaged()
        return kept

    def _damaged(self) -> SignInError:
        return SignInError(f"{printable(str(self.path))} is damaged, or from a newer version", hint=SIGN_IN_HINT)
