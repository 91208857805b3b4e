"""``revoke``: kill every link that was signed so far."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from presign_siblings.cli.program import PROGRAM
from presign_siblings.errors import WrongUseError
from presign_siblings.remote.revoke import SigningKey, SigningRole, revoke, signer_of

if TYPE_CHECKING:
    from presign_siblings.cli.console import Terminal


def revoke_command(terminal: Terminal, stack: str | None, function: str, *, yes: bool, dry_run: bool) -> None:
    """Kill every link that the function has signed so far, of all manifests: for a manifest that has leaked."""
    deployed, functions = terminal.deployed(stack, function), terminal.client("lambda")
    role_arn = functions.get_function_configuration(FunctionName=deployed.named)["Role"]
    iam, now = terminal.client("iam"), datetime.now(UTC)
    signer = signer_of(deployed, role_arn, terminal.client("secretsmanager"), iam)
    does, breaks = _words(signer, now)
    if not dry_run:
        _ask(terminal, f"{does}. {breaks}", yes=yes)
        revoke(signer, iam, now)
    if terminal.json:
        terminal.result({"revoked": not dry_run, "does": does, "breaks": breaks, "before": now.isoformat()})
        return
    terminal.say(f"{'would do' if dry_run else 'done'}: {does}")
    terminal.say(f"it breaks: {breaks}")
    terminal.say(
        f"proof: {PROGRAM} verify MANIFEST fails with AccessDenied or InvalidAccessKeyId, within a minute or so"
    )


def _words(signer: SigningRole | SigningKey, now: datetime) -> tuple[str, str]:
    """Say what is done, and what breaks by it."""
    if isinstance(signer, SigningKey):
        key = f"…{signer.key_id[-4:]}"
        return (
            f"access key {key} of user {signer.user} becomes inactive",
            "every job fails until the signing secret holds another key",
        )
    does = f"role {signer.name} denies all sessions that were issued before {now:%Y-%m-%dT%H:%M:%SZ}"
    if not signer.is_the_functions:
        return does, "jobs under way lose their links and continue with new sessions"
    return does, (
        "running environments of the function hold such sessions too: their jobs fail and are delivered again until "
        f"Lambda gives new ones, at once after `{PROGRAM} deploy`"
    )


def _ask(terminal: Terminal, what: str, *, yes: bool) -> None:
    if yes:
        return
    if terminal.json or not terminal.notes.is_terminal:
        raise WrongUseError("say --yes, or --dry-run to see what it would do")
    click.confirm(f"{what}. Continue?", abort=True, err=True)
