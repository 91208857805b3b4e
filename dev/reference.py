"""The parts of the reference pages that are made from the code: ``python -m dev.reference`` writes them again."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING

import click

from dev.checkout import REPOSITORY
from presign_siblings.cli.main import COMMANDS as NAMES
from presign_siblings.cli.main import main as command_line
from presign_siblings.cli.program import PROGRAM
from presign_siblings.errors import EXIT_CODES
from processor.job import FIELDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from processor.job import Field

FOLDER = REPOSITORY / "docs" / "reference"
EVENT, COMMANDS = FOLDER / "event.md", FOLDER / "commands.md"


def fields_table() -> str:
    """Return the table of a job's fields in Markdown."""
    return _table(("field", "environment", "default", "rule", "meaning", "another job"), map(_cells, FIELDS.values()))


def exit_codes_table() -> str:
    """Return the table of the exit codes."""
    return _table(("exit code", "means"), ((str(code), means) for code, means in EXIT_CODES.items()))


def common_options_table() -> str:
    """Return the table of the options that every command has."""
    return _table(("option", "means"), _common([_options(command) for command in _commands().values()]))


def command_sections() -> str:
    """Return a section for each command: usage, help, its own options, examples."""
    commands = _commands()
    records = {name: _options(command) for name, command in commands.items()}
    common = _common(list(records.values()))
    return "\n".join(
        _section(name, command, [record for record in records[name] if record not in common])
        for name, command in commands.items()
    )


def _commands() -> dict[str, click.Command]:
    context = click.Context(command_line)
    return {name: command for name in NAMES if (command := command_line.get_command(context, name))}


def _common(records: list[list[tuple[str, str]]]) -> list[tuple[str, str]]:
    first, *others = records
    return [record for record in first if all(record in other for other in others)]


def _section(name: str, command: click.Command, options: list[tuple[str, str]]) -> str:
    usage = " ".join([PROGRAM, name, *command.collect_usage_pieces(_context(command))])
    examples = inspect.cleandoc((command.epilog or "").partition("Examples:\n")[2])
    parts = [f"## {name}", f"```\n{usage}\n```", inspect.cleandoc(command.help or "")]
    parts += [_table(("option", "means"), options).rstrip()] if options else []
    return "\n\n".join([*parts, f"```\n{examples}\n```"]) + "\n"


def _context(command: click.Command) -> click.Context:
    return click.Context(command, **command_line.context_settings)


def _options(command: click.Command) -> list[tuple[str, str]]:
    """Return names and help of a command's options, ready for a table."""
    context = _context(command)
    options = (each for each in command.get_params(context) if isinstance(each, click.Option))
    records = (option.get_help_record(context) for option in options)
    return [(f"`{names}`".replace("|", r"\|"), text.replace("|", r"\|")) for names, text in filter(None, records)]


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heading = list(head)
    return "".join(map(_row, (heading, ["---"] * len(heading), *rows)))


def _row(cells: Iterable[str]) -> str:
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells) + "\n"


def _cells(field: Field) -> tuple[str, ...]:
    default = field.absent if field.default is None else _code(json.dumps(field.default))
    return f"`{field.name}`", _code(field.env), default, field.rule.says, field.help, "✓" if field.identity else ""


def _code(text: str | None) -> str:
    return "" if text is None else f"`{text}`"


MADE: dict[str, Callable[[], str]] = {
    "fields": fields_table,
    "exit codes": exit_codes_table,
    "common options": common_options_table,
    "commands": command_sections,
}


def with_made_parts(page: str) -> str:
    """Return a page whose made parts, each between two marks, are current."""
    for name, make in MADE.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        if begin in page:
            before, _, rest = page.partition(begin)
            page = f"{before}{begin}{make()}{end}{rest.partition(end)[2]}"
    return page


if __name__ == "__main__":
    for path in (EVENT, COMMANDS):
        path.write_text(with_made_parts(path.read_text(encoding="utf-8")), encoding="utf-8")
