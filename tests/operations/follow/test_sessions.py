"""Following an account whose session ends, and whose owner signs in anew, or somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from manabackup.operations.follow.events import Happening
from manabackup.operations.follow.settings import Surroundings
from manabackup.sandbox import StreamFault
from tests.support.box import REGISTRY, T0

from .following import QUICK, Account, Following, account

HASTY = Surroundings(registry=REGISTRY, jitter=lambda: -0.99)
OFTEN = replace(QUICK, look_every=0.1)


@pytest.fixture
def box(tmp_path: Path) -> Iterator[Account]:
    with account(tmp_path) as made:
        made.write([T0], told=True)
        yield made


def test_it_goes_on_with_the_session_that_its_owner_signs_in_with(box: Account) -> None:
    kept = [box.signed_in()]
    with Following(box, OFTEN, HASTY, kept[0], lambda: kept[0]) as following:
        following.wait_for(Happening.CONNECTED)
        box.sign_out(kept[0])
        assert following.wait_for(Happening.DELAYED).facts["reason"] == "the session has ended"
        assert following.follower is not None
        record = following.follower.chronicle.record
        assert record.problem_since is not None
        assert record.hint == "sign in again with `manabackup login`"
        kept[0] = box.signed_in()
        box.push("a")
        following.wait_until_held("a")
        following.wait(lambda _: (record.problem, record.problem_since, record.hint) == (None, None, None))
        box.faults.streams = lambda *_: StreamFault.CUT
        following.wait_for(Happening.DISCONNECTED)
        box.faults.streams = lambda *_: None
        following.wait_for(Happening.CONNECTED, following.count(Happening.CONNECTED) + 1)


def test_a_session_of_another_user_is_not_taken_and_that_is_said(box: Account) -> None:
    box.accounts.create_user("other@example.org", "password", "other", bootstrap=False)
    kept = [box.signed_in()]
    with Following(box, OFTEN, HASTY, kept[0], lambda: kept[0]) as following:
        following.wait_for(Happening.CONNECTED)
        mine = kept[0]
        kept[0] = box.signed_in("other@example.org")
        box.sign_out(mine)
        reason = str(following.wait_for(Happening.DELAYED).facts["reason"])
        assert "other@example.org is signed in, which is another user" in reason
        kept[0] = box.signed_in()
        box.push("a")
        following.wait_until_held("a")
