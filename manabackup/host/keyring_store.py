"""Secrets in the platform's keyring, where the extra ``keyring`` is installed and a real backend runs.

A real backend is one that the ``keyring`` library recommends (priority 1 or more): the desktop's secret service,
KWallet, the macOS keychain. Backends that fail, forget, or write plain files are passed over.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

_log = logging.getLogger(__name__)
_SERVICE = "manabackup"
_RECOMMENDED = 1.0


class Keyring:
    """Secrets by name, in one backend of the ``keyring`` library."""

    def __init__(self, backend: KeyringBackend) -> None:
        self._backend = backend

    def put(self, name: str, secret: str) -> bool:
        """Keeps a secret. False when the keyring does not take it, as when its owner leaves it locked."""
        from keyring.errors import KeyringError

        try:
            self._backend.set_password(_SERVICE, name, secret)
        except KeyringError as error:
            _log.warning("the keyring does not take the session (%s)", type(error).__name__)
            return False
        return True

    def get(self, name: str) -> str | None:
        """A secret, or None when the keyring has none or does not give it."""
        from keyring.errors import KeyringError

        try:
            secret: str | None = self._backend.get_password(_SERVICE, name)
        except KeyringError as error:
            _log.warning("the keyring does not give the session (%s)", type(error).__name__)
            return None
        return secret

    def remove(self, name: str) -> None:
        """Forgets a secret; that there is none is no error."""
        from keyring.errors import KeyringError, PasswordDeleteError

        try:
            self._backend.delete_password(_SERVICE, name)
        except PasswordDeleteError:
            return  # there was none
        except KeyringError as error:
            _log.warning("the keyring does not forget the session (%s)", type(error).__name__)


def is_wanted_in_vain() -> bool:
    """Whether the extra ``keyring`` is installed and finds no backend to rely on, though nobody chose to have none."""
    try:
        import keyring
        from keyring.backends import null
    except ImportError:
        return False
    return not isinstance(keyring.get_keyring(), null.Keyring) and platform_keyring() is None


def platform_keyring() -> Keyring | None:
    """The platform's keyring, or None when there is none to rely on."""
    try:
        import keyring
    except ImportError:
        return None
    chosen = keyring.get_keyring()
    # A chain would try its weaker members too.
    for backend in getattr(chosen, "backends", [chosen]):
        if backend.priority >= _RECOMMENDED:
            return Keyring(backend)
    return None
