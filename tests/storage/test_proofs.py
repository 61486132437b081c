"""Who asks is proved anew for each attempt, and what servers say to those who may not is told as it is meant."""

from __future__ import annotations

import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count
from pathlib import Path

import pytest

from manabackup.archive.places import Place
from manabackup.errors import AccessError, OutputError, UsageError
from manabackup.operations.prune import Fate, Policy, plan_prune
from manabackup.storage import azure, google
from manabackup.storage.addresses import Address
from manabackup.storage.aws import Account
from manabackup.storage.azure_account import Account as AzureAccount
from manabackup.storage.bucket import Bucket
from manabackup.storage.dav import DavPlace
from manabackup.storage.google_account import Account as GoogleAccount
from manabackup.storage.objects import AT_ONCE, ObjectFolder, ObjectPlace
from manabackup.storage.s3 import opening
from manabackup.storage.store import Store
from tests.support import s3
from tests.support.scripted import Asked, Said, scripted

from .conftest import hurried, written

_BEGUN = {"s3": "uploads", "az": "comp", "gs": "uploadType"}


def by_process(home: Path) -> str:
    """A command that gives other keys each time, which are about to expire."""
    script = home / "keys.py"
    script.write_text(
        "import json, pathlib\n"
        f"calls = pathlib.Path({str(home / 'calls')!r})\n"
        "calls.open('a').write('x')\n"
        "print(json.dumps({'AccessKeyId': f'KEY{calls.stat().st_size}', 'SecretAccessKey': 'geheim',"
        " 'Expiration': '2020-01-01T00:00:00Z'}))\n"
    )
    return shlex.join([sys.executable, str(script)])


def place(kind: str, port: int, home: Path, *, at_once: int = AT_ONCE) -> ObjectPlace:
    """As somebody whose keys, or tokens, are good for a moment."""
    here = f"http://127.0.0.1:{port}"
    if kind == "s3":
        (home / ".aws").mkdir()
        (home / ".aws" / "config").write_text(f"[default]\ncredential_process = {by_process(home)}\n")
        account = Account.find({"HOME": str(home), "AWS_ENDPOINT_URL": f"{here}/storage/v1/s3"})
        return ObjectPlace(Address.parse("s3://bucket/x.mana"), opening(hurried, account), at_once=at_once)
    if kind == "az":
        environ = {
            "AZURE_STORAGE_CONNECTION_STRING": f"BlobEndpoint={here}/anna;AccountName=anna",
            "AZURE_TENANT_ID": "t",
            "AZURE_CLIENT_ID": "c",
            "AZURE_CLIENT_SECRET": "geheim",
            "AZURE_AUTHORITY_HOST": here,
        }
        asked = azure.opening(hurried, AzureAccount.find(environ))
        return ObjectPlace(Address.parse("az://bucket/x.mana"), asked, at_once=at_once)
    said = {"type": "authorized_user", "client_id": "c", "client_secret": "geheim", "refresh_token": "geheim"}
    (home / "key.json").write_text(json.dumps({**said, "token_uri": f"{here}/token"}))
    environ = {
        "GOOGLE_APPLICATION_CREDENTIALS": str(home / "key.json"),
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"{here}/",
    }
    asked = google.opening(hurried, GoogleAccount.find(environ))
    return ObjectPlace(Address.parse("gs://bucket/x.mana"), asked, at_once=at_once)


@pytest.mark.parametrize("kind", ["s3", "az", "gs"])
def test_an_upload_that_is_tried_again_proves_anew_who_asks(kind: str, tmp_path: Path) -> None:
    tokens, sent = count(1), count(1)

    def answer(asked: Asked) -> Said:
        if asked.path.endswith("/token"):
            return Said(200, json.dumps({"access_token": f"T{next(tokens)}", "expires_in": "60"}).encode())
        if "Content-Range" in asked.headers or (asked.method == "PUT" and asked.path.endswith("x.mana")):
            return Said(500 if next(sent) < 3 else 200 if kind != "az" else 201, headers={"ETag": "1"})
        return Said(200, headers={"Location": f"http://{asked.headers['Host']}/upload?id=1"})

    with scripted(answer) as (port, asked):
        assert written(place(kind, port, tmp_path), b"x" * 100, force=True) is None
    uploads = [each.headers["Authorization"] for each in asked if each.body == b"x" * 100]
    assert len(uploads) == len(set(uploads)) == 3


