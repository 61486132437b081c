"""Documents and songs on their way back: each gets a key of its own, so that one is sent once and rows lead to it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import count, product
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from manabackup.archive.reader import open_archive
from manabackup.model.files import Leads
from manabackup.operations.files.returned import LARGEST_SONG, LARGEST_UPLOAD, NotReturned
from manabackup.operations.files.returning import Returner
from manabackup.operations.files.services import Addresses, services
from manabackup.operations.progress import Progress, Step
from manabackup.operations.restore.plan import RestorePlan
from manabackup.operations.restore.result import RestoreResult
from manabackup.remote.session import StaticToken
from manabackup.rows.blobs import IndexedFile, Referrer
from manabackup.sandbox import FileFault, FileScript, Sandbox
from manabackup.sandbox.pictures import Recipe
from tests.support.archives import ours
from tests.support.line import Line
from tests.support.shares import some

from .bench import Bench

JSON = Any
FILES, SONGS = "storage-storage", "music-storage"
_numbers = count(1)


class Scene:
    """An archive with a document, to which two rows lead, and a song; and an account without them."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self.bench, self.box, self.folder = bench, bench.box, folder
        self.document = f"a document, {next(_numbers)} {uuid4()}".encode() * 90
        self.song = f"a song, {next(_numbers)} {uuid4()}".encode() * 90
        self.key = f"users/kQ7x/{uuid4()}.pdf"
        self.song_key = f"users/kQ7x/songs/{uuid4()}/Lied 1 (Ä).mp3"
        self.file, self.old = sorted([str(uuid4()), str(uuid4())])
        self.track = str(uuid4())
        url = f"https://minio.mana.how/{FILES}/{self.key}"
        when = {"createdAt": "2026-04-10T08:00:00.000Z"}
        tables: JSON = {
            "files": [
                {"id": self.file, "storagePath": self.key, "storageKey": self.key, "size": len(self.document), **when},
                {"id": self.old, "storagePath": url, "storageKey": url, "size": len(self.document), **when},
            ],
            "songs": [{"id": self.track, "storagePath": self.song_key, "fileSize": len(self.song), **when}],
        }
        lines = [
            (self.document, "application/pdf", f"storage:{self.key}", [("files", self.file), ("files", self.old)]),
            (self.song, "audio/mpeg", f"music:{self.song_key}", [("songs", self.track)]),
        ]
        self.archive = ours(
            folder / "a.mana",
            tables,
            spaces=(),
            user_id=bench.user,
            files=sorted((_indexed(*line) for line in lines), key=lambda one: str(one[1].sha256)),
        )

    def restore(self, **asked: Any) -> RestoreResult:
        return self.bench.restore(self.archive, **asked)

    def plan(self) -> RestorePlan:
        return self.bench.plan(self.archive)

    def held(self, table: str, record: str, field: str = "storagePath") -> str:
        """What a row of the account says."""
        return str(self.bench.row(table, record).values[field])

    def content(self, bucket: str, key: str) -> bytes | None:
        found = self.box.files.stored(bucket, key)
        return None if found is None else self.box.files.body(found.sha256)

    @property
    def is_back(self) -> bool:
        """Whether all rows lead to what the archive holds."""
        keys = {
            self.held(table, record, name)
            for table, record in (("files", self.file), ("files", self.old))
            for name in ("storagePath", "storageKey")
        }
        return (
            {self.content(FILES, key) for key in keys} == {self.document}
            and len(keys) == 1
            and self.content(SONGS, self.held("songs", self.track)) == self.song
        )

    def sent(self) -> Sending:
        """Counts what is sent from now on."""
        return Sending(self.box)


