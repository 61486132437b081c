"""Fetching: every fault of every service at every request. What is kept is whole; what is not is named."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from itertools import count

import pytest

from manabackup.limits import DEFAULT_LIMITS
from manabackup.model.files import Leads
from manabackup.operations.files.fetching import FileToFetch
from manabackup.operations.files.records import FileLossKind, FileRecord, LostFile
from manabackup.operations.files.store import FileStore
from manabackup.remote.addresses import AddressClient, is_public
from manabackup.sandbox import FileFault, FileScript, Sandbox
from manabackup.sandbox.exif import Camera
from manabackup.sandbox.filestore import Medium
from manabackup.sandbox.pictures import Recipe

from .conftest import MakeFetcher

KEY = "users/kQ7x/3babd4c5-b61d-4761-80cd-b892516f0f96.pdf"
SONG = "users/kQ7x/songs/c120f07a/Lied 1 (Ä).mp3"
LARGE = 70_000
_seeds = count(1)


def picture(box: Sandbox, size: int = LARGE) -> Medium:
    camera = Camera("Fictoria", "Model Nine", datetime(2025, 6, 1, 10, 20, 30))  # noqa: DTZ001 # a camera knows no zone
    made = Recipe("jpeg", next(_seeds), width=320, height=240, size=size, camera=camera)
    return box.files.generate(made, "IMG_1.JPG")


def medium(found: Medium) -> FileToFetch:
    return FileToFetch(Leads.MEDIA, found.id)


def content(store: FileStore, record: FileRecord) -> bytes:
    return b"".join(store.chunks(record.sha256, record.size))


def test_a_picture_is_kept_with_what_its_service_says_of_it(
    box: Sandbox, store: FileStore, fetcher: MakeFetcher
) -> None:
    made = picture(box)
    record = fetcher().fetch(medium(made))
    assert isinstance(record, FileRecord)
    assert (record.sha256, record.size, record.type, record.name) == (made.sha256, made.size, "image/jpeg", "IMG_1.JPG")
    assert record.told["exif"]["cameraMake"] == "Fictoria"
    assert hashlib.sha256(content(store, record)).hexdigest() == made.sha256


def test_what_is_held_is_not_asked_for_again(box: Sandbox, fetcher: MakeFetcher) -> None:
    made = picture(box)
    first = fetcher().fetch(medium(made))
    requests = FileScript(FileFault.SILENT, first=10**9)
    box.faults.files = requests
    assert fetcher().fetch(medium(made)) == first
    assert requests.seen == 0
    box.files.delete(made.id)
    assert fetcher().fetch(medium(made)) == first


def test_the_same_bytes_under_another_id_are_asked_about_and_not_fetched(
    box: Sandbox, store: FileStore, fetcher: MakeFetcher
) -> None:
    made = picture(box)
    fetch = fetcher().fetch
    record = fetch(medium(made))
    assert isinstance(record, FileRecord)
    box.files.delete(made.id)
    again = box.files.upload(content(store, record), "other.jpg")
    requests = FileScript(FileFault.SILENT, part="/file", first=10**9)
    box.faults.files = requests
    assert again.id != made.id
    assert isinstance(fetch(medium(again)), FileRecord)
    assert requests.seen == 0


PASSING = (
    FileFault.SHORT,
    FileFault.CUT,
    FileFault.WRONG,
    FileFault.STORE_AWAY,
    FileFault.DATABASE_AWAY,
    FileFault.SILENT,
    FileFault.BAD_GATEWAY,
    FileFault.ORIGIN_AWAY,
)
LASTING = {
    FileFault.SHORT: {LostFile(FileLossKind.DAMAGED, "size or SHA-256")},
    FileFault.CUT: {LostFile(FileLossKind.UNAVAILABLE, "no answer")},
    FileFault.WRONG: {LostFile(FileLossKind.DAMAGED, "size or SHA-256")},
    FileFault.STORE_AWAY: {LostFile(FileLossKind.UNAVAILABLE, "File not found")},
    FileFault.DATABASE_AWAY: {LostFile(FileLossKind.UNAVAILABLE, "500")},
    FileFault.SILENT: {LostFile(FileLossKind.UNAVAILABLE, "no answer")},
    FileFault.BAD_GATEWAY: {LostFile(FileLossKind.UNAVAILABLE, "502")},
    FileFault.ORIGIN_AWAY: {LostFile(FileLossKind.UNAVAILABLE, "530")},
}


@pytest.mark.parametrize("request_number", [1, 2])
@pytest.mark.parametrize("fault", PASSING)
def test_F1_a_fault_that_passes_costs_nothing(
    box: Sandbox, store: FileStore, fetcher: MakeFetcher, fault: FileFault, request_number: int
) -> None:
    made = picture(box)
    box.faults.files = FileScript(fault, first=request_number)
    record = fetcher().fetch(medium(made))
    assert isinstance(record, FileRecord), record
    assert store.is_whole(made.sha256, made.size)


@pytest.mark.parametrize("size", [200, LARGE])
@pytest.mark.parametrize("fault", PASSING)
def test_F1_a_fault_that_lasts_is_named_and_a_run_after_it_completes(
    box: Sandbox, store: FileStore, fetcher: MakeFetcher, fault: FileFault, size: int
) -> None:
    made = picture(box, size) if size == LARGE else box.files.upload(bytes([next(_seeds)]) * size, "small.bin")
    box.faults.files = FileScript(fault, times=None)
    lost = fetcher().fetch(medium(made))
    assert lost in LASTING[fault]
    assert not store.has(made.sha256, made.size)
    assert store.recall(medium(made).address) is None
    box.faults.files = lambda method, target: None
    assert isinstance(fetcher().fetch(medium(made)), FileRecord)
    assert store.is_whole(made.sha256, made.size)


def test_F1_one_answer_alone_means_that_a_file_is_gone(box: Sandbox, fetcher: MakeFetcher) -> None:
    gone, lost = picture(box), picture(box)
    box.files.delete(gone.id)
    box.files.lose(lost.id)
    fetch = fetcher().fetch
    assert fetch(medium(gone)) == LostFile(FileLossKind.GONE, "Media not found")
    assert fetch(medium(lost)) == LostFile(FileLossKind.UNAVAILABLE, "File not found")
    box.files.lose(lost.id, lost=False)
    assert isinstance(fetch(medium(lost)), FileRecord)


def test_a_file_beyond_the_limit_is_not_fetched(box: Sandbox, store: FileStore, fetcher: MakeFetcher) -> None:
    made = picture(box)
    requests = FileScript(FileFault.SILENT, part="/file", first=10**9)
    box.faults.files = requests
    limits = replace(DEFAULT_LIMITS, file_bytes=made.size - 1)
    assert fetcher(limits=limits).fetch(medium(made)) == LostFile(FileLossKind.TOO_LARGE, "limit")
    assert requests.seen == 0


def test_a_server_that_says_nothing_is_soon_left_alone(box: Sandbox, fetcher: MakeFetcher) -> None:
    requests = FileScript(FileFault.SILENT, times=None)
    box.faults.files = requests
    targets = [FileToFetch(Leads.MEDIA, f"00000000-0000-4000-8000-{number:012}") for number in range(200)]
    outcomes = [outcome for _, outcome in fetcher().fetch_all(targets)]
    assert set(outcomes) == {LostFile(FileLossKind.UNAVAILABLE, "no answer")}
    assert requests.seen < 200


def test_all_are_fetched_in_their_order_and_bytes_are_told(
    box: Sandbox, store: FileStore, fetcher: MakeFetcher
) -> None:
    made = [picture(box, 3_000 + number) for number in range(12)]
    told = [0, 0]

    def moved(expected: int, came: int) -> None:
        told[0] += expected
        told[1] += came

    box.faults.files = FileScript(FileFault.SHORT, part="/file", first=4, times=2)
    outcomes = list(fetcher(moved=moved).fetch_all(map(medium, made)))
    assert [target.name for target, _ in outcomes] == [one.id for one in made]
    assert all(store.is_whole(one.sha256, one.size) for one in made)
    assert told == [sum(one.size for one in made)] * 2


# --- files and songs --------------------------------------------------------------------------------------------------


@pytest.fixture
def file(box: Sandbox) -> FileToFetch:
    key = KEY.replace("3babd4c5", f"{next(_seeds):08x}")
    box.files.put("storage-storage", key, Recipe("pdf", next(_seeds), size=9_000))
    return FileToFetch(Leads.STORAGE, key, 9_000)


@pytest.fixture
def song(box: Sandbox) -> FileToFetch:
    key = SONG.replace("c120f07a", f"{next(_seeds):08x}")
    box.files.put("music-storage", key, Recipe("mp3", next(_seeds), size=9_000))
    return FileToFetch(Leads.MUSIC, key, 9_000)


def both(file: FileToFetch, song: FileToFetch) -> tuple[FileToFetch, ...]:
    return file, song, FileToFetch(file.leads, file.name), FileToFetch(song.leads, song.name)


def test_files_and_songs_come_by_their_keys(
    store: FileStore, fetcher: MakeFetcher, file: FileToFetch, song: FileToFetch
) -> None:
    for target in both(file, song):
        record = fetcher().fetch(target)
        assert isinstance(record, FileRecord), record
        assert record.size == 9_000
        assert store.is_whole(record.sha256, record.size)


API_FAULTS = (
    FileFault.SHORT,
    FileFault.CUT,
    FileFault.STORE_AWAY,
    FileFault.SILENT,
    FileFault.BAD_GATEWAY,
    FileFault.ORIGIN_AWAY,
    FileFault.TOO_MANY,
    FileFault.LINK_DEAD,
    FileFault.LINK_EXPIRED,
)


@pytest.mark.parametrize("request_number", [1, 2])
@pytest.mark.parametrize("fault", API_FAULTS)
def test_F1_a_fault_of_the_api_that_passes_costs_nothing(
    box: Sandbox,
    store: FileStore,
    fetcher: MakeFetcher,
    file: FileToFetch,
    song: FileToFetch,
    fault: FileFault,
    request_number: int,
) -> None:
    for target in (file, song):
        box.faults.files = FileScript(fault, first=request_number)
        record = fetcher().fetch(target)
        assert isinstance(record, FileRecord), (target, record)
        assert record.size == 9_000


@pytest.mark.parametrize("fault", API_FAULTS)
def test_F1_a_fault_of_the_api_that_lasts_is_never_called_gone(
    box: Sandbox, store: FileStore, fetcher: MakeFetcher, file: FileToFetch, song: FileToFetch, fault: FileFault
) -> None:
    for target in (file, song):
        box.faults.files = FileScript(fault, times=None)
        lost = fetcher().fetch(target)
        if isinstance(lost, FileRecord):  # the fault means nothing there
            assert lost.size == 9_000
            continue
        assert lost.kind in (FileLossKind.UNAVAILABLE, FileLossKind.DAMAGED)
        assert (lost.kind is FileLossKind.DAMAGED) == (fault is FileFault.SHORT)
        box.faults.files = lambda method, target: None
        assert isinstance(fetcher().fetch(target), FileRecord)


def test_what_is_missing_in_a_bucket_cannot_be_told_from_trouble(box: Sandbox, fetcher: MakeFetcher) -> None:
    for leads in (Leads.STORAGE, Leads.MUSIC):
        lost = fetcher().fetch(FileToFetch(leads, "users/nobody/nothing.bin"))
        assert isinstance(lost, LostFile)
        assert lost.kind is FileLossKind.UNAVAILABLE


# --- other people's servers -------------------------------------------------------------------------------------------


def test_F2_a_foreign_address_is_not_asked_unasked(box: Sandbox, fetcher: MakeFetcher) -> None:
    foreign = FileToFetch(Leads.FOREIGN, f"{box.web_url}/picture.png")
    assert fetcher().fetch(foreign) == LostFile(FileLossKind.FOREIGN, "not asked")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"]
)
def test_F2_a_private_address_is_never_asked(box: Sandbox, fetcher: MakeFetcher, host: str) -> None:
    requests = FileScript(FileFault.SILENT, first=10**9)
    box.faults.files = requests
    port = box.media_url.rpartition(":")[2]
    for scheme in ("http", "https"):
        lost = fetcher(foreign=True).fetch(FileToFetch(Leads.FOREIGN, f"{scheme}://{host}:{port}/x.png"))
        assert lost == LostFile(FileLossKind.FOREIGN, "private address")
    assert requests.seen == 0


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("10.0.0.1", False),
        ("172.31.255.255", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
        ("no address", False),
    ],
)
def test_an_address_is_public_or_it_is_not(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize(
    "url", ["ftp://x.example/a", "http://", "https://user:pw@x.example/a", "https://[", "https://x:y/"]
)
def test_an_address_that_makes_no_sense_is_no_error(fetcher: MakeFetcher, url: str) -> None:
    lost = fetcher(foreign=True).fetch(FileToFetch(Leads.FOREIGN, url))
    assert lost == LostFile(FileLossKind.UNAVAILABLE, "address")


def test_F2_an_address_is_looked_at_before_it_is_connected_to(box: Sandbox, store: FileStore) -> None:
    """The links' client is the same one, with an API on this computer: nothing is forbidden to it."""
    client = AddressClient(addresses=lambda address: address != "127.0.0.1")
    try:
        with pytest.raises(Exception, match="may be asked"):
            client.download(f"{box.media_url}/health", lambda pieces: b"".join(pieces))
    finally:
        client.close()
