"""The JSON Schemas in ``formats/schemas``, by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator
from referencing import Registry, Resource

FOLDER = Path(__file__).parents[2] / "formats" / "schemas"
SCHEMAS: dict[str, dict[str, Any]] = {
    path.name.removesuffix(".schema.json"): json.loads(path.read_text()) for path in sorted(FOLDER.iterdir())
}
_REGISTRY: Registry[Any] = Registry().with_resources(
    (schema["$id"], Resource.from_contents(schema)) for schema in SCHEMAS.values()
)
VALIDATORS = {
    name: Draft202012Validator(schema, registry=_REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER)
    for name, schema in SCHEMAS.items()
}


def check(name: str, value: Any) -> None:
    """Raises :class:`jsonschema.ValidationError`, naming the place."""
    VALIDATORS[name].validate(value)


def fits(name: str, value: Any) -> bool:
    """Whether a value is what the schema says."""
    return bool(VALIDATORS[name].is_valid(value))
