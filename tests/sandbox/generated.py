"""Accounts of the generator, with what it says of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from hashlib import sha256

from manabackup.model import registry
from manabackup.sandbox.generator import generate
from manabackup.sandbox.plan import Generated, Plan, Truth
from manabackup.text import jsontext
from manabackup.text.jsontext import JSON

REGISTRY = registry.load()
KEY = bytes(range(32))
OTHER_KEY = bytes(range(1, 33))
USER = "k3Vb7TzQ1mWcX9sRfL2dYpHn6JgA8eUo"
HOME = "Q7rTn2LxPz5VbKd0HsYwM"
TEAM = "WFc3MI9ygHBT-rxo0gag7"
Rows = dict[str, dict[str, dict[str, JSON]]]


def account(plan: Plan, truth: Truth | None = None, *, bootstrap: bool = True) -> Iterator[Generated]:
    return generate(
        plan,
        user_id=USER,
        display_name="Anna Beispiel",
        personal_space=HOME,
        master_key=KEY,
        shared_spaces=[TEAM],
        other_key=OTHER_KEY,
        bootstrap=bootstrap,
        truth=truth,
    )


def with_truth(plan: Plan) -> tuple[list[Generated], Truth]:
    truth = Truth()
    return list(account(plan, truth)), truth


def digest(generated: Iterable[Generated]) -> str:
    found = sha256()
    for one in generated:
        found.update(jsontext.dumps([one.app, one.user_id, one.client_id, one.change, one.created_at_us]))
    return found.hexdigest()
