"""An audit as SARIF 2.1.0 (OASIS, "Static Analysis Results Interchange Format"), for programs that gather findings.

Rows are no files, so a result has a logical location and no physical one: account, table, row and field. Each has a
fingerprint by which the same case is known again in the next run.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from ...about import __version__
from ...text import jsontext
from ...text.jsontext import JSON
from .auditing import Audit
from .findings import KINDS, Finding

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ACCOUNT = "account"
_RUN = "manabackup audit/"
MARK = f'"id":"{_RUN}'.encode()
"""Stands at the beginning of every log, as :func:`~manabackup.text.jsontext.dumps` writes it: members by name."""
_RULES = {kind: index for index, kind in enumerate(KINDS)}


def sarif(audit: Audit) -> dict[str, Any]:
    """The whole log: one run, with every kind as a rule and every named case as a result."""
    more = list(_notifications(audit))
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "manabackup", "version": __version__, "rules": list(_rules())}},
                "invocations": [
                    {"executionSuccessful": True, **({"toolExecutionNotifications": more} if more else {})}
                ],
                "automationDetails": {"id": f"{_RUN}{audit.user_id}"},
                "columnKind": "unicodeCodePoints",
                "results": [result for finding in audit.findings for result in _results(finding)],
                "properties": {
                    "changes": audit.changes,
                    "rows": audit.live,
                    "counts": {finding.kind.id: finding.count for finding in audit.findings},
                },
            }
        ],
    }


def _rules() -> Iterator[dict[str, Any]]:
    for kind in KINDS.values():
        yield {
            "id": kind.id,
            "name": kind.id[0].upper() + kind.id[1:],
            "shortDescription": {"text": _sentence(kind.title)},
            "fullDescription": {"text": kind.explanation},
            "help": {"text": kind.advice},
            "defaultConfiguration": {"level": kind.severity.value},
        }


def _results(finding: Finding) -> Iterator[dict[str, Any]]:
    kind = finding.kind
    for case in finding.cases or [{}]:
        words = [_sentence(kind.title), kind.explanation, kind.advice]
        if "reason" in case:
            words[0] = f"{words[0].removesuffix('.')} ({case['reason']})."
        yield {
            "ruleId": kind.id,
            "ruleIndex": _RULES[kind.id],
            "level": kind.severity.value,
            "message": {"text": " ".join(words)},
            "locations": [{"logicalLocations": [_location(case)]}],
            "partialFingerprints": {"case/v1": sha256(jsontext.dumps([kind.id, case])).hexdigest()},
            **({"properties": case} if case else {}),
        }


def _location(case: dict[str, JSON]) -> dict[str, str]:
    """The innermost thing that a case names."""
    path = [str(case[name]) for name in ("table", "id", "field") if name in case]
    if not path:
        return {"name": _ACCOUNT, "fullyQualifiedName": _ACCOUNT, "kind": "object"}
    kind = ("array", "object", "property")[len(path) - 1]
    return {"name": path[-1], "fullyQualifiedName": "/".join([_ACCOUNT, *path]), "kind": kind}


def _notifications(audit: Audit) -> Iterator[dict[str, Any]]:
    """What is counted and not named."""
    for finding in audit.findings:
        rest = finding.count - len(finding.cases)
        if finding.cases and rest > 0:
            yield {
                "level": "note",
                "message": {"text": f"{finding.kind.id}: {rest:,} more, which are counted and not named."},
                "associatedRule": {"id": finding.kind.id, "index": _RULES[finding.kind.id]},
            }


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."
