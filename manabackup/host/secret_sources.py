"""Where secrets come from: files, commands and the environment, never the command line itself.

A secret S has these names: the options ``--S-file`` and ``--S-command``; the variables ``MANABACKUP_S``,
``MANABACKUP_S_FILE`` and ``MANABACKUP_S_COMMAND`` (upper case, ``_`` for ``-``); in a profile the keys ``S-file`` and
``S-command``. Options win over the environment, that over the profile; two sources side by side are an error.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ..errors import NotFoundError, OutputError, UsageError
from ..text.passphrases import BOM
from ..text.printable import printable

ENVIRONMENT_PREFIX = "MANABACKUP_"
_KINDS = ("file", "command")
_LARGEST = 1 << 20
"""Bytes. What is larger is not a secret but a wrong file."""


class SecretSource(Protocol):
    """One place that a secret comes from. It may give something newer each time, or nothing any more, as pipes do."""

    def read(self) -> bytes:
        """Raises :class:`UsageError` or :class:`NotFoundError` without quoting what was read."""


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A file; a pipe will do."""

    path: Path

    def read(self) -> bytes:
        """The file's content."""
        try:
            with self.path.open("rb") as file:
                content = file.read(_LARGEST + 1)
        except FileNotFoundError:
            raise NotFoundError(f"{self._name} does not exist") from None
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            broken = isinstance(error, OSError) and error.errno == errno.EIO
            kind = OutputError if broken else UsageError
            raise kind(f"cannot read {self._name}: {reason or 'not a file name'}") from None
        if len(content) > _LARGEST:
            raise UsageError(f"{self._name} is too large to be a secret")
        return content

    def read_by_others(self) -> bool:
        """Whether it is a regular file that other users of this computer may read."""
        try:
            mode = self.path.stat().st_mode
        except (OSError, ValueError):
            return False  # reading it will say why
        return stat.S_ISREG(mode) and bool(mode & (stat.S_IRGRP | stat.S_IROTH))

    def can_be_read_again(self) -> bool:
        """Whether it is a regular file, and no pipe that is empty after the first time."""
        try:
            return self.path.is_file()
        except (OSError, ValueError):
            return True  # reading it will say what is wrong

    @property
    def _name(self) -> str:
        return printable(str(self.path))


@dataclass(frozen=True, slots=True)
class SecretCommand:
    """A command: words as a POSIX shell splits and unquotes them, started without a shell."""

    command: str = field(repr=False)

    def read(self) -> bytes:
        """What the command writes to its standard output; its other streams are this process' own."""
        import shlex
        import subprocess

        try:
            words = shlex.split(self.command)
        except ValueError:
            raise UsageError("a command for a secret has an open quotation mark") from None
        if not words:
            raise UsageError("a command for a secret is empty")
        name = printable(words[0])
        try:
            finished = subprocess.run(words, stdout=subprocess.PIPE, check=False)  # noqa: S603 # the user's own command
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else None
            raise UsageError(f"cannot run {name}: {reason or 'not a command'}") from None
        if finished.returncode != 0:
            raise UsageError(f"{name} failed with exit code {finished.returncode}")
        if len(finished.stdout) > _LARGEST:
            raise UsageError(f"{name} gives too much to be a secret")
        return finished.stdout


@dataclass(frozen=True, slots=True)
class SecretVariable:
    """A variable's value."""

    value: str = field(repr=False)

    def read(self) -> bytes:
        """The value, byte for byte."""
        return os.fsencode(self.value)


class SecretSources:
    """Finds the source of a secret by its name, such as ``passphrase`` or ``to-token``.

    ``profile_path`` makes a path of what a profile gives as a file.
    """

    def __init__(
        self,
        flags: Mapping[str, str],
        environ: Mapping[str, str],
        profile: Mapping[str, str],
        profile_path: Callable[[str], Path] = Path,
    ) -> None:
        self._flags = flags
        self._environ = environ
        self._profile = profile
        self._profile_path = profile_path

    def find(self, name: str) -> SecretSource | None:
        """The source to read, or None when none is given. Raises :class:`UsageError` when two stand side by side."""
        for found in (self._in_flags(name), self._in_environment(name), self._in_profile(name)):
            if len(found) > 1:
                raise UsageError(f"{' and '.join(found)} are both given", hint="give one of them")
            for source in found.values():
                return source
        return None

    def _in_flags(self, name: str) -> dict[str, SecretSource]:
        given = {suffix: self._flags.get(f"{name}-{suffix}") for suffix in ("file", "command")}
        return {
            f"--{name}-{suffix}": _source(suffix, value, Path) for suffix, value in given.items() if value is not None
        }

    def _in_environment(self, name: str) -> dict[str, SecretSource]:
        found: dict[str, SecretSource] = {}
        # A variable that is set and empty counts as not set.
        if value := self._environ.get(variable(name)):
            found[variable(name)] = SecretVariable(value)
        for kind in _KINDS:
            key = variable(f"{name}-{kind}")
            if value := self._environ.get(key):
                found[key] = _source(kind, value, Path)
        return found

    def _in_profile(self, name: str) -> dict[str, SecretSource]:
        return {
            f"{name}-{kind} of the profile": _source(kind, self._profile[f"{name}-{kind}"], self._profile_path)
            for kind in _KINDS
            if f"{name}-{kind}" in self._profile
        }


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return ENVIRONMENT_PREFIX + name.upper().replace("-", "_")


def ways_to_give(name: str) -> str:
    """What to pass where a secret is missing."""
    return f"--{name}-file FILE, --{name}-command CMD, or {variable(name)}"


class SecretReader:
    """Reads sources, each once, and keeps what came: a pipe that is given for two archives is empty the second time."""

    def __init__(self) -> None:
        self._kept: dict[SecretSource, bytes] = {}

    def content(self, source: SecretSource) -> bytes:
        """What a source gave when it was read first. Raises what :meth:`SecretSource.read` raises."""
        if source not in self._kept:
            self._kept[source] = source.read()
        return self._kept[source]

    def copy(self) -> SecretReader:
        """Another one that knows the same, and keeps for itself what it reads."""
        other = SecretReader()
        other._kept = dict(self._kept)
        return other

    def text(self, source: SecretSource, what: str, *, exact: bool = False) -> str:
        """:func:`secret_text` of it."""
        return _as_text(source, self.content(source), what, exact=exact)


def secret_text(source: SecretSource, what: str, *, exact: bool = False) -> str:
    """A secret as text; one newline at the end of a file or of a command's output is cut. ``what`` is its name.

    A byte order mark before it is dropped unless it is to be ``exact``. Raises :class:`UsageError` for what is empty or
    no text, and what :meth:`SecretSource.read` raises.
    """
    return _as_text(source, source.read(), what, exact=exact)


def _as_text(source: SecretSource, content: bytes, what: str, *, exact: bool) -> str:
    if not isinstance(source, SecretVariable) and content.endswith(b"\n"):
        content = content[:-1].removesuffix(b"\r")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"the {what} is not UTF-8 text") from None
    if not exact:
        text = text.removeprefix(BOM)
    if not text:
        raise UsageError(f"the {what} is empty")
    return text


def _source(kind: str, value: str, path: Callable[[str], Path]) -> SecretSource:
    return SecretCommand(value) if kind == "command" else SecretFile(path(value))
