"""One run of one command: its settings, its outputs, its secrets, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from enum import IntEnum
from typing import TYPE_CHECKING, Any

from ..errors import ManabackupError, UsageError
from ..host.secret_sources import SecretFile, SecretReader, SecretSource, ways_to_give
from ..operations.account.settings import TARGET, Settings, resolve, resolve_whatever
from ..text.passphrases import oddities, told
from ..text.printable import printable
from .prompts import MOST_TRIES, ask_secret
from .terminal import Terminal

if TYPE_CHECKING:
    from ..crypto.fields import FieldCipher
    from ..operations.account.state import StateFolder

_LABELS = {
    "passphrase": "passphrase",
    "recovery-code": "recovery code",
    "password": "password",
    "totp": "code of the authenticator",
    "backup-code": "backup code",
    "token": "access token",
    "key": "master key",
    "dsn": "connection string",
    "sync-dsn": "connection string of the sync server's database",
    "auth-dsn": "connection string of the account service's database",
    "kek": "KEK",
    "to-passphrase": "passphrase of the new archive",
    "b-passphrase": "passphrase of the second archive",
    "b-key": "key of the second archive",
}
_RECOVERY_CODE = "recovery-code"
SHOW = "show"
"""The option that shows a recovery code while it is typed."""
_NEVER_ASKED = frozenset({"token", "key", "dsn", "sync-dsn", "auth-dsn", "kek"})
"""Nobody types these."""


SHORT_PASSPHRASE = 12
"""The web app asks for as many characters; shorter ones are guessed."""


class Exit(IntEnum):
    """How a command ended that did its work; errors carry their own codes."""

    DONE = 0
    LOSSES = 3
    """The output exists, and says what is missing in it."""
    DIFFERENCES = 4


def outcome(*, losses: int, notices: int = 0, strict: bool = False) -> Exit:
    """Losses always tell in the exit code, notices only under ``--strict``."""
    return Exit.LOSSES if losses or (strict and notices) else Exit.DONE


class Run:
    """What a command is given. Until :meth:`begin` only :attr:`terminal` is there, for errors."""

    settings: Settings

    def __init__(
        self,
        environ: Mapping[str, str],
        secrets: SecretReader | None = None,
        resolved: Callable[[Mapping[str, Any], Mapping[str, str]], Settings] = resolve,
    ) -> None:
        self._environ = environ
        self._resolved = resolved
        self._log_lines = ExitStack()
        self._warned_of: set[SecretSource] = set()
        self._secrets = SecretReader() if secrets is None else secrets
        self._wrong_entries = 0
        self._shown = False
        self.trouble: ManabackupError | None = None
        self.error: ManabackupError | None = None
        """What the command ended with, once that is told."""
        self.terminal = Terminal()

    def begin(self, flags: Mapping[str, Any], *, whatever: bool = False) -> None:
        """Resolves the settings from the options given. Raises :class:`UsageError`, :class:`NotFoundError`.

        ``whatever`` is wrong with them, the usual ones then take their place: :attr:`trouble` says what it was.
        """
        # Errors in the settings are told as the command line alone wants it.
        self.terminal = Terminal(verbosity=flags.get("verbose", 0))
        if whatever:
            self.settings, self.trouble = resolve_whatever(flags, self._environ)
        else:
            self.settings = self._resolved(flags, self._environ)
        self._shown = bool(flags.get(SHOW))
        self.terminal = Terminal(
            json=self.settings.json, verbosity=self.settings.verbosity, progress=self.settings.progress
        )
        from .log_lines import LogLines

        self._log_lines.enter_context(LogLines(self.terminal))

    def end(self) -> None:
        """Log records are nobody's words any more."""
        self._log_lines.close()

    def check_profiles(self) -> None:
        """Raises :class:`UsageError` for a profile that neither the configuration nor a sign-in has made."""
        settings = self.settings
        for name in settings.unknown_profiles:
            if self.state.has_session(name):
                continue
            import difflib

            near = difflib.get_close_matches(name, settings.known_profiles, n=3)
            hint = f"did you mean {', '.join(near)}?" if near else f"`manabackup --profile {name} login` makes one"
            raise UsageError(f"{settings.config_path.name} has no profile {printable(name[:64])}", hint=hint)

    @property
    def state(self) -> StateFolder:
        """The state folder that the settings name."""
        from ..operations.account.state import StateFolder

        return StateFolder(
            self.settings.state_dir,
            wait=self.settings.wait,
            waiting=lambda other: self.terminal.note(f"waiting: {other}"),
        )

    def source(self, name: str) -> SecretSource | None:
        """Where a secret would come from, if not from a prompt. Warns when a file is open to other users."""
        source = self.settings.secrets.find(name)
        if isinstance(source, SecretFile) and source not in self._warned_of and source.read_by_others():
            self._warned_of.add(source)
            self.terminal.warning(f"other users of this computer can read {source.path}")
        return source

    def secret(self, name: str, *, of: str | None = None) -> str:
        """A secret by its name in ``settings.SECRETS``, with the prefix of whose it is; passphrases exactly as given.

        A prompt names the file that it is ``of``. Raises :class:`UsageError` when there is no way to get it,
        :class:`NotFoundError` for a file that does not exist.
        """
        return self._secret(name, exact=name.endswith("passphrase"), of=of)

    def once_more(self, name: str, error: ManabackupError) -> bool:
        """Whether somebody who has typed a wrong secret is asked again; they are told."""
        self._wrong_entries += 1
        if self.source(name) is not None or self._wrong_entries >= MOST_TRIES:
            return False
        self.terminal.warning(f"{error.message}; once more")
        return True

    def new_passphrase(self, name: str = "passphrase") -> str:
        """A passphrase for something to be sealed, which somebody will have to type; at a prompt it is asked for twice.

        Raises also :class:`UsageError` for one that no prompt takes, and warns of what is odd about it.
        """
        passphrase, label = self._secret(name, confirm=True), _label(name)
        found = oddities(passphrase)
        if any(not oddity.typable for oddity in found):
            raise UsageError(
                f"the {label} {told(found)}: at a prompt it cannot be typed",
                hint="a passphrase is one line of text; archives that were sealed under another one open with it",
            )
        if found:
            self.terminal.warning(f"the {label} {told(found)}: who types it later must type it so")
        if len(passphrase) < SHORT_PASSPHRASE:
            self.terminal.warning(f"a passphrase of fewer than {SHORT_PASSPHRASE} characters can be guessed")
        return passphrase

    def key_file(self, name: str = "key") -> bytes | None:
        """The master key that a file or a command gives, or None. Raises :class:`WrongKeyError`."""
        source = self.source(name)
        if source is None:
            return None
        from ..operations.account.key import parse_master_key

        return parse_master_key(self._secrets.content(source))

    def secrets_read(self) -> SecretReader:
        """Another reader, which knows what this run has read already."""
        return self._secrets.copy()

    def content(self, name: str) -> bytes | None:
        """What a file or a command holds, as bytes; None where neither is given."""
        source = self.source(name)
        return None if source is None else self._secrets.content(source)

    def cipher(self, name: str = "key") -> FieldCipher | None:
        """The same, for opening what is encrypted under it."""
        key = self.key_file(name)
        if key is None:
            return None
        from ..operations.account.key import FieldCipher

        return FieldCipher(key)

    def _secret(self, name: str, *, confirm: bool = False, exact: bool = False, of: str | None = None) -> str:
        label = _label(name)
        source = self.source(name)
        if source is not None:
            return self._secrets.text(source, label, exact=exact)
        if name.removeprefix(TARGET) not in _NEVER_ASKED:
            self.terminal.make_room()
            question = label if of is None else f"{label} of {printable(of)}"
            if name.removeprefix(TARGET) == _RECOVERY_CODE:
                answer = ask_secret(question, flaw=_recovery_code_flaw, grouped=self._shown)
            else:
                answer = ask_secret(question, confirm=confirm)
            if answer is not None:
                return answer
        raise UsageError(f"no {label} was given", hint=ways_to_give(name))


def _recovery_code_flaw(text: str) -> str | None:
    from ..operations.account.key import recovery_code_flaw

    return recovery_code_flaw(text)


def _label(name: str) -> str:
    return _LABELS.get(name) or f"{_LABELS[name.removeprefix(TARGET)]} of the target account"
