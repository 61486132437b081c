"""What all far places are, however they are reached: named by an address, and written whole or not at all."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from functools import partial

from ..archive.places import Output
from ..host.set_aside import Sending, SetAside
from .addresses import Address

TRIAL_FILES = (".manabackup-trial-1", ".manabackup-trial-2")
"""Names of two small files by which it is seen whether a server of files spares what lies in the way of one."""
TRIAL_WORDS = b"By this file manabackup sees whether this server spares what lies in the way.\n"


class FarPlace:
    """An archive that has an address."""

    def __init__(self, address: Address) -> None:
        address.require_file()
        self._address = address

    def __str__(self) -> str:
        return str(self._address)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self._address.name

    @property
    def address(self) -> str:
        """The address, as it is typed."""
        return self._address.text


class WritablePlace(FarPlace, ABC):
    """An archive that can be sent to its address."""

    def writing(self, *, force: bool) -> AbstractContextManager[Output]:
        """As :meth:`manabackup.archive.places.Place.writing` says."""
        return Sending(partial(self._send, force=force))

    @abstractmethod
    def _send(self, held: SetAside, *, force: bool) -> None:
        """Lets the archive appear, whole. With ``force`` it may replace what is there."""


class FarFolder:
    """A folder that has an address, which ends with a slash."""

    def __init__(self, address: Address) -> None:
        self._address = address

    def __str__(self) -> str:
        return str(self._address)

    @property
    def name(self) -> str:
        """The last part of the address."""
        return self._address.folder_name
