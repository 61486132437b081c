"""As whom Google Cloud Storage is asked: as Google's own tools find it, in the environment and in their files.

Sources: Google, "How Application Default Credentials works", "Using OAuth 2.0 for Server to Server Applications" (a key
of a service account; RFC 7523), "Using OAuth 2.0 for Web Server Applications" (a refresh token), "About VM metadata".
What these files may name besides is left to the Google Cloud CLI, which gives tokens to whoever has signed in to it.
"""

from __future__ import annotations

import base64
import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ..crypto.signatures import rs256
from ..errors import AccessError, JSONTextError, UsageError
from ..remote.transport import Transport
from ..text import jsontext
from ..text.printable import one_line, printable
from .asking import Connect
from .tokens import Token, Tokens, found, granted
from .told import told
from .writing import iso_moment

HINT = (
    "`gcloud auth application-default login`, or GOOGLE_APPLICATION_CREDENTIALS names the key of a service account, "
    "or `gcloud auth login`"
)
_ENDPOINT = "https://storage.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/devstorage.full_control"
"""Which ``--retain`` takes; it is about storage alone."""
_GRANTS = "https://oauth2.googleapis.com/token"
_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LIFETIME = 3600
_MACHINE = Path("/sys/class/dmi/id/product_name")
_METADATA = "169.254.169.254"


@dataclass(slots=True)
class Account:
    """Where buckets are asked for, and as whom. The token is got when it is first needed."""

    endpoint: str
    tokens: Tokens | None = field(default=None, repr=False)
    """None for an emulator, which does not ask."""

    @classmethod
    def find(cls, environ: Mapping[str, str] | None = None, connect: Connect | None = None) -> Account:
        """Nothing is read and asked yet."""
        said = os.environ if environ is None else environ
        emulator = said.get("STORAGE_EMULATOR_HOST", "")
        if emulator:
            return cls((emulator if "://" in emulator else f"http://{emulator}").rstrip("/"))
        other = said.get("CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE", "").rstrip("/")
        endpoint = other.removesuffix("/storage/v1") or _ENDPOINT
        return cls(endpoint, Tokens(lambda: _token(said, connect or partial(Transport, link_local=True))))

    def headers(self) -> dict[str, str]:
        """What proves who asks. Raises :class:`AccessError`, :class:`UsageError`, :class:`ServerError`."""
        return {} if self.tokens is None else {"Authorization": f"Bearer {self.tokens.text()}"}


def _token(environ: Mapping[str, str], connect: Connect) -> Token:
    named = environ.get("GOOGLE_APPLICATION_CREDENTIALS")
    home = Path(environ.get("HOME") or "~").expanduser()
    usual = Path(environ.get("CLOUDSDK_CONFIG") or home / ".config" / "gcloud") / "application_default_credentials.json"
    path = Path(named) if named else usual
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        if named:
            raise UsageError(f"{printable(named)} is not there", hint="see GOOGLE_APPLICATION_CREDENTIALS") from None
        return _elsewhere(environ, connect)
    except OSError as error:
        raise UsageError(f"{printable(str(path))} cannot be read: {error.strerror}") from None
    return _of_file(content, printable(str(path)), connect)


def _of_file(content: bytes, shown: str, connect: Connect) -> Token:
    try:
        said = jsontext.parse(content)
    except JSONTextError:
        said = None
    match said:
        case {"type": "service_account", "client_email": str(email), "private_key": str(key)}:
            uri = str(said.get("token_uri") or _GRANTS)
            try:
                assertion = _assertion(email, key, str(said.get("private_key_id") or ""), uri)
            except ValueError:
                raise UsageError(f"{shown}: the key in it is none that can be used") from None
            form = {"grant_type": _BEARER, "assertion": assertion}
            return granted(connect, uri, form, whose=f"Google, for {one_line(email, 100)}", hint=HINT)
        case {
            "type": "authorized_user",
            "client_id": str(client),
            "client_secret": str(secret),
            "refresh_token": str(refresh),
        }:
            form = {
                "grant_type": "refresh_token",
                "client_id": client,
                "client_secret": secret,
                "refresh_token": refresh,
            }
            uri = str(said.get("token_uri") or _GRANTS)
            return granted(connect, uri, form, whose=f"Google, for what {shown} holds", hint=HINT)
        case {"type": str(kind)} if kind not in ("service_account", "authorized_user"):
            raise AccessError(
                f"{shown} is of the kind {one_line(kind, 60)}, which is not read here",
                hint=f"`gcloud auth login --cred-file={shown}`, and unset GOOGLE_APPLICATION_CREDENTIALS: "
                "then the Google Cloud CLI gives tokens",
            )
    raise UsageError(f"{shown} is not as Google's files of credentials are", hint=HINT)


def _assertion(email: str, key: str, key_id: str, uri: str) -> str:
    """By which a service account asks for a token (RFC 7523)."""
    now = int(time.time())
    head: jsontext.JSON = {"alg": "RS256", "typ": "JWT", **({"kid": key_id} if key_id else {})}
    claims: jsontext.JSON = {"iss": email, "scope": _SCOPE, "aud": uri, "iat": now, "exp": now + _LIFETIME}
    text = b".".join(_base64url(jsontext.dumps(part)) for part in (head, claims))
    return (text + b"." + _base64url(rs256(key, text))).decode("ascii")


def _base64url(content: bytes) -> bytes:
    return base64.urlsafe_b64encode(content).rstrip(b"=")


def _elsewhere(environ: Mapping[str, str], connect: Connect) -> Token:
    """Of whoever has signed in to the Google Cloud CLI, else of the machine where it is one of Google's."""
    program = shutil.which("gcloud", path=environ.get("PATH"))
    if program is not None:
        words = [program, "config", "config-helper", "--format=json"]
        match told(words, "`gcloud config config-helper`", hint="gcloud auth login"):
            case {"credential": {"access_token": str(text)} as credential}:
                return Token(text, iso_moment(credential.get("token_expiry")))
        raise AccessError("`gcloud config config-helper` gives no token", hint="gcloud auth login")
    host = environ.get("GCE_METADATA_HOST") or (_METADATA if _is_googles() else "")
    if not host:
        raise AccessError("nothing says as whom Google Cloud Storage is asked", hint=HINT)
    url = f"http://{host}/computeMetadata/v1/instance/service-accounts/default/token"
    return found(connect, url, {"scopes": _SCOPE}, {"Metadata-Flavor": "Google"}, whose="this machine of Google's")


def _is_googles() -> bool:
    try:
        return _MACHINE.read_text(encoding="utf-8").startswith("Google")
    except (OSError, UnicodeDecodeError):
        return False
