"""Lists of what lies in a folder: whole or an error, whatever names are like and whatever a server answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, unquote
from xml.sax.saxutils import escape

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manabackup.archive.places import Folder
from manabackup.errors import ManabackupError, ServerError, UsageError
from manabackup.operations.places import expanded, located
from manabackup.storage import azure, google, objects, place
from manabackup.storage.addresses import Address
from manabackup.storage.aws import Account
from manabackup.storage.azure_account import Account as AzureAccount
from manabackup.storage.bucket import Bucket
from manabackup.storage.dav import DavFolder
from manabackup.storage.google_account import Account as GoogleAccount
from manabackup.storage.s3 import S3Folder, opening
from tests.support import ceph, s3
from tests.support.processes import CommandLine
from tests.support.scripted import Asked, Said, scripted

from .conftest import hurried, new_bucket

ODD = (
    "it's \"q\".mana", "a  b.mana", "a b.mana", "a+b.mana", "a%2Bb.mana", "a%20b.mana", "&amp;.mana", "x&y<z>.mana",
    "n\nl.mana", "ü.mana", "u\u0308.mana", "\u202e.mana", " .mana", "?x=1.mana", "#.mana", "*[.mana",
    "\x01.mana", "back\\slash.mana",
)  # fmt: skip
"""Names that one way or another of writing them down makes others of."""
NAMES = st.lists(
    st.one_of(
        st.sampled_from(ODD),
        st.text(st.characters(codec="utf-8", exclude_characters="/", exclude_categories=["Cs"]), max_size=12).map(
            lambda text: f"n{text}.mana"
        ),
    ),
    unique=True,
    max_size=7,
)
Answer = Callable[[Asked], Said]


def folder_of(kind: str, port: int) -> Folder:
    match kind:
        case "s3":
            account = Account.find(s3.KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}", "HOME": "/nonexistent"})
            return S3Folder(Address.parse("s3://bucket/a b/"), opening(hurried, account))
        case "az":
            environ = {
                "AZURE_STORAGE_CONNECTION_STRING": f"BlobEndpoint=http://127.0.0.1:{port}/anna;AccountName=anna;AccountKey=YQ=="
            }
            return objects.ObjectFolder(
                Address.parse("az://bucket/a b/"), azure.opening(hurried, AzureAccount.find(environ))
            )
        case "gs":
            account_there = GoogleAccount.find({"STORAGE_EMULATOR_HOST": f"127.0.0.1:{port}"})
            return objects.ObjectFolder(Address.parse("gs://bucket/a b/"), google.opening(hurried, account_there))
    return DavFolder(Address.parse(f"dav://127.0.0.1:{port}/a%20b/"), hurried)


@contextmanager
def answering(kind: str, answer: Answer) -> Iterator[Folder]:
    with scripted(answer) as (port, _):
        yield folder_of(kind, port)


def listing(names: list[str], *, size: int, escaped: bool) -> Answer:
    """An S3 server whose lists go on with the name that comes next, as Ceph's do."""
    keys = sorted(f"a b/{name}" for name in names)
    entities = {'"': "&quot;", "'": "&apos;"} | {chr(number): f"&#x{number:x};" for number in range(32)}

    def answer(asked: Asked) -> Said:
        after = asked.params.get("continuation-token", "")
        left = [key for key in keys if key > after]
        page, more = left[:size], left[size:]
        told = [quote(key) if escaped else escape(key, entities) for key in page]
        body = "".join(f"<Contents><Key>{key}</Key></Contents>" for key in told)
        body += f"<IsTruncated>{'true' if more else 'false'}</IsTruncated>"
        body += "<EncodingType>url</EncodingType>" if escaped else ""
        if more:
            body += f"<NextContinuationToken>{escape(page[-1], entities)}</NextContinuationToken>"
        return Said(200, f"<ListBucketResult>{body}</ListBucketResult>".encode())

    return answer


@settings(max_examples=40, deadline=None)
@given(names=NAMES, escaped=st.booleans(), size=st.integers(1, 3))
def test_every_name_comes_out_of_a_list_of_objects_as_it_is(names: list[str], escaped: bool, size: int) -> None:
    with answering("s3", listing(names, size=size, escaped=escaped)) as folder:
        found = list(folder.archives())
    assert sorted(each.name for each in found) == sorted(names)
    assert sorted(place(each.address).name for each in found) == sorted(names)


