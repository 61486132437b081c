"""Google's own: who asks, by a key, a sign-in or a machine; what an upload in parts and a lock are there.

``gcp-storage-emulator`` is somebody else's server for the same interface. It knows no conditions, so that it is also
one that overwrites what it was told to spare.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from manabackup.errors import AccessError, ManabackupError, UsageError
from manabackup.storage.addresses import Address
from manabackup.storage.google import opening
from manabackup.storage.google_account import Account
from manabackup.storage.objects import ObjectPlace
from tests.support import gcs
from tests.support.grants import Asked, grants
from tests.support.processes import CommandLine
from tests.support.relay import Relay

from .buckets import GoogleBucket, google
from .conftest import PASSPHRASE, hurried, written

SECRETS = (gcs.SECRET, gcs.REFRESH, "PRIVATE KEY", "ya29.")


@pytest.fixture(scope="module")
def bucket() -> Iterator[GoogleBucket]:
    with google() as new_bucket:
        yield new_bucket()


def asking(bucket: GoogleBucket, home: Path, **environ: str) -> Account:
    """Somebody who asks there, with nothing but this in the environment."""
    endpoint = {"CLOUDSDK_API_ENDPOINT_OVERRIDES_STORAGE": f"http://127.0.0.1:{bucket.port}/storage/v1/"}
    return Account.find({"HOME": str(home), "PATH": "/nonexistent", **endpoint, **environ}, hurried)


def program(path: Path, text: str) -> dict[str, str]:
    """An environment in which ``gcloud`` is a program that does something."""
    (path / "gcloud").write_text(f'#!/bin/sh\necho "$@" >>{path}/called\n{text}\n')
    (path / "gcloud").chmod(0o700)
    return {"PATH": f"{path}:/usr/bin:/bin"}


def test_a_key_and_a_sign_in_are_granted_tokens_once(bucket: GoogleBucket, tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text(bucket.state.key())
    usual = tmp_path / ".config" / "gcloud"
    usual.mkdir(parents=True)
    (usual / "application_default_credentials.json").write_text(bucket.state.login())
    for environ, kind in (({"GOOGLE_APPLICATION_CREDENTIALS": str(key)}, "assertion"), ({}, "refresh_token")):
        bucket.state.grants.clear()
        account = asking(bucket, tmp_path, **environ)
        assert bucket.state.grants == []
        for _ in range(3):
            place = ObjectPlace(Address.parse(f"{bucket.address}/none.mana"), opening(hurried, account))
            assert place.state() is None
        assert bucket.state.grants == [kind]
        assert not any(secret in repr(account) for secret in SECRETS)
    elsewhere = asking(bucket, tmp_path / "nobody", CLOUDSDK_CONFIG=str(usual))
    assert elsewhere.headers()["Authorization"].startswith("Bearer ")


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"private_key": "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"}, UsageError),
        ({"client_email": "somebody@else"}, AccessError),
        ({"token_uri": "http://example.org/token"}, UsageError),
        ({"token_uri": "nowhere"}, UsageError),
        ({"type": "external_account"}, AccessError),
        ({"type": 1}, UsageError),
    ],
)
def test_what_gives_no_token_is_told_without_its_words(
    bucket: GoogleBucket, tmp_path: Path, change: dict[str, object], error: type[Exception]
) -> None:
    path = tmp_path / "key.json"
    path.write_text(bucket.state.key(**change))
    with pytest.raises(error) as told:
        asking(bucket, tmp_path, GOOGLE_APPLICATION_CREDENTIALS=str(path)).headers()
    assert not any(secret in str(told.value) for secret in SECRETS)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"[]", b"\xff", b'{"type": "authorized_user"}'])
def test_files_that_are_none_of_googles_are_told(bucket: GoogleBucket, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "key.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"key\.json"):
        asking(bucket, tmp_path, GOOGLE_APPLICATION_CREDENTIALS=str(path)).headers()


def test_who_has_signed_in_to_the_tool_is_taken_for_who_asks(bucket: GoogleBucket, tmp_path: Path) -> None:
    until = (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    told = json.dumps({"configuration": {}, "credential": {"access_token": "ya29.x", "token_expiry": until}})
    account = asking(bucket, tmp_path, **program(tmp_path, f"echo '{told}'"))
    for _ in range(2):
        assert account.headers() == {"Authorization": "Bearer ya29.x"}
    assert (tmp_path / "called").read_text() == "config config-helper --format=json\n"
    for text in ("echo ya29.geheim; exit 1", "echo ya29.geheim", "echo '{}'"):
        with pytest.raises(AccessError) as refused:
            asking(bucket, tmp_path, **program(tmp_path, text)).headers()
        assert "ya29" not in str(refused.value)


def test_a_machine_of_googles_has_an_identity(bucket: GoogleBucket, tmp_path: Path) -> None:
    def grant(asked: Asked) -> tuple[int, dict[str, object]]:
        right = asked.path == "/computeMetadata/v1/instance/service-accounts/default/token"
        if not right or asked.headers.get("Metadata-Flavor") != "Google" or asked.said["scopes"] != gcs.SCOPE:
            return 404, {}
        return 200, {"access_token": "ya29.machine", "expires_in": 3000, "token_type": "Bearer"}

    with grants(grant) as (url, _):
        account = asking(bucket, tmp_path, GCE_METADATA_HOST=url.removeprefix("http://"))
        assert account.headers() == {"Authorization": "Bearer ya29.machine"}
    with pytest.raises(UsageError, match="without encryption"):
        asking(bucket, tmp_path, GCE_METADATA_HOST="evil.example.org").headers()


def test_nobody_and_somebody_else_are_refused(bucket: GoogleBucket, tmp_path: Path, plain: Path) -> None:
    manabackup = CommandLine(tmp_path)
    environ = bucket.environ(bucket.port) | {"MANABACKUP_PASSPHRASE": PASSPHRASE}
    wrong = tmp_path / "key.json"
    wrong.write_text(bucket.state.login(client_secret="falsch"))
    for path, code in ((str(wrong), 13), ("", 13), ("/nonexistent", 2)):
        env = environ | {"GOOGLE_APPLICATION_CREDENTIALS": path, "PATH": "/nonexistent"}
        for command in (("info", f"{bucket.address}/x.mana"), ("seal", str(plain), "-o", f"{bucket.address}/x.mana")):
            done = manabackup("-v", *command, env=env)
            assert done.code == code, done.err
            assert not any(secret in done.err for secret in (*SECRETS, "falsch"))


def test_a_token_that_is_not_taken_is_an_error_of_access(bucket: GoogleBucket, tmp_path: Path) -> None:
    account = asking(bucket, tmp_path, GOOGLE_APPLICATION_CREDENTIALS=str(bucket.credentials))
    account.headers()
    bucket.state.tokens.clear()
    place = ObjectPlace(Address.parse(f"{bucket.address}/x.mana"), opening(hurried, account))
    for ask in (place.open, place.remove, lambda: written(place, bytes(9), force=True)):
        try:
            ended = ask()
        except ManabackupError as error:
            ended = error
        assert isinstance(ended, AccessError)


@pytest.mark.parametrize("at_once", [2**20, 2**30])
@pytest.mark.parametrize("keeps", [2**18, 2**19, 3 * 2**18])
def test_what_the_server_did_not_keep_of_a_part_is_sent_again(
    bucket: GoogleBucket, at_once: int, keeps: int, tmp_path: Path
) -> None:
    data = bytes(range(256)) * 2**13
    bucket.state.keeps = keeps
    try:
        place = bucket.place(bucket.port, "kept/x.mana", at_once=at_once, connect=hurried)
        ended = written(place, data, force=True)
    finally:
        bucket.state.keeps = None
    if at_once > len(data) and keeps * 5 < len(data):
        assert ended is not None  # more answers of "not all" to one request than anybody believes
    else:
        assert (ended, bucket.content("kept/x.mana")) == (None, data)


def test_sessions_that_fail_are_given_up(bucket: GoogleBucket) -> None:
    with Relay(bucket.port).running() as relay:
        bucket.state.sessions.clear()
        relay.garble = True
        place = bucket.place(relay.port, "vain/x.mana", at_once=2**20, connect=hurried)
        assert written(place, bytes(2**21), force=True) is not None
    assert [asked.method for asked in relay.asked][-1] == "DELETE"
    assert (bucket.state.sessions, bucket.content("vain/x.mana")) == ({}, None)


def test_a_lock_is_one_there(bucket: GoogleBucket, manabackup: CommandLine, plain: Path) -> None:
    locking = bucket.state.new_bucket(locking=True)
    environ = bucket.environ(bucket.port)
    done = manabackup("seal", str(plain), "-o", f"gs://{locking}/x.mana", "--retain", "30d", env=environ)
    assert done.code == 0, done.err
    retention = bucket.state.buckets[locking]["x.mana"].said["retention"]
    until = datetime.fromisoformat(retention["retainUntilTime"])
    assert retention["mode"] == "Locked"
    assert timedelta(days=29) < until - datetime.now(UTC) < timedelta(days=31)
    again = manabackup("seal", str(plain), "-o", f"gs://{locking}/x.mana", "--force", env=environ)
    assert (again.code, "is locked" in again.err) == (17, True)
    elsewhere = manabackup("seal", str(plain), "-o", f"{bucket.address}/y.mana", "--retain", "30d", env=environ)
    assert (elsewhere.code, "object retention" in elsewhere.err) == (17, True)
    assert bucket.content("y.mana") is None


def test_a_session_elsewhere_gets_nothing(bucket: GoogleBucket) -> None:
    said: list[Asked] = []

    def grant(asked: Asked) -> tuple[int, dict[str, object]]:
        said.append(asked)
        return 200, {}

    with grants(grant) as (url, _):
        account = Account.find({"STORAGE_EMULATOR_HOST": url}, hurried)
        place = ObjectPlace(Address.parse("gs://some/x.mana"), opening(hurried, account))
        ended = written(place, bytes(9), force=True)
    assert ended is not None
    assert (ended.exit_code, "no session of its own" in ended.message) == (14, True)


def test_somebody_elses_emulator_takes_and_gives_archives(
    manabackup: CommandLine, plain: Path, large: Path, tmp_path: Path
) -> None:
    from gcp_storage_emulator.server import create_server

    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = create_server("127.0.0.1", port, in_memory=True, default_bucket="box")
    server.start()
    try:
        environ = {"STORAGE_EMULATOR_HOST": f"127.0.0.1:{port}"}
        there = "gs://box/täglich/a b+c.mana"
        sealing = manabackup("seal", str(plain), "-o", there, env=environ)
        assert (sealing.code, "overwrites what it was told to spare" in sealing.err) == (0, True), sealing.err
        assert manabackup("diff", str(plain), there, env=environ).code == 0
        assert manabackup("seal", str(plain), "-o", there, env=environ).code == 17
        account = Account.find(environ, hurried)
        place = ObjectPlace(Address.parse("gs://box/large.mana"), opening(hurried, account), at_once=2**20)
        assert written(place, large.read_bytes(), force=False) is None
        assert manabackup("verify", "gs://box/large.mana", env=environ).code == 0
        assert manabackup("verify", "gs://box/täglich/", env=environ).code == 0
        place.remove()
        assert place.state() is None
    finally:
        server.stop()
