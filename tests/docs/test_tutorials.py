"""The tutorials: one person goes through all of them, in English; the German ones show the same."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from manabackup.sandbox import Sandbox

from .documents import IN_GERMAN, TUTORIALS, blocks, shown_commands
from .terminal import Person, find_differences, learner

NIGHTLY = next(page for page in TUTORIALS if page.stem == "every-night")
KINDS = ("text", "ini")


@pytest.fixture(scope="module")
def anna(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Person]:
    with Sandbox() as box:
        yield learner(box, tmp_path_factory.mktemp("home"))


def test_somebody_who_goes_through_all_tutorials_sees_what_they_show(anna: Person) -> None:
    differences = [one for page in TUTORIALS for one in find_differences(anna, shown_commands(page))]
    assert differences == [], "if that is meant: python -m tests.docs"


@pytest.mark.parametrize("page", TUTORIALS, ids=lambda page: page.stem)
def test_the_german_tutorial_shows_the_same_commands_outputs_and_files(page: Path) -> None:
    german = IN_GERMAN / page.name
    assert shown_commands(german) == shown_commands(page)
    for kind in KINDS:
        assert [_without_comments(one) for one in blocks(german, kind)] == [
            _without_comments(one) for one in blocks(page, kind)
        ]
    assert len(re.findall(r"^## ", german.read_text("utf-8"), re.M)) == len(
        re.findall(r"^## ", page.read_text("utf-8"), re.M)
    )


def test_what_is_to_be_started_by_the_clock_can_be_installed(anna: Person) -> None:
    told = [text.replace("\\\n", "") for text in blocks(NIGHTLY, "text") if "schedule install" in text]
    assert len(told) == 2
    for command in told:
        rehearsed = command.replace("schedule install", "schedule install --dry-run --with none")
        assert "nothing was done (--dry-run)" in anna.types(f"mkdir -p ~/backups; {rehearsed}")


def _without_comments(block: str) -> str:
    return re.sub(r"^# .*\n", "", block, flags=re.MULTILINE)


def test_systemd_understands_the_units(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not here")
    service, timer = blocks(NIGHTLY, "ini")
    for name, text in (("nightly.service", service), ("nightly.timer", timer)):
        able = re.sub(r"(?m)^ExecStart=.*$", "ExecStart=/bin/true", text)  # the script is not installed here
        (tmp_path / name).write_text(re.sub(r"(?m)^User=.*$", "User=root", able), "utf-8")
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(path) for path in sorted(tmp_path.iterdir()))],
        capture_output=True,
        text=True,
        check=False,
    )
    assert not [line for line in done.stderr.splitlines() if str(tmp_path) in line or "nightly" in line], done.stderr
