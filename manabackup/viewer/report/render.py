"""Reports as HTML, Markdown and JSON."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from ...text import jsontext
from .content import Cases, Report
from .figure import figure
from .words import LOSSES, UNKNOWN_ADVICE, WORDS, Language, note, number, say, size


def to_html(report: Report, language: Language) -> str:
    """A page without a script that loads nothing."""
    return _environment().get_template("report.html.j2").render(_given(report, language), **_style())


def fleet_to_html(found: Mapping[str, Any], failing: int, meanings: Mapping[int, str]) -> str:
    """The same of a fleet's run: ``found`` as ``formats/schemas/fleet.schema.json`` has it, ``failing`` items of it."""
    return (
        _environment()
        .get_template("fleet.html.j2")
        .render(
            found=found,
            failing=failing,
            meanings=meanings,
            number=lambda value: number(value, "en"),
            when=_when,
            **_style(),
        )
    )


def _style() -> dict[str, str]:
    style = resources.files(__package__).joinpath("templates/report.css").read_text(encoding="utf-8")
    return {"style": style, "style_hash": base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}


def to_markdown(report: Report, language: Language) -> str:
    """For the summary of a CI run."""
    return _environment().get_template("report.md.j2").render(_given(report, language))


def to_json(report: Report) -> str:
    """All numbers, for programs (``formats/schemas/report.schema.json``)."""
    return jsontext.dumps_indented(report.to_json()).decode() + "\n"


@lru_cache(maxsize=1)
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__ or "", "templates"),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["markdown"] = _markdown
    return environment


def _given(report: Report, language: Language) -> dict[str, Any]:
    def told(cases: Cases) -> tuple[str, str]:
        known = LOSSES.get(cases.kind)
        return (
            (say(known[0], language), say(known[1], language)) if known else (cases.kind, say(UNKNOWN_ADVICE, language))
        )

    return {
        "report": report,
        "notes": [note(text, language) for text in report.notes],
        "language": language,
        "t": lambda key: say(WORDS[key], language),
        "pick": lambda pair: say(pair, language),
        "number": lambda value: number(value, language),
        "size": lambda value: size(value, language),
        "when": _when,
        "told": told,
        "figure": figure(report, language),
        "groups": _groups(report),
    }


def _groups(report: Report) -> list[tuple[tuple[str, str], list[Any]]]:
    groups: dict[tuple[str, str], list[Any]] = {}
    for app in report.apps:
        groups.setdefault(app.group, []).append(app)
    return list(groups.items())


def _when(text: str) -> str:
    """A time of the manifest to the minute, in UTC: a report is read in any zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{found.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if found.tzinfo else text


def _markdown(text: object) -> str:
    """Text that Markdown takes for nothing else, on one line."""
    line = " ".join(str(text).split())
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>#|~&" else letter for letter in line)
