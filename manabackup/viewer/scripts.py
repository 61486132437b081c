"""JavaScript modules put together into one script, each as it was written.

A page that is opened from a disk cannot load modules beside it, and its policy lets run what it names by a hash: one
script. Each module becomes a function that is called once, in an order in which none comes before what it imports. Of
the language of modules only what stands here is understood; anything else is refused when the page is made.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from posixpath import join, normpath
from posixpath import split as split_path

_IMPORT = re.compile(r'^import \{([^}]*)\} from "(\.{1,2}/[^"]+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const|let)\b)", re.MULTILINE)
_EXPORTED = re.compile(r"^export (?:async )?(?:function\*?|class|const|let) ([A-Za-z_$][\w$]*)", re.MULTILINE)
_EXPORT_LIST = re.compile(r"^export \{([^}]*)\};\n", re.MULTILINE)
_LEFT_OVER = re.compile(r"^(?:import|export)\b[^\n]*", re.MULTILINE)
_ENDS_SCRIPT = re.compile(r"</script|<!--|<script", re.IGNORECASE)


class ScriptError(ValueError):
    """Modules that cannot be put together. The message names the module."""


def bundle(entry: str, read: Callable[[str], str]) -> str:
    """One script of the module ``entry`` and all that it imports, directly or not.

    ``read`` gives a module's text by its path, with ``/`` between its parts. Raises :class:`ScriptError`.
    """
    done: dict[str, str] = {}
    _add(entry, read, done, ())
    modules = "".join(done.values())
    script = f'"use strict";\nconst modules = Object.create(null);\n{modules}'
    if _ENDS_SCRIPT.search(script):
        raise ScriptError("a script holds what HTML would take for a tag")
    return script


def _add(path: str, read: Callable[[str], str], done: dict[str, str], importing: tuple[str, ...]) -> None:
    if path in done:
        return
    if path in importing:
        raise ScriptError(f"{path}: imports itself, by way of {importing[-1]}")
    text = read(path)
    for match in _IMPORT.finditer(text):
        _add(_resolved(path, match[2]), read, done, (*importing, path))
    done[path] = _as_function(path, text)


def _as_function(path: str, text: str) -> str:
    exported = _EXPORTED.findall(text)
    for match in _EXPORT_LIST.finditer(text):
        exported += [name.strip() for name in match[1].split(",") if name.strip()]
    body = _IMPORT.sub(lambda match: _as_constants(match[1], _resolved(path, match[2])), text)
    body = _EXPORT_LIST.sub("", _EXPORT.sub("", body))
    left = _LEFT_OVER.search(body)
    if left is not None:
        raise ScriptError(f"{path}: {left[0]} in a form that is not understood")
    return f'\nmodules["{path}"] = (() => {{\n{body}\nreturn {{ {", ".join(exported)} }};\n}})();\n'


def _as_constants(names: str, path: str) -> str:
    renamed = [re.sub(r"^(\S+) as (\S+)$", r"\1: \2", name.strip()) for name in names.split(",") if name.strip()]
    return f'const {{ {", ".join(renamed)} }} = modules["{path}"];\n'


def _resolved(importer: str, named: str) -> str:
    return normpath(join(split_path(importer)[0], named))
