"""Settings: options, then the environment (``MANABACKUP_…``), then a profile in ``config.toml``, then defaults.

::

    profile = "home"                      # of which profile, unless --profile or MANABACKUP_PROFILE says so

    [profiles.home]
    auth-url = "https://auth.mana.how"
    passphrase-command = "pass show mana/backup"

A profile's name also names the session that ``login`` keeps. Paths in the file are relative to its folder.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import ManabackupError, NotFoundError, OutputError, UsageError
from ...host.secret_sources import SecretSources, variable
from ...text.printable import one_line, printable

AUTH_URL = "https://auth.mana.how"
SYNC_URL = "https://sync.mana.how"
CREDITS_URL = "https://credits.mana.how"
DEFAULT_PROFILE = "default"
SECRETS = (
    *("passphrase", "recovery-code", "password", "totp", "backup-code", "token", "key"),
    *("dsn", "sync-dsn", "auth-dsn", "kek"),
)
"""Names of secrets; each also with the prefix :data:`TARGET`. ``key`` is a master key, ``totp`` a second factor,
``dsn``, ``sync-dsn`` and ``auth-dsn`` a database's connection string, ``kek`` the key of those who run Mana."""
TARGET = "to-"
"""Prefix of what concerns the account that ``rekey`` and ``restore`` write for."""
SECOND = "b-"
"""Prefix of the secrets of the second of two archives that are compared."""

TEXTS = ("auth-url", "sync-url", "credits-url", "media-url", "api-url", "web-url", "state-dir", "email")
SWITCHES = ("json", "no-progress", "quiet")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
_MOST_VERBOSE = 3
_LONGEST_NUMBER = 9
"""Digits of a number of seconds."""


@dataclass(frozen=True, slots=True)
class AccountSettings:
    """Where one account lives, and under which name its session is kept."""

    profile: str
    auth_url: str
    sync_url: str
    credits_url: str | None
    """None where only the other two servers are known: a token is not sent to a server that nobody named."""
    media_url: str | None = None
    """The media service, where it is named."""
    api_url: str | None = None
    """Mana's API, which gives out files and songs."""
    web_url: str | None = None
    """The web app, whose pages name the other two."""
    prefix: str = ""
    """What the names of this account's secrets begin with: nothing, or :data:`TARGET`."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a command takes from outside but its own options and arguments."""

    account: AccountSettings
    target: AccountSettings
    """The account to write for; its servers are those of :attr:`account` unless named."""
    secrets: SecretSources = field(repr=False)
    email: str | None = None
    state_dir: Path | None = None
    """None for the platform's own place."""
    json: bool = False
    progress: bool = True
    verbosity: int = 0
    """-1 quiet, 0 as usual, 1 and more for ``-v`` …"""
    wait: float = 0.0
    """Seconds for which the state folder's lock is waited for."""
    unknown_profiles: tuple[str, ...] = ()
    """Profiles that were asked for by name and that the configuration does not have: they are sessions at most."""
    known_profiles: tuple[str, ...] = ()
    """Those that it has."""
    config_path: Path = field(default_factory=Path)
    """Where the configuration is, or would be."""


def default_config() -> Path:
    """The platform's place for ``config.toml``, such as ``~/.config/manabackup/config.toml``."""
    import platformdirs

    return platformdirs.user_config_path("manabackup", appauthor=False) / "config.toml"


