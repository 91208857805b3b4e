"""``revoke``: kill every link that was signed so far."""

from __future__ import annotations

from typing import Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import aws_options, function_options


@click.command("revoke", epilog=examples("revoke --dry-run", "revoke --yes"))
@click.option("--yes", is_flag=True, help="Do it without asking.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done, and what it would break.")
@function_options
@aws_options
def revoke_command(**_: Any) -> None:
    """
    Kill every link that the function has signed so far, of all manifests: for a manifest that has leaked.

    A role's sessions that were issued before now are denied everything; an IAM user's access key becomes inactive;
    CloudFront's public key leaves the key groups that trust it. Where something is left to do, it ends with 1.
    Manifests made afterwards have links that work. `verify` of the leaked manifest shows that its links are dead.
    """
