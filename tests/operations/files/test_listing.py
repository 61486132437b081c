"""The media service's list of an account's files: fewer requests, and the same files whatever goes wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from tempfile import TemporaryFile
from uuid import uuid4

import pytest

from manabackup.limits import DEFAULT_LIMITS, Limits
from manabackup.model.files import Leads
from manabackup.operations.files.fetching import Fetcher, FileToFetch, Outcome
from manabackup.operations.files.listing import LIST_AFTER, Listing
from manabackup.operations.files.records import FileLossKind, FileRecord, LostFile
from manabackup.operations.files.services import Addresses, services
from manabackup.operations.files.store import FileStore
from manabackup.remote.session import StaticToken
from manabackup.sandbox import FileFault, FileScript, Sandbox
from manabackup.sandbox.filestore import Medium
from manabackup.sandbox.pictures import Recipe
from tests.faults.acts import edits_json
from tests.faults.catalogue import EVERYWHERE, FAULTS
from tests.support.line import JSON, Line, Script
from tests.support.shares import some

from .conftest import CIPHER
from .test_fetching import LASTING, PASSING

SIZE = 5_000
_seeds = count(1)


@pytest.fixture(scope="module")
def line() -> Line:
    return Line()


@pytest.fixture(scope="module")
def shared_box(line: Line) -> Iterator[Sandbox]:
    with Sandbox(middleware=[line]) as box:
        yield box


class House:
    """An account's files on a service, and what is fetched of them."""

    def __init__(self, box: Sandbox, folder: Path) -> None:
        self.box = box
        self.folder = folder
        self.user = box.accounts.create_user(f"{uuid4().hex}@example.org", "Straße-nach-Süden-7", "u").id

    def picture(self, *, listed: bool = True) -> Medium:
        made = Recipe("jpeg", next(_seeds), width=64, height=48, size=SIZE)
        return self.box.files.generate(made, "IMG_1.JPG", references=[("picture", self.user)] if listed else [])

    def fetched(
        self, media: list[Medium], *, store: str = "store", after: int = 0, limits: Limits = DEFAULT_LIMITS
    ) -> list[Outcome]:
        """What becomes of these, asked of the list when so many were looked for."""
        targets = [FileToFetch(Leads.MEDIA, one.id) for one in sorted(media, key=lambda one: one.id)]
        token = StaticToken(self.box.accounts.issue_token(self.user))
        with (
            services(Addresses(self.box.media_url, None), token, limits=limits, sleep=lambda seconds: None) as asked,
            FileStore(self.folder / store, CIPHER) as held,
        ):
            assert asked.media is not None
            listing = Listing(asked.media, self.user, TemporaryFile, after=after)
            outcomes = [outcome for _, outcome in Fetcher(held, asked, listing=listing).fetch_all(targets)]
            for outcome in outcomes:
                assert isinstance(outcome, LostFile) or held.is_whole(outcome.sha256, outcome.size)
        return outcomes


@pytest.fixture
def house(box: Sandbox, tmp_path: Path) -> House:
    return House(box, tmp_path)


class Asked:
    """What the service is asked for, by kind."""

    def __init__(self, box: Sandbox) -> None:
        self.lists = self.descriptions = self.files = 0
        box.faults.files = self

    def __call__(self, method: str, target: str) -> None:
        if "/list/all?" in target:
            self.lists += 1
            assert "userId=" in target
        elif target.endswith("/file"):
            self.files += 1
        else:
            assert "?" not in target
            self.descriptions += 1


def test_what_the_list_tells_is_not_asked_about(house: House) -> None:
    media = [house.picture() for _ in range(LIST_AFTER + 30)]
    media += [house.picture(listed=False) for _ in range(5)]
    asked = Asked(house.box)
    with_list = house.fetched(media, after=LIST_AFTER)
    assert (asked.lists, asked.files) == (1, len(media))
    assert LIST_AFTER <= asked.descriptions <= LIST_AFTER + 5
    asked = Asked(house.box)
    assert house.fetched(media, store="another", after=10**9) == with_list
    assert (asked.lists, asked.descriptions) == (0, len(media))


def test_nothing_new_is_asked_for_nowhere(house: House) -> None:
    media = [house.picture() for _ in range(3)]
    first = house.fetched(media)
    asked = Asked(house.box)
    assert house.fetched(media) == first
    assert (asked.lists, asked.descriptions, asked.files) == (0, 0, 0)


def test_a_long_list_comes_in_pages(house: House) -> None:
    media = [house.picture() for _ in range(3)]
    with house.box.files.transaction():
        for _ in range(600):
            house.picture()
    asked = Asked(house.box)
    house.fetched(media)
    assert (asked.lists, asked.descriptions) == (2, 0)


