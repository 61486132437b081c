"""Every fault at every call of the account service: the true answer, or an error that names what happened."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from manabackup.errors import ManabackupError
from manabackup.limits import Limits
from manabackup.mirror import Mirror
from manabackup.operations.account.key import unlock
from manabackup.remote.account import data_export, organizations, subscription
from manabackup.remote.connection import Connection
from manabackup.remote.session import Session, SessionToken, sign_in, sign_out
from manabackup.remote.transport import Transport
from manabackup.remote.vault import VaultClient
from manabackup.sandbox import Sandbox
from manabackup.sandbox.credentials import totp
from tests.support.line import JSON, Line, Script
from tests.support.shares import some

from .acts import edits_json
from .catalogue import BODIES, EVERYWHERE, FAULTS, STATUSES, Then, shapes

EMAIL, PASSWORD = "rita@example.org", "Correct-Horse-0001 ü"
CAREFUL = "careful@example.org"
"""Has a second factor."""


@dataclass
class Desk:
    """Two people, one of them signed in, who has a vault and a mirror."""

    box: Sandbox
    line: Line
    folder: Path
    session: Session
    code: str
    """The recovery code."""
    secret: str
    """Of the careful one's authenticator."""
    careful: str
    """Her user id."""

    def connection(self, auth: Transport) -> Connection:
        return Connection(self.session.user_id, SessionToken(auth, self.session), auth, auth)

    def mirror(self) -> Mirror:
        return Mirror(self.folder / "mirror.sqlite", sync_url=self.box.url, user_id=self.session.user_id)

    # --- the calls

    def status(self, auth: Transport) -> JSON:
        return VaultClient(auth, self.connection(auth).tokens).status()

    def unlock(self, auth: Transport) -> JSON:
        with self.mirror() as mirror:
            key = unlock(mirror, self.connection(auth), recovery_code=lambda: self.code)
        assert key.cipher is not None, "a key was not needed"
        return key.cipher.fingerprint, key.origin

    def spaces(self, auth: Transport) -> JSON:
        return [space.id for space in organizations(auth, self.session)]

    def data(self, auth: Transport) -> JSON:
        found = data_export(auth, self.connection(auth).tokens)
        return found is not None and b"rita@example.org" in found

    def paid(self, auth: Transport) -> JSON:
        return subscription(auth, self.connection(auth).tokens).active

    def sign_in(self, auth: Transport) -> JSON:
        return sign_in(auth, EMAIL, PASSWORD).user_id

    def sign_in_with_a_code(self, auth: Transport) -> JSON:
        return sign_in(auth, CAREFUL, PASSWORD, second_factor=lambda: totp(self.secret, time.time())).user_id

    def sign_in_with_a_spare_code(self, auth: Transport) -> JSON:
        self.secret, spare = self.box.accounts.enable_totp(self.careful, confirmed=True)
        return sign_in(auth, CAREFUL, PASSWORD, backup_code=lambda: spare[0]).user_id

    def sign_out(self, auth: Transport) -> JSON:
        sign_out(auth, self.another())

    def another(self) -> Session:
        """A session more."""
        with Transport(self.box.url) as auth:
            return sign_in(auth, EMAIL, PASSWORD)


@dataclass(frozen=True)
class Kind:
    """A call: how it is made, and what is particular to it."""

    make: Callable[[Desk, Transport], JSON]
    path: str
    by_token: bool = False
    """A 401 speaks of the access token, which can be renewed, and not of the session."""
    patient: bool = True
    """It is tried again."""
    repeatable: bool = True
    """It can be carried out twice."""
    heeded: bool = True
    """What the answer's body says is of interest."""


CALLS = {
    "token": Kind(Desk.status, "/api/auth/token"),
    "vault's status": Kind(Desk.status, ".*/encryption-vault/status", by_token=True),
    "vault's key": Kind(Desk.unlock, ".*/encryption-vault/key", by_token=True),
    "spaces": Kind(Desk.spaces, "/api/auth/organization/list"),
    "account data": Kind(Desk.data, "/api/v1/me/data/export", by_token=True),
    "subscription": Kind(Desk.paid, "/api/v1/sync/status", by_token=True, patient=False),
    "sign-in": Kind(Desk.sign_in, "/api/auth/sign-in/email"),
    "first token": Kind(Desk.sign_in, "/api/auth/token"),
    "second factor": Kind(Desk.sign_in_with_a_code, "/api/auth/two-factor/verify-totp", repeatable=False, heeded=False),
    "spare code": Kind(
        Desk.sign_in_with_a_spare_code,
        "/api/auth/two-factor/verify-backup-code",
        patient=False,
        repeatable=False,
        heeded=False,
    ),
    "sign-out": Kind(Desk.sign_out, "/api/auth/sign-out", heeded=False),
}


