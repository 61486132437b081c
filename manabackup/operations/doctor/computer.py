"""This computer: program, language, terminal, settings, state folder, room on the disks, keyring."""

from __future__ import annotations

import importlib.metadata
import locale
import os
import platform
import shutil
import stat
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final

from ...about import __version__
from ...errors import ManabackupError
from ...host.keyring_store import platform_keyring
from ...limits import GIB, MIB
from ...text.printable import printable
from ..account.settings import Settings
from .checks import Check, attention, broken, well

LIBRARIES: Final = ("click", "cryptography", "httpcore2", "isal", "orjson", "zstandard")
"""Whose versions matter when something is odd."""
LITTLE: Final = GIB
LEAST: Final = 64 * MIB
"""Bytes free on a disk that something is to be written to."""
_UTF8 = frozenset({"utf8", "utf-8"})


def program() -> Iterator[Check]:
    """Versions."""
    yield well("program", f"manabackup {__version__}, {sys.executable or 'unknown interpreter'}")
    yield well("python", f"{platform.python_version()} on {platform.system()} {platform.release()}")
    found, missing = [], []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        yield broken("libraries", f"not installed: {', '.join(missing)}", "install manabackup anew")
    else:
        yield well("libraries", ", ".join(found))


def language(environ: Mapping[str, str]) -> Iterator[Check]:
    """In which encoding words go out and names of files come in."""
    names = [environ[name] for name in ("LC_ALL", "LC_CTYPE", "LANG") if environ.get(name)]
    spelled = printable(names[0]) if names else "not set"
    encodings = {locale.getencoding().lower(), sys.getfilesystemencoding().lower()}
    if encodings <= _UTF8:
        yield well("locale", f"{spelled}, UTF-8")
    else:
        found = f"{spelled}, {', '.join(sorted(encodings - _UTF8))}"
        yield attention("locale", found, "words may be shown as escapes: `export LC_ALL=C.UTF-8`")


def terminal(environ: Mapping[str, str]) -> Iterator[Check]:
    """Whether questions can be asked, and how wide it is."""
    if not any(stream is not None and not stream.closed and stream.isatty() for stream in (sys.stdin, sys.stderr)):
        yield well("terminal", "none: secrets come from files, commands or the environment")
        return
    kind = printable(environ.get("TERM") or "unknown")
    yield well("terminal", f"{kind}, {shutil.get_terminal_size().columns} columns")


def settings(found: Settings, trouble: ManabackupError | None) -> Iterator[Check]:
    """The configuration, and which profile is meant."""
    if trouble is not None:
        yield broken("settings", trouble.message, trouble.hint or "the rest is looked at with usual settings")
        return
    path = found.config_path
    where = printable(str(path)) if path.exists() else "no file"
    yield well("settings", f"{where}, profile {printable(found.account.profile)}")


def state_folder(root: Path) -> Iterator[Check]:
    """Whether it can be written, and by whom else it can be read."""
    shown = printable(str(root))
    home = "`--state-dir DIR` names another one"
    nearest = next((folder for folder in (root, *root.parents) if folder.exists()), Path("/"))
    if not nearest.is_dir():
        yield broken("state", f"{printable(str(nearest))} is no folder, and {shown} was to be in it", home)
        return
    if not os.access(nearest, os.W_OK | os.X_OK):
        yield broken("state", f"{printable(str(nearest))} cannot be written", home)
        return
    if nearest != root:
        yield well("state", f"{shown}, which is made when it is needed")
        return
    found = root.stat()
    if found.st_uid != os.geteuid():
        yield attention("state", f"{shown} belongs to another user", f"`chown -R {os.geteuid()} {shown}`, or {home}")
    elif stat.S_IMODE(found.st_mode) & 0o077:
        yield attention("state", f"{shown} is open to other users", f"`chmod 700 {shown}`")
    else:
        yield well("state", f"{shown}, for you alone")
    yield from _open_files(root)


def _open_files(root: Path) -> Iterator[Check]:
    """Files with secrets in them that others may read."""
    for folder in ("profiles", "schedules"):
        for path in sorted(root.glob(f"{folder}/*/*")):
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
                shown = printable(str(path))
                yield attention("state", f"{shown} is open to other users", f"`chmod 600 {shown}`")


def disks(folders: Iterable[Path]) -> Iterator[Check]:
    """Room where something is written: the state folder, and where the last archive went."""
    seen: set[int] = set()
    for wanted in folders:
        folder = next((each for each in (wanted, *wanted.parents) if each.is_dir()), Path("/"))
        device = folder.stat().st_dev
        if device in seen:
            continue
        seen.add(device)
        free = shutil.disk_usage(folder).free
        found = f"{free / GIB:,.1f} GiB free at {printable(str(folder))}"
        if free < LEAST:
            yield broken("disk", found, "free some space on this disk")
        elif free < LITTLE:
            yield attention("disk", found, "free some space on this disk before an account of some size is exported")
        else:
            yield well("disk", found)


def keyring() -> Iterator[Check]:
    """Where a session's cookie goes."""
    try:
        importlib.metadata.version("keyring")
    except importlib.metadata.PackageNotFoundError:
        yield well("keyring", "not installed: the session is in a file that you alone can read")
        return
    if platform_keyring() is None:
        yield attention(
            "keyring",
            "installed, and there is none here to rely on: the session is in a file that you alone can read",
            "start a keyring such as gnome-keyring or KWallet, if you want one",
        )
    else:
        yield well("keyring", "there is one, and the next login uses it")
