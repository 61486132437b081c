"""Azure's own: who asks, by a key, a signature or a token; and what that service alone has."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from manabackup.errors import AccessError, UsageError
from manabackup.remote.request import Request
from manabackup.storage.addresses import Address
from manabackup.storage.azure import Container, opening
from manabackup.storage.azure_account import Account
from manabackup.storage.objects import ObjectPlace
from tests.support import azurite
from tests.support.clusters import Authority
from tests.support.grants import Asked, grants
from tests.support.processes import CommandLine
from tests.support.relay import Relay

from .buckets import AzureBucket
from .conftest import hurried, written

SECRETS = (azurite.KEY, "geheim")


@pytest.fixture(scope="module")
def bucket() -> Iterator[AzureBucket]:
    with azurite.azurite() as port:
        yield AzureBucket(port, azurite.new_container(port))


def place(
    bucket: AzureBucket, key: str, environ: dict[str, str], *, lock: timedelta | None = None, at_once: int = 2**20
) -> ObjectPlace:
    address = Address.parse(f"{bucket.address}/{key}")
    return ObjectPlace(address, opening(hurried, Account.find(environ)), lock=lock, at_once=at_once)


def program(path: Path, text: str) -> dict[str, str]:
    """An environment in which ``az`` is a program that prints something, and takes down its arguments."""
    (path / "az").write_text(f"#!/bin/sh\nprintf '%s ' \"$@\" >>{path}/called\n{text}\n")
    (path / "az").chmod(0o700)
    return {"PATH": f"{path}:/usr/bin:/bin", "AZURE_STORAGE_ACCOUNT": "anna1"}


def test_where_the_account_is_and_who_asks_stands_in_the_environment() -> None:
    found = Account.find({"AZURE_STORAGE_ACCOUNT": "anna1", "AZURE_STORAGE_KEY": azurite.KEY})
    assert (found.name, found.endpoint) == ("anna1", "https://anna1.blob.core.windows.net")
    assert azurite.KEY not in repr(found)
    others = {"AZURE_STORAGE_ACCOUNT_NAME": "anna2", "AZURE_STORAGE_ACCOUNT_KEY": azurite.KEY}
    assert Account.find(others).endpoint == "https://anna2.blob.core.windows.net"
    text = f"DefaultEndpointsProtocol=https;AccountName=anna3;AccountKey={azurite.KEY};EndpointSuffix=core.example.cn"
    whole = Account.find(others | {"AZURE_STORAGE_CONNECTION_STRING": text})
    assert (whole.name, whole.endpoint) == ("anna3", "https://anna3.blob.core.example.cn")
    signed = "BlobEndpoint=https://anna4.blob.core.windows.net/;SharedAccessSignature=?sv=2020&sig=geheim%3D"
    found = Account.find({"AZURE_STORAGE_CONNECTION_STRING": signed})
    assert (found.endpoint, found.signature, found.proved("GET", "/", {}, {})) == (
        "https://anna4.blob.core.windows.net/",
        "sv=2020&sig=geheim%3D",
        {},
    )
    assert "geheim" not in repr(found)
    emulated = Account.find({"AZURE_STORAGE_CONNECTION_STRING": "UseDevelopmentStorage=true"})
    assert emulated.endpoint == "http://127.0.0.1:10000/devstoreaccount1"


def test_what_the_tools_file_says_counts_where_the_environment_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / ".azure" / "config"
    file.parent.mkdir()
    file.write_text(f"[core]\noutput = json\n[storage]\naccount = anna5\nkey = {azurite.KEY}\n")
    home = {"HOME": str(tmp_path)}
    assert Account.find(home).endpoint == "https://anna5.blob.core.windows.net"
    assert Account.find(home | {"AZURE_STORAGE_ACCOUNT": "anna6"}).name == "anna6"
    assert Account.find({"AZURE_CONFIG_DIR": str(file.parent)}).name == "anna5"
    file.write_text("geheim")
    with pytest.raises(UsageError) as told:
        Account.find(home)
    assert "geheim" not in str(told.value)


@pytest.mark.parametrize(
    ("environ", "error"),
    [
        ({}, AccessError),
        ({"AZURE_STORAGE_KEY": azurite.KEY}, AccessError),
        ({"AZURE_STORAGE_ACCOUNT": "evil.example.org/"}, UsageError),
        ({"AZURE_STORAGE_ACCOUNT": "anna1", "AZURE_STORAGE_KEY": "geheim!"}, UsageError),
        ({"AZURE_STORAGE_CONNECTION_STRING": "geheim"}, UsageError),
    ],
)
def test_what_says_nothing_of_use_is_told_without_its_words(environ: dict[str, str], error: type[Exception]) -> None:
    with pytest.raises(error) as told:
        Account.find(environ)
    assert not any(secret in str(told.value) for secret in SECRETS)


@pytest.mark.parametrize("text", ["az://", "az://a@b/x.mana", "az://anna1.blob.core.windows.net/c/x.mana"])
def test_an_address_names_a_container_and_no_account(text: str) -> None:
    with pytest.raises(UsageError):
        Address.parse(text)


def test_a_signature_in_an_address_is_refused_and_not_shown(tmp_path: Path) -> None:
    done = CommandLine(tmp_path)("info", "az://box/x.mana?sv=2020&sig=geheim")
    assert (done.code, "geheim" in done.err) == (2, False)


def test_wrong_keys_and_signatures_are_told_and_not_shown(bucket: AzureBucket, tmp_path: Path, plain: Path) -> None:
    manabackup = CommandLine(tmp_path)
    right, signed = azurite.environ(bucket.port), azurite.with_signature(bucket.port)
    wrong = base64.b64encode(b"falsch").decode()
    for environ in (
        right | {"AZURE_STORAGE_KEY": wrong},
        signed | {"AZURE_STORAGE_SAS_TOKEN": signed["AZURE_STORAGE_SAS_TOKEN"].replace("sig=", "sig=x")},
        azurite.with_signature(bucket.port, permissions="l"),
    ):
        secret = environ.get("AZURE_STORAGE_SAS_TOKEN", wrong)
        for command in (("info", f"{bucket.address}/x.mana"), ("seal", str(plain), "-o", f"{bucket.address}/y.mana")):
            done = manabackup("-v", *command, env=environ | {"MANABACKUP_PASSPHRASE": "correct horse"})
            assert done.code == 13, done.err
            assert not any(part in done.err for part in (secret, secret[-20:], "sig="))
    assert manabackup("info", f"{bucket.address}/x.mana", env=signed).code == 10


@pytest.mark.parametrize("at_once", [2**20, 2**30])
def test_who_may_create_and_not_read_or_replace_can_write(bucket: AzureBucket, at_once: int) -> None:
    key, data = f"created-{at_once}/x.mana", bytes(2**21)
    there = place(bucket, key, azurite.with_signature(bucket.port, permissions="rc"), at_once=at_once)
    assert written(there, data, force=False) is None
    assert bucket.content(key) == data
    again = written(there, data, force=False)
    assert again is not None
    assert again.exit_code in (13, 17)


def test_a_lock_that_the_server_passes_over_is_an_error(bucket: AzureBucket) -> None:
    for at_once in (2**20, 2**30):
        with Relay(bucket.port).running() as relay:
            environ = azurite.environ(relay.port)
            there = place(bucket, "locked/x.mana", environ, lock=timedelta(days=30), at_once=at_once)
            ended = written(there, bytes(2**21), force=True)
            relay.adds = {"x-ms-immutability-policy-mode": "unlocked"}  # which whoever may write can end
            assert written(there, bytes(2**21), force=True) is not None
            relay.adds = {
                "x-ms-immutability-policy-mode": "locked",
                "x-ms-immutability-policy-until-date": "Fri, 31 Dec 9999 23:59:59 GMT",
            }
            assert written(there, bytes(2**21), force=True) is None
        assert ended is not None
        assert (ended.exit_code, "passed over --retain" in ended.message) == (17, True)
        last = next(asked for asked in reversed(relay.asked) if asked.method == "PUT")
        assert last.headers["x-ms-immutability-policy-mode"] == "locked"
        assert last.headers["x-ms-immutability-policy-until-date"].endswith(" GMT")


def test_lists_of_several_answers_are_read_to_their_ends(bucket: AzureBucket) -> None:
    class Few(Container):
        """One that is told two names an answer."""

        def request(
            self,
            method: str,
            path: str,
            headers: Mapping[str, str],
            *,
            params: Mapping[str, str] | None = None,
            body: bytes | Iterable[bytes] | None = None,
        ) -> Request:
            return super().request(method, path, headers, params={**(params or {}), "maxresults": "2"}, body=body)

    names = [f"/listed/{name}.mana" for name in ("a", "b&<c", "d", "e\"'f", "g")]
    for name in names:
        bucket.put(name[1:], b"x")
    account = Account.find(azurite.environ(bucket.port))
    with Few(bucket.name, account, hurried, "there") as few:
        assert sorted(few.keys("/listed/")) == sorted(names)


def test_a_tool_that_has_signed_in_gives_tokens(tmp_path: Path) -> None:
    until = int(time.time()) + 3600
    environ = program(tmp_path, f"""echo '{{"accessToken": "geheim", "expires_on": {until}, "tokenType": "Bearer"}}'""")
    account = Account.find(environ)
    for _ in range(2):
        assert account.proved("GET", "/", {}, {}) == {"Authorization": "Bearer geheim"}
    words = "account get-access-token --resource https://storage.azure.com --output json "
    assert (tmp_path / "called").read_text() == words
    login = Account.find(environ | {"AZURE_STORAGE_KEY": azurite.KEY, "AZURE_STORAGE_AUTH_MODE": "login"})
    assert login.proved("GET", "/", {}, {})["Authorization"] == "Bearer geheim"


@pytest.mark.parametrize("text", ["echo geheim; exit 1", "echo geheim", 'echo \'{"accessToken": ""}\''])
def test_a_tool_that_gives_none_is_told_without_its_words(tmp_path: Path, text: str) -> None:
    with pytest.raises(AccessError) as told:
        Account.find(program(tmp_path, text)).proved("GET", "/", {}, {})
    assert "geheim" not in str(told.value)
    with pytest.raises(AccessError, match="nothing says as whom"):
        Account.find({"AZURE_STORAGE_ACCOUNT": "anna1", "PATH": "/nonexistent"}).proved("GET", "/", {}, {})


def test_a_service_principal_is_granted_tokens() -> None:
    def grant(asked: Asked) -> tuple[int, dict[str, object]]:
        right = asked.said.get("client_secret") == "geheim" and asked.path == "/mine/oauth2/v2.0/token"
        return (200, {"access_token": "T", "expires_in": 3600}) if right else (401, {"error": "invalid_client"})

    with grants(grant) as (url, asked):
        environ = {
            "AZURE_STORAGE_ACCOUNT": "anna1",
            "AZURE_TENANT_ID": "mine",
            "AZURE_CLIENT_ID": "me",
            "AZURE_CLIENT_SECRET": "geheim",
            "AZURE_AUTHORITY_HOST": url,
        }
        account = Account.find(environ, hurried)
        assert account.proved("GET", "/", {}, {}) == {"Authorization": "Bearer T"}
        assert asked[0].said["scope"] == "https://storage.azure.com/.default"
        wrong = Account.find(environ | {"AZURE_CLIENT_SECRET": "falsch"}, hurried)
        with pytest.raises(AccessError, match="invalid_client"):
            wrong.proved("GET", "/", {}, {})
        with pytest.raises(UsageError):
            Account.find(environ | {"AZURE_TENANT_ID": "../evil"}, hurried).proved("GET", "/", {}, {})


def test_a_server_takes_tokens_over_tls(tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def part(content: dict[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(content).encode()).decode().rstrip("=")

    now = int(time.time())
    claims = {
        "aud": "https://storage.azure.com",
        "iss": "https://sts.windows.net/ab1f708d-50f6-404c-a006-d71b2ac7a606/",
        "iat": now - 60,
        "nbf": now - 60,
        "exp": now + 3600,
    }
    token = f"{part({'alg': 'RS256', 'typ': 'JWT'})}.{part(claims)}.{part({})}"
    tls = Authority(tmp_path / "tls", "here")
    monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca))
    words = ("--oauth", "basic", "--cert", str(tls.cert), "--key", str(tls.key))
    with azurite.azurite(*words) as port:
        endpoint = f"https://127.0.0.1:{port}/{azurite.NAME}"
        with_key = azurite.environ(port) | {"AZURE_STORAGE_SERVICE_ENDPOINT": endpoint}
        name = azurite.new_container(port, with_key)
        environ = program(tmp_path, f"""echo '{{"accessToken": "{token}"}}'""")
        environ |= {"AZURE_STORAGE_SERVICE_ENDPOINT": endpoint, "SSL_CERT_FILE": str(tls.ca)}
        manabackup = CommandLine(tmp_path)
        sealing = manabackup(
            "seal", str(plain), "-o", f"az://{name}/x.mana", env=environ | {"MANABACKUP_PASSPHRASE": "x"}
        )
        assert sealing.code == 0, sealing.err
        assert manabackup("info", f"az://{name}/x.mana", env=environ).code == 0
