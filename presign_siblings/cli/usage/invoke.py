"""``invoke`` and ``resume``: start a job on a deployed function, or continue one, and wait on request."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from presign_siblings.cli.job_options import asked, field_options, flag_option
from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import Seconds, aws_options, empty_option, function_options
from presign_siblings.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Callable


def wait_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that wait for the job's end."""
    command = click.option("--wait", is_flag=True, help="Wait for the job's end; the exit code says how it ended.")(
        command
    )
    command = click.option("--url", is_flag=True, help="Wait, and print a link to the manifest: a credential.")(command)
    command = click.option(
        "--page-url", is_flag=True, help="Wait, and print a link to the recipient's page (--page): a credential."
    )(command)
    command = click.option("--follow", is_flag=True, help="Wait, and print the log lines of the siblings.")(command)
    command = empty_option(command)
    return click.option("--timeout", type=Seconds(0), metavar="DURATION", help="The longest wait.")(command)


@click.command(
    epilog=examples(
        "invoke",
        "invoke s3://reports/2026/ --compression gzip --follow",
        "invoke --stack reports --event '{\"fresh\": true}' --wait --timeout 3600",
        "invoke --event @resume.json",
        "invoke s3://reports/2026/ --dry-run",
        "invoke --url > link.txt",
        "invoke --page --page-url",
    )
)
@click.argument("source", required=False, metavar="[S3://BUCKET/PREFIX]")
@field_options
@flag_option("fresh")
@flag_option("force")
@click.option("--event", metavar="JSON|@FILE", help="The event itself: JSON, @FILE, or @- for standard input.")
@click.option("--dry-run", is_flag=True, help="Only say what would be started.")
@wait_options
@function_options
@aws_options
def invoke(source: str | None, **options: Any) -> None:
    """
    Start a job on a deployed function.

    Fields that are not given come from the function's own environment. This command applies the function's rules first,
    so it refuses a wrong field before it invokes anything.
    """
    asked(source, options)


@click.command(epilog=examples("resume 3f2a", "resume 3f2a 77c0 --stack reports", "resume 3f2a --follow"))
@click.argument("jobs", nargs=-1, required=True, metavar="JOB...")
@click.option("--dry-run", is_flag=True, help="Only say what would be continued.")
@wait_options
@function_options
@aws_options
def resume(jobs: tuple[str, ...], **options: Any) -> None:
    """
    Continue jobs that were parked, or whose hop has died.

    JOB is a job's key or id, or the beginning of either. A resumed job has new budgets, and no `stop` any more.
    """
    if len(jobs) > 1 and waits(options):
        raise WrongUseError("--wait, --follow, --url and --page-url take one JOB")


def waits(options: dict[str, Any]) -> bool:
    """Whether the command waits for the end of the job."""
    return bool(options["wait"] or options["follow"] or options["url"] or options["page_url"])
