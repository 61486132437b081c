"""Buckets of stores that are asked alike: archives are read by ranges, and appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import Path
from uuid import uuid4

import pytest

from manabackup.errors import ManabackupError
from tests.support.processes import CommandLine
from tests.support.relay import Asked, Fault, Relay
from tests.support.shares import some

from .buckets import BUCKETS, Bucket
from .conftest import PASSPHRASE, failing, hurried, impatient, written

OLD = b"old"
AT_ONCE = 2**20
FAULTS: list[Fault] = ["cut before", "cut after", "full", "denied", "busy", "broken"]
TROUBLES = list(product(FAULTS, [True, False], [False, True]))
"""A fault; whether it lasts; whether something may be replaced."""
CONDITIONS = ("If-None-Match", "ifGenerationMatch")


@pytest.fixture(scope="session", params=sorted(BUCKETS))
def bucket(request: pytest.FixtureRequest) -> Iterator[Bucket]:
    with BUCKETS[request.param]() as new_bucket:
        yield new_bucket()


@pytest.fixture
def relay(bucket: Bucket) -> Iterator[Relay]:
    """In front of the server."""
    with Relay(bucket.port).running() as relay:
        yield relay


@pytest.fixture
def key() -> str:
    """Of an archive in a folder of its own."""
    return f"{uuid4().hex[:8]}/x.mana"


@pytest.fixture
def manabackup(tmp_path: Path, relay: Relay, bucket: Bucket) -> CommandLine:
    """The program, with what it needs in its environment."""
    program = CommandLine(tmp_path)
    program.environ |= bucket.environ(relay.port) | {"MANABACKUP_PASSPHRASE": PASSPHRASE}
    return program


def sent(
    bucket: Bucket, relay: Relay, key: str, data: bytes, *, force: bool, at_once: int = AT_ONCE
) -> ManabackupError | None:
    """What writing an archive ended with."""
    return written(bucket.place(relay.port, key, at_once=at_once, connect=hurried), data, force=force)


def test_an_archive_in_a_bucket_is_as_good_as_one_on_the_disk(
    manabackup: CommandLine, bucket: Bucket, plain: Path, sealed: Path
) -> None:
    there = f"{bucket.address}/täglich/a b+c%20&'\"d.mana"
    done = manabackup("seal", str(plain), "-o", there)
    assert done.code == 0, done.err
    for command in ("verify", "info"):
        done = manabackup(command, there)
        assert done.code == 0, done.err
    assert manabackup("diff", str(plain), there).code == 0
    assert manabackup("cat", there, "notes").out == manabackup("cat", str(plain), "notes").out
    refused = manabackup("unseal", str(sealed), "-o", there)
    assert (refused.code, "exists already" in refused.err) == (17, True)
    assert manabackup("unseal", str(sealed), "-o", there, "--force").code == 0
    assert manabackup("verify", there, "--json").record["sealed"] is False
    assert manabackup("verify", f"{bucket.address}/täglich/").out.count(": ok,") == 1


def test_info_of_a_large_archive_costs_two_requests(
    manabackup: CommandLine, bucket: Bucket, relay: Relay, large: Path, large_plain: Path, key: str
) -> None:
    for archive in (large, large_plain):
        bucket.put(key, archive.read_bytes())
        relay.asked.clear()
        described = manabackup("info", f"{bucket.address}/{key}", "--json", env={"MANABACKUP_PASSPHRASE": ""})
        assert described.code == 0, described.err
        assert described.record["bytes"] == archive.stat().st_size
        assert len(relay.asked) <= 2, relay.asked
    assert manabackup("verify", f"{bucket.address}/{key}").code == 0
    # Azure knows no ranges that count from the end, and its emulator does not mind them.
    assert not any("bytes=-" in (asked.range or "") for asked in relay.asked)


@pytest.mark.parametrize("size", [0, 1, 64 * 2**10, 64 * 2**10 + 1, 320 * 2**10, 320 * 2**10 + 1])
def test_archives_of_all_sizes_are_read_to_their_ends(bucket: Bucket, relay: Relay, key: str, size: int) -> None:
    data = bytes(number % 251 for number in range(size))
    bucket.put(key, data)
    source = bucket.place(relay.port, key, at_once=AT_ONCE, connect=hurried).open()
    try:
        assert (source.size, source.read_at(0, size + 1), source.read_at(size // 2, size)) == (
            size,
            data,
            data[size // 2 :],
        )
    finally:
        source.close()


def test_what_changes_while_it_is_read_is_an_error(bucket: Bucket, relay: Relay, key: str) -> None:
    bucket.put(key, bytes(2**20))
    source = bucket.place(relay.port, key, at_once=AT_ONCE, connect=hurried).open()
    try:
        bucket.put(key, bytes(2**20))
        with pytest.raises(ManabackupError, match="changed while it was read"):
            source.read_at(2**19, 10)
    finally:
        source.close()


def test_a_large_archive_goes_in_parts_and_reads_back(relay: Relay, bucket: Bucket, large: Path, key: str) -> None:
    data = large.read_bytes()
    assert sent(bucket, relay, key, data, force=False, at_once=5 * 2**20) is None
    assert bucket.content(key) == data
    parts = [asked for asked in relay.asked if asked.method == "PUT" and int(asked.headers["Content-Length"]) > 2**20]
    assert len(parts) > 2
    source = bucket.place(relay.port, key, at_once=AT_ONCE, connect=hurried).open()
    try:
        assert source.read_at(0, source.size) == data
    finally:
        source.close()


@pytest.mark.parametrize("forgets", [True, False])
@pytest.mark.parametrize("at_once", [AT_ONCE, 2**30])
def test_what_appears_at_any_request_is_spared_and_a_server_that_overwrites_is_known(
    forgets: bool, at_once: int, relay: Relay, bucket: Bucket, key: str, caplog: pytest.LogCaptureFixture
) -> None:
    data, at = bytes(3 * 2**20), 0
    relay.forget = CONDITIONS if forgets else ()
    while True:
        bucket.remove(key)
        relay.asked.clear()
        caplog.clear()

        def appears(number: int, asked: Asked) -> Fault | None:
            if number == at:  # noqa: B023 # called within this turn
                bucket.put(key, OLD)
            return None

        relay.fail = appears
        place = bucket.place(relay.port, key, at_once=at_once, connect=hurried, unsigned=True)
        ended = written(place, data, force=False)
        relay.fail = lambda number, asked: None
        if at >= len(relay.asked):
            assert ended is None
            break
        # A server that overwrites is looked at before its last request, and nothing helps against what comes then.
        if not forgets or at < len(relay.asked) - 1:
            assert ended is not None
            assert (ended.exit_code, "exists already" in ended.message, bucket.content(key)) == (17, True, OLD)
        assert ("overwrites what it was told to spare" in caplog.text) is forgets
        at += 1
    assert at >= 2


@pytest.mark.parametrize(("fault", "lasting", "force"), some(TROUBLES, of=3))
def test_whatever_fails_at_whatever_request_of_an_upload_there_is_the_old_object_or_the_new_one(
    fault: Fault, lasting: bool, force: bool, relay: Relay, bucket: Bucket, key: str
) -> None:
    data = bytes(range(256)) * 2**12 * 3
    for at_once, least in ((AT_ONCE, 4), (2**30, 1)):
        at = 0
        while True:
            bucket.remove(key)
            if force:
                bucket.put(key, OLD)
            relay.asked.clear()
            relay.fail = failing(fault, at, lasting=lasting)
            ended = sent(bucket, relay, key, data, force=force, at_once=at_once)
            relay.fail = lambda number, asked: None
            found, old = bucket.content(key), OLD if force else None
            # Where no answer came and none comes any more, nobody can know whether it was done.
            assert found == data if ended is None else found == old or (fault == "cut after" and found == data)
            if not lasting and fault in ("cut before", "cut after", "busy", "broken"):
                assert ended is None, (at, ended)
            if fault == "denied" and ended is not None:
                assert ended.exit_code == 13
            if at >= len(relay.asked):
                break
            at += 1
        assert at >= least


@pytest.mark.parametrize("force", [False, True])
def test_a_server_that_says_nothing_more_is_left(force: bool, relay: Relay, bucket: Bucket, key: str) -> None:
    for at in (0, 1, 2):
        bucket.put(key, OLD)
        if not force:
            bucket.remove(key)
        relay.asked.clear()
        relay.fail = failing("stall", at, lasting=True)
        place = bucket.place(relay.port, key, at_once=AT_ONCE, connect=impatient)
        ended = written(place, bytes(3 * 2**20), force=force)
        relay.fail = lambda number, asked: None
        assert ended is not None
        assert (ended.exit_code, bucket.content(key)) == (14, OLD if force else None)


def test_what_is_changed_on_the_way_is_refused(relay: Relay, bucket: Bucket, key: str) -> None:
    for at_once in (AT_ONCE, 2**30):
        relay.garble = True
        ended = sent(bucket, relay, key, bytes(2 * 2**20), force=True, at_once=at_once)
        assert ended is not None
        assert (ended.exit_code, bucket.content(key)) == (14, None)


@pytest.mark.parametrize("at_once", [AT_ONCE, 2**30])
def test_of_two_who_write_at_once_one_does(at_once: int, relay: Relay, bucket: Bucket, key: str) -> None:
    data, other, at = bytes(3 * 2**20), b"other" * 2**19, 0
    while True:
        bucket.remove(key)
        relay.asked.clear()
        others: list[ManabackupError | None] = []

        def meanwhile(number: int, asked: Asked) -> Fault | None:
            if number == at:  # noqa: B023 # called within this turn
                relay.fail = lambda number, asked: None
                others.append(sent(bucket, relay, key, other, force=False, at_once=at_once))  # noqa: B023
            return None

        relay.fail = meanwhile
        ended = sent(bucket, relay, key, data, force=False, at_once=at_once)
        if not others:
            break
        assert others == [None]
        assert ended is not None
        assert (ended.exit_code, bucket.content(key)) == (17, other)
        at += 1
    assert ended is None
    assert at >= 2


def test_a_place_that_is_not_there_and_one_that_cannot_be_reached_have_codes_of_their_own(
    manabackup: CommandLine, bucket: Bucket, relay: Relay, plain: Path, key: str
) -> None:
    missing = manabackup("info", f"{bucket.address}/{key}")
    assert (missing.code, "no such file" in missing.err) == (10, True)
    scheme = bucket.address.partition(":")[0]
    nowhere = manabackup("seal", str(plain), "-o", f"{scheme}://no-such-bucket-here/x.mana")
    assert (nowhere.code, "no such" in nowhere.err) == (10, True)
    assert manabackup("info", f"{scheme}://").code == 2
    assert manabackup("info", f"{bucket.address}/folder/").code == 2
    relay.fail = lambda number, asked: "denied"
    assert manabackup("info", f"{bucket.address}/{key}").code == 13
    relay.fail = lambda number, asked: None
    gone = manabackup("info", f"{bucket.address}/{key}", env=bucket.environ(1))
    assert gone.code == 14
    assert manabackup("prune", f"{scheme}://no-such-bucket-here/x", "--keep-last", "1").code == 10


def test_a_fleet_takes_archives_from_there(
    manabackup: CommandLine, bucket: Bucket, sealed: Path, tmp_path: Path
) -> None:
    folder = uuid4().hex[:8]
    for name in ("a.mana", "b.mana", "c.txt"):
        bucket.put(f"{folder}/{name}", sealed.read_bytes())
    for what in (f"{bucket.address}/{folder}/", f"{bucket.address}/{folder}/*.mana"):
        ledger = ("--ledger", str(tmp_path / f"{len(what)}.sqlite"))
        done = manabackup("fleet", "verify", what, *ledger, "--workers", "1", "--json")
        assert done.code == 0, done.err
        told = manabackup("fleet", "status", ledger[1], "--json").record
        assert (told["items"], told["states"]["done"], told["rows"]) == (2, 2, 400)
