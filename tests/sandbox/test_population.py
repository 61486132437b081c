"""A generated account inside the embedded servers, as its user finds it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from manabackup.crypto.fields import FieldCipher
from manabackup.crypto.recovery import parse_recovery_code, unwrap_master_key
from manabackup.errors import FieldDecryptionError
from manabackup.sandbox.accounts import Accounts
from manabackup.sandbox.changelog import Asked, ChangeLog
from manabackup.sandbox.plan import Plan, Truth
from manabackup.sandbox.population import populate


@pytest.fixture
def accounts() -> Iterator[Accounts]:
    service = Accounts()
    yield service
    service.close()


@pytest.fixture
def log() -> Iterator[ChangeLog]:
    changes = ChangeLog()
    yield changes
    changes.close()


def test_the_user_signs_in_and_is_a_member_of_the_spaces(log: ChangeLog, accounts: Accounts) -> None:
    account = populate(log, accounts, Plan(rows=50, shared_spaces=2))
    user = accounts.user_of_password(account.email, account.password)
    assert user is not None
    assert user.id == account.user_id
    assert accounts.spaces_of(account.user_id) == {account.personal_space, *account.shared_spaces}
    assert accounts.spaces_of(str(account.other_member)) > set(account.shared_spaces)
    assert len(account.shared_spaces) == 2


def test_the_recovery_code_opens_the_vault(log: ChangeLog, accounts: Accounts) -> None:
    account = populate(log, accounts, Plan(rows=5))
    key = accounts.vaults.key(account.user_id)
    secret = parse_recovery_code(str(account.recovery_code))
    assert unwrap_master_key(secret, key["recoveryWrappedMk"], key["recoveryIv"]) == account.master_key


def test_a_vault_in_standard_mode_needs_no_recovery_code(log: ChangeLog, accounts: Accounts) -> None:
    account = populate(log, accounts, Plan(rows=5), zero_knowledge=False)
    assert account.recovery_code is None
    assert "masterKey" in accounts.vaults.key(account.user_id)


def test_the_log_holds_every_change_and_the_user_sees_all_of_them(log: ChangeLog, accounts: Accounts) -> None:
    truth = Truth()
    account = populate(log, accounts, Plan(rows=600, oddities=True), truth=truth)
    assert log.count() == truth.changes
    spaces = accounts.spaces_of(account.user_id)
    apps = {row.table.app for row in truth.all_rows}
    seen = sum(len(log.read_app(app, Asked(account.user_id, spaces, "", 0, 10**6))) for app in apps)
    assert seen == truth.changes


def test_the_same_plan_makes_the_same_log(accounts: Accounts) -> None:
    def notes() -> list[tuple[bytes, int]]:
        service, changes = Accounts(), ChangeLog()
        account = populate(changes, service, Plan(rows=300))
        rows = changes.pull("notes", "notes", Asked(account.user_id, account.shared_spaces, "", 0, 10**6))
        service.close()
        changes.close()
        return [(row.wire(), row.created_at_us) for row in rows]

    assert notes() == notes() != []


def test_two_accounts_live_side_by_side_under_keys_of_their_own(log: ChangeLog, accounts: Accounts) -> None:
    first = populate(log, accounts, Plan(rows=300))
    second = populate(log, accounts, Plan(rows=300), email="berta@example.org", name="Berta")
    assert first.master_key != second.master_key
    assert first.user_id != second.user_id
    spaces = accounts.spaces_of(second.user_id)
    wire = b"".join(row.wire() for row in log.pull("notes", "notes", Asked(second.user_id, spaces, "", 0, 10**6)))
    assert first.user_id.encode() not in wire
    sealed = wire[wire.index(b"enc:1:") :].split(b'"')[0].decode()
    with pytest.raises(FieldDecryptionError):
        FieldCipher(first.master_key).decrypt(sealed)


def test_secrets_stay_out_of_the_accounts_representation(log: ChangeLog, accounts: Accounts) -> None:
    account = populate(log, accounts, Plan(rows=1))
    shown = repr(account)
    assert account.user_id in shown
    assert account.password not in shown
    assert str(account.recovery_code) not in shown
    assert repr(account.master_key) not in shown