class Sending:
    """Counts requests that send something, and lets one thing go wrong."""

    def __init__(self, box: Sandbox, fault: FileFault | None = None, first: int = 1, times: int | None = 1) -> None:
        self.documents = self.songs = self.puts = self.seen = 0
        self._script = None if fault is None else FileScript(fault, first=first, times=times)
        box.faults.files = self

    def __call__(self, method: str, target: str) -> FileFault | None:
        self.seen += 1
        self.documents += method == "POST" and target.endswith("/storage/files/upload")
        self.songs += method == "POST" and target.endswith("/music/songs/upload")
        self.puts += method == "PUT"
        return None if self._script is None else self._script(method, target)

    @property
    def all(self) -> tuple[int, int, int]:
        return self.documents, self.songs, self.puts


def _indexed(content: bytes, kind: str, address: str, rows: list[tuple[str, str]]) -> tuple[bytes, IndexedFile]:
    referrers = tuple(Referrer(table, record, "storagePath") for table, record in rows)
    sha256 = hashlib.sha256(content).hexdigest()
    return content, IndexedFile(referrers, (), (address,), sha256=sha256, size=len(content), type=kind)


@pytest.fixture(scope="module")
def box(line: Line) -> Iterator[Sandbox]:
    """One that is asked more in a minute by all these tests than the real service would answer."""
    with Sandbox(middleware=[line], api_limit=10**6) as running:
        yield running


@pytest.fixture(autouse=True)
def fair_weather(box: Sandbox, bench: Bench) -> Iterator[None]:
    bench.with_files = True
    box.faults.silence_seconds = 0.02
    yield
    box.faults.files = lambda method, target: None


@pytest.fixture
def scene(bench: Bench, tmp_path: Path) -> Scene:
    return Scene(bench, tmp_path)


def test_they_are_sent_and_rows_lead_to_their_new_keys(scene: Scene) -> None:
    sent = scene.sent()
    plan = scene.plan()
    assert (plan.files.to_send, plan.files.lost, sent.all) == (2, {}, (0, 0, 0))
    files = scene.restore().plan.files
    assert scene.is_back
    assert (files.sent, files.led_anew, files.losses) == (2, 2, 0)
    assert scene.held("songs", scene.track).endswith("/Lied 1 (Ä).mp3")
    assert scene.held("files", scene.file).startswith(f"users/{scene.bench.user}/")
    assert scene.held("files", scene.file).endswith(".pdf")
    stored = scene.box.files.stored(FILES, scene.held("files", scene.file))
    assert stored is not None
    assert stored.type == "application/pdf"
    assert sent.all == (1, 1, 1)


def test_a_second_run_sends_nothing_and_writes_nothing(scene: Scene) -> None:
    scene.restore()
    sent = scene.sent()
    plan = scene.plan()
    assert (plan.planned, plan.files.present, plan.files.to_send, plan.files.losses) == (0, 2, 0, 0)
    assert sent.all == (0, 0, 0)
    assert not list(scene.bench.folder.glob("*.sent"))


def test_what_is_still_under_its_key_is_neither_sent_nor_led_anew(scene: Scene) -> None:
    scene.box.files.put(FILES, scene.key, scene.document)
    scene.box.files.put(SONGS, scene.song_key, scene.song)
    sent = scene.sent()
    files = scene.restore().plan.files
    assert (files.present, files.led_anew, sent.all) == (2, 0, (0, 0, 0))
    assert scene.held("files", scene.file) == scene.key
    assert scene.held("songs", scene.track) == scene.song_key


def test_something_else_under_the_key_is_not_taken_for_it(scene: Scene) -> None:
    scene.box.files.put(FILES, scene.key, scene.document[:-1])
    scene.box.files.put(SONGS, scene.song_key, scene.song[::-1])
    assert not scene.restore().losses
    assert scene.is_back
    assert scene.held("files", scene.file) != scene.key


