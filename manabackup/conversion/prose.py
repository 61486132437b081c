"""Text of every format that rows hold, as Markdown (CommonMark 0.31).

Nothing that is written here loads anything from elsewhere: pictures on servers become links, those that lie beside the
text are shown, and what a browser would run is text or gone. ``picture`` gives the relative address at which a picture
lies beside the text, by the one that stands there; None for one that does not.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from ..model.values import shortened
from ..text.jsontext import JSON

_SAFE_SCHEMES: Final = frozenset({"http", "https", "mailto", "tel"})
_DROPPED: Final = ("script", "style", "iframe", "object", "embed", "form", "input", "button", "link", "meta", "title")
_HALF = re.compile("[\ud800-\udfff]")
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_SPECIAL = re.compile(r"[\\`*\[$]|(?<!\w)_+|_+(?!\w)|<(?=[A-Za-z/!?])|&(?=#?\w+;)|~~|==|%%|\^\^")
"""What CommonMark takes for markup, and Obsidian besides: strikethrough, highlights, comments, formulas."""
_SUSPECT = re.compile(r"[\\`*\[$_<&~=%^]")
"""Characters without which there is nothing of it: most lines have none."""
_LINE_BEGIN = re.compile(r"^(#+(?=\s|$)|>|[-=_~:]+$|~{3,})")
_TAG = re.compile(r"(?<![\w\\])#(?=\w)")
_LIST = re.compile(r"^(\s{0,3})([-+*]|\d{1,9}[.)])(\s)")
_TAG_BEGIN = re.compile(r"(?<!\\)((?:\\\\)*)<(?=[A-Za-z/!?])(?!(?:https?|mailto):[^\s<>]*>)")
"""With an even number of backslashes before it: behind an odd one it is text already."""
_FENCE = re.compile(r"^\s{0,3}(`{3,}|~{3,})")
_CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)")
_PICTURE = re.compile(r"(?<!\\)!\[((?:[^\[\]\\]|\\.)*+)\]\(\s*+(?:<([^<>\n]*+)>|([^\s<>()]++))[^()\n]*+\)")
_PICTURE_BEGIN = re.compile(r"(?<!\\)!(?=\[)")
_MOST_NESTING = 100

Picture = Callable[[str], str | None]


def _none(_: str) -> str | None:
    """No picture lies beside the text."""
    return None


def clean(text: str) -> str:
    """A text without halves of characters and without what no text needs: controls, marks that turn direction."""
    if text.replace("\n", "").isprintable():
        return text
    return _CONTROLS.sub("", _HALF.sub("\ufffd", text)).replace("\r\n", "\n").replace("\r", "\n")


def from_plain(text: str) -> str:
    """Plain text, every character of which is to be seen. Lists that somebody typed stay lists."""
    lines = []
    for line in clean(text).split("\n"):
        marker = _LIST.match(line)
        begin, rest = (marker[0], line[marker.end() :]) if marker else ("", line)
        if not begin:
            indent = len(rest) - len(rest.lstrip(" \t"))
            begin, rest = "\u00a0" * len(rest[:indent].expandtabs(4)), rest[indent:]
        opening = _LINE_BEGIN.match(rest)
        if opening:
            begin, rest = begin + _all_escaped(opening), rest[opening.end() :]
        if _SUSPECT.search(rest):
            rest = _SPECIAL.sub(_all_escaped, rest)
        if "#" in rest:
            rest = _TAG.sub(r"\\#", rest)
        lines.append((begin + rest).rstrip())
    return "\n".join(_with_breaks(lines))


def _all_escaped(found: re.Match[str]) -> str:
    return "".join(f"\\{character}" for character in found[0])


def _with_breaks(lines: list[str]) -> Iterator[str]:
    """Lines that stay lines: two blanks at the end of one that another follows."""
    for number, line in enumerate(lines):
        follows = number + 1 < len(lines) and lines[number + 1]
        yield f"{line}  " if line and follows and not _LIST.match(lines[number + 1]) else line


def inline(text: str) -> str:
    """Plain text in one line."""
    return from_plain(" ".join(clean(text).split())).strip() or "\u200b"


def label(text: str) -> str:
    """Plain text in one line, as it may stand in the brackets of a link."""
    return inline(text).replace("]", "\\]")


def from_markdown(text: str, picture: Picture = _none) -> str:
    """Markdown as it is, but for raw HTML, which is shown and not obeyed, and for pictures from elsewhere."""
    lines, fence = [], ""
    for line in clean(text).split("\n"):
        found = _FENCE.match(line)
        if fence:
            if found and found[1].startswith(fence) and not line[found.end() :].strip():
                fence = ""
            lines.append(line)
        elif found:
            fence = found[1]
            lines.append(line)
        else:
            lines.append(_without_tags(line, picture))
    if fence:
        lines.append(fence)
    return "\n".join(lines)


def _without_tags(line: str, picture: Picture) -> str:
    parts, at = [], 0
    for code in _CODE.finditer(line):
        parts += [_harmless(line[at : code.start()], picture), code[0]]
        at = code.end()
    return "".join([*parts, _harmless(line[at:], picture)])


def _harmless(text: str, picture: Picture) -> str:
    """A part of a line outside of code."""
    if "![" not in text:
        return _TAG_BEGIN.sub(r"\1\\<", text)
    parts, at = [], 0
    for found in _PICTURE.finditer(text):
        address = picture(found[2] or found[3] or "")
        if address is not None:
            parts += [_as_links(text[at : found.start()]), f"![{found[1]}]({address})"]
            at = found.end()
    return "".join([*parts, _as_links(text[at:])])


def _as_links(text: str) -> str:
    return _PICTURE_BEGIN.sub("", _TAG_BEGIN.sub(r"\1\\<", text))


def from_html(html: str, picture: Picture = _none) -> str:
    """HTML. Scripts, styles and forms go; links keep safe addresses only; pictures from elsewhere become links."""
    from bs4 import BeautifulSoup, ParserRejectedMarkup
    from markdownify import MarkdownConverter

    # An empty comment before it: text that looks like an address would be warned of.
    whole = f"<!---->{clean(html)}"
    try:
        soup = BeautifulSoup(whole, "html.parser")
    except ParserRejectedMarkup:  # Python's parser gives up at a marked section of no known kind: it is text then
        soup = BeautifulSoup(whole.replace("<![", "&lt;!["), "html.parser")
    for element in soup.find_all(_DROPPED):
        element.decompose()
    for element in soup.find_all("a"):
        if not is_safe(str(element.get("href") or "")):
            del element["href"]
    mark = secrets.token_hex(8)
    held: list[str] = []
    for element in soup.find_all("img"):
        source = str(element.get("src") or "")
        called = str(element.get("alt") or "") or _picture_name(source)
        address = picture(source)
        if address is not None:
            element.replace_with(f"{mark}x{len(held)}x")  # what converts and escapes lets it through
            held.append(f"![{label(called)}]({address})")
            continue
        element.name = "a" if is_safe(source) else "span"
        element.attrs = {"href": source} if is_safe(source) else {}
        element.string = called
    converter: Any = MarkdownConverter(escape_misc=True, heading_style="ATX", bullets="-")
    text = from_markdown(str(converter.convert_soup(soup)).strip())
    return re.sub(f"{mark}x(\\d+)x", lambda found: held[int(found[1])], text)


def is_safe(address: str) -> bool:
    """Whether an address may be a link: of the web, of mail, of a telephone."""
    try:
        return urlsplit(address.strip()).scheme.lower() in _SAFE_SCHEMES
    except ValueError:
        return False


def link(called: str, address: str) -> str:
    """A link; only what it is called where the address is not safe."""
    if not is_safe(address) or re.search(r"[\s<>\\]", address.strip()):
        return inline(called or address)
    return f"[{label(called or address)}](<{address.strip()}>)"


# --- TipTap (ProseMirror documents) -----------------------------------------------------------------------------------


def from_tiptap(document: JSON, picture: Picture = _none) -> str:
    """A document of the editor that newsletters are written in. What is not known gives its text."""
    return "\n\n".join(_blocks(_with_pictures(document, picture, 0), 0)).strip()


@dataclass(frozen=True, slots=True)
class _Held:
    """In the place of a node: a picture that lies beside the text."""

    text: str


def _with_pictures(node: JSON, picture: Picture, depth: int) -> Any:
    """The document with pictures in it that lie beside the text."""
    if not isinstance(node, dict) or depth > _MOST_NESTING:
        return node
    if node.get("type") == "image":
        source = _attribute(node, "src")
        address = picture(source)
        called = _attribute(node, "alt") or _picture_name(source)
        return node if address is None else _Held(f"![{label(called)}]({address})")
    children = _children(node)
    return {**node, "content": [_with_pictures(child, picture, depth + 1) for child in children]} if children else node


def _blocks(node: Any, depth: int) -> Iterator[str]:
    if isinstance(node, _Held):
        yield node.text
        return
    if not isinstance(node, dict) or depth > _MOST_NESTING:
        return
    block = _BLOCKS.get(str(node.get("type")))
    if block is not None:
        yield from block(node, depth)
    elif any(isinstance(child, dict) and child.get("type") in ("text", "hardBreak") for child in _children(node)):
        yield _inline_of(node)
    else:
        for child in _children(node):
            yield from _blocks(child, depth + 1)


def _children(node: JSON) -> list[JSON]:
    content = node.get("content")
    return content if isinstance(content, list) else []


def _attribute(node: JSON, name: str) -> str:
    attributes = node.get("attrs")
    value = attributes.get(name) if isinstance(attributes, dict) else None
    return value if isinstance(value, str) else str(value) if type(value) is int else ""


def _inline_of(node: JSON) -> str:
    parts = []
    for child in _children(node):
        if isinstance(child, _Held):
            parts.append(child.text)
            continue
        if not isinstance(child, dict):
            continue
        if child.get("type") == "hardBreak":
            parts.append("  \n")
        elif child.get("type") == "image":
            parts.append(_picture(child))
        elif isinstance(child.get("text"), str):
            parts.append(_marked(child))
        else:
            parts.append(_inline_of(child))
    return "".join(parts)


def _marked(node: JSON) -> str:
    raw = str(node["text"]).replace("\n", " ")
    text = inline(raw)
    if not raw.strip():
        return " " if raw else ""
    before, after = " " * raw[0].isspace(), " " * raw[-1].isspace()
    marks = node.get("marks")
    for mark in marks if isinstance(marks, list) else []:
        kind = mark.get("type") if isinstance(mark, dict) else None
        if kind == "link" and is_safe(_attribute(mark, "href")):
            text = f"[{text}](<{_attribute(mark, 'href').strip()}>)"
        elif kind in _MARKS:
            text = f"{_MARKS[kind]}{text}{_MARKS[kind]}"
    return before + text + after


_MARKS: Final = {"bold": "**", "italic": "*", "strike": "~~"}


def _list(node: JSON, depth: int, begin: Callable[[int], str]) -> Iterator[str]:
    items = []
    for number, item in enumerate(_children(node)):
        text = "\n\n".join(_blocks(item, depth + 1)) if isinstance(item, dict) else ""
        marker = begin(number)
        if isinstance(item, dict) and item.get("type") == "taskItem":
            attributes = item.get("attrs")
            done = isinstance(attributes, dict) and attributes.get("checked") is True
            text = f"[{'x' if done else ' '}] {text}"
        items.append(marker + text.replace("\n", "\n" + " " * len(marker)))
    yield "\n".join(items)


def _heading(node: JSON, depth: int) -> Iterator[str]:
    level = _attribute(node, "level")
    yield "#" * (int(level) if level in "123456" and level else 2) + " " + _inline_of(node).replace("\n", " ")


def _quote(node: JSON, depth: int) -> Iterator[str]:
    inner = "\n\n".join(text for child in _children(node) for text in _blocks(child, depth + 1))
    yield "\n".join(f"> {line}" for line in inner.split("\n"))


def _code(node: JSON, depth: int) -> Iterator[str]:
    text = "".join(child["text"] for child in _children(node) if isinstance(child, dict) and "text" in child)
    yield f"````\n{clean(str(text)).replace('````', '')}\n````"


def _picture(node: JSON) -> str:
    source = _attribute(node, "src")
    return link(_attribute(node, "alt") or _picture_name(source), source)


def _picture_name(source: str) -> str:
    """What to call a picture that nobody has described: the name of its file."""
    if not is_safe(source):
        return "…"
    try:
        return shortened(unquote(urlsplit(source).path).rstrip("/").rpartition("/")[2]) or "…"
    except ValueError:
        return "…"


def _image(node: JSON, depth: int) -> Iterator[str]:
    yield _picture(node)


_BLOCKS: Final[dict[str, Callable[[JSON, int], Iterator[str]]]] = {
    "heading": _heading,
    "bulletList": lambda node, depth: _list(node, depth, lambda number: "- "),
    "taskList": lambda node, depth: _list(node, depth, lambda number: "- "),
    "orderedList": lambda node, depth: _list(node, depth, lambda number: f"{number + 1}. "),
    "blockquote": _quote,
    "codeBlock": _code,
    "horizontalRule": lambda node, depth: iter(["---"]),
    "image": _image,
}
