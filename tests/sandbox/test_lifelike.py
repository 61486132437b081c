"""The plan for accounts whose rows are as the web app writes them; other plans give what they always gave."""

from __future__ import annotations

import hashlib
from datetime import date, datetime

from manabackup.model import modules
from manabackup.model.values import moment
from manabackup.sandbox.generator import generate
from manabackup.sandbox.plan import Plan, Truth
from manabackup.text import jsontext

STAMPED = {"visibility", "userId", "spaceId", "authorId", "createdAt", "updatedAt", "deletedAt"}
"""What the generator writes itself, for every table in the same way."""


def truth_of(plan: Plan) -> tuple[Truth, str]:
    """What the user sees in the end, and a digest of all changes."""
    truth, whole = Truth(), hashlib.sha256()
    names = {"user_id": "u" * 32, "display_name": "Anna", "personal_space": "p" * 21, "master_key": bytes(32)}
    for one in generate(plan, truth=truth, **names):  # type: ignore[arg-type]
        whole.update(jsontext.dumps(one.change))
    return truth, whole.hexdigest()


def test_every_table_is_filled_with_every_field_that_is_described() -> None:
    truth, _ = truth_of(Plan(seed=5, rows=900, lifelike=True, deletions=0, plaintext=0))
    known = modules.load()
    for name in known.names:
        model = known.table(name)
        rows = truth.rows.get(name)
        assert rows, name
        assert model is not None
        written = {field for row in rows.values() for field in row}
        if name != "userContext":  # the account service writes it
            assert set(model.fields) - written <= STAMPED, name


def test_times_come_in_all_the_forms_that_the_app_has_for_them() -> None:
    truth, _ = truth_of(Plan(seed=5, rows=3_000, lifelike=True, deletions=0))
    blocks = truth.rows["timeBlocks"].values()
    assert {block["sourceModule"] for block in blocks} >= {
        *("calendar", "events", "todo", "habits", "times", "dreams", "period", "body", "guides"),
    }
    starts = {type(moment(block["startDate"])) for block in blocks}
    assert starts <= {datetime, date}
    zones = {(block["sourceModule"], str(block["startDate"])[-1] == "Z") for block in blocks}
    assert {("calendar", True), ("calendar", False), ("todo", False), ("dreams", True)} <= zones
    masters = {identifier for identifier, block in truth.rows["timeBlocks"].items() if block["recurrenceRule"]}
    copies = [block for block in blocks if block["parentBlockId"]]
    assert masters
    assert copies
    assert {block["parentBlockId"] for block in copies} <= masters
    assert any(block["allDay"] for block in blocks)


def test_the_same_plan_gives_the_same_changes_and_the_older_plans_other_ones() -> None:
    plan = Plan(seed=5, rows=300, lifelike=True)
    assert truth_of(plan)[1] == truth_of(plan)[1]
    assert truth_of(plan)[1] != truth_of(Plan(seed=5, rows=300))[1]
