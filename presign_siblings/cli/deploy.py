"""``deploy`` and ``package``: the stack in the caller's account, and the zip that it runs."""

from __future__ import annotations

import hashlib
import shutil
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from presign_siblings.deploy import change_set, contents, lifecycle, package, preflight, stacks
from presign_siblings.deploy.deploy import TAGS, key_of, upload, upload_template
from presign_siblings.deploy.deploy import deploy as deploy_stack
from presign_siblings.deploy.parameters import check, check_given, check_value, defaults
from presign_siblings.errors import WrongUseError
from presign_siblings.version import VERSION, release
from processor.instant import ISO
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_s3 import S3Client

    from presign_siblings.cli.console import Terminal

# Option, and the parameter of the template that it sets.
PARAMETERS = {
    "bucket": "BucketName",
    "code_bucket": "CodeBucket",
    "prefix": "Prefix",
    "schedule": "ScheduleExpression",
    "alarm_email": "AlarmEmail",
    "architecture": "Architecture",
    "runtime": "Runtime",
}


def deploy(terminal: Terminal, stack: str, *, delete: bool, **options: Any) -> None:
    """Create or update the stack in the caller's account, and move the alias `live` to the new version."""
    cloudformation = terminal.client("cloudformation")
    if delete:
        _delete(terminal, cloudformation, stack, options)
    else:
        _deploy(terminal, stack, options)


def _deploy(terminal: Terminal, stack: str, options: dict[str, Any]) -> None:
    parameters, owner = _parameters(terminal, options)
    code_bucket = parameters["CodeBucket"]
    s3, cloudformation, functions = terminal.client("s3"), terminal.client("cloudformation"), terminal.client("lambda")
    before = stacks.values(cloudformation, stack)
    planned = {**defaults(), **(before or {}), **parameters}
    check(planned)
    checks = preflight.Preflight(s3, functions, planned, before)
    for note in checks.check(allow_empty=options["allow_empty"]):
        terminal.note(f"note: {note}")
    archive = _built(terminal, options, planned)
    tags = {**TAGS, **options["tags"]} if options["tags"] else None
    if options["dry_run"]:
        parameters["CodeKey"] = key_of(archive)
        where = upload_template(s3, code_bucket, owner)
        _show(terminal, stack, change_set.shown(cloudformation, stack, parameters, tags=tags, template_url=where))
        _report_rules(terminal, s3, planned, merge=options["merge_lifecycle"], dry=True)
        return
    parameters["CodeKey"] = upload(s3, code_bucket, archive, owner)
    terminal.note(f"applying the change set of stack {stack}; a first one takes some minutes")
    changed, outputs = deploy_stack(
        cloudformation, functions, stack, parameters, tags=tags, template_url=upload_template(s3, code_bucket, owner)
    )
    _report(terminal, stack, "deployed" if changed else "no changes", outputs)
    now = stacks.values(cloudformation, stack) or {}
    _report_rules(terminal, s3, now, merge=options["merge_lifecycle"])


def _parameters(terminal: Terminal, options: dict[str, Any]) -> tuple[dict[str, str], str | None]:
    """
    Return the parameters of the options, each checked by the template's rule, and who must own the code's bucket.

    :raises WrongUseError: A parameter breaks its rule.
    """
    check_given(options["sets"])
    parameters = {each: options[name] for name, each in PARAMETERS.items() if options[name] is not None}
    for name, each in PARAMETERS.items():
        if each in parameters:
            check_value(each, parameters[each], f"--{name.replace('_', '-')} {parameters[each]}")
    # Without a changed setting, Lambda publishes no version and keeps its environments.
    renewed = f" renewed {datetime.now(UTC):{ISO}}" if options["renew"] else ""
    parameters |= {"Release": release() + renewed, **options["sets"]}
    if parameters.get("CodeBucket"):
        return parameters, None
    # Anyone who knows the account knows this name, and could have made the bucket.
    account: str = terminal.client("sts").get_caller_identity()["Account"]
    return parameters | {"CodeBucket": f"sosw-s3-{account}"}, account


def _built(terminal: Terminal, options: dict[str, Any], planned: dict[str, str]) -> Path:
    """Build the package that a stack of these parameters needs."""
    terminal.note("building the package for Lambda; pip downloads the wheels the first time")
    extras = {*options["extras"], *(["cloudfront"] if planned.get("CloudFrontDomain") else [])}
    target = package.deployment(options["architecture"], options["runtime"], options["sosw"], extras)
    _note_slow_start(terminal, target, options["runtime"])
    return package.build(target, package.cache_folder())


