"""Files on their way back: every fault of the service, deaths and edits on the way; rows lead to what is there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from manabackup.archive.reader import open_archive
from manabackup.crypto.fields import is_encrypted
from manabackup.operations.files.returned import LARGEST_UPLOAD, NotReturned
from manabackup.operations.files.returning import Returner
from manabackup.operations.files.services import Addresses, services
from manabackup.operations.progress import Progress, Step
from manabackup.operations.restore.decision import OnConflict
from manabackup.operations.restore.result import RestoreResult
from manabackup.remote.session import StaticToken
from manabackup.rows.blobs import IndexedFile, Referrer
from manabackup.sandbox import FileFault, FileScript, Sandbox
from manabackup.text import jsontext
from tests.support.archives import ours

from .bench import CIPHER, Bench

JSON = Any
_numbers = count(1)


@pytest.fixture(autouse=True)
def fair_weather(box: Sandbox, bench: Bench) -> Iterator[None]:
    bench.with_files = True
    box.faults.silence_seconds = 0.02
    yield
    box.faults.files = lambda method, target: None


class Scene:
    """An archive with one picture, which a public field and a private one lead to, and an account without them."""

    def __init__(self, bench: Bench, folder: Path, *, encrypted: bool = False) -> None:
        self.bench, self.box = bench, bench.box
        self.content = f"a picture of something, {next(_numbers)} {uuid4()}".encode() * 40
        self.sha256 = hashlib.sha256(self.content).hexdigest()
        self.old, self.item, self.campaign = str(uuid4()), str(uuid4()), str(uuid4())
        html: JSON = {"html": f'<img src="http://old.example/api/v1/media/{self.old}/file/large">'}
        tables = {
            "albumItems": [{"id": self.item, "mediaId": self.old, "createdAt": "2026-04-10T08:00:00.000Z"}],
            "broadcastCampaigns": [
                {
                    "id": self.campaign,
                    "content": CIPHER.encrypt(jsontext.dumps(html)) if encrypted else html,
                    "createdAt": "2026-04-10T08:00:00.000Z",
                }
            ],
        }
        line = IndexedFile(
            (Referrer("albumItems", self.item, "mediaId"), Referrer("broadcastCampaigns", self.campaign, "content")),
            (self.old,),
            sha256=self.sha256,
            size=len(self.content),
            name="Bild (ä).txt",
        )
        options: JSON = {"fields_plaintext": False, "additions": {}} if encrypted else {}
        self.archive = ours(
            folder / "a.mana", tables, spaces=(), files=[(self.content, line)], user_id=bench.user, **options
        )

    def restore(self, **asked: Any) -> RestoreResult:
        return self.bench.restore(self.archive, **asked)

    @property
    def now(self) -> str | None:
        """The id of the picture, if the service has it."""
        found = self.box.files.by_hash(self.sha256)
        return None if found is None else found.id

    @property
    def led_to(self) -> set[str]:
        """The ids that the account's two rows hold."""
        content = self.bench.row("broadcastCampaigns", self.campaign).values["content"]
        assert is_encrypted(content)
        html = str(jsontext.parse(CIPHER.decrypt(content))["html"])
        assert html.endswith('/file/large">')
        return {
            str(self.bench.row("albumItems", self.item).values["mediaId"]),
            html.partition("/media/")[2].partition("/")[0],
        }

    def uploads(self, fault: FileFault = FileFault.SILENT, **options: Any) -> FileScript:
        """``fault`` at what is sent from now on; by default that is only counted."""
        self.box.faults.files = script = FileScript(fault, method="POST", **({"first": 10**9} | options))
        return script


@pytest.fixture
def scene(bench: Bench, tmp_path: Path) -> Scene:
    return Scene(bench, tmp_path)


@pytest.mark.parametrize("encrypted", [False, True])
def test_rows_lead_to_the_id_that_the_service_gave(bench: Bench, tmp_path: Path, *, encrypted: bool) -> None:
    scene = Scene(bench, tmp_path, encrypted=encrypted)
    sent = scene.uploads()
    files = scene.restore().plan.files
    assert scene.now is not None
    assert scene.led_to == {scene.now} != {scene.old}
    assert (files.to_send, files.sent, files.led_anew, files.losses, sent.seen) == (1, 1, 1, 0, 1)
    assert not scene.bench.plan(scene.archive).planned
    html = bench.row("broadcastCampaigns", scene.campaign).values["content"]
    assert (
        f'src="{scene.box.media_url}/api/v1/media/{scene.now}/file/large"'
        in jsontext.parse(CIPHER.decrypt(html))["html"]
    )


def test_nothing_is_sent_where_the_bytes_are_and_rows_lead_there(scene: Scene) -> None:
    there = scene.box.files.upload(scene.content, "somebody else's.jpg")
    sent = scene.uploads()
    files = scene.restore().plan.files
    assert scene.led_to == {there.id}
    assert (files.present, files.to_send, files.led_anew, sent.seen) == (1, 0, 1, 0)


def test_nothing_is_sent_for_rows_that_are_not_written(scene: Scene) -> None:
    sent = scene.uploads()
    assert not scene.bench.plan(scene.archive).files.sent
    with scene.bench.job(scene.archive, tables=("albumItems",), on_conflict=OnConflict.SKIP) as job:
        scene.bench.write(
            {"id": scene.item, "data": {"mediaId": str(uuid4()), "spaceId": scene.bench.home}}, "albumItems"
        )
        plan = job.plan()
        job.push()
    assert (plan.files.to_send, sent.seen) == (0, 0)


