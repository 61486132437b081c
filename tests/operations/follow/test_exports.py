"""Where a follower's archives go, looked at before anything else is done."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from manabackup.errors import AccessError, ManabackupError, ServerError, SignInError
from manabackup.operations.follow import exports
from manabackup.operations.follow.exports import ExportCommand, NotExported
from manabackup.remote.answers import BrokenAnswerError, UnknownHostError, UnknownServerError

BY_DAYS, ALWAYS = "https://h.invalid/x-{date}.mana", "https://h.invalid/x.mana"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> list[ManabackupError | None]:
    """What looking at the place raises; None where nothing lies there."""
    raised: list[ManabackupError | None] = [None]

    def look(_: object) -> bool:
        if raised[0] is not None:
            raise raised[0]
        return False

    monkeypatch.setattr(exports, "is_there", look)
    return raised


@pytest.mark.parametrize("error", [BrokenAnswerError("connection refused"), ServerError("503")])
def test_a_place_that_does_not_answer_is_told_of_and_no_error(
    place: list[ManabackupError | None], error: ManabackupError
) -> None:
    place[0] = error
    assert ExportCommand((), BY_DAYS).check(force=False) is error


@pytest.mark.parametrize(
    "error", [UnknownHostError("no such host"), UnknownServerError("certificate"), AccessError("wrong key")]
)
def test_a_place_that_is_hardly_the_one_that_was_meant_is_an_error(
    place: list[ManabackupError | None], error: ManabackupError
) -> None:
    place[0] = error
    with pytest.raises(type(error)):
        ExportCommand((), BY_DAYS).check(force=True)


def test_who_may_write_and_not_look_may_replace(place: list[ManabackupError | None]) -> None:
    place[0] = AccessError("may not look")
    assert ExportCommand((), ALWAYS).check(force=True) is None
    with pytest.raises(AccessError):
        ExportCommand((), ALWAYS).check(force=False)


def test_nothing_is_started_for_another_account() -> None:
    error = SignInError("another user")

    def check() -> None:
        raise error

    done = ExportCommand((), "x.mana", check_account=check)(datetime.now(UTC))
    assert isinstance(done, NotExported)
    assert (done.error, done.may_pass, done.is_tried_soon) == (error, False, True)
