"""Results as JUnit XML, in the form that GitHub Actions, GitLab and Jenkins have in common.

There is no standard; this keeps to ``testsuites``, ``testsuite``, ``testcase``, ``failure``, ``error`` and
``properties`` (https://github.com/testmoapp/junitxml).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

from ..text.printable import printable


@dataclass(frozen=True, slots=True)
class JUnitCase:
    """One test case. It passed when there is neither ``failure`` nor ``error``."""

    name: str
    seconds: float
    failure: Sequence[str] = ()
    """Lines of what was found."""
    failure_kind: str = "differences"
    error: tuple[str, str] | None = None
    """Kind and message of what kept it from being tried."""
    properties: Sequence[tuple[str, str]] = ()


def report(suite: str, cases: Sequence[JUnitCase]) -> bytes:
    """The document, UTF-8. What XML cannot hold is written as escapes."""
    counts = {
        "tests": str(len(cases)),
        "failures": str(sum(bool(case.failure) for case in cases)),
        "errors": str(sum(case.error is not None for case in cases)),
        "skipped": "0",
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }
    root = ET.Element("testsuites", counts)
    element = ET.SubElement(root, "testsuite", {"name": suite, **counts})
    for case in cases:
        _add(element, suite, case)
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8")
    return b'<?xml version="1.0" encoding="UTF-8"?>\n' + text + b"\n"


def _add(suite: ET.Element, name: str, case: JUnitCase) -> None:
    attributes = {"classname": name, "name": printable(case.name), "time": f"{case.seconds:.3f}"}
    element = ET.SubElement(suite, "testcase", attributes)
    if case.properties:
        properties = ET.SubElement(element, "properties")
        for key, value in case.properties:
            ET.SubElement(properties, "property", {"name": printable(key), "value": printable(value)})
    if case.failure:
        lines = [printable(line) for line in case.failure]
        failure = ET.SubElement(element, "failure", {"message": lines[0], "type": printable(case.failure_kind)})
        failure.text = "\n".join(lines)
    if case.error is not None:
        kind, message = case.error
        ET.SubElement(element, "error", {"message": printable(message), "type": printable(kind)})