@pytest.mark.parametrize("kind", ["az", "gs"])
def test_a_token_that_ends_in_the_middle_is_got_anew_once(kind: str, tmp_path: Path) -> None:
    tokens, good, part = count(1), ["T1"], 2**20

    def answer(asked: Asked) -> Said:
        if asked.path.endswith("/token"):  # which does not say for how long it is good
            return Said(200, json.dumps({"access_token": f"T{next(tokens)}"}).encode())
        if asked.headers["Authorization"] not in [f"Bearer {text}" for text in good]:
            return Said(401)
        if len(asked.body) == part:
            good[:] = ["T2"]
        if kind == "az":
            return Said(201)
        if "Content-Range" in asked.headers and f"-{2 * part - 1}/" not in asked.headers["Content-Range"]:
            return Said(308, headers={"Range": f"bytes=0-{part - 1}"})
        return Said(200, headers={"Location": f"http://{asked.headers['Host']}/upload?id=1"})

    with scripted(answer) as (port, asked):
        there = place(kind, port, tmp_path, at_once=part)
        assert written(there, bytes(2 * part), force=True) is None
        good.clear()
        ended = written(there, bytes(2 * part), force=True)
    assert ended is not None
    assert ended.exit_code == 13
    assert len([each for each in asked if each.path.endswith("/token")]) == 3


def test_a_part_that_comes_too_slowly_is_sent_again() -> None:
    slow = iter([Said(400, b"<Error><Code>RequestTimeout</Code></Error>"), Said(200, headers={"ETag": "1"})])
    with scripted(lambda asked: next(slow)) as (port, _):
        environ = s3.KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "HOME": "/nonexistent"}
        there = ObjectPlace(Address.parse("s3://bucket/x.mana"), opening(hurried, Account.find(environ)))
        assert written(there, b"x", force=True) is None


@contextmanager
def refusing(status: int, code: str, *, head: int = 200) -> Iterator[tuple[ObjectPlace, ObjectFolder]]:
    """A bucket with one object, of which a server tells and gives nothing."""
    told = f"<Error><Code>{code}</Code><Token>geheim</Token></Error>".encode()
    listed = b"<ListBucketResult><Contents><Key>a/x.mana</Key></Contents></ListBucketResult>"

    def answer(asked: Asked) -> Said:
        if asked.method == "HEAD":
            return Said(head, headers={"Content-Length": "100000", "ETag": "1"})
        return Said(200, listed) if "list-type" in asked.params else Said(status, told)

    with scripted(answer) as (port, _):
        account = Account.find(s3.KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "HOME": "/nonexistent"})
        yield (
            ObjectPlace(Address.parse("s3://bucket/a/x.mana"), opening(hurried, account)),
            ObjectFolder(Address.parse("s3://bucket/a/"), opening(hurried, account)),
        )


def test_an_archive_in_cold_storage_is_told_and_left_alone() -> None:
    with refusing(403, "InvalidObjectState") as (there, folder):
        with pytest.raises(OutputError, match="lies in cold storage") as error:
            there.open()
        assert "restored" in str(error.value.hint)
        (judged,) = plan_prune(folder, Policy(last=1)).files
        assert (judged.decision, "cold storage" in judged.reasons[0]) == (Fate.LEAVE, True)


def test_P5_keys_that_have_expired_are_told_where_an_answer_has_no_words() -> None:
    with (
        refusing(400, "ExpiredToken", head=400) as (there, _),
        pytest.raises(AccessError, match="ExpiredToken") as told,
    ):
        there.state()
    assert "geheim" not in str(told.value)


def test_a_bucket_that_lies_elsewhere_is_told_where_an_answer_has_no_words() -> None:
    with (
        refusing(400, "AuthorizationHeaderMalformed", head=400) as (there, _),
        pytest.raises(UsageError, match="region"),
    ):
        there.state()