def resolve(flags: Mapping[str, Any], environ: Mapping[str, str]) -> Settings:
    """Settings from the options given (by name, without dashes in front) and an environment.

    Raises :class:`UsageError` naming the setting that makes no sense, and :class:`NotFoundError` for a named
    configuration file that does not exist.
    """
    named = flags.get("config") or environ.get(variable("config"))
    path = Path(named) if named else default_config()
    config = _read_config(path, must_exist=bool(named))
    profile = flags.get("profile") or environ.get(variable("profile")) or config.profile or DEFAULT_PROFILE
    chosen = _Layers(flags, environ, config.profiles.get(profile, {}))
    account = _account(profile, chosen)
    target = _target(account, flags, environ, config)
    asked = [name for key in ("profile", f"{TARGET}profile") if (name := flags.get(key) or environ.get(variable(key)))]
    state_dir = chosen.text("state-dir")
    if state_dir is not None and "state-dir" not in flags and not environ.get(variable("state-dir")):
        state_dir = str(_relative_to(path.parent, state_dir))
    return Settings(
        account=account,
        target=target,
        secrets=SecretSources(flags, environ, chosen.texts(), lambda name: _relative_to(path.parent, name)),
        email=chosen.text("email"),
        state_dir=Path(state_dir) if state_dir is not None else None,
        json=chosen.switch("json"),
        progress=not chosen.switch("no-progress"),
        verbosity=_verbosity(flags, chosen),
        wait=chosen.seconds("wait"),
        unknown_profiles=tuple(name for name in asked if name not in config.profiles and name != DEFAULT_PROFILE),
        known_profiles=tuple(config.profiles),
        config_path=path,
    )


