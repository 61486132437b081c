"""A bit of everything to be rekeyed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.archives import PERSONAL, TEAM, USER, meta_of, ours


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.mana"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A bit of everything."""
    task = {
        "id": "t-1",
        "title": "Steuer",
        "order": 3,
        "spaceId": PERSONAL,
        "authorId": USER,
        "visibility": "unlisted",
        "visibilityChangedAt": "2026-04-20T08:20:00.000Z",
        "visibilityChangedBy": USER,
        "unlistedToken": "tok_Zx81aQ",
        "description": None,
        "subtasks": [],
        "metadata": {"z": 1, "a": [1.5, "ü"]},
    }
    shared = {"id": "t-2", "title": "", "spaceId": TEAM, "authorId": "somebody-else", "visibility": "public"}
    at = {"at": "2026-04-20T08:15:30.123Z", "actor": 0, "origin": "user"}
    by_agent = {"at": "2026-04-21T09:00:00.000Z", "actor": 1, "origin": "agent"}
    scenes = [
        {"id": f"seed-home-{space}", "name": space[:3], "spaceId": space} for space in sorted([PERSONAL, TEAM, "none"])
    ]
    return ours(
        tmp_path / "source.mana",
        {
            "tasks": [task, shared],
            "userSettings": [{"id": "settings-global", "theme": "dark", "userId": USER}],
            "workbenchScenes": scenes,
            "spaceMembers": [{"id": "m-1", "userId": USER, "role": "owner", "spaceId": TEAM, "authorId": USER}],
            "notes": [],
        },
        meta={
            "tasks": [
                meta_of(task, **at, space=0, fields={"title": by_agent, "spaceId": at, "unlistedToken": at}),
                meta_of(shared, **by_agent, space=1),
            ],
            "userSettings": [meta_of({"id": "settings-global"}, **at)],
            "workbenchScenes": [meta_of(scene, space={PERSONAL: 0, TEAM: 1}.get(scene["spaceId"])) for scene in scenes],
            "spaceMembers": [meta_of({"id": "m-1"}, space=1)],
        },
        account={"data.json": b'{"email":"anna@example.org"}'},
        additions={"filter": {"spaces": [PERSONAL, "personal"]}, "somebodysKey": USER},
    )
