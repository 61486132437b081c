"""Buckets: archives are read from there by ranges, and appear there whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import product
from pathlib import Path

import pytest

from manabackup.storage.addresses import Address
from manabackup.storage.aws import Account
from manabackup.storage.objects import ObjectPlace
from manabackup.storage.s3 import opening
from tests.support import s3
from tests.support.processes import CommandLine
from tests.support.relay import Asked, Fault, Relay
from tests.support.shares import some

from .conftest import PASSPHRASE, failing, hurried, written

OLD = b"old"
FAULTS: list[Fault] = ["cut before", "cut after", "full", "denied", "busy", "broken"]
TROUBLES = list(product(FAULTS, [True, False], [False, True]))
"""A fault; whether it lasts; whether something may be replaced."""
SMALL = 2**20
"""In place of 5 MiB, which are the least of a part that is not the last."""


@pytest.fixture(scope="session")
def moto() -> Iterator[int]:
    with s3.moto() as port:
        yield port


@pytest.fixture
def relay(moto: int) -> Iterator[Relay]:
    """In front of moto."""
    with Relay(moto).running() as relay:
        yield relay


@pytest.fixture
def bucket(moto: int) -> str:
    return s3.new_bucket(moto)


@pytest.fixture
def manabackup(tmp_path: Path, relay: Relay) -> CommandLine:
    """The program, with keys in its environment."""
    home = tmp_path / "home"
    home.mkdir()
    program = CommandLine(home)
    for name in [name for name in program.environ if name.startswith("AWS_")]:
        del program.environ[name]
    program.environ |= s3.KEYS | {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{relay.port}",
        "MANABACKUP_PASSPHRASE": PASSPHRASE,
    }
    return program


def put(moto: int, bucket: str, key: str, content: bytes) -> None:
    assert s3.request(moto, "PUT", f"/{bucket}/{key}", content=content)[0] == 200


def content(moto: int, bucket: str, key: str) -> bytes | None:
    status, body = s3.request(moto, "GET", f"/{bucket}/{key}")
    return body if status == 200 else None


def uploads(moto: int, bucket: str) -> int:
    return s3.request(moto, "GET", f"/{bucket}?uploads")[1].count(b"<UploadId>")


def small_parts(relay: Relay, bucket: str, *, at_once: int = 5 * 2**20) -> ObjectPlace:
    """A place to which what is larger than ``at_once`` goes in parts of that size."""
    account = Account.find(s3.KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{relay.port}", "HOME": "/nonexistent"})
    return ObjectPlace(Address.parse(f"s3://{bucket}/a/x.mana"), opening(hurried, account), at_once=at_once)


def test_an_archive_in_a_bucket_is_as_good_as_one_on_the_disk(
    manabackup: CommandLine, moto: int, bucket: str, plain: Path, sealed: Path
) -> None:
    there = f"s3://{bucket}/täglich/a b+c.mana"
    done = manabackup("seal", str(plain), "-o", there)
    assert done.code == 0, done.err
    assert manabackup("verify", there).code == 0
    assert manabackup("info", there).code == 0
    assert manabackup("diff", str(plain), there).code == 0
    assert manabackup("cat", there, "notes").out == manabackup("cat", str(plain), "notes").out
    refused = manabackup("unseal", str(sealed), "-o", there)
    assert (refused.code, "exists already" in refused.err) == (17, True)
    assert manabackup("unseal", str(sealed), "-o", there, "--force").code == 0
    assert manabackup("verify", there, "--json").record["sealed"] is False


def test_info_of_a_large_archive_costs_two_requests(
    manabackup: CommandLine, moto: int, bucket: str, relay: Relay, large: Path, large_plain: Path
) -> None:
    for archive, most in ((large, 2), (large_plain, 1)):
        put(moto, bucket, "x.mana", archive.read_bytes())
        relay.asked.clear()
        described = manabackup("info", f"s3://{bucket}/x.mana", "--json", env={"MANABACKUP_PASSPHRASE": ""})
        assert described.code == 0, described.err
        assert described.record["bytes"] == archive.stat().st_size
        assert len(relay.asked) <= most, relay.asked


def test_a_large_archive_goes_in_parts_and_reads_back(relay: Relay, moto: int, bucket: str, large: Path) -> None:
    data = large.read_bytes()
    assert written(small_parts(relay, bucket), data, force=False) is None
    assert content(moto, bucket, "a/x.mana") == data
    assert sum("partNumber" in asked.path for asked in relay.asked) > 2
    assert uploads(moto, bucket) == 0


@pytest.mark.parametrize("forgets", [True, False])
@pytest.mark.parametrize("at_once", [5 * 2**20, 2**30])
def test_P2_what_appears_meanwhile_is_spared_and_a_server_that_overwrites_is_known(
    forgets: bool, at_once: int, relay: Relay, moto: int, bucket: str, large: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if forgets:
        s3.careless(relay)

    def appears(number: int, asked: Asked) -> Fault | None:
        if asked.method == "POST" and asked.path.endswith("/x.mana?uploads="):
            put(moto, bucket, "a/x.mana", OLD)
        if asked.method == "PUT" and asked.path.endswith("/x.mana") and not forgets:
            put(moto, bucket, "a/x.mana", OLD)
        return None

    if forgets and at_once > 2**20 * 5:
        put(moto, bucket, "a/x.mana", OLD)
    relay.fail = appears
    ended = written(small_parts(relay, bucket, at_once=at_once), large.read_bytes(), force=False)
    assert ended is not None
    assert (ended.exit_code, "exists already" in ended.message) == (17, True)
    assert ("overwrites what it was told to spare" in caplog.text) is forgets
    assert content(moto, bucket, "a/x.mana") == OLD
    assert uploads(moto, bucket) == 0


@pytest.mark.parametrize(("fault", "lasting", "force"), some(TROUBLES, of=3))
def test_P1_whatever_fails_at_whatever_request_of_an_upload_there_is_the_old_object_or_the_new_one(
    fault: Fault,
    lasting: bool,
    force: bool,
    relay: Relay,
    moto: int,
    bucket: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", SMALL)
    data = bytes(11 * SMALL // 5)
    for at_once, least in ((SMALL, 4), (2**30, 1)):
        at = 0
        while True:
            put(moto, bucket, "a/x.mana", OLD)
            if not force:
                s3.request(moto, "DELETE", f"/{bucket}/a/x.mana")
            before, caplog_before = uploads(moto, bucket), len(caplog.records)
            relay.asked.clear()
            relay.fail = failing(fault, at, lasting=lasting)
            ended = written(small_parts(relay, bucket, at_once=at_once), data, force=force)
            relay.fail = lambda number, asked: None
            found, old = content(moto, bucket, "a/x.mana"), OLD if force else None
            # Where no answer came and none comes any more, nobody can know whether it was done.
            assert found == data if ended is None else found == old or (fault == "cut after" and found == data)
            if not lasting and fault in ("cut before", "cut after", "busy", "broken"):
                assert ended is None or fault == "cut after", (at, ended)
            left = uploads(moto, bucket) - before
            named = sum("are left in the bucket" in record.message for record in caplog.records[caplog_before:])
            begun_blindly = fault == "cut after"  # the answer that names the upload was lost
            assert left == 0 or begun_blindly or named, (at, left, ended)
            if at >= len(relay.asked):
                break
            at += 1
        assert at >= least


def test_wrong_buckets_keys_and_names_have_exit_codes_of_their_own(
    manabackup: CommandLine, moto: int, bucket: str, relay: Relay, plain: Path
) -> None:
    assert manabackup("info", f"s3://{bucket}/x.mana").code == 10
    nowhere = manabackup("seal", str(plain), "-o", "s3://no-such-bucket-here/x.mana")
    assert (nowhere.code, "no such bucket" in nowhere.err) == (10, True)
    nobody = manabackup("info", f"s3://{bucket}/x.mana", env={"AWS_ACCESS_KEY_ID": ""})
    assert (nobody.code, "no keys" in nobody.err) == (13, True)
    assert manabackup("info", "s3://").code == 2
    assert manabackup("info", f"s3://{bucket}/folder/").code == 2
    relay.fail = lambda number, asked: "denied"
    denied = manabackup("info", f"s3://{bucket}/x.mana")
    assert (denied.code, s3.KEYS["AWS_SECRET_ACCESS_KEY"] in denied.err) == (13, False)


def test_P6_what_is_locked_has_a_time_until_which_it_stays(
    manabackup: CommandLine, moto: int, bucket: str, plain: Path
) -> None:
    locked = s3.new_bucket(moto, locked=True)
    done = manabackup("seal", str(plain), "-o", f"s3://{locked}/x.mana", "--retain", "30d")
    assert done.code == 0, done.err
    headers = s3.headers(moto, f"/{locked}/x.mana")
    assert headers["x-amz-object-lock-mode"] == "COMPLIANCE"
    until = datetime.fromisoformat(headers["x-amz-object-lock-retain-until-date"])
    assert timedelta(days=29) < until - datetime.now(UTC) < timedelta(days=31)
    elsewhere = manabackup("seal", str(plain), "-o", f"s3://{bucket}/x.mana", "--retain", "30d")
    assert elsewhere.code == 17
    here = manabackup("seal", str(plain), "-o", "x.mana", "--retain", "30d")
    assert (here.code, here.err.count("\n"), "--retain is for buckets" in here.err) == (2, 1, True)
    assert manabackup("seal", str(plain), "-o", f"s3://{locked}/y.mana", "--retain", "ever").code == 2


def test_P6_whatever_writes_an_archive_into_a_bucket_locks_it_and_anywhere_else_says_that_it_cannot(
    manabackup: CommandLine, moto: int, plain: Path, sealed: Path, tmp_path: Path
) -> None:
    locked = s3.new_bucket(moto, locked=True)
    key, database = tmp_path / "key", tmp_path / "x.sqlite"
    key.write_bytes(bytes(range(32)))
    assert manabackup("convert", str(plain), "--to", "sqlite", "-o", str(database)).code in (0, 3)
    commands = {
        "unseal": ("unseal", str(sealed)),
        "rekey": ("rekey", str(plain), "--to-key-file", str(key)),
        "convert": ("convert", str(database)),
    }
    for name, command in commands.items():
        done = manabackup(*command, "-o", f"s3://{locked}/{name}.mana", "--retain", "2d")
        assert done.code in (0, 3), (name, done.err)
        until = s3.headers(moto, f"/{locked}/{name}.mana")["x-amz-object-lock-retain-until-date"]
        assert datetime.fromisoformat(until) - datetime.now(UTC) > timedelta(days=1)
        for elsewhere in (str(tmp_path / "y.mana"), "-", "dav://127.0.0.1:1/y.mana"):
            refused = manabackup(*command, "-o", elsewhere, "--retain", "2d")
            assert (refused.code, "s3://" in refused.err) == (2, True), (name, elsewhere, refused.err)
    csv = manabackup("convert", str(plain), "--to", "csv", "-o", str(tmp_path / "csv"), "--retain", "2d")
    assert (csv.code, "--retain is for --to mana" in csv.err) == (2, True)
    far = manabackup("convert", str(plain), "--to", "csv", "-o", f"s3://{locked}/csv")
    assert (far.code, "on this computer" in far.err) == (2, True)