@settings(max_examples=40, deadline=None)
@given(names=NAMES, prefix=st.sampled_from(["", "/srv", "http://127.0.0.1:1"]))
def test_every_name_comes_out_of_a_list_of_files_as_it_is(names: list[str], prefix: str) -> None:
    # A proxy may know the folder by another path than the server.
    paths = ["/a%20b", *(f"/a%20b/{quote(name)}" for name in names), "/a%20b/2026"]
    parts = "".join(
        f"<D:response><D:href>{prefix}{path}</D:href><D:propstat><D:prop><D:resourcetype>"
        f"{'' if path.endswith('.mana') else '<D:collection/>'}</D:resourcetype></D:prop></D:propstat></D:response>"
        for path in paths
    )
    body = f'<D:multistatus xmlns:D="DAV:">{parts}</D:multistatus>'.encode()
    with answering("dav", lambda asked: Said(207, body)) as folder:
        found = list(folder.archives())
        assert [each.name for each in folder.folders()] == ["2026"]
    assert sorted(each.name for each in found) == sorted(names)
    assert sorted(place(each.address).name for each in found) == sorted(names)


def _xml(kind: str, inner: str) -> bytes:
    around = {"s3": "ListBucketResult", "az": "EnumerationResults", "dav": "multistatus"}[kind]
    return f"<{around}>{inner}</{around}>".encode()


_KEY = "<Contents><Key>a b/x.mana</Key></Contents>"
_BLOB = "<Blobs><Blob><Name>a b/x.mana</Name></Blob></Blobs>"
_OWN = "<response><href>/a%20b/</href></response>"
NO_LISTS = {
    ("s3", "a page"): b"<html>sign in to this network</html>",
    ("s3", "cut off"): _xml("s3", _KEY)[:-8],
    ("s3", "older interface"): _xml("s3", f"<IsTruncated>true</IsTruncated><NextMarker>x</NextMarker>{_KEY}"),
    ("s3", "in a circle"): _xml(
        "s3", f"<IsTruncated>true</IsTruncated><NextContinuationToken>x</NextContinuationToken>{_KEY}"
    ),
    ("az", "a page"): b"<html>sign in to this network</html>",
    ("az", "in a circle"): _xml("az", f"{_BLOB}<NextMarker>x</NextMarker>"),
    ("gs", "a page"): b"[]",
    ("gs", "no names"): b'{"items": [{"id": "x"}]}',
    ("gs", "in a circle"): b'{"items": [{"name": "a b/x.mana"}], "nextPageToken": "x"}',
    ("dav", "a page"): b"<html>sign in to this network</html>",
    ("dav", "nothing"): _xml("dav", ""),
    ("dav", "cut off"): _xml("dav", _OWN)[:-8],
    ("dav", "not itself"): _xml("dav", "<response><href>/a%20b/x.mana</href></response>"),
    ("dav", "elsewhere"): _xml("dav", f"{_OWN}<response><href>/other/x.mana</href></response>"),
    ("dav", "deeper"): _xml("dav", f"{_OWN}<response><href>/a%20b/c/x.mana</href></response>"),
    ("dav", "too many"): _xml("dav", f"{_OWN}<response><href>/a%20b/</href><status>HTTP/1.1 507 X</status></response>"),
}


@pytest.mark.parametrize(("kind", "what"), NO_LISTS)
def test_P3_what_is_no_whole_list_is_an_error_and_not_an_empty_folder(kind: str, what: str) -> None:
    status = 207 if kind == "dav" else 200
    with (
        answering(kind, lambda asked: Said(status, NO_LISTS[kind, what])) as folder,
        pytest.raises(ServerError, match="list"),
    ):
        list(folder.archives())


_THREE = ("x.mana", "a b/c/x.mana", "a b/y.mana")
_OPENINGS = {
    "s3": "<Contents><CommonPrefixes><Key",
    "az": "<Blob><Name ",
    "dav": "<response ><href <status ",
    "uploads": "<Upload><Key>",
}


@pytest.mark.parametrize("kind", _OPENINGS)
def test_a_list_that_opens_much_and_closes_nothing_is_soon_done_with(kind: str) -> None:
    inner = _OPENINGS[kind] * 100_000  # what looks to the end for each of them takes hours
    body = f"<Result>{inner}</Result>".encode() if kind == "uploads" else _xml(kind, inner)
    with answering(
        "s3" if kind == "uploads" else kind, lambda asked: Said(207 if kind == "dav" else 200, body)
    ) as folder:
        if isinstance(folder, S3Folder) and kind == "uploads":
            assert folder.unfinished() == []
        elif kind == "dav":
            with pytest.raises(ServerError):
                list(folder.archives())
        else:
            assert list(folder.archives()) == []


STRAYS = {
    "s3": _xml("s3", "".join(f"<Contents><Key>{key}</Key></Contents>" for key in _THREE)),
    "az": _xml("az", "".join(f"<Blob><Name>{key}</Name></Blob>" for key in _THREE)),
    "gs": json.dumps({"items": [{"name": key} for key in _THREE]}).encode(),
}