def _note_slow_start(terminal: Terminal, target: package.Target, runtime: str) -> None:
    """Note that the zip has no byte code, if so."""
    if target.compiler is None:
        terminal.note(
            f"note: no {runtime} is installed here, so the zip has no byte code: a cold start takes twice as long"
        )


def _report_rules(
    terminal: Terminal, s3: S3Client, parameters: dict[str, str], *, merge: bool, dry: bool = False
) -> None:
    """Check or merge the lifecycle rules of the bucket, and report the result."""
    for line in lifecycle.looked_after(s3, parameters, merge=merge, dry=dry):
        (terminal.note if terminal.json else terminal.say)(line)


def _delete(terminal: Terminal, cloudformation: CloudFormationClient, stack: str, options: dict[str, Any]) -> None:
    if options["dry_run"]:
        _show(terminal, stack, stacks.deleted(cloudformation, stack))
        return
    _confirm(cloudformation, stack, yes=options["yes"])
    stacks.delete(cloudformation, stack)
    _report(terminal, stack, "deleted; buckets and their objects stay")


def _confirm(cloudformation: CloudFormationClient, stack: str, *, yes: bool) -> None:
    """
    Say what is deleted with a stack, and ask for consent.

    :raises WrongUseError: No terminal can answer.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUseError(
            f"--delete asks before stack {stack} is deleted, and there is no terminal to ask at: add --yes"
        )
    found = stacks.parameters(stacks.ours(cloudformation, stack))
    signs = (
        ""
        if found.get("SigningSecret") or found.get("SigningRoleArn")
        else ("every link that the function has signed dies with its role, also in manifests that stay; ")
    )
    click.confirm(
        f"Stack {stack}: {signs}jobs under way end, and function, logs, jobs table, queues with the messages in them, "
        "schedule and alarms are deleted. Buckets and their objects stay. Delete it?",
        abort=True,
        err=True,
    )


def _show(terminal: Terminal, stack: str, changes: list[dict[str, str]]) -> None:
    if terminal.json:
        terminal.result({"stack": stack, "changes": changes})
        return
    terminal.say(
        f"stack {stack}: {plural(len(changes), 'resource')} would change" if changes else f"stack {stack}: no changes"
    )
    for each in changes:
        replaced = {"True": ", replaced", "Conditional": ", perhaps replaced"}.get(each["replaced"], "")
        terminal.say(f"  {each['action'].lower():8} {each['name']} ({each['type']}{replaced})")


def _report(terminal: Terminal, stack: str, done: str, outputs: dict[str, str] | None = None) -> None:
    if terminal.json:
        terminal.result({"stack": stack, "done": done, "outputs": outputs or {}})
        return
    terminal.say(f"stack {stack}: {done}")
    for name, value in (outputs or {}).items():
        terminal.say(f"  {name:16} {value}")


def package_command(  # noqa: PLR0913 - an option each
    terminal: Terminal, to: Path, architecture: str, runtime: str, sosw: str, extras: Sequence[str], *, dry_run: bool
) -> None:
    """Write the zip that the function runs, for a deployment of your own, with what it holds beside it."""
    target = package.deployment(architecture, runtime, sosw, extras)
    place = to / f"presign-siblings-{target.name}.zip"
    if dry_run:
        if terminal.json:
            terminal.result({"dry_run": True, "file": str(place), "exists": place.exists()})
        else:
            terminal.say(f"{place} would be {'replaced' if place.exists() else 'written'}")
        return
    to.mkdir(parents=True, exist_ok=True)
    _note_slow_start(terminal, target, runtime)
    shutil.copyfile(package.build(target, package.cache_folder()), place)
    content, found = place.read_bytes(), contents.packages(place)
    bill, licences = place.with_suffix(".cdx.json"), place.with_name(f"{place.stem}-licences.txt")
    bill.write_text(contents.bill_of_materials(place, VERSION, found), encoding="utf-8")
    licences.write_text(contents.licence_list(found), encoding="utf-8")
    digest = hashlib.sha256(content).hexdigest()
    if terminal.json:
        beside = {"bill_of_materials": str(bill), "licences": str(licences)}
        terminal.result({"file": str(place), "bytes": len(content), "sha256": digest, **beside})
    else:
        terminal.say(f"{place}  {len(content) / 1e6:.1f} MB  sha256 {digest}")
        terminal.note(f"what it holds: {bill}, {licences}")