@pytest.mark.parametrize("kind", ["s3", "dav"])
def test_an_address_of_six_parts_is_named_as_it_is_signed(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NETRC", os.devnull)
    try:
        with scripted(lambda asked: Said(206, b"xx", {"Content-Range": "bytes 0-1/2"}), host="::1") as (port, asked):
            environ = s3.KEYS | {"AWS_ENDPOINT_URL": f"http://[::1]:{port}", "HOME": "/nonexistent"}
            address = Address.parse(f"dav://[::1]:{port}/x.mana" if kind == "dav" else "s3://bucket/x.mana")
            there: Place = DavPlace(address, hurried)
            if kind == "s3":
                there = ObjectPlace(address, opening(hurried, Account.find(environ)))
            source = there.open()
            source.close()
    except OSError:
        pytest.skip("this computer has no IPv6")
    assert source.size == 2
    assert {each.headers["Host"] for each in asked} == {f"[::1]:{port}"}


LIES = {
    "s3": Said(200, b"<html>sign in to this network</html>"),
    "dav": Said(200, b"<html>sign in to this network</html>", {"Content-Length": "36"}),
}


@pytest.mark.parametrize("kind", LIES)
@pytest.mark.parametrize("at_once", [AT_ONCE, 10])
def test_P1_an_answer_that_does_not_say_so_is_no_archive_that_is_there(
    kind: str, at_once: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NETRC", os.devnull)

    def answer(asked: Asked) -> Said:
        if asked.method == "HEAD" and kind == "s3":
            return Said(404)
        if "uploads" in asked.params:
            return Said(200, b"<UploadId>1</UploadId>")
        return Said(200, headers={"ETag": "1"}) if "partNumber" in asked.params else LIES[kind]

    with scripted(answer) as (port, _):
        environ = s3.KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "HOME": "/nonexistent"}
        there: Place = ObjectPlace(
            Address.parse("s3://bucket/x.mana"), opening(hurried, Account.find(environ)), at_once=at_once
        )
        if kind == "dav":
            there = DavPlace(Address.parse(f"dav://127.0.0.1:{port}/x.mana"), hurried)
        error = written(there, b"x" * 36, force=True)
    assert error is not None
    assert error.exit_code == 14


SECONDS = "2031-01-01T00:00:00"
LOCKS = {
    ("s3", "none"): {},
    ("s3", "shorter"): {
        "x-amz-object-lock-retain-until-date": "2026-01-01T00:00:00Z",
        "x-amz-object-lock-mode": "COMPLIANCE",
    },
    ("s3", "weaker"): {
        "x-amz-object-lock-retain-until-date": f"{SECONDS}.000Z",
        "x-amz-object-lock-mode": "GOVERNANCE",
    },
    ("az", "shorter"): {
        "x-ms-immutability-policy-until-date": "Thu, 01 Jan 2026 00:00:00 GMT",
        "x-ms-immutability-policy-mode": "locked",
    },
    ("az", "weaker"): {
        "x-ms-immutability-policy-until-date": "Wed, 01 Jan 2031 00:00:00 GMT",
        "x-ms-immutability-policy-mode": "unlocked",
    },
}


@pytest.mark.parametrize(("kind", "what"), LOCKS)
def test_P6_a_lock_that_does_not_last_as_long_as_it_was_wanted_is_none(kind: str, what: str) -> None:
    until = datetime.fromisoformat(f"{SECONDS}Z")
    kept = {
        "s3": {"x-amz-object-lock-retain-until-date": f"{SECONDS}.000Z", "x-amz-object-lock-mode": "COMPLIANCE"},
        "az": {
            "x-ms-immutability-policy-until-date": "Wed, 01 Jan 2031 00:00:00 GMT",
            "x-ms-immutability-policy-mode": "locked",
        },
    }[kind]
    told = [kept, LOCKS[kind, what]]
    with scripted(lambda asked: Said(200, headers=told.pop(0))) as (port, _):
        if kind == "s3":
            environ = s3.KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "HOME": "/nonexistent"}
            store: Store = Bucket("bucket", Account.find(environ), hurried, "x")
        else:
            text = f"BlobEndpoint=http://127.0.0.1:{port}/anna;AccountName=anna;AccountKey=YQ=="
            account = AzureAccount.find({"AZURE_STORAGE_CONNECTION_STRING": text})
            store = azure.Container("bucket", account, hurried, "x")
        with store:
            store.require_lock("/x.mana", until)
            with pytest.raises(OutputError, match="not locked"):
                store.require_lock("/x.mana", until)
