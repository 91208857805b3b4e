"""What ``--help`` needs, without slow imports."""

from __future__ import annotations

from importlib import import_module
from typing import NamedTuple

import click

PROGRAM = "presign-siblings"


class Command(NamedTuple):
    """Where a command is defined, and its line in the list of commands."""

    module: str
    attribute: str
    summary: str


class LazyGroup(click.Group):
    """
    A group that imports a command only when it is called: boto3 and rich take longer than the answer to ``--help``.

    :param commands_by_name: Every command; ``--help`` lists them in this order.
    """

    def __init__(self, *args: object, commands_by_name: dict[str, Command], **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.commands_by_name = commands_by_name

    def list_commands(self, _context: click.Context) -> list[str]:
        """Return the names of the commands."""
        return list(self.commands_by_name)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        """Import a command."""
        if name not in self.commands_by_name:
            return None
        where = self.commands_by_name[name]
        command: click.Command = getattr(import_module(where.module), where.attribute)
        return command

    def format_commands(self, _context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in self.commands_by_name.items()])


def examples(*lines: str) -> str:
    """Return an epilog with examples."""
    return "\n".join(["\b", "Examples:", *(f"  {PROGRAM} {line}" for line in lines)])
