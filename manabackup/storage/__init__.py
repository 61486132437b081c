"""Storage: where archives lie that are no files of this machine.

Each kind of place is a module of its own; :func:`place` knows which one an address is for. What the archive floor
needs of any of them stands in :mod:`manabackup.archive.places`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from ..archive.places import Folder, Place
from ..errors import UsageError
from ..text.printable import one_line
from .addresses import Address

__all__ = ["Address", "folder", "place"]

_KINDS = "https://, davs://, s3://, gs://, az://, sftp://"
_WITH_LOCKS = ("s3", "gs", "az")


def folder(text: str) -> Folder:
    """The folder that an address names, with its slash or without. Raises :class:`UsageError` as :func:`place` does."""
    address = Address.parse(text)
    address = replace(address, path=address.path.rstrip("/") + "/")
    match address.scheme:
        case "dav" | "davs":
            from .dav import DavFolder

            return DavFolder(address)
        case "sftp":
            from .sftp import SftpFolder

            return SftpFolder(address)
        case "s3":
            from . import s3

            return s3.S3Folder(address, s3.opening())
        case "gs":
            from . import google, objects

            return objects.ObjectFolder(address, google.opening())
        case "az":
            from . import azure, objects

            return objects.ObjectFolder(address, azure.opening())
        case "https" | "http":
            raise UsageError(f"{address}: web servers have no lists of files", hint="davs:// has")
    raise _unknown(address)


def place(text: str, *, lock: timedelta | None = None) -> Place:
    """What an address names; nothing is asked yet. Raises :class:`UsageError` for one that cannot be one.

    ``lock`` is how long nobody can remove what is written there.
    """
    address = Address.parse(text)
    if lock is not None and address.scheme not in _WITH_LOCKS:
        raise UsageError(f"{address}: only buckets (s3://, gs://, az://) have locks", hint="without --retain")
    match address.scheme:
        case "https" | "http":
            from .web import WebPlace

            return WebPlace(address)
        case "dav" | "davs":
            from .dav import DavPlace

            return DavPlace(address)
        case "sftp":
            from .sftp import SftpPlace

            return SftpPlace(address)
        case "s3":
            from . import objects, s3

            return objects.ObjectPlace(address, s3.opening(), lock=lock)
        case "gs":
            from . import google, objects

            return objects.ObjectPlace(address, google.opening(), lock=lock)
        case "az":
            from . import azure, objects

            return objects.ObjectPlace(address, azure.opening(), lock=lock)
    raise _unknown(address)


def _unknown(address: Address) -> UsageError:
    return UsageError(f"{one_line(address.scheme, 32)}:// is no kind of place that is known", hint=f"known: {_KINDS}")
