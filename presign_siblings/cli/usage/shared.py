"""What the commands share: the options of the AWS CLI, and those that name a function and its jobs table."""

from __future__ import annotations

from functools import wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from presign_siblings.cli.program import leave
from presign_siblings.defaults import FUNCTION, MAX_READ_SECONDS, WEEK_SECONDS
from presign_siblings.errors import CommandError
from processor.errors import InvalidEventError

if TYPE_CHECKING:
    from collections.abc import Callable

# Options that say how AWS is reached.
CONNECTION = ("profile", "region", "endpoint_url", "ca_bundle", "read_timeout", "request_payer")

# A file, another place or "-", so nothing is checked here; a shell completes it as a file's name.
FILE = click.Path(readable=False)


class Seconds(click.ParamType):  # type: ignore[type-arg]
    """A number of seconds, or a duration such as ``90s`` or ``PT90S``, of the closed range."""

    name = "duration"

    def __init__(self, low: float, high: float = WEEK_SECONDS) -> None:
        self._low, self._high = low, high

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return seconds."""
        from processor.job.times import seconds  # noqa: PLC0415 - a job's modules take 0.05 s to import

        try:
            return seconds("" if param is None else param.opts[-1], value, self._low, self._high)
        except InvalidEventError as error:
            self.fail(error.rule, param, ctx)


def aws_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """
    Give a command the options of the AWS CLI and ``--json``, and let it work once it is called.

    The command itself refuses what can be refused without AWS. Then the function of the same name, in the module of the
    same name in ``presign_siblings.cli``, is imported, and gets the ``Terminal`` and the options.
    """

    @click.option("--profile", metavar="NAME", help="AWS profile (AWS_PROFILE).")
    @click.option("--region", metavar="NAME", help="AWS region (AWS_REGION, AWS_DEFAULT_REGION).")
    @click.option("--endpoint-url", metavar="URL", help="Another endpoint for every service (AWS_ENDPOINT_URL).")
    @click.option("--ca-bundle", type=FILE, metavar="FILE", help="Certificates to trust (AWS_CA_BUNDLE).")
    @click.option(
        "--read-timeout",
        type=Seconds(1, MAX_READ_SECONDS),
        metavar="DURATION",
        help="Longest wait for an answer of S3, by default 60 (S3_READ_TIMEOUT).",
    )
    @click.option("--request-payer", type=click.Choice(["requester"]), help="Pay for what S3 bills (REQUEST_PAYER).")
    @click.option("--json", "as_json", is_flag=True, help="Print results as JSON, for scripts.")
    @click.option("-q", "--quiet", is_flag=True, help="Print results and errors only: no progress, no notes.")
    @click.option("-v", "--verbose", is_flag=True, help="Print each request to AWS and its answer, on standard error.")
    @wraps(command)
    def wrapped(*, as_json: bool, quiet: bool, verbose: bool, **options: Any) -> None:
        if quiet and verbose:
            raise click.UsageError("--quiet and --verbose contradict each other")
        connection = {name: options.pop(name) for name in CONNECTION}
        try:
            command(**options)
        except CommandError as error:
            leave(str(error), error.exit_code, as_json=as_json)
        console = import_module("presign_siblings.cli.console")
        work = getattr(import_module(command.__module__.replace(".usage.", ".")), command.__name__)
        with console.command(as_json=as_json, quiet=quiet, verbose=verbose, **connection) as terminal:
            work(terminal, **options)

    return wrapped


def empty_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option that accepts a manifest without a key."""
    return click.option("--allow-empty", is_flag=True, help="End with 0 although the manifest holds no key.")(command)


def function_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that name a deployed function."""
    command = click.option("--stack", metavar="NAME", help="The function's stack, in place of --function.")(command)
    return click.option(
        "--function",
        metavar="NAME",
        default=FUNCTION,
        show_default=True,
        help="The function: its name or ARN; an alias may follow after a colon, by default the one that schedules use.",
    )(command)


def table_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option that names the jobs table."""
    return click.option("--table", metavar="NAME", help="The jobs table; by default the function's own.")(command)
