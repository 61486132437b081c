"""As whom a server is asked: what ``.netrc`` says of it, or a variable beside the user whom an address names.

Source of the format: netrc(5), as curl reads it; ``NETRC`` names another file.
"""

from __future__ import annotations

import base64
import logging
import netrc
import os
from functools import cache
from pathlib import Path

from ..errors import UsageError
from ..host.secret_sources import SecretFile
from ..text.printable import printable
from .addresses import Address

_log = logging.getLogger(__name__)

VARIABLE = "MANABACKUP_DAV_PASSWORD"
HINT = f"its user and password stand in ~/.netrc (`machine HOST login USER password …`), or USER@ and {VARIABLE}"


def authorization(address: Address, *, with_variable: bool) -> dict[str, str]:
    """The header that says who asks (RFC 7617); none where nobody is known. Raises :class:`UsageError`."""
    found = _from_netrc(address)
    password = os.environ.get(VARIABLE) if with_variable else None
    if address.user and password:
        found = address.user, password
    if found is None:
        return {}
    user, secret = found
    if ":" in user:
        raise UsageError("a user's name with a colon in it cannot be sent (RFC 7617)")
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{secret}".encode()).decode("ascii")}


def _from_netrc(address: Address) -> tuple[str, str] | None:
    named = os.environ.get("NETRC")
    path = Path(named) if named else Path.home() / ".netrc"
    shown = printable(str(path))
    try:
        file = netrc.netrc(str(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UsageError(f"{shown} cannot be read: {error.strerror}") from None
    except (netrc.NetrcParseError, UnicodeDecodeError):
        # Its words may quote what stands there.
        raise UsageError(f"{shown} is not as .netrc files are") from None
    found = file.authenticators(address.host)
    if found is None or (address.user and found[0] != address.user):
        return None
    if not (found[0] and found[2]):
        return None
    if SecretFile(path).read_by_others():
        _warn_of(path)
    return found[0], found[2]


@cache
def _warn_of(path: Path) -> None:
    """Tells, once, of a password that is open to others; curl and its like take it all the same."""
    _log.warning("other users of this computer can read %s", printable(str(path)))
