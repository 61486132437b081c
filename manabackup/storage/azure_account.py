"""Which account of Azure Storage, and as whom it is asked: as Azure's own tools find it, in environment and file.

Sources: Azure CLI, "Azure CLI configuration" (values of ``[storage]`` and variables for them); Microsoft, "Configure
Azure Storage connection strings"; azure-identity's ``EnvironmentCredential`` and ``AzureCliCredential`` for tokens.
"""

from __future__ import annotations

import base64
import binascii
import configparser
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from ..errors import AccessError, UsageError
from ..remote.transport import Transport
from ..text.printable import printable
from .asking import Connect
from .shared_key import authorization
from .tokens import Token, Tokens, granted
from .told import told

HINT = (
    "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT with AZURE_STORAGE_KEY or AZURE_STORAGE_SAS_TOKEN, "
    "or `az login` and AZURE_STORAGE_ACCOUNT"
)
_NAME = re.compile(r"[a-z0-9]{3,24}", re.ASCII)
_RESOURCE = "https://storage.azure.com"
_SERVICE = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET")
_EMULATOR = {
    # Microsoft's, the same on every computer: "Use the Azurite emulator for local Azure Storage development".
    "accountname": "devstoreaccount1",
    "accountkey": "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==",
    "blobendpoint": "http://127.0.0.1:10000/devstoreaccount1",
}


@dataclass(slots=True)
class Account:
    """A storage account. Its token, where it needs one, is got when it is first needed."""

    name: str
    endpoint: str
    _key: bytes = field(default=b"", repr=False)
    _sas: str = field(default="", repr=False)
    tokens: Tokens | None = field(default=None, repr=False)

    @classmethod
    def find(cls, environ: Mapping[str, str] | None = None, connect: Connect = Transport) -> Account:
        """Raises :class:`UsageError` for what is not as it should be, :class:`AccessError` where nothing is said."""
        environ = os.environ if environ is None else environ
        environ = _configured(environ) | {name: value for name, value in environ.items() if value}
        text = environ.get("AZURE_STORAGE_CONNECTION_STRING", "")
        said = _connection(text) if text else _single(environ)
        name = said.get("accountname", "")
        if name and not _NAME.fullmatch(name):
            raise UsageError(f"{printable(name[:64])} is no name of a storage account", hint="3 to 24 of a–z and 0–9")
        endpoint = said.get("blobendpoint") or (
            f"{said.get('protocol', 'https')}://{name}.blob.{said.get('endpointsuffix', 'core.windows.net')}"
            if name
            else ""
        )
        if not endpoint:
            raise AccessError("no account of Azure Storage is named", hint=HINT)
        login = not text and environ.get("AZURE_STORAGE_AUTH_MODE", "") == "login"
        if said.get("accountkey") and name and not login:
            return cls(name, endpoint, _key=_decoded(said["accountkey"]))
        if said.get("sharedaccesssignature") and not login:
            return cls(name, endpoint, _sas=said["sharedaccesssignature"].removeprefix("?"))
        return cls(name, endpoint, tokens=Tokens(lambda: _token(environ, connect)))

    @property
    def signature(self) -> str:
        """What the query of each request ends with; empty where headers prove who asks."""
        return self._sas if self.tokens is None else ""

    def proved(
        self, method: str, path: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> Mapping[str, str]:
        """The headers of a request, with what proves who asks. Raises :class:`AccessError`."""
        if self.tokens is not None:
            return {**headers, "Authorization": f"Bearer {self.tokens.text()}"}
        if self._sas:
            return headers
        shown = authorization(self.name, self._key, method=method, path=path, params=params, headers=headers)
        return {**headers, "Authorization": shown}


def _configured(environ: Mapping[str, str]) -> dict[str, str]:
    """What the file of the Azure CLI says, by the variables that say the same."""
    named, home = environ.get("AZURE_CONFIG_DIR"), environ.get("HOME")
    if not (named or home):
        return {}
    path = (Path(named) if named else Path(home or "") / ".azure") / "config"
    file = configparser.RawConfigParser(default_section="", strict=False)
    try:
        with path.open(encoding="utf-8") as text:
            file.read_file(text)
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, configparser.Error):
        raise UsageError(f"{printable(str(path))} cannot be read, or is not as Azure's files are") from None
    if not file.has_section("storage"):
        return {}
    return {f"AZURE_STORAGE_{name.upper()}": value for name, value in file["storage"].items()}


