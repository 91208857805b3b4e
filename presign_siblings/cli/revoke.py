"""``revoke``: kill every link that was signed so far."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from presign_siblings.cli.program import PROGRAM
from presign_siblings.errors import DONE, FAILED, WrongUseError
from presign_siblings.remote.revoke import (
    DistributionKey,
    SigningKey,
    SigningRole,
    distribution_key_of,
    distrust,
    revoke,
    signer_of,
)

if TYPE_CHECKING:
    from presign_siblings.cli.console import Terminal
    from presign_siblings.remote.function import Deployed


def revoke_command(terminal: Terminal, stack: str | None, function: str, *, yes: bool, dry_run: bool) -> None:
    """Kill every link that the function has signed so far, of all manifests: for a manifest that has leaked."""
    deployed, functions = terminal.deployed(stack, function), terminal.client("lambda")
    role_arn = functions.get_function_configuration(FunctionName=deployed.named)["Role"]
    iam, now = terminal.client("iam"), datetime.now(UTC)
    signer = signer_of(deployed, role_arn, terminal.client("secretsmanager"), iam)
    key = distribution_key_of(deployed, terminal.client("cloudfront")) if _has_distribution(deployed) else None
    told = [_words(signer, now), *_words_of_cloudfront(key)]
    does, breaks = ("; ".join(words) for words in zip(*told, strict=True))
    left = _left(key)
    if not dry_run:
        _ask(terminal, f"{does}. {breaks}", yes=yes)
        revoke(signer, iam, now)
        if key is not None:
            distrust(key, terminal.client("cloudfront"))
    if terminal.json:
        facts = {"does": does, "breaks": breaks, "left": left, "before": now.isoformat()}
        terminal.result({"revoked": not dry_run and not left, **facts})
    else:
        terminal.say(f"{'would do' if dry_run else 'done'}: {does}")
        terminal.say(f"it breaks: {breaks}")
        terminal.say(f"proof: {PROGRAM} verify MANIFEST fails with {_refusals(key)}")
        for each in left:
            terminal.note(f"NOT DONE: {each}")
    raise SystemExit(FAILED if left else DONE)


def _has_distribution(deployed: Deployed) -> bool:
    return bool(deployed.environment.get("CLOUDFRONT_KEY_PAIR_ID"))


def _words_of_cloudfront(key: DistributionKey | None) -> list[tuple[str, str]]:
    if key is None or not key.groups:
        return []
    does = f"CloudFront's public key {key.key_id} leaves key group {', '.join(key.groups)}"
    pair = "another key pair (CloudFrontKeyPairId, CloudFrontSecret)"
    return [(does, f"every link for CloudFront, new ones too, until the stack has {pair}")]


def _left(key: DistributionKey | None) -> list[str]:
    """Say which links this cannot kill, and what does."""
    if key is None:
        return []
    if not (key.groups or key.alone):
        return [f"no key group of this account trusts CloudFront's public key {key.key_id}: look in the distribution's"]
    return [
        f"key group {name} trusts no key but {key.key_id}: put the public key of a new pair in its place (aws "
        f"cloudfront get-key-group --id {name}, then update-key-group); until then CloudFront's links live"
        for name in key.alone
    ]


def _refusals(key: DistributionKey | None) -> str:
    """Say how dead links answer, and when."""
    of_s3 = "AccessDenied or InvalidAccessKeyId, within a minute or so"
    return of_s3 if key is None else f"{of_s3}; CloudFront's links within some minutes, wherever they are asked"


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
        raise WrongUseError("nobody is here to answer: add --yes, or --dry-run to see what it would do")
    click.confirm(f"{what}. Continue?", abort=True, err=True)
