"""Archives that another program has unpacked and packed again: their entries under other names, and some beside them.

File managers pack a folder with its own name, put notes of their own beside each file, or take the separator of their
system. What was in the archive is all there: this says under which names it was.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .names import MANIFEST

HINT = (
    "nothing in it need be lost: unpack it with the program that packed it, and in that folder pack it anew with "
    "`zip -X -D -r NEW.mana .`"
)
"""For what another program packed in a way that this format does not have."""
_LITTER = re.compile(r"\.DS_Store|\._.*|Thumbs\.db|desktop\.ini", re.IGNORECASE)
_APPLE = "__MACOSX/"


def original_names(names: Sequence[str]) -> Mapping[str, str]:
    """Name → the name before; only for the names that are not what they were.

    Told is only what leaves no doubt: that no name has the separator of ZIP, or that all lie in the one folder where
    the manifest is. What is said of none stays as it is, to be judged by whoever reads.
    """
    called = {name: name for name in names}
    if not any("/" in name for name in names):  # another separator
        called = {name: name.replace("\\", "/") for name in names}
    if MANIFEST not in called.values():  # a folder around
        folder = _folder_of_manifest([*called.values()])
        if folder is None:
            return {}
        called = {name: new.removeprefix(folder) for name, new in called.items()}
    return {name: new for name, new in called.items() if new != name}


def is_litter(name: str) -> bool:
    """Whether a name is one that file managers give to what they add: not a part of anybody's archive."""
    parts = name.removesuffix("/").split("/")
    if "\\" in name or not {"", ".", ".."}.isdisjoint(parts):
        return False
    return name.startswith(_APPLE) or _LITTER.fullmatch(parts[-1]) is not None


def _folder_of_manifest(names: Sequence[str]) -> str | None:
    """The folder, with its separator, that holds the manifest and everything else but litter."""
    own = [name for name in names if not is_litter(name)]
    manifests = [name for name in own if name.endswith(f"/{MANIFEST}")]
    if len(manifests) != 1:
        return None
    folder = manifests[0].removesuffix(MANIFEST)
    inside = all(name.startswith(folder) or (name.endswith("/") and folder.startswith(name)) for name in own)
    absolute = folder.startswith("/") or ":" in folder or ".." in folder.split("/")
    return folder if inside and not absolute else None