def test_a_row_that_has_the_same_bytes_under_its_own_key_stays_as_it_is(scene: Scene) -> None:
    mine, my_song = f"users/me/{uuid4()}.pdf", f"users/me/songs/{uuid4()}/x.mp3"
    scene.box.files.put(FILES, mine, scene.document)
    scene.box.files.put(SONGS, my_song, scene.song)
    when: JSON = {"createdAt": "2026-04-10T08:00:00.000Z", "spaceId": scene.bench.home}
    for record in (scene.file, scene.old):
        row = {"storagePath": mine, "storageKey": mine, "size": len(scene.document), **when}
        scene.bench.write({"id": record, "data": row}, "files")
    scene.bench.write(
        {"id": scene.track, "data": {"storagePath": my_song, "fileSize": len(scene.song), **when}}, "songs"
    )
    sent = scene.sent()
    files = scene.restore().plan.files
    assert (files.present, files.to_send, sent.all) == (2, 0, (0, 0, 0))
    assert scene.held("files", scene.file) == scene.held("files", scene.old, "storageKey") == mine
    assert scene.held("songs", scene.track) == my_song


def test_a_picture_in_a_bucket_goes_to_the_service_of_pictures(bench: Bench, tmp_path: Path) -> None:
    picture = Recipe("png", next(_numbers), 64, 48).make()
    row, song = str(uuid4()), str(uuid4())
    key, cover = f"users/kQ7x/{uuid4()}.png", f"users/kQ7x/{uuid4()}.png"
    when = {"createdAt": "2026-04-10T08:00:00.000Z"}
    tables: JSON = {
        "files": [{"id": row, "storagePath": key, "storageKey": key, "thumbnailPath": key, **when}],
        "songs": [{"id": song, "storagePath": None, "coverArtPath": cover, **when}],
    }
    content, line = _indexed(picture, "image/png", f"storage:{key}", [("files", row), ("songs", song)])
    both = IndexedFile(line.rows, (), (f"storage:{key}", f"music:{cover}"), line.sha256, line.size, line.type)
    archive = ours(tmp_path / "a.mana", tables, spaces=(), user_id=bench.user, files=[(content, both)])
    assert not bench.restore(archive).losses
    medium = bench.box.files.by_hash(str(line.sha256))
    assert medium is not None
    values = bench.row("files", row).values
    assert {values[name] for name in ("storagePath", "storageKey", "thumbnailPath")} == {medium.id}
    assert bench.row("songs", song).values["coverArtPath"] == medium.id
    assert not bench.plan(archive).planned


def cut_off(scene: Scene, *, after: int = 1) -> None:
    """A run that dies once so many files were sent, before any row is."""
    of_files = count()
    scene.bench.cut_off(scene.archive, lambda told: told.step is Step.FILES and next(of_files) >= after)
    assert not scene.bench.changes("files")


@pytest.mark.parametrize("after", [1, 2])
def test_a_run_that_died_among_files_has_sent_none_in_vain(scene: Scene, after: int) -> None:
    sent = scene.sent()
    cut_off(scene, after=after)
    assert sum(sent.all) > 0
    plan = scene.plan()
    assert plan.files.to_send == 2 - after
    assert not scene.restore().losses
    assert scene.is_back
    assert sent.all == (1, 1, 1)
    assert not list(scene.bench.folder.glob("*.sent"))


def test_notes_that_were_cut_off_or_lie_are_not_believed(scene: Scene) -> None:
    cut_off(scene, after=2)
    (notes,) = scene.bench.folder.glob("*.sent")
    text = notes.read_bytes()
    assert hashlib.sha256(scene.document).hexdigest().encode() not in text
    notes.write_bytes(text.replace(b".pdf", b".txt")[:-9])
    sent = scene.sent()
    assert not scene.restore().losses
    assert scene.is_back
    assert 1 <= sent.documents <= 2


def test_a_run_that_died_among_rows_goes_on_with_true_keys(scene: Scene) -> None:
    sent = scene.sent()
    scene.bench.cut_off(scene.archive, lambda told: told.step is Step.PUSH)
    told: list[Progress] = []
    with scene.bench.job(scene.archive) as job:
        plan = job.resumed()
        assert plan is not None
        change: JSON = {"table": "songs", "id": scene.track, "op": "insert", "data": {"spaceId": scene.bench.home}}
        scene.box.log.append(scene.bench.user, "phone", "music", change)
        job.push(told.append)
        assert job.verify().ok
        job.forget()
    assert sent.all == (1, 1, 1)
    assert scene.content(FILES, scene.held("files", scene.file)) == scene.document
    assert [one for one in told if one.step is Step.LOOK], "looking is told of, also where a run goes on"


