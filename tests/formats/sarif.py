"""What a SARIF 2.1.0 log must be, as far as ours goes: OASIS, "Static Analysis Results Interchange Format", chapter 3.

No member besides those named there is allowed where the standard allows none.
"""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

_LEVEL = {"enum": ["none", "note", "warning", "error"]}
_TEXT = {"type": "string", "minLength": 1}
_BAG = {"type": "object"}
_COUNT = {"type": "integer", "minimum": 0}


def _object(required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


_MESSAGE = _object(["text"], text=_TEXT)
_LOGICAL = _object(["name"], name=_TEXT, fullyQualifiedName=_TEXT, kind=_TEXT)
_RULE = _object(
    ["id"],
    id=_TEXT,
    name=_TEXT,
    shortDescription=_MESSAGE,
    fullDescription=_MESSAGE,
    help=_MESSAGE,
    defaultConfiguration=_object(["level"], level=_LEVEL),
)
_RESULT = _object(
    ["message"],
    ruleId=_TEXT,
    ruleIndex=_COUNT,
    level=_LEVEL,
    message=_MESSAGE,
    locations={
        "type": "array",
        "items": _object(["logicalLocations"], logicalLocations={"type": "array", "items": _LOGICAL, "minItems": 1}),
    },
    partialFingerprints={"type": "object", "additionalProperties": {"type": "string"}},
    properties=_BAG,
)
_NOTIFICATION = _object(
    ["message"], level=_LEVEL, message=_MESSAGE, associatedRule=_object(["id"], id=_TEXT, index=_COUNT)
)
_RUN = _object(
    ["tool"],
    tool=_object(
        ["driver"],
        driver=_object(
            ["name"], name=_TEXT, version=_TEXT, rules={"type": "array", "items": _RULE, "uniqueItems": True}
        ),
    ),
    invocations={
        "type": "array",
        "items": _object(
            ["executionSuccessful"],
            executionSuccessful={"type": "boolean"},
            toolExecutionNotifications={"type": "array", "items": _NOTIFICATION},
        ),
    },
    automationDetails=_object([], id=_TEXT),
    columnKind={"enum": ["utf16CodeUnits", "unicodeCodePoints"]},
    results={"type": "array", "items": _RESULT},
    properties=_BAG,
)
ESSENTIALS = {
    **_object(["version", "runs"], version={"const": "2.1.0"}, runs={"type": "array", "items": _RUN}),
}
ESSENTIALS["properties"]["$schema"] = {"type": "string", "format": "uri"}


def check_sarif(log: Any) -> None:
    """Raises :class:`jsonschema.ValidationError`; and every result's rule must be the one that its index names."""
    Draft202012Validator(ESSENTIALS).validate(log)
    for run in log["runs"]:
        rules = run["tool"]["driver"]["rules"]
        assert len({rule["id"] for rule in rules}) == len(rules)
        for result in run["results"]:
            assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        prints = [tuple(result["partialFingerprints"].values()) for result in run["results"]]
        assert len(set(prints)) == len(prints)
