"""``revoke``: kill every link that was signed so far."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import click
from botocore.exceptions import BotoCoreError, ClientError

from presign_siblings.cli.program import PROGRAM
from presign_siblings.errors import DONE, FAILED, NotFoundError, WrongUseError
from presign_siblings.remote.aws_clock import time_of
from presign_siblings.remote.revoke import (
    DistributionKey,
    SigningKey,
    SigningRole,
    distribution_key_of,
    distrust,
    other_keys,
    revoke,
    signer_of,
)
from presign_siblings.session import words_of_aws
from processor.causes import why
from processor.instant import ISO

if TYPE_CHECKING:
    from types_boto3_iam import IAMClient

    from presign_siblings.cli.console import Terminal
    from presign_siblings.remote.function import Deployed

_Step = tuple[str, str, Callable[[], None]]  # its effect, what breaks by it, the call


def revoke_command(terminal: Terminal, stack: str | None, function: str, *, yes: bool, dry_run: bool) -> None:
    """Kill every link that the function has signed so far, of all manifests: for a manifest that has leaked."""
    deployed, functions = terminal.deployed(stack, function), terminal.client("lambda")
    answer = functions.get_function_configuration(FunctionName=deployed.named)
    now = time_of(answer, datetime.now(UTC))  # by a late clock of this machine, the newest sessions would live
    key, left = _key(terminal, deployed)
    steps, lives = _of_s3(terminal, deployed, answer["Role"], now)
    left += lives
    if key is not None and key.groups:
        steps.append((*_words_of_cloudfront(key), partial(distrust, key, terminal.client("cloudfront"))))
    if steps and not dry_run:
        _ask(terminal, f"{_joined(steps, 0)}. {_joined(steps, 1)}", yes=yes)
        steps, refused = _taken(steps)
        left += refused
    effect, breaks = _joined(steps, 0), _joined(steps, 1)
    if terminal.json:
        facts = {"does": effect, "breaks": breaks, "left": left, "before": now.isoformat()}
        terminal.result({"revoked": not dry_run and not left, **facts})
    else:
        if steps:
            terminal.say(f"{'would do' if dry_run else 'done'}: {effect}")
            terminal.say(f"it breaks: {breaks}")
        terminal.say(f"proof: {PROGRAM} verify MANIFEST fails with {_refusals(key)}")
        terminal.say(f"then: {PROGRAM} invoke --fresh for each job, which a manifest of dead links answers otherwise")
        for each in left:
            terminal.note(f"NOT DONE: {each}")
    raise SystemExit(FAILED if left else DONE)


def _taken(steps: list[_Step]) -> tuple[list[_Step], list[str]]:
    """Take each step, whether or not AWS has refused another; return those that are done, and why others are not."""
    done, refused = list[_Step](), list[str]()
    for step in steps:
        try:
            step[2]()
        except (BotoCoreError, ClientError) as error:
            refused.append(f"{step[0]}: {words_of_aws(error)}")
        else:
            done.append(step)
    return done, refused


def _joined(steps: list[_Step], part: int) -> str:
    return "; ".join(str(step[part]) for step in steps)


def _has_distribution(deployed: Deployed) -> bool:
    return bool(deployed.environment.get("CLOUDFRONT_KEY_PAIR_ID"))


def _of_s3(terminal: Terminal, deployed: Deployed, role: str, now: datetime) -> tuple[list[_Step], list[str]]:
    """
    Return the step that kills S3's links, and which links it cannot kill.

    :raises Exception: The signer is unknown, and there is no distribution, whose links could still be killed.
    """
    iam = terminal.client("iam")
    try:
        signer = signer_of(deployed, role, terminal.client("secretsmanager"), iam)
    except (BotoCoreError, ClientError, NotFoundError) as error:
        if not _has_distribution(deployed):
            raise
        return [], [f"S3's links live: {words_of_aws(error) or error}"]
    return [(*_words(signer, now), partial(revoke, signer, iam, now))], _others(signer, iam)


def _key(terminal: Terminal, deployed: Deployed) -> tuple[DistributionKey | None, list[str]]:
    """Return the key that signs for CloudFront, and which of its links cannot be killed here."""
    if not _has_distribution(deployed):
        return None, []
    try:
        key = distribution_key_of(deployed, terminal.client("cloudfront"))
    except (BotoCoreError, ClientError) as error:
        return None, [f"CloudFront's links live: {words_of_aws(error)}"]
    return key, [] if key is None else _left(key)


def _others(signer: SigningRole | SigningKey, iam: IAMClient) -> list[str]:
    """Return which other keys of the user may have signed: a rotated key's links live while the key is active."""
    if isinstance(signer, SigningRole):
        return []
    try:
        found = other_keys(signer, iam)
    except ClientError as error:
        return [f"whether user {signer.user} has another active key, which may have signed, is not known: {why(error)}"]
    return [
        f"access key …{each[-4:]} of user {signer.user} is active, too: if the signing secret has held it, its links "
        "live until it is inactive (aws iam update-access-key)"
        for each in found
    ]


def _words_of_cloudfront(key: DistributionKey) -> tuple[str, str]:
    effect = f"CloudFront's public key {key.key_id} leaves key group {', '.join(key.groups)}"
    pair = "another key pair (CloudFrontKeyPairId, CloudFrontSecret)"
    return effect, f"every link for CloudFront, new ones too, until the stack has {pair}"


def _left(key: DistributionKey) -> list[str]:
    """Return which links cannot be killed here, and what kills them."""
    if not (key.groups or key.alone):
        return [f"no key group of this account trusts CloudFront's public key {key.key_id}: look in the distribution's"]
    return [
        f"key group {name} trusts no key but {key.key_id}: put the public key of a new pair in its place (aws "
        f"cloudfront get-key-group --id {name}, then update-key-group); until then CloudFront's links live"
        for name in key.alone
    ]


def _refusals(key: DistributionKey | None) -> str:
    """Return how dead links answer, and when."""
    of_s3 = "AccessDenied or InvalidAccessKeyId, within a minute or so"
    return of_s3 if key is None else f"{of_s3}; CloudFront's links within some minutes, wherever they are asked"


def _words(signer: SigningRole | SigningKey, now: datetime) -> tuple[str, str]:
    """Return what is done, and what breaks by it."""
    if isinstance(signer, SigningKey):
        key = f"…{signer.key_id[-4:]}"
        return (
            f"access key {key} of user {signer.user} becomes inactive",
            "every job fails until the signing secret holds another key",
        )
    effect = f"role {signer.name} denies all sessions that were issued before {now:{ISO}}"
    if not signer.is_the_functions:
        return effect, "jobs under way keep the dead links that they have written, and continue with new sessions"
    return effect, (
        "running environments of the function hold such sessions too: their jobs fail and are delivered again until "
        f"Lambda gives new ones, at once after `{PROGRAM} deploy --renew`"
    )


def _ask(terminal: Terminal, what: str, *, yes: bool) -> None:
    if yes:
        return
    if terminal.json or not terminal.notes.is_terminal:
        raise WrongUseError("there is no terminal to ask at: add --yes, or --dry-run to see what it would do")
    click.confirm(f"{what}. Continue?", abort=True, err=True)