@pytest.mark.parametrize("kind", STRAYS)
def test_what_a_server_tells_of_unasked_does_not_lie_in_a_folder(kind: str) -> None:
    with answering(kind, lambda asked: Said(200, STRAYS[kind])) as folder:
        assert [each.name for each in folder.archives()] == ["y.mana"]


def test_names_that_no_xml_can_hold_are_read_where_azure_escapes_them() -> None:
    body = _xml(
        "az", '<Blob><Name Encoded="true">a b/%EF%BF%BF.mana</Name></Blob><Blob><Name>a b/%41.mana</Name></Blob>'
    )
    with answering("az", lambda asked: Said(200, body)) as folder:
        assert sorted(each.name for each in folder.archives()) == ["%41.mana", "\uffff.mana"]


def _uploads(inner: str) -> Said:
    return Said(200, f"<Result><IsTruncated>true</IsTruncated>{inner}</Result>".encode())


@pytest.mark.parametrize(
    "goes_on", ["", "<NextKeyMarker>x</NextKeyMarker><NextPartNumberMarker>1</NextPartNumberMarker>"]
)
@pytest.mark.parametrize("of", ["uploads", "uploadId"])
def test_a_list_of_uploads_that_does_not_end_is_an_error(of: str, goes_on: str) -> None:
    upload = "<Upload><Key>a b/x.mana</Key><UploadId>1</UploadId><Initiated>never</Initiated></Upload>"

    def answer(asked: Asked) -> Said:
        if of not in asked.params and "uploadId" in asked.params:
            return Said(200, b"<Result><Part><Size>many</Size></Part></Result>")
        return _uploads(upload + goes_on)

    with answering("s3", answer) as folder:
        assert isinstance(folder, S3Folder)
        with pytest.raises(ServerError, match="breaks off its list"):
            folder.unfinished()


@pytest.mark.parametrize("text", ["sftp://h/a?old/", "dav://h/a?b.mana", "davs://h/a#b.mana", "sftp://h/a#", "davs://h/a?",
                                  "https://h/a#b.mana", "sftp://h/a\nb.mana", "davs://h/a\tb.mana"])  # fmt: skip
def test_an_address_of_which_a_part_would_be_passed_over_is_none(text: str) -> None:
    with pytest.raises(UsageError, match="address"):
        place(text)


@pytest.mark.parametrize(
    "text", ["s3:bucket/a.mana", "S3:/bucket/a.mana", "davs:/h/a.mana", "https:h/a.mana", "az:a.mana"]
)
def test_what_lacks_a_slash_is_no_file(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"begins with [a-z0-9]*://"):
        located(text)
    assert located(f"./{text}") == Path(text)


@settings(max_examples=100, deadline=None)
@given(
    scheme=st.sampled_from(["s3", "gs", "az", "dav", "davs", "sftp", "https"]),
    user=st.text(st.characters(codec="ascii"), max_size=5),
    path=st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), min_size=1, max_size=12),
)
def test_an_address_is_read_again_as_it_was(scheme: str, user: str, path: str) -> None:
    is_bucket = scheme in ("s3", "gs", "az")
    before = quote(user, safe="") + "@" if user and not is_bucket else ""
    text = f"{scheme}://{before}host/{path if is_bucket else quote(path)}"
    try:
        address = Address.parse(text)
    except ManabackupError:
        return
    assert Address.parse(address.text) == address
    assert (address.path if is_bucket else unquote(address.path)) == f"/{path}"
    assert str(address).isprintable()


def test_Ceph_tells_of_each_key_as_it_is(manabackup: CommandLine, plain: Path) -> None:
    with ceph.gateway() as port:
        manabackup.environ |= s3.KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
        account = Account.find(manabackup.environ)
        bucket = new_bucket(account)
        with Bucket(bucket, account, hurried, bucket) as asked:
            for name in ODD:
                assert asked.ask(asked.request("PUT", f"/f/{name}", {}, body=plain.read_bytes())).status == 200
            assert sorted(asked.keys("/f/", at_once=2)) == sorted(f"/f/{name}" for name in ODD)
        done = manabackup("verify", f"s3://{bucket}/f/*.mana")
        assert (done.code, done.out.count(": ok,")) == (0, len(ODD)), done.err


def test_what_a_pattern_stands_for_is_named_to_the_character(monkeypatch: pytest.MonkeyPatch) -> None:
    with scripted(listing(list(ODD), size=100, escaped=True)) as (port, _):
        for name, value in (s3.KEYS | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}).items():
            monkeypatch.setenv(name, value)
        assert sorted(expanded(["s3://bucket/a b/*.mana"])) == sorted(f"s3://bucket/a b/{name}" for name in ODD)
