"""``rollback``: an older version of the function goes live again."""

from __future__ import annotations

from typing import Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import aws_options


@click.command(
    epilog=examples(
        "rollback --stack presign-siblings",
        "rollback --stack presign-siblings --to previous",
        "rollback --stack presign-siblings --to 7 --dry-run",
        "rollback --stack presign-siblings --to 1a2b3c4",
    )
)
@click.option("--stack", metavar="NAME", required=True, help="The CloudFormation stack.")
@click.option(
    "--to", metavar="VERSION", help="Number of a version, the commit that it was made from, or `previous`; else a list."
)
@click.option("--dry-run", is_flag=True, help="Only say what would go live.")
@aws_options
def rollback(**_: Any) -> None:
    """
    Move the alias `live` to another version, with its code and its settings; without --to, list the versions.

    A running chain continues with that version at its next hop. An older version refuses what a newer one wrote in a
    format of its own, with an error that names the format. The next `deploy` moves `live` to the newest version again.
    """
