"""`follow` while somebody signs in anew: its owner, or another user of the same computer."""

from __future__ import annotations

from pathlib import Path

import pytest

from manabackup.operations.account.state import StateFolder
from manabackup.sandbox import Sandbox
from tests.support.hasty import hasty
from tests.support.homes import PASSWORD, Computer, Newcomer, Owner
from tests.support.line import Act, Line, Request, says

from .test_follow import Followed, push, wait_until_listened_to
from .test_follow_far import EACH_SECOND


@pytest.fixture
def mine(stocked: Computer, owner: Owner) -> Computer:
    """The owner's computer, with a session that is no other test's."""
    StateFolder(stocked.state).sessions("default").delete()
    return owner.sign_in(stocked)


def sign_in_anew(computer: Computer, email: str, password: str) -> None:
    done = computer("login", "--force", "--email", email, env={"MANABACKUP_PASSWORD": password})
    assert done.code == 0, done.err


def test_a_new_login_is_taken_up_when_the_old_ones_tokens_are_over(
    mine: Computer, owner: Owner, box: Sandbox, line: Line
) -> None:
    line.forget()
    old: set[str | None] = set()

    def note(request: Request) -> Act | None:
        old.add(request.headers.get("authorization"))
        return None

    def refuse(request: Request) -> Act | None:
        is_old = request.headers.get("authorization") in old - {None}
        return says(401, "unauthorized: token has expired") if is_old else None

    with line.under(note):
        followed = Followed(mine)
        followed.until("started")
        wait_until_listened_to(line)
    sign_in_anew(mine, owner.account.email, owner.account.password)
    with line.under(refuse):
        push(box, owner, "after-login")
        while followed.until("pulled")["new"] == 0:
            pass
    code, ended, err = followed.end()
    assert (code, ended["pending"], err) == (0, False, "")


def test_no_archive_is_written_of_another_user_who_signed_in_meanwhile(
    mine: Computer, owner: Owner, box: Sandbox, newcomer: Newcomer, tmp_path: Path
) -> None:
    folder = tmp_path / "archives"
    folder.mkdir()
    mine.program = hasty(mine.home, EACH_SECOND)
    followed = Followed(mine, "--export-every", "1s", "--to", f"{folder}/mana-{{date}}.mana")
    first = followed.until("exported")
    sign_in_anew(mine, newcomer.email, PASSWORD)
    push(box, owner, "while-another-is-here")
    failed = followed.until("exportFailed")
    assert (failed["exitCode"], failed["message"]) == (13, "the profile default speaks for another user now")
    assert [str(each) for each in folder.iterdir()] == [first["archive"]]
    sign_in_anew(mine, owner.account.email, owner.account.password)
    followed.until("exported")
    code, _, err = followed.end()
    assert (code, err) == (0, "")
