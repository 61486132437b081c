"""Manual pages in man(7)'s language, made of click's commands; ``mandoc -T lint`` has nothing to say of them."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator

import click

from . import overview
from .examples import ENDINGS, EXIT_CODES
from .helping import names_a_secret

_SECTION = "1"
_LONGEST_LINE = 78


def pages(root: click.Context) -> dict[str, str]:
    """File name → text: ``manabackup.1``, and one for each command and each command of a group."""
    found = {_file(root): "\n".join([*_program(root), ""])}
    for context in _commands(root):
        found[_file(context)] = "\n".join([*_command(context), ""])
    return found


def _commands(parent: click.Context) -> Iterator[click.Context]:
    group = parent.command
    assert isinstance(group, click.Group)
    for name in group.list_commands(parent):
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, parent, info_name=name, **command.context_settings)
        yield context
        if isinstance(command, click.Group):
            yield from _commands(context)


def _file(context: click.Context) -> str:
    return f"{_name(context)}.{_SECTION}"


def _name(context: click.Context) -> str:
    return context.command_path.replace(" ", "-")


# --- the two kinds of pages -------------------------------------------------------------------------------------------


def _program(root: click.Context) -> Iterator[str]:
    yield from _head(root, "take your data out of Mana, and put it back")
    yield from _synopsis(root, "[OPTIONS] COMMAND [ARGUMENTS]")
    yield ".SH DESCRIPTION"
    yield from _paragraphs(
        ["manabackup takes all data of a Mana account into one archive, and puts it back into an account. "]
    )
    yield from _paragraphs(overview.EPILOG)
    yield ".SH COMMANDS"
    for heading, commands in overview.COMMANDS:
        yield f".SS {_text(heading)}"
        yield from _definitions((name, summary) for name, _, summary in commands)
    yield ".SH OPTIONS"
    yield "Before or after the name of a command."
    yield from _definitions(overview.all_options())
    yield ".SH EXIT STATUS"
    yield from _definitions((str(code), meaning) for code, meaning in EXIT_CODES.items())
    yield ".SH SEE ALSO"
    names = [f".BR {_text(_name(context))} ({_SECTION})" for context in _commands(root)]
    yield from [f"{name}," for name in names[:-1]] + names[-1:]


def _command(context: click.Context) -> Iterator[str]:
    command = context.command
    text = inspect.cleandoc(command.help or "").split("\f")[0]
    first, *rest = text.split("\n\n")
    summary = " ".join(first.split()).removesuffix(".")
    yield from _head(context, summary[:1].lower() + summary[1:])
    yield from _synopsis(context, " ".join(command.collect_usage_pieces(context)))
    yield ".SH DESCRIPTION"
    yield from _paragraphs([f"{summary}.", *rest])
    if isinstance(command, click.Group):
        yield ".SH COMMANDS"
        yield from _definitions(
            (inner.command.name or "", inner.command.get_short_help_str(200)) for inner in _commands(context)
        )
    yield from _options(context)
    ending = ENDINGS.get(context.command_path.removeprefix(f"{overview.PROGRAM} "))
    if ending is not None:
        yield ".SH EXIT STATUS"
        yield from _definitions((str(code), EXIT_CODES[code]) for code in ending.codes)
        yield ".SH EXAMPLES"
        yield ".EX"
        yield from (_text(f"{overview.PROGRAM} {example}") for example in ending.examples)
        yield ".EE"
    yield ".SH SEE ALSO"
    yield f".BR {overview.PROGRAM} ({_SECTION})"


def _options(context: click.Context) -> Iterator[str]:
    everywhere = {names[-1] for names, _, _ in overview.GLOBAL_OPTIONS}
    own: list[tuple[str, str]] = []
    secrets: list[tuple[str, str]] = []
    for parameter in context.command.get_params(context):
        if not isinstance(parameter, click.Option) or parameter.opts[-1] in everywhere:
            continue
        record = parameter.get_help_record(context)
        if record is not None:
            (secrets if names_a_secret(parameter) else own).append(record)
    yield ".SH OPTIONS"
    yield from _definitions(own)
    if secrets:
        yield ".SS Secrets"
        yield from _definitions(secrets)
    yield ".PP"
    yield f"The options that every command takes are in\n.BR {overview.PROGRAM} ({_SECTION})."


# --- man(7) -----------------------------------------------------------------------------------------------------------


def _head(context: click.Context, summary: str) -> Iterator[str]:
    name = _name(context)
    product = f"{overview.PROGRAM} {overview.VERSION}"
    yield f'.TH {_text(name.upper())} {_SECTION} "{overview.DATED}" "{product}" "{overview.PROGRAM}"'
    yield ".SH NAME"
    yield from _filled(f"{name} \0 {summary}")


def _synopsis(context: click.Context, usage: str) -> Iterator[str]:
    yield ".SH SYNOPSIS"
    yield f".B {_text(context.command_path)}"
    yield from _filled(usage)


def _paragraphs(texts: Iterable[str]) -> Iterator[str]:
    for number, text in enumerate(texts):
        if number:
            yield ".PP"
        if text.startswith("\b"):  # lines that stay as they are
            yield ".EX"
            yield from (_text(line) for line in text.removeprefix("\b").strip("\n").splitlines())
            yield ".EE"
        else:
            yield from _filled(text)


def _definitions(records: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, definition in records:
        yield ".TP"
        yield f".B {_text(term)}"
        yield from _filled(definition)


def _filled(text: str) -> Iterator[str]:
    """``text`` in lines that are no longer than mandoc likes them; where they end makes no difference."""
    line = ""
    for word in map(_text, text.split()):
        if line and len(line) + len(word) >= _LONGEST_LINE:
            yield line
            line = ""
        line = f"{line} {word}" if line else word
    yield line


def _text(text: str) -> str:
    """``text`` as roff takes it for itself: no line is a request, and hyphens can be copied."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("`", "\\(ga")
    escaped = escaped.replace("\0", "\\-")  # the one that stands between a name and what it does
    plain = "".join(char if char.isascii() else f"\\[u{ord(char):04X}]" for char in escaped)
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain
