"""Puts a generated account into an embedded server: user, vault, spaces, and all changes in bulk, past HTTP."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from .accounts import Accounts
from .changelog import ChangeLog, StoredChange
from .draft import opaque_id, uuid4
from .generator import generate
from .plan import Plan, Truth
from .vault import Mode

PASSWORD = "Straße-nach-Süden-7"  # noqa: S105 - of an invented user on a loopback server


@dataclass(frozen=True, slots=True)
class Account:
    """What its owner knows."""

    user_id: str
    name: str
    email: str
    password: str = field(repr=False)
    master_key: bytes = field(repr=False)
    recovery_code: str | None = field(repr=False)
    """The code that opens a zero-knowledge vault; None in any other mode."""
    personal_space: str
    shared_spaces: tuple[str, ...]
    other_member: str | None
    """Id of the user who shares the spaces; nobody when there are none."""


def populate(
    log: ChangeLog,
    accounts: Accounts,
    plan: Plan,
    *,
    email: str = "anna@example.org",
    password: str = PASSWORD,
    name: str = "Anna Beispiel",
    zero_knowledge: bool = True,
    truth: Truth | None = None,
) -> Account:
    """Registers a user and fills the log with ``plan``; 100,000 rows take some ten seconds.

    All ids and keys follow from the seed and ``email``, so that the same call gives the same log. ``truth`` as in
    :func:`~manabackup.sandbox.generator.generate`. Raises :class:`ValueError` for an address that is taken.
    """
    rng = Random(f"{plan.seed} {email}")  # noqa: S311 - test data, and the same for the same seed
    master_key, other_key = rng.randbytes(32), rng.randbytes(32)
    user_id, other_id, personal = opaque_id(rng, 32), opaque_id(rng, 32), opaque_id(rng, 21)
    # The log begins with the rows that the service writes at registration: in the plan's past, not now.
    accounts.create_user(email, password, name, user_id=user_id, space_id=personal, bootstrap=False)
    mode: Mode = "zero-knowledge" if zero_knowledge else "standard"
    recovery_code = accounts.set_vault(user_id, mode, master_key)
    if plan.shared_spaces:
        accounts.create_user(f"joerg+{email}", password, "Jörg Weiß", user_id=other_id, bootstrap=False)
    shared = [opaque_id(rng, 32) for _ in range(plan.shared_spaces)]
    for index, space in enumerate(shared):
        accounts.create_space(user_id, f"Team {index + 1}", "team", space_id=space, bootstrap=False)
        accounts.add_member(space, other_id, "member")
    changes = generate(
        plan,
        user_id=user_id,
        display_name=name,
        personal_space=personal,
        master_key=master_key,
        shared_spaces=shared,
        other_member=other_id,
        other_key=other_key,
        truth=truth,
    )
    log.append_many(
        StoredChange(one.user_id, one.client_id, one.app, one.change, one.created_at_us, uuid4(rng)) for one in changes
    )
    return Account(
        user_id=user_id,
        name=name,
        email=email,
        password=password,
        master_key=master_key,
        recovery_code=recovery_code,
        personal_space=personal,
        shared_spaces=tuple(shared),
        other_member=other_id if shared else None,
    )
