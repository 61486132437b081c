"""Progress and cancellation, the same way for everything that takes long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

import manabackup
from manabackup import Mirror, Plan, Progress, Sandbox, Side, Source, StaticToken, Step
from manabackup.crypto.fields import FieldCipher
from manabackup.operations.restore.decision import RowAction
from manabackup.sandbox.population import Account

Watch = Callable[[Progress], object]
OTHER_KEY = bytes(range(7, 39))


class EnoughError(Exception):
    """Not one of ours."""


@dataclass
class Desk:
    """An account on the embedded server, its mirror, and an archive of it."""

    box: Sandbox
    account: Account
    folder: Path

    @property
    def archive(self) -> Path:
        return self.folder / "whole.mana"

    @contextmanager
    def connection(self, user: str | None = None) -> Iterator[manabackup.Connection]:
        token = StaticToken(self.box.accounts.issue_token(user or self.account.user_id))
        with manabackup.connect(token, auth_url=self.box.url, sync_url=self.box.url) as connection:
            yield connection

    @contextmanager
    def mirror(self, name: str = "mirror.sqlite") -> Iterator[Mirror]:
        with Mirror(self.folder / name, sync_url=self.box.url, user_id=self.account.user_id) as mirror:
            yield mirror

    @contextmanager
    def source(self) -> Iterator[Source]:
        with self.mirror() as mirror:
            key = manabackup.unlock(mirror, master_key=self.account.master_key)
            with manabackup.export_source(mirror, key) as source:
                yield source


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Sandbox() as box:
        account = manabackup.populate(box.log, box.accounts, Plan(seed=3, rows=150))
        desk = Desk(box, account, tmp_path_factory.mktemp("desk"))
        with desk.mirror() as mirror, desk.connection() as connection:
            manabackup.pull(mirror, connection)
        with desk.source() as source:
            manabackup.export(source, desk.archive)
        yield desk


def pull(desk: Desk, out: Path, progress: Watch) -> int:
    with desk.mirror(f"{uuid4().hex}.sqlite") as mirror, desk.connection() as connection:
        return manabackup.pull(mirror, connection, progress=progress).changes_held


def export(desk: Desk, out: Path, progress: Watch) -> int:
    with desk.source() as source:
        return manabackup.export(source, out / "a.mana", progress=progress).rows


def verify(desk: Desk, out: Path, progress: Watch) -> int:
    return manabackup.verify(desk.archive, progress=progress).rows


def rekey(desk: Desk, out: Path, progress: Watch) -> int:
    with manabackup.open_archive(desk.archive) as archive:
        return manabackup.rekey(archive, out / "a.mana", FieldCipher(OTHER_KEY), progress=progress).written.rows


def audit(desk: Desk, out: Path, progress: Watch) -> int:
    with desk.source() as source:
        return manabackup.audit(source, scratch=out, progress=progress).live


def diff(desk: Desk, out: Path, progress: Watch) -> int:
    with manabackup.open_archive(desk.archive) as one, manabackup.open_archive(desk.archive) as other:
        return manabackup.diff(Side(one), Side(other), progress=progress).rows[0]


def diff_live(desk: Desk, out: Path, progress: Watch) -> int:
    with manabackup.open_archive(desk.archive) as one, desk.source() as source:
        found = manabackup.diff_live(Side(one), source, out, progress=progress)
    assert found.equal
    return found.rows[1]


def roundtrip(desk: Desk, out: Path, progress: Watch) -> int:
    with manabackup.open_archive(desk.archive) as archive:
        return manabackup.roundtrip(archive, progress=progress).rows


def seal(desk: Desk, out: Path, progress: Watch) -> int:
    return manabackup.seal(desk.archive, out / "a.mana", lambda: "passphrase", progress=progress).rows


def unseal(desk: Desk, out: Path, progress: Watch) -> int:
    sealed = desk.folder / "sealed.mana"
    if not sealed.exists():
        manabackup.seal(desk.archive, sealed, lambda: "passphrase")
    return manabackup.unseal(sealed, out / "a.mana", lambda: "passphrase", progress=progress).rows


STEPS: dict[Callable[[Desk, Path, Watch], int], list[Step]] = {
    pull: [Step.PULL],
    export: [Step.EXPORT],
    verify: [Step.VERIFY],
    rekey: [Step.REKEY],
    seal: [Step.RESEAL],
    unseal: [Step.RESEAL],
    audit: [Step.AUDIT],
    diff: [Step.COMPARE],
    diff_live: [Step.EXPORT, Step.COMPARE],
    roundtrip: [Step.ROUNDTRIP],
}


@pytest.mark.parametrize("work", STEPS, ids=lambda work: work.__name__)
def test_each_step_is_told_from_its_beginning_and_any_word_of_it_cancels(
    desk: Desk, work: Callable[[Desk, Path, Watch], int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    told: list[Progress] = []
    assert work(desk, tmp_path, told.append) > 0
    assert list(dict.fromkeys(progress.step for progress in told)) == STEPS[work]
    for step in STEPS[work]:
        ours = [progress for progress in told if progress.step is step]
        assert ours[0].done == 0
        assert all(one.done <= other.done for one, other in pairwise(ours))
        assert all(progress.total is None or progress.done <= progress.total for progress in ours)

    for path in tmp_path.glob("*.mana"):
        path.unlink()
    for number in sorted({1, len(told) // 2, len(told) * 3 // 4}):
        error = EnoughError()
        with pytest.raises(EnoughError) as raised:
            work(desk, tmp_path, raising(error, number))
        assert raised.value is error
        assert list(tmp_path.iterdir()) == []


def raising(error: Exception, number: int) -> Watch:
    """Raises from the call of that number on."""
    calls = 0

    def watch(progress: Progress) -> None:
        nonlocal calls
        calls += 1
        if calls >= number:
            raise error

    return watch


def test_a_pull_that_was_cancelled_goes_on_with_what_it_has(desk: Desk, tmp_path: Path) -> None:
    with desk.mirror("cancelled.sqlite") as mirror:
        with desk.connection() as connection, pytest.raises(EnoughError):
            manabackup.pull(mirror, connection, progress=raising(EnoughError(), 30))
        with mirror.snapshot() as snapshot:
            held = sum(collection.changes for collection in snapshot.collections())
        with desk.connection() as connection:
            result = manabackup.pull(mirror, connection)
    assert 0 < held < result.changes_held
    assert result.changes_new <= result.changes_held - held
    with desk.mirror() as whole, whole.snapshot() as snapshot:
        assert result.changes_held == sum(collection.changes for collection in snapshot.collections())


# --- restores ---------------------------------------------------------------------------------------------------------


@dataclass
class Target:
    """An account that has nothing yet, and a folder for what is to be sent there."""

    desk: Desk
    user: str
    home: str
    folder: Path

    def restore(self, **options: Any) -> manabackup.RestoreResult:
        key = manabackup.AccountKey(FieldCipher(OTHER_KEY), manabackup.KeyOrigin.GIVEN)
        with manabackup.open_archive(self.desk.archive) as archive, self.desk.connection(self.user) as connection:
            target = manabackup.target_account(connection, key, personal_space=self.home)
            order = manabackup.RestoreOrder(shared_into_personal=True)
            options = {"confirm": lambda plan: True, "order": order, **options}
            return manabackup.restore(archive, target, self.folder, **options)

    def changes(self) -> int:
        """How many the server has of it."""
        with (
            Mirror(self.folder.with_suffix(".sqlite"), sync_url=self.desk.box.url, user_id=self.user) as mirror,
            self.desk.connection(self.user) as connection,
        ):
            return manabackup.pull(mirror, connection).changes_held


@pytest.fixture
def target(desk: Desk, tmp_path: Path) -> Target:
    user = desk.box.accounts.create_user(f"{tmp_path.name}@example.org", "password", "Bob", bootstrap=False).id
    desk.box.accounts.set_vault(user, "zero-knowledge", OTHER_KEY)
    home = next(space.id for space, _ in desk.box.accounts.spaces.of_user(user))
    return Target(desk, user, home, tmp_path / "restore")


def test_a_restore_tells_its_steps_asks_once_and_leaves_nothing_behind(target: Target) -> None:
    told: list[Progress] = []
    shown: list[manabackup.RestorePlan] = []

    def confirm(plan: manabackup.RestorePlan) -> bool:
        shown.append(plan)
        assert told[-1].step is Step.PLAN, "nothing is sent yet"
        return True

    result = target.restore(confirm=confirm, progress=told.append)
    steps = [Step.READ_TARGET, Step.PLAN, Step.PUSH, Step.READ_AGAIN]
    assert list(dict.fromkeys(progress.step for progress in told)) == steps
    assert [plan.resumed for plan in shown] == [False]
    assert result.inserted == shown[0].planned > 0
    assert result.verification is not None
    assert result.verification.ok
    assert not target.folder.exists()
    again = target.restore()
    assert (again.inserted, again.updated, again.verification) == (0, 0, None)
    assert again.plan.count(RowAction.UNCHANGED) == result.inserted


@pytest.mark.parametrize("resume", [True, False])
def test_no_sends_nothing_and_forgets_the_plan(target: Target, resume: bool) -> None:
    result = target.restore(confirm=lambda plan: False, resume=resume)
    assert (result.inserted, result.verification, result.dry_run) == (0, None, False)
    assert result.plan.planned > 0
    assert not target.folder.exists()
    assert target.changes() == 0


def test_a_dry_run_asks_nobody_and_leaves_what_was_begun_alone(target: Target) -> None:
    with pytest.raises(EnoughError):
        target.restore(progress=at(Step.PUSH, EnoughError()))
    begun = sorted(path.name for path in target.folder.iterdir())

    def never(plan: manabackup.RestorePlan) -> bool:
        raise AssertionError

    assert target.restore(dry_run=True, confirm=never).dry_run
    assert sorted(path.name for path in target.folder.iterdir()) == begun
    assert [path.name for path in target.folder.parent.iterdir() if path.is_dir()] == [target.folder.name]


@pytest.mark.parametrize("step", [Step.READ_TARGET, Step.PLAN, Step.PUSH, Step.READ_AGAIN])
def test_a_restore_that_was_cancelled_goes_on_where_it_stopped(target: Target, step: Step) -> None:
    error = EnoughError()
    with pytest.raises(EnoughError) as raised:
        target.restore(progress=at(step, error))
    assert raised.value is error
    begun = step in (Step.PUSH, Step.READ_AGAIN)
    assert target.folder.exists() == begun
    resumed: list[bool] = []
    result = target.restore(confirm=lambda plan: not resumed.append(plan.resumed))  # type: ignore[func-returns-value]
    assert resumed == [begun]
    assert result.verification is not None
    assert result.verification.ok
    assert not target.folder.exists()


def test_no_leaves_a_restore_that_was_begun_as_it_was(target: Target) -> None:
    with pytest.raises(EnoughError):
        target.restore(progress=at(Step.READ_AGAIN, EnoughError()))
    assert target.restore(confirm=lambda plan: False).verification is None
    with pytest.raises(manabackup.errors.UnfinishedError):
        target.restore(order=manabackup.RestoreOrder(tables=["notes"], shared_into_personal=True))
    assert target.restore().inserted > 0


def at(step: Step, error: Exception) -> Watch:
    """Raises in the middle of a step, as far as it has one: at the second word of it."""
    seen: list[Progress] = []

    def watch(progress: Progress) -> None:
        if progress.step is step:
            seen.append(progress)
            if len(seen) > 1:
                raise error

    return watch