def _single(environ: Mapping[str, str]) -> dict[str, str]:
    """What variables of their own say, those of the Azure CLI before those of other tools."""
    variables = {
        "accountname": ("AZURE_STORAGE_ACCOUNT", "AZURE_STORAGE_ACCOUNT_NAME"),
        "accountkey": ("AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCOUNT_KEY"),
        "sharedaccesssignature": ("AZURE_STORAGE_SAS_TOKEN",),
        "blobendpoint": ("AZURE_STORAGE_SERVICE_ENDPOINT",),
    }
    return {part: next((environ[name] for name in names if environ.get(name)), "") for part, names in variables.items()}


def _connection(text: str) -> dict[str, str]:
    """The parts of a connection string, by their names in lower case."""
    pairs = [part.partition("=") for part in text.split(";") if part.strip()]
    said = {name.strip().lower(): value.strip() for name, _, value in pairs}
    if said.get("usedevelopmentstorage", "").lower() == "true":
        return dict(_EMULATOR)
    if not (said.get("accountname") or said.get("blobendpoint")):
        raise UsageError(
            "AZURE_STORAGE_CONNECTION_STRING is not as connection strings are",
            hint="AccountName=…;AccountKey=…, or BlobEndpoint=…;SharedAccessSignature=…",
        )
    said["protocol"] = said.get("defaultendpointsprotocol") or "https"
    if said.get("blobendpoint") and not said.get("accountname"):
        said["accountname"] = (urlsplit(said["blobendpoint"]).hostname or "").partition(".")[0]
    return said


def _decoded(key: str) -> bytes:
    try:
        return base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        raise UsageError("the key of the storage account is not one (no Base64)", hint=HINT) from None


def _token(environ: Mapping[str, str], connect: Connect) -> Token:
    """Of a service principal that the environment names, else of whoever has signed in to the Azure CLI."""
    tenant, client, secret = (environ.get(name, "") for name in _SERVICE)
    if tenant and client and secret:
        authority = (environ.get("AZURE_AUTHORITY_HOST") or "https://login.microsoftonline.com").rstrip("/")
        if "://" not in authority:
            authority = f"https://{authority}"
        if not re.fullmatch(r"[\w.-]{1,128}", tenant, re.ASCII):
            raise UsageError("AZURE_TENANT_ID is no tenant")
        form = {
            "grant_type": "client_credentials",
            "client_id": client,
            "client_secret": secret,
            "scope": f"{_RESOURCE}/.default",
        }
        url = f"{authority}/{tenant}/oauth2/v2.0/token"
        return granted(connect, url, form, whose=f"Microsoft, for {printable(client[:64])}", hint=HINT)
    program = shutil.which("az", path=environ.get("PATH"))
    if program is None:
        raise AccessError("nothing says as whom Azure Storage is asked", hint=HINT)
    words = [program, "account", "get-access-token", "--resource", _RESOURCE, "--output", "json"]
    match told(words, "`az account get-access-token`", hint="az login"):
        case {"accessToken": str(text)} as answer:
            return Token(text, _moment(answer.get("expires_on")))
    raise AccessError("`az account get-access-token` gives no token", hint="az login")


def _moment(seconds: object) -> datetime | None:
    text = str(seconds)
    return datetime.fromtimestamp(int(text), UTC) if text.isascii() and text.isdigit() and len(text) < 12 else None
