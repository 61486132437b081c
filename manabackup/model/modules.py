"""What stands in the rows of Mana's tables, and how people read it: ``formats/modules.json``, typed.

``formats/modules.md`` says what each key means. The description of a table is put together when it is first asked for:
:func:`load` costs a few milliseconds, and a table next to nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from types import MappingProxyType
from typing import Any, TypeVar

from ..text import jsontext
from .registry import formats_folder
from .tables import App, FieldType, FileField, Junction, Label, Language, MoneyField, TableModel, TagFields, TextField

_HUMP = re.compile(r"(?<=[a-z0-9])[A-Z]")
_K = TypeVar("_K")
_V = TypeVar("_V")


class Modules:
    """All tables and apps. Get it from :func:`load`."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.version: str = raw["source"]["commitDate"]
        """Date of the web app's commit that this was taken from."""
        self.groups: Mapping[str, Label] = MappingProxyType(
            {name: Label(group["label_de"], group["label_en"]) for name, group in raw["groups"].items()}
        )
        """Group → label, in the order in which people are shown them."""
        self.visibility: Mapping[str, Label] = MappingProxyType(
            {value: Label(*labels) for value, labels in raw["visibility"]["labels"].items()}
        )
        self._fields: Mapping[str, Label] = {name: Label(*labels) for name, labels in raw["fields"].items()}
        self.secrets: frozenset[str] = frozenset(raw["secrets"])
        """Secret fields that many tables have (see :attr:`TableModel.secrets`)."""
        self._raw = raw
        self._tables: dict[str, TableModel] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all tables, in the registry's order."""
        return tuple(self._raw["tables"])

    def field_label(self, path: str, language: Language) -> str:
        """What a field is called; a name that nobody has translated is read as words."""
        name = path.removesuffix("[]").rpartition(".")[2].removesuffix("[]")
        label = self._fields.get(name)
        if label is not None:
            return label.of(language)
        words = _HUMP.sub(lambda hump: f" {hump[0].lower()}", name).replace("_", " ").strip()
        return words[:1].upper() + words[1:]

    def table(self, name: str) -> TableModel | None:
        """The description of a table; None for one that nobody has described."""
        found = self._tables.get(name)
        if found is None and name in self._raw["tables"]:
            found = self._tables[name] = _table(self._raw["tables"][name], self.secrets)
        return found

    @cached_property
    def apps(self) -> Mapping[str, App]:
        """App id → app, in the registry's order."""
        return _frozen(
            {
                name: App(
                    id=name,
                    label=Label(app["label_de"], app["label_en"]),
                    group=app["group"],
                    icon=app["icon"],
                    color=app["color"],
                    tables=tuple(app["tables"]),
                )
                for name, app in self._raw["apps"].items()
            }
        )

    @cached_property
    def junctions(self) -> Mapping[str, Junction]:
        """Name of a table of pairs → what pairs it holds."""
        return _frozen(
            {
                name: Junction(pair["entity"], pair["tag"], pair.get("oldTag"), pair["tagTable"])
                for name, pair in self._raw["junctions"].items()
            }
        )

    def app_of(self, name: str) -> App | None:
        """The app that a table belongs to."""
        raw = self._raw["tables"].get(name)
        return None if raw is None else self.apps.get(raw["appId"])


@lru_cache(maxsize=1)
def load() -> Modules:
    """The descriptions that this version of the tool came with."""
    return Modules(jsontext.parse_inexact((formats_folder() / "modules.json").read_bytes()))


def _table(raw: Mapping[str, Any], everywhere: frozenset[str]) -> TableModel:
    tags = raw.get("tags")
    return TableModel(
        name=raw["table"],
        app=raw["appId"],
        label=Label(raw["label_de"], raw["label_en"]),
        group=raw["group"],
        role=raw["role"],
        scope=raw["scope"],
        title_paths=tuple(raw.get("titleFields", ())),
        title_fallback=tuple(raw.get("titleFallback", ())),
        date_path=raw.get("dateField"),
        dates=_frozen(raw.get("dates", {})),
        texts=tuple(TextField(text["field"], text["format"], text.get("note")) for text in raw.get("textFields", ())),
        enums=_frozen({path: _labels(enum["labels"]) for path, enum in raw.get("enums", {}).items()}),
        flags=tuple(raw.get("flags", ())),
        order_path=raw.get("orderField"),
        parent_path=raw.get("parentField"),
        units=_frozen(raw.get("units", {})),
        money=tuple(map(_money, raw.get("moneyFields", ()))),
        geo=tuple(raw.get("geoFields", ())),
        files=tuple(FileField(file["field"], file["kind"], file.get("note")) for file in raw.get("binary", ())),
        tags=None if tags is None else TagFields(*(tuple(tags.get(key, ())) for key in TagFields._fields)),
        secrets=everywhere | frozenset(raw.get("secrets", ())),
        bin_path=raw.get("binField"),
        references=_frozen({**raw.get("references", {}), **raw.get("unverifiedReferences", {})}),
        fields=_frozen(
            {
                name: FieldType(field["type"], field.get("nullable", False), field.get("encrypted", False))
                for name, field in raw["fields"].items()
            }
        ),
        shapes=_frozen(raw.get("json", {})),
        note=raw.get("notes"),
    )


def _money(raw: Mapping[str, Any]) -> MoneyField:
    sign, hours = raw.get("sign"), raw.get("hoursWhere")
    return MoneyField(
        path=raw["field"],
        minor=raw["unit"] == "minor",
        currency=raw.get("currency"),
        currency_path=raw.get("currencyField"),
        per_path=raw.get("per"),
        negative=None if sign is None else (sign["field"], sign["negative"]),
        hours_where=None if hours is None else (hours["field"], hours["value"]),
    )


def _labels(raw: Mapping[str, list[str]]) -> Mapping[str, Label]:
    return _frozen({value: Label(*labels) for value, labels in raw.items()})


def _frozen(mapping: Mapping[_K, _V]) -> Mapping[_K, _V]:
    return MappingProxyType(dict(mapping))
