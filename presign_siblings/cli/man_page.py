"""The manual page in roff, made from the commands themselves."""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING

import click

from presign_siblings.cli.program import PROGRAM, LazyGroup
from presign_siblings.errors import EXIT_CODES
from presign_siblings.version import release

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def man_page(group: LazyGroup) -> str:
    """Return the page: ``presign-siblings --man | man -l -`` shows it."""
    version, _, when = release().rpartition(" ")
    context = click.Context(group, info_name=PROGRAM, **group.context_settings)
    commands = {name: command for name in group.commands_by_name if (command := group.get_command(context, name))}
    records = {name: _options(command, context) for name, command in commands.items()}
    common = _common(list(records.values()))
    lines = [f'.TH {PROGRAM.upper()} 1 "{when}" "{version}" "User Commands"', ".SH NAME"]
    lines += [f"{_roff(PROGRAM)} \\- one manifest of presigned URLs for an S3 prefix"]
    lines += [".SH SYNOPSIS", f".B {_roff(PROGRAM)}", r"\fICOMMAND\fR [\fIOPTION\fR...] [\fIARGUMENT\fR...]"]
    lines += [".SH DESCRIPTION", *_paragraphs(group.help), ".SH COMMANDS"]
    for name, command in commands.items():
        usage = " ".join([name, *command.collect_usage_pieces(click.Context(command, **group.context_settings))])
        lines += [f'.SS "{_roff(usage)}"', *_paragraphs(command.help)]
        lines += _terms(record for record in records[name] if record not in common)
        lines += [".PP", "Examples:", ".nf", *map(_roff, _examples(command)), ".fi"]
    lines += [".SH OPTIONS OF EVERY COMMAND", *_terms(common)]
    lines += [".SH EXIT STATUS", *_terms((str(code), meaning) for code, meaning in EXIT_CODES.items())]
    return "\n".join(lines) + "\n"


def _options(command: click.Command, parent: click.Context) -> list[tuple[str, str]]:
    context = click.Context(command, parent=parent, **(parent.command.context_settings))
    found = (each for each in command.get_params(context) if isinstance(each, click.Option))
    return [record for each in found if (record := each.get_help_record(context))]


def _common(records: list[list[tuple[str, str]]]) -> list[tuple[str, str]]:
    first, *others = records
    return [record for record in first if all(record in other for other in others)]


def _terms(records: Iterable[tuple[str, str]]) -> Iterator[str]:
    for term, description in records:
        yield from (".TP", f".B {_roff(term)}", _roff(description))


def _paragraphs(text: str | None) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", inspect.cleandoc(text or "")):
        yield from (".PP", _roff(" ".join(paragraph.split())))


def _examples(command: click.Command) -> list[str]:
    return inspect.cleandoc((command.epilog or "").partition("Examples:\n")[2]).splitlines()


def _roff(text: str) -> str:
    """Return a text as roff reads it: escape backslashes, hyphens and quotes, and a line that would begin a request."""
    plain = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq").replace("`", "")
    return f"\\&{plain}" if plain.startswith((".", "'")) else plain
