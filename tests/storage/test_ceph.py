"""Buckets of a real server, Ceph's RADOS gateway: signatures, conditions, parts and locks are as they are taken for."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from manabackup.storage.addresses import Address
from manabackup.storage.aws import Account
from manabackup.storage.bucket import Bucket
from manabackup.storage.objects import ObjectPlace
from manabackup.storage.s3 import opening
from manabackup.storage.uploads import unfinished
from tests.support import ceph, s3
from tests.support.processes import CommandLine
from tests.support.relay import Asked, Fault, Relay

from .conftest import PASSPHRASE, failing, hurried, new_bucket, uploads, written

PART = 5 * 2**20


@pytest.fixture(scope="module")
def gateway() -> Iterator[int]:
    with ceph.gateway() as port:
        yield port


@pytest.fixture
def relay(gateway: int) -> Iterator[Relay]:
    with Relay(gateway).running() as relay:
        yield relay


@pytest.fixture
def account(relay: Relay) -> Account:
    return Account.find(s3.KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{relay.port}", "HOME": "/nonexistent"})


@pytest.fixture
def bucket(account: Account) -> str:
    return new_bucket(account)


def content(account: Account, bucket: str, path: str) -> bytes | None:
    with Bucket(bucket, account, hurried, bucket) as asked:
        answer = asked.ask(asked.request("GET", path, {"Accept-Encoding": "identity"}))
    return answer.body if answer.status == 200 else None


def test_commands_read_and_write_there(
    tmp_path: Path, relay: Relay, bucket: str, plain: Path, large: Path, account: Account
) -> None:
    manabackup = CommandLine(tmp_path)
    manabackup.environ |= s3.KEYS | {"MANABACKUP_PASSPHRASE": PASSPHRASE}
    manabackup.environ["AWS_ENDPOINT_URL"] = f"http://127.0.0.1:{relay.port}"
    there = f"s3://{bucket}/täglich/a b+c.mana"
    sealing = manabackup("seal", str(plain), "-o", there)
    assert sealing.code == 0, sealing.err
    assert manabackup("diff", str(plain), there).code == 0
    refused = manabackup("seal", str(plain), "-o", there)
    assert (refused.code, "exists already" in refused.err) == (17, True)
    assert (
        written(
            ObjectPlace(Address.parse(f"s3://{bucket}/large.mana"), opening(hurried, account)),
            large.read_bytes(),
            force=False,
        )
        is None
    )
    relay.asked.clear()
    assert manabackup("info", f"s3://{bucket}/large.mana", env={"MANABACKUP_PASSPHRASE": ""}).code == 0
    assert len(relay.asked) == 2
    assert manabackup("verify", f"s3://{bucket}/large.mana").code == 0
    wrong = manabackup("info", there, env={"AWS_SECRET_ACCESS_KEY": "geheim"})
    assert (wrong.code, "geheim" in wrong.err, "does not take these keys" in wrong.err) == (13, False, True)


@pytest.mark.parametrize("at_once", [PART, 2**30])
def test_P2_what_appears_meanwhile_is_spared(at_once: int, relay: Relay, account: Account, bucket: str) -> None:
    data = os.urandom(11 * 2**20)

    def appears(number: int, asked: Asked) -> Fault | None:
        begins = asked.path.endswith("/x.mana?uploads=") or (asked.method == "PUT" and asked.path.endswith("/x.mana"))
        if begins and content(account, bucket, "/x.mana") is None:
            relay.fail = lambda number, asked: None
            place = ObjectPlace(Address.parse(f"s3://{bucket}/x.mana"), opening(hurried, account))
            assert written(place, b"somebody else's", force=False) is None
        return None

    relay.fail = appears
    ended = written(
        ObjectPlace(Address.parse(f"s3://{bucket}/x.mana"), opening(hurried, account), at_once=at_once),
        data,
        force=False,
    )
    assert ended is not None
    assert (ended.exit_code, content(account, bucket, "/x.mana")) == (17, b"somebody else's")
    assert uploads(account, bucket) == []


@pytest.mark.parametrize("fault", ["cut before", "cut after", "denied"])
def test_P1_whatever_fails_at_whatever_request_there_is_the_old_object_or_the_new_one(
    fault: Fault, relay: Relay, account: Account, bucket: str, caplog: pytest.LogCaptureFixture
) -> None:
    data, at = os.urandom(6 * 2**20), 0
    there = ObjectPlace(Address.parse(f"s3://{bucket}/x.mana"), opening(hurried, account), at_once=PART)
    while True:
        assert (
            written(ObjectPlace(Address.parse(f"s3://{bucket}/x.mana"), opening(hurried, account)), b"old", force=True)
            is None
        )
        before = uploads(account, bucket)
        caplog.clear()
        relay.asked.clear()
        relay.fail = failing(fault, at, lasting=False)
        ended = written(there, data, force=True)
        relay.fail = lambda number, asked: None
        assert content(account, bucket, "/x.mana") == (data if ended is None else b"old"), (at, ended)
        assert uploads(account, bucket) == before or fault == "cut after" or "are left in the bucket" in caplog.text
        if at >= len(relay.asked):
            break
        at += 1
    assert at >= 4


def test_uploads_are_told_in_pages_each_with_its_parts(account: Account, bucket: str) -> None:
    def again() -> Bucket:
        return Bucket(bucket, account, hurried, bucket)

    with again() as asked:
        for key, parts in {"/a/x.mana": 2, "/a/y & ü.mana": 1, "/a/film.mkv": 0, "/a/b/z.mana": 1}.items():
            answer = asked.ask(asked.request("POST", key, {}, params={"uploads": ""}))
            upload = answer.body.decode().partition("<UploadId>")[2].partition("<")[0]
            for number in range(1, parts + 1):
                params = {"partNumber": str(number), "uploadId": upload}
                assert asked.ask(asked.request("PUT", key, {}, params=params, body=b"12345")).status == 200
        found = list(unfinished(asked, "/a/", again, ours=lambda name: name.endswith(".mana"), at_once=1))
    assert {each.archive: (each.size, each.ours) for each in found} == {
        "x.mana": (10, True), "y & ü.mana": (5, True), "film.mkv": (0, False),
    }  # fmt: skip
    assert all(each.age is not None and timedelta(hours=-1) < each.age < timedelta(hours=1) for each in found)
    for each in found:
        each.remove()
    assert uploads(account, bucket) == ["a/b/z.mana"]


def test_P6_a_lock_is_one_there(account: Account, bucket: str) -> None:
    locked = new_bucket(account, locked=True)
    place = ObjectPlace(Address.parse(f"s3://{locked}/x.mana"), opening(hurried, account), lock=timedelta(days=1))
    assert written(place, b"precious", force=False) is None
    with Bucket(locked, account, hurried, locked) as asked:
        head = asked.head("/x.mana") or {}
        assert head["x-amz-object-lock-mode"] == "COMPLIANCE"
        version = {"versionId": head["x-amz-version-id"]}
        assert asked.ask(asked.request("DELETE", "/x.mana", {}, params=version)).status == 403
    elsewhere = ObjectPlace(Address.parse(f"s3://{bucket}/x.mana"), opening(hurried, account), lock=timedelta(days=1))
    ended = written(elsewhere, b"precious", force=False)
    assert ended is not None
    assert ended.exit_code == 17
