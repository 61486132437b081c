"""Values as TOML: the standard library reads it and does not write it."""

from __future__ import annotations

import json
import math
from typing import Any


def as_toml(values: dict[str, Any]) -> str:
    """A document with one line for each key of the top; what is deeper stands in inline tables."""
    return "".join(f"{_text(key)} = {_value(value)}\n" for key, value in values.items())


def _value(value: object) -> str:
    match value:
        case dict():
            return "{" + ", ".join(f"{_text(key)} = {_value(inner)}" for key, inner in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_value(inner) for inner in value) + "]"
        case bool():
            return "true" if value else "false"
        case float():
            return (
                "nan" if math.isnan(value) else "inf" if value > 1e308 else "-inf" if value < -1e308 else f"{value:f}"
            )
        case str():
            return _text(value)
        case _:
            return str(value)


def _text(text: str) -> str:
    return json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False).replace("\x7f", "\\u007f")