@pytest.fixture(scope="module")
def line() -> Line:
    return Line()


@pytest.fixture(scope="module")
def desk(line: Line, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with Sandbox(middleware=[line]) as box:
        accounts = box.accounts
        accounts.two_factor_mended = True
        rita = accounts.create_user(EMAIL, PASSWORD, "Rita").id
        code = str(accounts.set_vault(rita, "zero-knowledge", bytes(range(32))))
        careful = accounts.create_user(CAREFUL, PASSWORD, "C").id
        secret, _ = accounts.enable_totp(careful, confirmed=True)
        with Transport(box.url) as auth:
            session = sign_in(auth, EMAIL, PASSWORD)
        yield Desk(box, line, tmp_path_factory.mktemp("desk"), session, code, secret, careful)


@pytest.fixture(scope="module")
def truth(desk: Desk) -> dict[str, JSON]:
    """What each call gives when all is well."""
    with Transport(desk.box.url) as auth:
        return {name: kind.make(desk, auth) for name, kind in CALLS.items()}


def cases() -> list[tuple[str, int | None, str]]:
    """What cannot be told apart is tried once: a fault that ends a call ends it the first time."""
    found: list[tuple[str, int | None, str]] = []
    for (call, kind), fault in itertools.product(CALLS.items(), EVERYWHERE):
        once = fault.then is Then.ENDS or (fault.then is Then.PASSES and (kind.by_token or fault in STATUSES))
        found += [(call, 1, fault.name)] * once
        found += [(call, None, fault.name)] * (fault.then is not Then.ENDS)
    return found


@pytest.mark.parametrize(("call", "times", "name"), some(cases()))
def test_S1_S8_S9_whatever_goes_wrong_a_call_gives_the_truth_or_says_what_it_was(
    desk: Desk, truth: dict[str, JSON], call: str, times: int | None, name: str
) -> None:
    fault, kind = FAULTS[name], CALLS[call]
    script = Script(fault.act, path=kind.path, times=times)
    limits = Limits(**fault.limits_of(times))  # type: ignore[arg-type]
    error: ManabackupError | None = None
    with Transport(desk.box.url, limits=limits, sleep=lambda _: None) as auth, desk.line.under(script):
        try:
            found = kind.make(desk, auth)
        except ManabackupError as raised:
            error = raised
    assert script.met
    if error is not None:
        assert fault.then is not Then.SURVIVES, error
        once_is_enough = not kind.patient or not kind.repeatable or (name.startswith("401") and not kind.by_token)
        assert fault.then is not Then.PASSES or times is None or once_is_enough, error
        assert error.message.isprintable()
    else:
        assert fault.then is Then.LIES or found == truth[call]
        assert fault.then is not Then.ENDS or (fault in BODIES and not kind.heeded)
        assert fault.then is not Then.UNWIELDY or (fault in BODIES and not kind.heeded)


def _told(told: list[JSON], value: JSON) -> JSON:
    told.append(value)
    return value


def test_S1_no_member_of_any_answer_can_be_missing_or_of_another_type_and_do_harm(desk: Desk) -> None:
    for kind in CALLS.values():
        told: list[JSON] = []
        listening = Script(edits_json(partial(_told, told)), path=kind.path)
        with Transport(desk.box.url) as auth, desk.line.under(listening):
            kind.make(desk, auth)
        for spoil in shapes(told[0]):
            with (
                Transport(desk.box.url) as auth,
                desk.line.under(Script(edits_json(spoil), path=kind.path)),
                suppress(ManabackupError),
            ):
                kind.make(desk, auth)
    with Transport(desk.box.url) as auth:
        assert desk.unlock(auth)
