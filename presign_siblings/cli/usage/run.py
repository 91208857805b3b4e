"""``run``: the pipeline on this machine, without Lambda."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from presign_siblings.cli.job_options import asked, field_options, signing_options
from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import FILE, Seconds, aws_options, empty_option
from presign_siblings.defaults import HOP_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable

MOST_PROCESSES = 64


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of a run on this machine."""
    of_place = (
        click.option(
            "--to",
            type=FILE,
            metavar="PLACE",
            default="manifest.jsonl",
            show_default=True,
            help="New file, folder, s3://bucket/prefix/, or - for standard output.",
        ),
        click.option(
            "--resume", is_flag=True, help="Continue a run that was stopped; without a checkpoint, begin a new one."
        ),
        click.option(
            "--checkpoint-seconds",
            type=Seconds(0.1),
            metavar="DURATION",
            default=HOP_SECONDS,
            show_default=True,
            help="How often a checkpoint is saved; a killed run repeats no more than this.",
        ),
        empty_option,
        click.option("--no-probe", is_flag=True, help="Do not try three of the links before the manifest is complete."),
        click.option("--dry-run", is_flag=True, help="Only say what the run would take, as ls does; write nothing."),
    )
    for option in reversed((*of_place, field_options, signing_options, aws_options)):
        command = option(command)
    return command


@click.command(
    epilog=examples(
        "run s3://reports/2026/",
        "run s3://reports/2026/ --to links.jsonl.gz --expiry-seconds 7d",
        "run s3://reports/2026/ --to s3://reports/manifests/ --compression gzip",
        "run s3://reports/2026/ --processes 4",
        "run s3://reports/2026/ --dry-run",
        "run s3://reports/2026/ --resume",
        "run s3://reports/2026/ --to - | jq -r .url",
    )
)
@click.argument("source", metavar="S3://BUCKET/PREFIX")
@click.option(
    "--processes",
    type=click.IntRange(1, MOST_PROCESSES),
    metavar="NUMBER",
    help="Processes that share the keys between them, each on a core of its own.  [default: 1]",
)
@run_options
def run(source: str, **options: Any) -> None:
    """
    Write the manifest on this machine, without Lambda: the same hops as the function's, one after the other.

    Ctrl-C stops at the next page and leaves a checkpoint. --resume continues from the checkpoint, after a kill too. The
    URLs are signed with the caller's own credentials, and die with those credentials. A manifest in a file is readable
    by its owner alone, and never replaces another file. Ends with 3 when the manifest holds no key (unless
    --allow-empty says that this was expected), and when its first link, its last or one between gives nothing.
    """
    asked(source, options)
