"""Which accounts there are: a list of profiles, with where each one's secrets come from and never the secrets.

The list is a settings file (TOML), or a table (CSV) with a column ``profile`` and one for each setting, which are
called as in a settings file. Paths in it are relative to its folder.
"""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ...errors import NotFoundError, OutputError, UsageError
from ...text.printable import one_line, printable
from ..account.settings import SECRETS, TEXTS, resolve
from ..account.state import StateFolder
from .items import Listed

_PROFILE: Final = "profile"
_STATE: Final = "state-dir"


@dataclass(frozen=True, slots=True)
class FleetAccount:
    """An account that is exported."""

    name: str
    words: tuple[str, ...]
    """The options that name its settings; paths and commands of secrets among them."""

    @property
    def item(self) -> Listed:
        """As the ledger has it."""
        return Listed(self.name)


def accounts(path: Path, state: StateFolder) -> list[FleetAccount]:
    """Those that a list names; each has a state folder of its own below ``state`` unless it names one.

    Raises :class:`UsageError` for a list that makes no sense or holds a secret, :class:`NotFoundError`.
    """
    found = list(_of_table(path, state) if path.suffix.lower() == ".csv" else _of_settings(path, state))
    if not found:
        raise UsageError(f"{printable(str(path))} names no account")
    return found


def _of_settings(path: Path, state: StateFolder) -> Iterator[FleetAccount]:
    for name in resolve({"config": str(path)}, {}).known_profiles:
        settings = resolve({"config": str(path), _PROFILE: name}, {})
        words = [f"--config={path.absolute()}", f"--{_PROFILE}={name}"]
        if settings.state_dir is None:
            words.append(f"--{_STATE}={_state_of(state, name)}")
        yield FleetAccount(name, tuple(words))


def _of_table(path: Path, state: StateFolder) -> Iterator[FleetAccount]:
    shown = printable(str(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(f"{shown} does not exist") from None
    except OSError as error:
        raise OutputError(f"cannot read {shown}: {error.strerror}") from None
    except ValueError:
        raise UsageError(f"{shown} is not UTF-8 text") from None
    rows = csv.DictReader(io.StringIO(text, newline=""), restkey="", strict=True)
    try:
        _check_columns(shown, rows.fieldnames or ())
        seen: set[str] = set()
        for row in rows:
            where = f"{shown}, line {rows.line_num}"
            if "" in row or None in row.values():
                raise UsageError(f"{where}: another number of columns than the first line has")
            name = row.pop(_PROFILE)
            if name in seen:
                raise UsageError(f"{where}: {one_line(name)} stands there twice")
            seen.add(name)
            given = {key: _absolute(path, key, value) for key, value in row.items() if value}
            given.setdefault(_STATE, str(_state_of(state, name)))
            # Nobody's own settings are mixed into those of others.
            yield FleetAccount(name, (f"--config={os.devnull}", *(f"--{key}={value}" for key, value in given.items())))
    except csv.Error as error:
        raise UsageError(f"{shown}, line {rows.line_num}: {error}") from None


def _check_columns(shown: str, columns: object) -> None:
    names = list(columns) if isinstance(columns, (list, tuple)) else []
    if _PROFILE not in names:
        raise UsageError(f"{shown} has no column `{_PROFILE}`", hint="the first line names the columns")
    for name in names:
        secret, _, kind = name.rpartition("-")
        if name in SECRETS:
            raise UsageError(
                f"{shown}: a secret does not stand in this file", hint=f"use {name}-file or {name}-command"
            )
        if name not in (_PROFILE, *TEXTS) and not (kind in ("file", "command") and secret in SECRETS):
            raise UsageError(f"{shown}: unknown column {one_line(name)}")


def _absolute(path: Path, key: str, value: str) -> str:
    is_path = key.endswith("-file") or key == _STATE
    return str((path.parent / Path(value).expanduser()).absolute()) if is_path else value


def _state_of(state: StateFolder, name: str) -> Path:
    state.profile_folder(name)  # or it makes no name of a folder
    return state.root.absolute() / "fleet" / name
