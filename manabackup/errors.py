"""Everything that can go wrong, as one tree.

Each class carries the exit code that ``cli`` ends with and, where there is something to do about it, a hint.
Messages name the thing that failed and never quote a secret or a value out of somebody's data.
"""

from __future__ import annotations

import re
from typing import ClassVar


class ManabackupError(Exception):
    """Base of every error that this library raises on purpose."""

    exit_code: ClassVar[int] = 1
    default_hint: ClassVar[str | None] = None
    page: ClassVar[str] = "other"
    """Which page tells of causes and mends: ``docs/errors/PAGE.md``. Each class of this module has one of its name."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if cls.__module__ == __name__:
            cls.page = _page(cls.__name__)

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint if hint is not None else self.default_hint


def _page(name: str) -> str:
    """``wrong-recovery-code`` of ``WrongRecoveryCodeError``."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "-", name.removesuffix("Error")).lower()


class UsageError(ManabackupError):
    """A parameter, a setting or a combination of them makes no sense, or a secret was not given."""

    exit_code = 2


class IncompleteError(ManabackupError):
    """A new archive lacks something, and was not to replace a complete one."""

    exit_code = 3


class NotFoundError(ManabackupError):
    """A file or the local state that a command needs does not exist."""

    exit_code = 10


class LockedError(ManabackupError):
    """Another run holds the lock on this state folder or output."""

    exit_code = 11
    default_hint = "wait for the other run to end, or give this one a --state-dir or an output of its own"


class LostProcessError(ManabackupError):
    """A process that this run had started ended by itself; the computer may have been short of memory."""


class WrongSecretError(ManabackupError):
    """A secret is well-formed and does not fit what it should open."""

    exit_code = 12


class WrongPassphraseError(WrongSecretError):
    """The archive is undamaged as far as can be told, and the passphrase does not open it."""

    default_hint = "spelling, capitals and blanks count; ü typed as one character or as two are different passphrases"


class WrongRecoveryCodeError(WrongSecretError):
    """The recovery code does not open the vault's wrapped key, or the wrapped key is damaged: the two look alike."""


class WrongKeyError(WrongSecretError):
    """The master key is malformed, or not the one that the data or the archive was encrypted under."""


class KeyChangedError(WrongSecretError):
    """The account's master key is another one than the local state remembers."""

    default_hint = "if you rotated the key yourself, go on with --accept-new-key; if not, somebody may have replaced it"


class SignInError(ManabackupError):
    """Nobody is signed in, the credentials are wrong, or the server refuses the account (401, 403)."""

    exit_code = 13


class AccessError(ManabackupError):
    """A place where archives lie refuses who asks, or nothing says as whom to ask."""

    exit_code = 13


class ServerError(ManabackupError):
    """The server cannot be reached, keeps failing, or answers what the protocol does not allow."""

    exit_code = 14


OTHER_FILE = "an archive is what `manabackup export` writes; this is some other file"
"""The hint where nothing is damaged, as far as anybody can tell."""


class DamagedArchiveError(ManabackupError):
    """The file is no archive, is damaged, or exceeds a limit; nothing in it was used.

    ``code`` is a stable word for what is wrong (``formats/mana-v2.md``, "Problems"), ``where`` the entry and line,
    ``archive`` the file or the place where it lies, as far as they are known.
    """

    exit_code = 15

    def __init__(
        self, message: str, *, code: str = "container", where: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message if where is None else f"{where}: {message}", hint=hint)
        self.code = code
        self.where = where
        self.problem = message
        self.archive: object | None = None


class TamperedArchiveError(DamagedArchiveError):
    """The archive opens, and its parts contradict each other: somebody edited it."""

    def __init__(self, message: str, *, code: str = "tampered", where: str | None = None) -> None:
        super().__init__(message, code=code, where=where, hint="do not trust this file; take another copy")


class NewerArchiveError(DamagedArchiveError):
    """The archive is of a format version that is newer than this program; nothing is said about damage."""

    default_hint = "upgrade manabackup, in the way it was installed"


class SourceError(ManabackupError):
    """A database that rows come from or go to refuses, cannot be read, or is not as its profile or an archive says."""


class SubscriptionError(ManabackupError):
    """The sync subscription is inactive (402), and the server refuses reads too."""

    exit_code = 16
    default_hint = "switch sync on again in the app's settings; what was pulled before can be exported with --offline"


class UnfinishedError(ManabackupError):
    """Writing into the same account was begun by another command and is not finished."""

    default_hint = "run that command again; or --no-resume, which gives up what it had still to send"


class ConflictError(ManabackupError):
    """Rows are in the way, and that was to stop a restore or a load. Nothing more was sent or written."""


class OlderArchiveError(UsageError):
    """The archive is of format version 1, which holds events in place of rows."""

    default_hint = "`manabackup convert FILE -o OUT` makes one of the present version of it"


class OutputError(ManabackupError):
    """The disk is full, or the output or the state cannot be written."""

    exit_code = 17


class JSONTextError(ManabackupError):
    """A text is not one valid JSON value, or nests deeper than allowed. ``offset`` is in characters, if known."""

    def __init__(self, message: str, *, offset: int | None = None) -> None:
        super().__init__(message)
        self.offset = offset


class MirrorError(ManabackupError):
    """The local mirror is damaged, was written by a newer version, or belongs to another account."""


class OlderMirrorError(MirrorError):
    """The local mirror was written by an earlier version, and is only looked at."""


class FieldDecryptionError(ManabackupError):
    """One ``enc:1:`` value could not be opened. ``reason`` is a stable word: ``malformed``, ``key`` or ``json``."""

    def __init__(self, message: str, *, reason: str) -> None:
        super().__init__(message)
        self.reason = reason
