"""What was found out about the real sync server beyond single exchanges: pages, ties, round trips of values, races."""

from __future__ import annotations

from typing import Any

import httpx2
import pytest

from manabackup.sandbox import Sandbox
from manabackup.sandbox.changelog import StoredChange
from manabackup.text import jsontext

from .sync_recordings import load, register
from .test_sync_conformance import equal_1500, paging_2500, paging_boundary, rows, straddle, us

EPOCH = "1970-01-01T00:00:00Z"


def client(server: Sandbox, user: str = "alice", client_id: str = "reader") -> httpx2.Client:
    headers = {"Authorization": f"Bearer {server.accounts.issue_token(user)}", "X-Client-Id": client_id}
    return httpx2.Client(base_url=server.url, headers=headers, trust_env=False)


def pull(http: httpx2.Client, app: str, collection: str, since: str = EPOCH) -> dict[str, Any]:
    answer = http.get(f"/sync/{app}/pull", params={"collection": collection, "since": since})
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = jsontext.parse(answer.content)
    return found


def push(http: httpx2.Client, app: str, changes: str, since: str = "2999-01-01T00:00:00Z") -> httpx2.Response:
    return http.post(f"/sync/{app}", content=f'{{"since":"{since}","changes":[{changes}]}}'.encode())


@pytest.mark.parametrize(
    ("number", "app", "collection", "seed"),
    [
        ("06", "pg1", "items", paging_2500),
        ("08", "pg3", "same", equal_1500),
        ("09", "pg4", "mix", straddle),
    ],
)
def test_pages_end_where_the_real_ones_did(number: str, app: str, collection: str, seed: Any) -> None:
    with Sandbox() as server, client(server) as http:
        seed(server)
        for page in load(number)["findings"]["pages"]:
            got = pull(http, app, collection, page["since"])
            assert len(got["serverChanges"]) == page["n"]
            if page["hasMore"] is True:
                assert (got["hasMore"], got["syncedUntil"]) == (True, page["syncedUntil"])
            else:
                assert "hasMore" not in got


def test_exactly_a_page_is_the_last_one_and_one_row_more_is_not() -> None:
    findings = load("07")["findings"]
    with Sandbox() as server, client(server) as http:
        paging_boundary(server)
        for count, recorded in findings.items():
            got = pull(http, "pg2", f"k{count}")
            assert [len(got["serverChanges"]), got.get("hasMore")] == recorded[:2]
            assert got.get("hasMore") is None or got["syncedUntil"] == recorded[2]


def test_a_reader_that_steps_back_a_microsecond_sees_a_straddled_tie_whole() -> None:
    overlap = load("09")["findings"]["overlap_client"]
    with Sandbox() as server, client(server) as http:
        straddle(server)
        seen: set[str] = set()
        for page in overlap["pages"]:
            events = {change["eventId"] for change in pull(http, "pg4", "mix", page["since"])["serverChanges"]}
            assert (len(events), len(events - seen)) == (page["n"], page["new"])
            seen |= events
        assert len(seen) == overlap["rows"]


@pytest.mark.parametrize("created", load("10")["findings"]["page_cursor_format"])
def test_a_page_cursor_has_its_trailing_zeros_cut(created: str) -> None:
    recorded = load("10")["findings"]["page_cursor_format"][created]
    with Sandbox() as server, client(server) as http:
        rows(server, "pg6", "c", 1, 1000, lambda n: us(created))
        rows(server, "pg6", "c", 1001, 1001, lambda n: us(created) + 1)
        assert pull(http, "pg6", "c")["syncedUntil"] == recorded


def test_a_push_answers_five_thousand_changes_and_never_says_that_there_are_more() -> None:
    findings = load("24")["findings"]
    with Sandbox() as server, client(server) as http:
        rows(server, "ties", "t", 1, findings["rows_with_equal_created_at"], lambda n: us("2026-03-02T12:00:00Z"))
        answer = jsontext.parse(push(http, "ties", "", EPOCH).content)
        assert (len(answer["serverChanges"]), "hasMore" in answer) == (findings["post_empty"], False)
        first, again = (pull(http, "ties", "t")["serverChanges"] for _ in range(2))
        assert (len(first), first) == (findings["page_size"][0], again)


