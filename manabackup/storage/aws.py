"""Whose keys, which region and which endpoint: as AWS's own tools find them, in the environment and in their files.

Sources: AWS SDKs and Tools Reference Guide, "Shared config and credentials files", "Process credential provider". What
has no keys in a file by itself, such as a role, a sign-in by SSO or a machine's own identity, gives them by a process.
"""

from __future__ import annotations

import configparser
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from ..errors import AccessError, UsageError
from ..text.printable import printable
from .signing import Keys
from .told import told
from .writing import iso_moment

_REGION = "us-east-1"
_SOON = timedelta(minutes=5)
EXPORT = "aws configure export-credentials"
HINT = "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile in ~/.aws, with keys or a credential_process in it"
_ELSEWHERE = ("role_arn", "sso_session", "sso_start_url", "web_identity_token_file", "login_session")


@dataclass(slots=True)
class Account:
    """What the environment and the files say. Its keys are looked up when they are first needed."""

    region: str
    endpoint: str | None
    """Of a server that is not AWS's own."""
    profile: str
    _settings: Mapping[str, str] = field(repr=False)
    _environ: Mapping[str, str] = field(repr=False)
    _keys: Keys | None = field(default=None, repr=False)

    @classmethod
    def find(cls, environ: Mapping[str, str] | None = None) -> Account:
        """Raises :class:`UsageError` for files that cannot be read, and for a profile that is not there."""
        environ = os.environ if environ is None else environ
        named = environ.get("AWS_PROFILE") or environ.get("AWS_DEFAULT_PROFILE")
        settings = _settings(environ, named or "default")
        if settings is None and named:
            raise UsageError(f"there is no profile {printable(named[:64])} in the files of AWS", hint="see AWS_PROFILE")
        settings = settings or {}
        region = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or settings.get("region") or _REGION
        endpoint = environ.get("AWS_ENDPOINT_URL_S3") or environ.get("AWS_ENDPOINT_URL") or settings.get("endpoint_url")
        return cls(region, endpoint, named or "default", settings, environ)

    def keys(self) -> Keys:
        """The keys, anew where they are about to expire. Raises :class:`AccessError`."""
        known = self._keys
        if known is None or (known.expires is not None and known.expires - datetime.now(UTC) < _SOON):
            known = self._keys = self._found()
        return known

    def _found(self) -> Keys:
        environ, settings = self._environ, self._settings
        if environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY"):
            token = environ.get("AWS_SESSION_TOKEN", "")
            return Keys(environ["AWS_ACCESS_KEY_ID"], environ["AWS_SECRET_ACCESS_KEY"], token)
        if settings.get("aws_access_key_id") and settings.get("aws_secret_access_key"):
            token = settings.get("aws_session_token", "")
            return Keys(settings["aws_access_key_id"], settings["aws_secret_access_key"], token)
        if settings.get("credential_process"):
            return _of_process(settings["credential_process"], self.profile)
        if any(settings.get(name) for name in _ELSEWHERE):
            raise AccessError(
                f"the keys of profile {printable(self.profile)} come from a role or a sign-in, which is not done here",
                hint=f'`eval "$({EXPORT} --format env)"` before, or a profile with it as its credential_process',
            )
        raise AccessError("no keys for S3 were found", hint=HINT)


def _settings(environ: Mapping[str, str], profile: str) -> dict[str, str] | None:
    """What the two files say of a profile, the file of keys first; None where neither knows it."""
    home = Path(environ.get("HOME") or "~").expanduser() / ".aws"
    found: dict[str, str] = {}
    known = False
    for variable, name, section in (
        ("AWS_CONFIG_FILE", "config", "default" if profile == "default" else f"profile {profile}"),
        ("AWS_SHARED_CREDENTIALS_FILE", "credentials", profile),
    ):
        path = Path(environ[variable]).expanduser() if environ.get(variable) else home / name
        file = configparser.RawConfigParser(default_section="", strict=False)
        try:
            with path.open(encoding="utf-8") as text:
                file.read_file(text)
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, configparser.Error):
            raise UsageError(f"{printable(str(path))} cannot be read, or is not as AWS's files are") from None
        if file.has_section(section):
            known = True
            found |= dict(file[section])
    return found if known else None


def _of_process(command: str, profile: str) -> Keys:
    whose = f"the credential_process of profile {printable(profile)}"
    try:
        words = shlex.split(command)
    except ValueError:
        raise AccessError(f"{whose} is not as commands are written", hint="quotation marks in pairs") from None
    answer = told(words, whose)
    match answer:
        case {"AccessKeyId": str(access), "SecretAccessKey": str(secret)}:
            return Keys(access, secret, str(answer.get("SessionToken") or ""), iso_moment(answer.get("Expiration")))
    raise AccessError(f"{whose} gives no keys", hint="run it yourself to see why")
