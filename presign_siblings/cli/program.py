"""What ``--help`` needs, without slow imports."""

from __future__ import annotations

import io
import json
import os
import re
import sys
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from presign_siblings.errors import STOPPED
from processor.causes import EQUALS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAM, JSON = "presign-siblings", "--json"
# The query of a link, which makes it a credential; also of one that is encoded within another, as mail programs do it.
_OF_LINK = re.compile(rf"(?:\?|%(?:25)*3F)[^\s'\"]*Signature{EQUALS}[^\s'\")]*", re.IGNORECASE)


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

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, *, standalone_mode: bool = True, **extra: Any
    ) -> Any:
        """Run a command; where a script asked for JSON, a usage error is JSON too."""
        _open_streams()
        if not standalone_mode:
            return super().main(args, standalone_mode=False, **extra)
        given = sys.argv[1:] if args is None else list(args)
        try:
            with _written(as_json=JSON in given):
                code = super().main(given, standalone_mode=False, **extra)
        except click.ClickException as error:
            click.echo(_OF_LINK.sub("?...", _usage_error(error, as_json=JSON in given)), err=True)
            sys.exit(error.exit_code)
        except click.Abort as error:
            if isinstance(error.__cause__, KeyboardInterrupt):  # before the command itself catches it
                leave("stopped", STOPPED, as_json=JSON in given)
            click.echo("Aborted!", err=True)
            sys.exit(1)
        sys.exit(code if isinstance(code, int) else 0)

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


class _Lossy(io.FileIO):
    """Standard error that drops what it cannot write: a closed terminal or a full disk ends no work."""

    def write(self, data: Any, /) -> int:
        """Write bytes, or drop them."""
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def _open_streams() -> None:
    """
    Let standard output write keys that its encoding lacks (``LC_ALL=C``, a pipe on Windows) as escapes.

    A closed stream (``2>&-``, a daemon) drops what is written: else notes would go into the manifest's file. Closed
    standard input is empty. A stream that another program has made non-blocking blocks again.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115 - for the process
        else:
            with suppress(OSError):  # non-blocking, Python takes a pause for the end, and drops output
                os.set_blocking(number, True)
    if isinstance(sys.stdout, io.TextIOWrapper):
        if isinstance(sys.stdout.buffer, io.FileIO):  # PYTHONUNBUFFERED: a partial write would lose the rest silently
            sys.stdout = _text(io.FileIO(sys.stdout.fileno(), "wb", closefd=False), sys.stdout.encoding)
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.__stderr__ is not None and sys.stderr is sys.__stderr__:
        sys.stderr = _text(_Lossy(sys.stderr.fileno(), "wb", closefd=False), sys.stderr.encoding)


def _text(raw: io.FileIO, encoding: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=True)


@contextmanager
def _written(*, as_json: bool) -> Iterator[None]:
    """
    Report that standard output cannot be written, as on a full disk: Python would print a traceback, or exit with 120
    after everything else.
    """
    failed = True
    try:
        try:
            yield
            failed = False
        except SystemExit as left:
            failed = left.code not in {None, 0}
            raise
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        drop_output()
        sys.exit(1)
    except OSError as error:
        drop_output()
        if failed and isinstance(error.__context__, SystemExit):
            raise error.__context__ from None  # the first error was reported already
        leave(f"standard output: {error.strerror}", 1, as_json=as_json)


def drop_output() -> None:
    """Drop what waits to be written."""
    with suppress(OSError):  # a test's standard output is not a file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def failure(message: str, code: int) -> str:
    """Return an error as a line of JSON, for a script."""
    return json.dumps({"error": message, "exit_code": code})


def _usage_error(error: click.ClickException, *, as_json: bool) -> str:
    """Return the text of a usage error."""
    if as_json:
        return failure(error.format_message(), error.exit_code)
    text = io.StringIO()
    error.show(text)
    return text.getvalue().removesuffix("\n")


def leave(message: str, code: int, *, as_json: bool) -> NoReturn:
    """Report an error, and exit with its code."""
    click.echo(failure(message, code) if as_json else f"{PROGRAM}: {readable(message)}", err=True)
    sys.exit(code)


def printable(text: str) -> str:
    """Return a key for a terminal: control characters become escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def readable(message: str) -> str:
    """Return a message for a terminal, with escapes in a key or in another program's words; its lines stay."""
    return "\n".join(map(printable, message.split("\n")))


def examples(*lines: str) -> str:
    """Return an epilog with examples."""
    return "\n".join(["\b", "Examples:", *(f"  {PROGRAM} {line}" for line in lines)])
