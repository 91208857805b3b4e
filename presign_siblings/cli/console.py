"""What the commands share: clients, output for readers and for scripts, exit codes."""

from __future__ import annotations

import json
import os
import sys
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TextIO

import click

from presign_siblings.cli.environment import aws_environment
from presign_siblings.cli.interrupt import Ended, ending
from presign_siblings.cli.program import drop_output, leave, readable
from presign_siblings.errors import FAILED, NO_MEMORY, NO_THREADS, STOPPED, USAGE, CommandError, is_no_thread, naming
from processor.causes import why
from processor.errors import InvalidEventError, PresignSiblingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.console import Console

    from presign_siblings.remote.function import Deployed
    from presign_siblings.remote.jobs import Jobs

FORCES = ("FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE")  # make rich treat any stream as a terminal
WIDE = 10_000  # columns; what a script reads is never wrapped


@dataclass(frozen=True)
class Terminal:
    """
    The terminal and the AWS account of one command.

    :param json:    Whether results are JSON, for scripts.
    :param quiet:   Whether notes are left out.
    :param streams: Whether standard output carries the command's product; results are then notes.
    """

    json: bool
    quiet: bool = False
    streams: bool = False

    @cached_property
    def out(self) -> Console:
        """Results, on standard output."""
        if self.streams:
            return self.notes
        made = _console(sys.stdout)
        if not made.is_terminal:
            made.width = WIDE
        return made

    @cached_property
    def notes(self) -> Console:
        """Everything else, on standard error."""
        return _console(sys.stderr, quiet=self.quiet)

    @property
    def is_watched(self) -> bool:
        """Whether the notes go to a terminal, which shows progress."""
        return (sys.stderr.isatty() or any(name in os.environ for name in FORCES)) and self.notes.is_terminal

    def client(self, service: str) -> Any:
        """Make a client; profile, region and endpoint come from the environment."""
        from presign_siblings import connections  # noqa: PLC0415 - boto3 takes 0.3 s, which a local file need not wait for

        return connections.client(service)

    def deployed(self, stack: str | None, function: str) -> Deployed:
        """Look up the function that the options name."""
        from presign_siblings.remote import function as deployments  # noqa: PLC0415 - as above

        if stack is not None:
            return deployments.of_stack(self.client("cloudformation"), self.client("lambda"), stack)
        functions = self.client("lambda")
        return deployments.live(functions, deployments.of_function(functions, function))

    def jobs(self, table: str | None, stack: str | None, function: str) -> Jobs:
        """Return the jobs table that the options name."""
        from presign_siblings.remote.jobs import Jobs  # noqa: PLC0415 - as above

        return Jobs(self.client("dynamodb"), table or self.deployed(stack, function).table())

    def result(self, value: object) -> None:
        """Print a result as one line of JSON."""
        with naming("standard output"):
            click.echo(json.dumps(value), err=self.streams)

    def say(self, text: str) -> None:
        """Print a line of a result for a reader."""
        if self.streams:
            self.note(text)
        else:
            with naming("standard output"):
                print(text, flush=True)

    def note(self, text: str) -> None:
        """Print a line that is not part of the result."""
        if not self.quiet:
            print(readable(text), file=sys.stderr, flush=True)


def _print_request(line: str) -> None:
    click.echo(line, err=True)


@contextmanager
def command(*, as_json: bool, quiet: bool, verbose: bool, **connection: Any) -> Iterator[Terminal]:
    """Give a command its terminal; an error in the block is reported, and ends the process with its exit code."""
    reported = failures(as_json=as_json)
    with ending(), _heard(verbose=verbose), reported, aws_environment(**connection), failures(as_json=as_json):
        yield Terminal(as_json, quiet)


def _console(file: TextIO, *, quiet: bool = False) -> Console:
    """Return a stream for tables and progress; a key that holds ``:name:`` is shown as it is."""
    from rich.console import Console  # noqa: PLC0415 - 0.05 s, which plain text need not wait for

    return Console(file=file, highlight=False, emoji=False, quiet=quiet)


def _heard(*, verbose: bool) -> AbstractContextManager[None]:
    if not verbose:
        return nullcontext()
    from presign_siblings import connections  # noqa: PLC0415 - as above

    return connections.reporting_requests(_print_request)


@contextmanager
def failures(*, as_json: bool) -> Iterator[None]:
    """Turn an error into a message on standard error, and an exit code."""
    try:
        yield
    except CommandError as error:
        leave(str(error), error.exit_code, as_json=as_json)
    except InvalidEventError as error:
        leave(str(error), USAGE, as_json=as_json)
    except PresignSiblingsError as error:
        leave(str(error), FAILED, as_json=as_json)
    except KeyboardInterrupt as stop:
        drop_output()  # its reader may not read on
        code = stop.code if isinstance(stop, Ended) else STOPPED
        leave(f"stopped: {stop}" if stop.args else "stopped", code, as_json=as_json)
    except BrokenPipeError:
        raise  # click ends quietly
    except MemoryError:
        leave(NO_MEMORY, FAILED, as_json=as_json)
    except Exception as error:
        if is_no_thread(error):
            leave(NO_THREADS, FAILED, as_json=as_json)
        from presign_siblings.session import words_of_aws  # noqa: PLC0415 - as above

        message = why(error) if isinstance(error, OSError) else words_of_aws(error)
        if message is None:
            raise
        leave(message, FAILED, as_json=as_json)


def coloured(text: str, colour: str) -> str:
    """Return a word of a result, coloured where standard output is a terminal."""
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return click.style(text, colour) if sys.stdout.isatty() and not plain else text
