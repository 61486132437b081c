"""The words that the troubleshooting page explains are words that the program says."""

from __future__ import annotations

import re

from manabackup import errors

from .documents import ROOT

TEXT = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8")
SOURCES = re.sub(r'"\s+f?"', "", "\n".join(file.read_text("utf-8") for file in (ROOT / "manabackup").rglob("*.py")))
NAMED_BY_LABEL = {"no passphrase was given": "no {label} was given"}


def test_every_message_that_is_explained_exists() -> None:
    messages = re.findall(r"\*\*`([^`]+)`\*\*", TEXT)
    assert len(messages) > 20
    for message in messages:
        for part in NAMED_BY_LABEL.get(message, message).split("…"):
            assert part.strip() in SOURCES, message


def test_the_exit_codes_on_the_page_exist() -> None:
    codes = {int(code) for code in re.findall(r"\*\* · (\d+)\.", TEXT)}
    classes = [found for found in vars(errors).values() if isinstance(found, type)]
    assert codes <= {found.exit_code for found in classes if issubclass(found, errors.ManabackupError)}
    assert len(codes) > 5


def test_every_option_on_the_page_exists() -> None:
    reference = (ROOT / "docs" / "reference.md").read_text("utf-8")
    for document in ("troubleshooting.md", "guide.md", "../README.md"):
        text = (ROOT / "docs" / document).read_text("utf-8")
        prose = re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)
        for option in set(re.findall(r"`(--[a-z][a-z-]+)", prose)):
            assert option in reference, f"{document}: {option}"