def resolve_whatever(flags: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[Settings, ManabackupError | None]:
    """:func:`resolve` where something has to go on whatever is wrong, and what was.

    Then options and environment count alone; where they make no sense either, only how to print.
    """
    try:
        return resolve(flags, environ), None
    except ManabackupError as error:
        trouble = error
    printing = {name: flags[name] for name in ("json", "verbose", "quiet", "no-progress") if name in flags}
    try:
        return resolve({**flags, "config": os.devnull}, environ), trouble
    except ManabackupError:
        return resolve({**printing, "config": os.devnull}, {}), trouble


class _Layers:
    """One setting at a time, from the first of the layers that gives it."""

    def __init__(self, flags: Mapping[str, Any], environ: Mapping[str, str], profile: Mapping[str, Any]) -> None:
        self._flags = flags
        self._environ = environ
        self._profile = profile

    def text(self, name: str) -> str | None:
        found: str | None = self._flags.get(name) or self._environ.get(variable(name)) or self._profile.get(name)
        return found

    def texts(self) -> dict[str, str]:
        return {name: value for name, value in self._profile.items() if isinstance(value, str)}

    def switch(self, name: str) -> bool:
        if name in self._flags:
            return bool(self._flags[name])
        if value := self._environ.get(variable(name)):
            if value.lower() not in _TRUE | _FALSE:
                raise UsageError(f"{variable(name)} is neither on nor off", hint="1 or 0 will do")
            return value.lower() in _TRUE
        return bool(self._profile.get(name, False))

    def number(self, name: str) -> int:
        if name in self._flags:
            return int(self._flags[name])
        if value := self._environ.get(variable(name)):
            if not (value.isascii() and value.isdigit()):
                raise UsageError(f"{variable(name)} is not a number from 0 to {_MOST_VERBOSE}")
            return min(int(value[:4]), _MOST_VERBOSE)
        return int(self._profile.get(name, 0))

    def seconds(self, name: str) -> float:
        value = self._flags.get(name) or self._environ.get(variable(name)) or self._profile.get(name, 0)
        if isinstance(value, str):
            if not (value.isascii() and value.isdigit()) or len(value) > _LONGEST_NUMBER:
                raise UsageError(f"--{name} (or {variable(name)}) is not a number of seconds")
            value = int(value)
        return float(value)


def _verbosity(flags: Mapping[str, Any], layers: _Layers) -> int:
    if flags.get("quiet"):
        return -1
    return -1 if "verbose" not in flags and layers.switch("quiet") else layers.number("verbose")


def _account(profile: str, layers: _Layers) -> AccountSettings:
    auth_url = layers.text("auth-url") or AUTH_URL
    # The public credits server belongs to the public account service alone.
    credits_url = layers.text("credits-url") or (CREDITS_URL if auth_url.rstrip("/") == AUTH_URL else None)
    return AccountSettings(
        profile,
        auth_url,
        layers.text("sync-url") or SYNC_URL,
        credits_url,
        layers.text("media-url"),
        layers.text("api-url"),
        layers.text("web-url"),
    )


def _target(
    source: AccountSettings, flags: Mapping[str, Any], environ: Mapping[str, str], config: _Config
) -> AccountSettings:
    profile = flags.get("to-profile") or environ.get(variable("to-profile")) or source.profile

    def given(name: str) -> str | None:
        found = flags.get(TARGET + name) or environ.get(variable(TARGET + name))
        return found or (config.profiles.get(profile, {}).get(name) if profile != source.profile else None)

    auth_url = given("auth-url") or source.auth_url
    at_home = auth_url.rstrip("/") == source.auth_url.rstrip("/")  # elsewhere other services have its files
    return AccountSettings(
        profile,
        auth_url,
        given("sync-url") or source.sync_url,
        None,
        given("media-url") or (source.media_url if at_home else None),
        given("api-url") or (source.api_url if at_home else None),
        given("web-url") or (source.web_url if at_home else None),
        prefix=TARGET,
    )


# --- config.toml ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Config:
    profile: str | None = None
    profiles: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def _read_config(path: Path, *, must_exist: bool) -> _Config:
    import tomllib

    shown = printable(str(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")  # some editors begin with a byte order mark
        config = tomllib.loads(text)
    except (FileNotFoundError, NotADirectoryError):  # the latter below HOME=/dev/null
        if must_exist:
            raise NotFoundError(f"{shown} does not exist") from None
        return _Config()
    except OSError as error:
        kind = OutputError if error.errno == errno.EIO else UsageError
        hint = None if must_exist else "--config /dev/null does without"
        raise kind(f"cannot read {shown}: {error.strerror or 'not a file name'}", hint=hint) from None
    except (ValueError, RecursionError) as error:
        reason = one_line(str(error)) if isinstance(error, tomllib.TOMLDecodeError) else "not UTF-8 text in TOML"
        raise UsageError(f"{shown}: {reason}") from None
    return _checked(config, shown)


def _checked(config: dict[str, Any], shown: str) -> _Config:
    def check(found: bool, key: str, problem: str, hint: str | None = None) -> None:
        if not found:
            raise UsageError(f"{shown}: {one_line(key)}: {problem}", hint=hint)

    profile, profiles = config.get("profile"), config.get("profiles", {})
    for key in config:
        check(key in {"profile", "profiles"}, key, "unknown key", "settings stand under [profiles.NAME]")
    check(profile is None or isinstance(profile, str), "profile", "not a text")
    check(isinstance(profiles, dict), "profiles", "not a table")
    for name, table in profiles.items():
        check(isinstance(table, dict), f"profiles.{name}", "not a table")
        for key, value in table.items():
            where = f"profiles.{name}.{key}"
            if key in SWITCHES:
                check(isinstance(value, bool), where, "neither true nor false")
            elif key == "wait":
                check(type(value) is int and 0 <= value < 10**_LONGEST_NUMBER, where, "not a number of seconds")
            elif key == "verbose":
                check(type(value) is int and 0 <= value <= _MOST_VERBOSE, where, f"not from 0 to {_MOST_VERBOSE}")
            else:
                check(key not in SECRETS, where, "a secret does not stand in this file", f"use {key}-command")
                check(key in TEXTS or _is_secret_source(key), where, "unknown key")
                check(isinstance(value, str) and value != "", where, "not a text")
    return _Config(profile, profiles)


def _is_secret_source(key: str) -> bool:
    name, _, kind = key.removeprefix(TARGET).rpartition("-")
    return kind in {"file", "command"} and name in SECRETS


def _relative_to(folder: Path, name: str) -> Path:
    return folder / Path(name).expanduser()
