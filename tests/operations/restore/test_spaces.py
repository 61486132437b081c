"""Whole restores into spaces: the personal one, and those that are named for others."""

from __future__ import annotations

from pathlib import Path

import pytest

from manabackup.errors import DamagedArchiveError, UsageError
from tests.support.archives import PERSONAL, TEAM, USER, meta_of, web

from .archived_rows import archive_of, at, spaced
from .bench import Bench


def test_R6_rows_of_the_personal_space_go_to_the_personal_space_and_others_are_reported(
    bench: Bench, tmp_path: Path
) -> None:
    result = bench.restore(spaced(tmp_path, 0, 1, 2, None))
    assert (result.inserted, result.plan.spaces) == (3, {TEAM: 1})
    assert {bench.row("tasks", record).values["spaceId"] for record in ("t0", "t2", "t3")} == {bench.home}
    assert result.losses == 1


def test_shared_rows_come_into_the_personal_space_when_that_is_asked_for(bench: Bench, tmp_path: Path) -> None:
    assert bench.restore(spaced(tmp_path, 0, 1), shared_into_personal=True).inserted == 2


@pytest.mark.parametrize("old", [TEAM, "#1"])
def test_rows_of_a_space_go_where_they_are_mapped_to(bench: Bench, tmp_path: Path, old: str) -> None:
    path = spaced(tmp_path, 0, 1)
    bench.restore(path, map_space=(f"{old}={bench.club}",), shared_plaintext=True)
    assert bench.row("tasks", "t1").values["spaceId"] == bench.club
    assert {change["spaceId"] for change in bench.changes("tasks", "t1")} == {bench.club}


def test_into_a_shared_space_rows_go_in_clear(bench: Bench, tmp_path: Path) -> None:
    note = {"id": "n", "title": "lesbar"}
    path = archive_of(tmp_path, "notes", note, meta=[meta_of(note, **at(), space=1)])
    bench.restore(path, map_space=(f"#1={bench.club}",), shared_plaintext=True)
    assert bench.row("notes", "n").values["title"] == "lesbar"


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ("nonsense", "OLD=NEW"),
        ("#9=personal", "no space #9"),
        ("elsewhere=personal", "no space elsewhere"),
        (f"{TEAM}=nowhere", "not a member"),
    ],
)
def test_mappings_that_make_no_sense_are_refused(bench: Bench, tmp_path: Path, mapping: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        bench.plan(spaced(tmp_path, 0, 1), map_space=(mapping,))


def test_R6_a_shared_space_needs_to_be_told_that_its_members_will_read(bench: Bench, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="shared"):
        bench.plan(spaced(tmp_path, 0, 1), map_space=(f"#1={bench.club}",))


def test_the_only_space_of_a_whole_archive_is_the_personal_one(bench: Bench, tmp_path: Path) -> None:
    unknown = ({"id": PERSONAL}, {"id": f"_personal:{USER}"})
    assert bench.restore(spaced(tmp_path, 0, 1, spaces=unknown)).inserted == 2


def test_of_several_spaces_without_a_type_nobody_knows_which_is_personal(bench: Bench, tmp_path: Path) -> None:
    path = spaced(tmp_path, 0, 1, spaces=({"id": PERSONAL}, {"id": TEAM}))
    assert bench.plan(path).reasons == {"unknownSpace": 2}
    assert bench.restore(path, map_space=("#0=personal",)).inserted == 1


def test_a_part_of_an_account_may_hold_the_shared_space_alone(bench: Bench, tmp_path: Path) -> None:
    path = spaced(tmp_path, 0, spaces=({"id": TEAM},), additions={"filter": {"spaces": [TEAM]}})
    assert bench.plan(path).reasons == {"unknownSpace": 1}


def test_an_archive_with_more_spaces_than_anybody_has_is_refused(bench: Bench, tmp_path: Path) -> None:
    rows = [{"id": f"t{number}", "spaceId": f"s{number}"} for number in range(10_001)]
    with pytest.raises(DamagedArchiveError, match="spaces"):
        bench.plan(web(tmp_path / "web.mana", {"tasks": rows}))


def test_where_the_targets_personal_space_is_unknown_its_stand_in_is_used(bench: Bench, tmp_path: Path) -> None:
    bench.types = bench.personal = None
    bench.restore(spaced(tmp_path, 0))
    assert bench.row("tasks", "t0").values["spaceId"] == f"_personal:{bench.user}"


def test_only_rows_of_the_chosen_spaces_are_looked_at(bench: Bench, tmp_path: Path) -> None:
    assert bench.plan(spaced(tmp_path, 0, 1, 2, None), spaces=("personal",)).tables == {"tasks": {"insert": 3}}
    assert bench.plan(spaced(tmp_path, 0, 1, 2, None), spaces=("#1",)).tables == {"tasks": {"skipped": 1}}


def test_a_column_of_identity_that_is_data_is_restored(bench: Bench, tmp_path: Path) -> None:
    member = {"id": "m", "userId": USER, "role": "owner", "spaceId": PERSONAL, "authorId": USER}
    bench.restore(archive_of(tmp_path, "spaceMembers", member))
    values = bench.row("spaceMembers", "m").values
    assert (values["userId"], values["authorId"]) == (USER, bench.user)