def test_the_same_bytes_under_another_id_cost_no_request_at_all(house: House) -> None:
    first = house.picture()
    (record,) = house.fetched([first])
    assert isinstance(record, FileRecord)
    content = house.box.files.body(first.sha256)
    house.box.files.delete(first.id)
    again = house.box.files.upload(content, "other.jpg", app="picture", user_id=house.user, process=False)
    asked = Asked(house.box)
    assert again.id != first.id
    (record,) = house.fetched([again])
    assert isinstance(record, FileRecord)
    assert (asked.descriptions, asked.files) == (0, 0)


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("fault", PASSING)
def test_F1_a_fault_that_passes_costs_nothing(house: House, fault: FileFault, number: int) -> None:
    media = [house.picture(), house.picture()]
    house.box.faults.files = FileScript(fault, first=number)
    outcomes = house.fetched(media)
    assert {one.sha256 for one in media} == {one.sha256 for one in outcomes if isinstance(one, FileRecord)}


@pytest.mark.parametrize("part", ["", "/list/", "/file"])
@pytest.mark.parametrize("fault", PASSING)
def test_F1_a_fault_that_lasts_is_named_and_a_run_after_it_completes(house: House, fault: FileFault, part: str) -> None:
    media = house.picture()
    house.box.faults.files = FileScript(fault, part=part, times=None)
    (outcome,) = house.fetched([media])
    assert isinstance(outcome, FileRecord) if part == "/list/" else outcome in LASTING[fault]
    house.box.faults.files = lambda method, target: None
    (outcome,) = house.fetched([media])
    assert isinstance(outcome, FileRecord)


def test_F1_a_file_that_is_on_the_list_and_gone_is_asked_about(house: House, line: Line) -> None:
    gone, lost = house.picture(), house.picture()
    house.box.files.lose(lost.id)
    page: list[JSON] = []

    def remembered(answer: JSON) -> JSON:
        page.append(answer)
        house.box.files.delete(gone.id)
        return answer

    with line.under(Script(edits_json(remembered), path="/api/v1/media/list/all", times=None)):
        outcomes = dict(zip(sorted([gone.id, lost.id]), house.fetched([gone, lost]), strict=True))
    assert len(page[0]["items"]) == 2
    assert outcomes[gone.id] == LostFile(FileLossKind.GONE, "Media not found")
    assert outcomes[lost.id] == LostFile(FileLossKind.UNAVAILABLE, "File not found")


Wrong = Callable[[JSON], object]
WRONG: dict[str, Wrong] = {
    "another hash": lambda item: item.update(hash="0" * 64),
    "a smaller size": lambda item: item.update(size=10),
    "a larger size": lambda item: item.update(size=item["size"] + 1),
    "too large a size": lambda item: item.update(size=DEFAULT_LIMITS.file_bytes + 1),
    "no hash": lambda item: item.pop("hash"),
    "no size": lambda item: item.update(size=None),
    "a negative size": lambda item: item.update(size=-1),
    "no id": lambda item: item.pop("id"),
    "an id that is none": lambda item: item.update(id="../x"),
    "nothing at all": lambda item: item.clear(),
}


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG)
def test_what_the_list_tells_wrongly_is_asked_for_again(house: House, line: Line, wrong: Wrong) -> None:
    media = [house.picture() for _ in range(3)]
    honest = house.fetched(media, store="honest")

    def edited(answer: JSON) -> JSON:
        wrong(answer["items"][1])
        return answer

    with line.under(Script(edits_json(edited), path="/api/v1/media/list/all", times=None)):
        assert house.fetched(media) == honest


PAGES: dict[str, Callable[[JSON], JSON]] = {
    "no object": lambda answer: [],
    "no items": lambda answer: {"total": 3, "hasMore": True},
    "items that are none": lambda answer: {**answer, "items": [1, None, [], "x"]},
    "nothing, and more to come": lambda answer: {"items": [], "total": 3, "hasMore": True},
    "no end": lambda answer: {**answer, "hasMore": True},
}


@pytest.mark.parametrize("page", PAGES.values(), ids=PAGES)
def test_a_list_that_makes_no_sense_is_left_alone(house: House, line: Line, page: Callable[[JSON], JSON]) -> None:
    media = [house.picture() for _ in range(3)]
    with line.under(Script(edits_json(page), path="/api/v1/media/list/all", times=None)):
        assert all(isinstance(outcome, FileRecord) for outcome in house.fetched(media))


@pytest.mark.parametrize("times", [1, None])
@pytest.mark.parametrize("name", some([fault.name for fault in EVERYWHERE]))
def test_F1_whatever_goes_wrong_with_the_list_costs_nothing(
    house: House, line: Line, name: str, times: int | None
) -> None:
    media = [house.picture(), house.picture(listed=False), house.picture()]
    script = Script(FAULTS[name].act, path="/api/v1/media/list/all", times=times)
    with line.under(script):
        outcomes = house.fetched(media, limits=replace(DEFAULT_LIMITS, list_answer_seconds=0.2, file_attempts=2))
    assert script.met
    assert [one.sha256 for one in outcomes if isinstance(one, FileRecord)] == [
        one.sha256 for one in sorted(media, key=lambda one: one.id)
    ]