PASSING = (FileFault.STORE_AWAY, FileFault.QUEUE_AWAY, FileFault.SILENT, FileFault.ORIGIN_AWAY)


@pytest.mark.parametrize("fault", PASSING)
def test_a_passing_trouble_with_sending_is_waited_out(scene: Scene, fault: FileFault) -> None:
    scene.uploads(fault, first=1)
    assert not scene.restore().losses
    assert scene.led_to == {scene.now}


@pytest.mark.parametrize("fault", [FileFault.STORE_AWAY, FileFault.SILENT])
def test_F4_what_cannot_be_sent_is_named_and_its_rows_stay_as_they_are_until_it_can(
    scene: Scene, fault: FileFault
) -> None:
    scene.uploads(fault, first=1, times=None)
    result = scene.restore()
    assert result.plan.files.lost == {"unavailable": 1}
    assert result.losses == 1
    assert scene.led_to == {scene.old}
    scene.uploads()
    assert not scene.restore().losses
    assert scene.led_to == {scene.now}


def test_a_service_that_never_says_that_it_took_a_file_is_asked_whether_it_has_it(scene: Scene) -> None:
    scene.uploads(FileFault.QUEUE_AWAY, first=1, times=None)
    assert not scene.restore().losses
    assert scene.led_to == {scene.now}


@pytest.mark.parametrize(
    ("fault", "times"),
    [
        (FileFault.SHORT, 1),
        (FileFault.SHORT, None),
        (FileFault.CUT, 1),
        (FileFault.WRONG, None),
        (FileFault.STORE_AWAY, 1),
    ],
)
def test_F4_what_does_not_come_back_as_it_was_sent_is_a_loss(scene: Scene, fault: FileFault, times: int | None) -> None:
    scene.box.faults.files = FileScript(fault, part="/file", times=times)
    files = scene.restore().plan.files
    assert files.lost == ({} if times else {"unavailable": 1})
    assert files.sent == 1
    assert scene.led_to == {scene.now if times else scene.old}


def test_a_service_that_is_away_loses_no_row(scene: Scene) -> None:
    scene.box.faults.files = script = FileScript(FileFault.BAD_GATEWAY, part="/", times=None)
    result = scene.restore()
    assert (result.inserted, result.plan.files.lost) == (2, {"unavailable": 1})
    assert script.seen
    assert scene.now is None
    assert scene.led_to == {scene.old}


def test_what_the_service_would_not_take_is_not_sent(scene: Scene) -> None:
    with (
        open_archive(scene.archive) as archive,
        services(
            Addresses(scene.box.media_url, None), StaticToken(scene.box.accounts.issue_token(scene.bench.user))
        ) as asked,
    ):
        file = IndexedFile((), (scene.old,), sha256="0" * 64, size=LARGEST_UPLOAD + 1)
        assert [one.lost for one in Returner(archive, asked, "u").look(file, "")] == [NotReturned.TOO_LARGE]
        key = IndexedFile((), (), ("storage:users/x/a.pdf",), sha256="0" * 64, size=3)
        assert [one.lost for one in Returner(archive, asked, "u").look(key, "")] == [NotReturned.NO_ROUTE]


def cut_off(scene: Scene, step: Step) -> None:
    """A run that ends when it tells of a step that has come somewhere, or of one that begins to send rows."""
    scene.bench.cut_off(scene.archive, lambda told: told.step is step and bool(told.done or step is Step.PUSH))
    assert not scene.bench.changes("albumItems", scene.item)


def test_looking_for_files_is_told_one_by_one(scene: Scene) -> None:
    told: list[Progress] = []
    with scene.bench.job(scene.archive) as job:
        job.plan(told.append)
    ours = [(one.done, one.total) for one in told if one.step is Step.LOOK]
    assert ours[0] == (0, None)
    assert (1, 1) in ours


def test_a_run_that_died_after_sending_finds_what_it_sent(scene: Scene) -> None:
    sent = scene.uploads()
    cut_off(scene, Step.FILES)
    files = scene.restore().plan.files
    assert scene.led_to == {scene.now}
    assert (files.present, files.to_send, sent.seen) == (1, 0, 1)


def test_a_run_that_died_before_rows_were_sent_goes_on_with_true_ids(scene: Scene) -> None:
    sent = scene.uploads()
    cut_off(scene, Step.PUSH)
    with scene.bench.job(scene.archive) as job:
        plan = job.resumed()
        assert plan is not None
        assert plan.files.sent == 1
        job.push()
        assert job.verify().ok
        job.forget()
    assert scene.led_to == {scene.now}
    assert sent.seen == 1


def test_an_edit_that_came_while_files_were_sent_stands(scene: Scene) -> None:
    theirs, chosen = str(uuid4()), str(uuid4())
    row = {"mediaId": theirs, "createdAt": "2026-04-09T08:00:00.000Z", "spaceId": scene.bench.home}
    scene.bench.write({"id": scene.item, "data": row}, "albumItems")

    def edit(method: str, target: str) -> None:
        if method == "POST":
            fields = {"mediaId": {"value": chosen, "at": "2026-05-30T08:00:00.000Z"}}
            change: JSON = {"table": "albumItems", "id": scene.item, "op": "update", "fields": fields}
            scene.box.log.append(scene.bench.user, "phone", "photos", change)

    with scene.bench.job(scene.archive) as job:
        job.plan()
        scene.box.faults.files = edit
        job.push()
        result = job.result(job.verify())
        job.forget()
    assert result.plan.reasons == {"editedMeanwhile": 1}
    assert scene.bench.row("albumItems", scene.item).values["mediaId"] == chosen
