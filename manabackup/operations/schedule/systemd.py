"""A schedule as a service and a timer of systemd's user manager (systemd.service(5), systemd.timer(5)).

Sandboxing options are left out: in user units they imply ``NoNewPrivileges`` or a user namespace, and then mail
programs and password managers that a run may call do not work.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ...errors import UsageError
from .spec import WEEKDAYS, Every, Schedule, SecretKind, When

ENCRYPTED_SINCE: Final = 256
"""The version since which user services get encrypted credentials (systemd-creds(1), ``--user``)."""
_SERVICE = """\
# Written by `manabackup schedule install`; `manabackup schedule remove` takes it away.
[Unit]
Description=Backup of Mana ({name})

[Service]
Type=oneshot
ExecStart=:{command}
{credentials}UMask=0077
Nice=10
IOSchedulingClass=idle
TimeoutStartSec=12h
"""
_TIMER = """\
# Written by `manabackup schedule install`; `manabackup schedule remove` takes it away.
[Unit]
Description=When Mana is backed up ({name})

[Timer]
OnCalendar={calendar}
Persistent=true
RandomizedDelaySec=10m
AccuracySec=1m

[Install]
WantedBy=timers.target
"""


def unit(name: str) -> str:
    """What the service and the timer are called, without their endings."""
    return f"manabackup-{name}"


def calendar(when: When) -> str:
    """The ``OnCalendar`` of a timer (systemd.time(7))."""
    day = f"{WEEKDAYS[when.weekday]} " if when.every is Every.WEEK else ""
    return f"{day}*-*-* {when.at:%H:%M}:00"


def units(schedule: Schedule, command: tuple[str, ...], encrypted: Mapping[str, str]) -> dict[str, str]:
    """File name → content. ``command`` is what a run starts, ``encrypted`` secret → file for systemd to decrypt.

    Raises :class:`UsageError` for paths that no unit can name.
    """
    credentials = [f"LoadCredentialEncrypted={name}:{_specified(path)}\n" for name, path in encrypted.items()]
    credentials += [
        f"LoadCredential={name}:{_specified(place.place)}\n"
        for name, place in schedule.secrets.items()
        if place.kind is not SecretKind.COMMAND and name not in encrypted
    ]
    name = unit(schedule.name)
    return {
        f"{name}.service": _SERVICE.format(
            name=schedule.name, command=" ".join(map(_word, _startable(command))), credentials="".join(credentials)
        ),
        f"{name}.timer": _TIMER.format(name=schedule.name, calendar=calendar(schedule.when)),
    }


def _startable(command: tuple[str, ...]) -> tuple[str, ...]:
    """The same command, by way of a shell where systemd takes no program of such a name."""
    return ("/bin/sh", "-c", 'exec "$0" "$@"', *command) if set(command[0]) & set("\"'\\") else command


def _word(word: str) -> str:
    """One word of a command line. Its colon in front keeps ``$`` from being anything but itself."""
    quoted = _specified(word).replace("\\", "\\\\").replace('"', '\\"')
    return quoted if quoted and not set(quoted) & set(" \t\"'\\;") else f'"{quoted}"'


def _specified(text: str) -> str:
    if not text.isprintable():
        raise UsageError("a path with line breaks or control characters cannot stand in a unit")
    return text.replace("%", "%%")