FAULTS = (
    FileFault.SHORT,
    FileFault.CUT,
    FileFault.WRONG,
    FileFault.STORE_AWAY,
    FileFault.STORE_UNSET,
    FileFault.SILENT,
    FileFault.BAD_GATEWAY,
    FileFault.ORIGIN_AWAY,
    FileFault.TOO_MANY,
    FileFault.EXPIRED,
    FileFault.LINK_DEAD,
    FileFault.LINK_EXPIRED,
)
REQUESTS = 12
"""Of a restore with nothing wrong, see the test."""


def test_so_many_requests_there_are(scene: Scene) -> None:
    sent = scene.sent()
    scene.restore()
    assert sent.seen == REQUESTS


@pytest.mark.parametrize(("fault", "number"), some(list(product(FAULTS, range(1, REQUESTS + 1)))))
def test_F4_whatever_goes_wrong_once_rows_lead_to_what_is_whole(scene: Scene, fault: FileFault, number: int) -> None:
    Sending(scene.box, fault, first=number)
    files = scene.restore().plan.files
    assert set(files.lost) <= {"unavailable"}
    assert scene.content(FILES, scene.held("files", scene.file)) in (scene.document, None)
    assert scene.content(SONGS, scene.held("songs", scene.track)) in (scene.song, None)
    assert scene.is_back == (not files.losses)
    sent = scene.sent()
    assert not scene.restore().losses
    assert scene.is_back
    assert files.losses or sent.all == (0, 0, 0)


@pytest.mark.parametrize(("fault", "number"), some(list(product(FAULTS, [1, 4, 7]))))
def test_F4_what_cannot_be_sent_is_named_and_rows_stay_as_they_are_until_it_can(
    scene: Scene, fault: FileFault, number: int
) -> None:
    Sending(scene.box, fault, first=number, times=None)
    files = scene.restore().plan.files
    assert set(files.lost) <= {"unavailable"}
    for table, record, old in (("files", scene.file, scene.key), ("songs", scene.track, scene.song_key)):
        bucket, content = (FILES, scene.document) if table == "files" else (SONGS, scene.song)
        assert scene.held(table, record) == old or scene.content(bucket, scene.held(table, record)) == content
    scene.sent()
    assert not scene.restore().losses
    assert scene.is_back


@pytest.mark.parametrize(
    ("address", "size", "lost"),
    [
        ("storage:users/x/a.pdf", LARGEST_UPLOAD + 1, NotReturned.TOO_LARGE),
        ("storage:users/x/a.pdf", LARGEST_UPLOAD, None),
        ("storage:users/x/a.pdf", 0, NotReturned.REFUSED),
        ("music:users/x/a.mp3", LARGEST_UPLOAD + 1, None),
        ("music:users/x/a.mp3", LARGEST_SONG + 1, NotReturned.TOO_LARGE),
        ("music:users/x/a.mp3", 0, None),
    ],
)
def test_what_a_bucket_would_not_take_is_not_sent(
    scene: Scene, address: str, size: int, lost: NotReturned | None
) -> None:
    token = StaticToken(scene.box.accounts.issue_token(scene.bench.user))
    where = Addresses(scene.box.media_url, scene.box.api_url)
    with open_archive(scene.archive) as archive, services(where, token, sleep=lambda seconds: None) as asked:
        file = IndexedFile((), (), (address,), sha256="0" * 64, size=size)
        (found,) = Returner(archive, asked, "u").look(file, "")
        assert (found.lost, found.leads) == (lost, Leads(address.partition(":")[0]))