def test_a_row_that_commits_late_is_missed_by_a_reader_who_trusts_the_cursor() -> None:
    with Sandbox() as server, client(server) as http, client(server, client_id="writer") as writer:
        server.faults.commit_lag_us = 3_000_000
        cursor = pull(http, "race", "t")["syncedUntil"]
        assert push(writer, "race", '{"table":"t","id":"1","op":"insert","data":{"a":1}}').status_code == 200
        assert pull(http, "race", "t", cursor)["serverChanges"] == []
        assert len(pull(http, "race", "t")["serverChanges"]) == 1


def test_values_come_back_as_they_did_from_the_real_server() -> None:
    trips = [trip for trip in load("16")["findings"]["roundtrips"] if isinstance(trip, dict)]
    assert len(trips) == 60
    with Sandbox() as server, client(server) as http, client(server, client_id="writer") as writer:
        for index, trip in enumerate(trips):
            value, key = (f'{{"v":{trip["sent"]}}}', trip["where"])
            pushed = push(
                writer, "enc", f'{{"table":"c{index}","id":"1","op":"insert","data":{{"k":1}},"{key}":{value}}}'
            )
            assert pushed.status_code == trip["push_status"], trip
            if pushed.status_code != 200:
                assert pushed.text == trip["push_body"] + "\n"
                continue
            text = http.get("/sync/enc/pull", params={"collection": f"c{index}", "since": EPOCH}).text
            returned = text.split('"v":')[1].split("}")[0]
            assert len(returned) == trip["returned_len"], trip
            assert returned.startswith(trip["returned"].removesuffix("…")), trip


def test_keys_match_in_any_case_and_duplicates_merge_as_gos_structs_do() -> None:
    findings = load("16")["findings"]
    changes = {
        "case_insensitive_keys": '{"TABLE":"casekeys","Id":"1","oP":"insert","data":{"a":1,"b":2},"DATA":{"a":3}}',
        "duplicate_data_key": (
            '{"table":"dupdata","id":"1","op":"insert","data":{"a":1,"k":{"x":1}},"data":{"b":2,"k":{"y":1}}}'
        ),
    }
    with Sandbox() as server, client(server) as http, client(server, client_id="writer") as writer:
        for name, change in changes.items():
            recorded = jsontext.parse(findings[name])["serverChanges"][0]
            assert push(writer, "keys", change).status_code == 200
            (got,) = pull(http, "keys", recorded["table"])["serverChanges"]
            assert got | {"eventId": ""} == recorded | {"eventId": ""}


def test_the_answer_to_a_tie_larger_than_a_page_is_found_by_reading_the_app() -> None:
    findings = load("08")["findings"]["post_empty_changes"]
    with Sandbox() as server, client(server) as http:
        equal_1500(server)
        changes = jsontext.parse(push(http, "pg3", "", "2026-03-02T12:00:00.123455Z").content)["serverChanges"]
        assert (len(changes), len({change["eventId"] for change in changes})) == (findings["n"], findings["distinct"])


def test_rows_of_several_authors_come_in_the_order_of_their_times() -> None:
    with Sandbox() as server, client(server, "bob") as http:
        register(server, "bob", "s")
        server.log.append_many(
            StoredChange(
                author, "w", "sp", {"table": "t", "id": record_id, "op": "insert", "spaceId": space}, created_at_us=at
            )
            for author, record_id, space, at in [
                ("alice", "third", "s", 30),
                ("bob", "second", None, 20),
                ("carol", "hidden", "elsewhere", 10),
                ("alice", "fourth", "s", 30),
                ("mallory", "first", "s", 10),
            ]
        )
        got = [change["id"] for change in pull(http, "sp", "t")["serverChanges"]]
        assert got == ["first", "second", "third", "fourth"]
