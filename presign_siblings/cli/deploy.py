"""``deploy`` and ``package``: the stack in the caller's account, and the zip that it runs."""

from __future__ import annotations

import hashlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from presign_siblings.cli.console import Terminal, aws_options
from presign_siblings.cli.program import examples
from presign_siblings.deploy import change_set, lifecycle, package, preflight
from presign_siblings.deploy.deploy import TAGS, check, defaults, go_live, key_of, upload, upload_template
from presign_siblings.deploy.deploy import deploy as deploy_stack
from presign_siblings.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# Option, and the parameter of the template that it sets.
PARAMETERS = {
    "bucket": "BucketName",
    "prefix": "Prefix",
    "schedule": "ScheduleExpression",
    "architecture": "Architecture",
    "runtime": "Runtime",
}


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what the package is built for."""
    choices = {
        "architecture": ("ARCH", package.ARCHITECTURES, package.DEFAULT_ARCHITECTURE),
        "runtime": ("RUNTIME", package.RUNTIMES, package.DEFAULT_RUNTIME),
        "sosw": ("SOSW", package.LOCKS, package.DEFAULT_SOSW),
    }
    helps = {
        "architecture": "Architecture of the function",
        "runtime": "Runtime of the function",
        "sosw": "Major version of sosw",
    }
    for name, (variable, allowed, default) in choices.items():
        command = click.option(
            f"--{name}",
            type=click.Choice(list(allowed)),
            envvar=variable,
            default=default,
            show_default=True,
            help=f"{helps[name]} ({variable}).",
        )(command)
    return command


def _pairs(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for text in values:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{text!r} must be NAME=VALUE")
        pairs[name] = value
    return pairs


@click.command(
    epilog=examples(
        "deploy --stack presign-siblings --bucket reports --prefix inbox/ --code-bucket my-artifacts",
        "deploy --stack presign-siblings --bucket reports --set Compression=gzip --tag team=reporting",
        "deploy --stack presign-siblings --bucket reports --dry-run",
        "deploy --stack presign-siblings --live-version 1",
        "deploy --stack presign-siblings --delete",
    )
)
@click.option("--stack", metavar="NAME", required=True, help="The CloudFormation stack.")
@click.option("--bucket", metavar="NAME", help="Bucket of the objects to sign; it must exist.")
@click.option("--prefix", metavar="PREFIX", help="Prefix that a job lists; without a prefix, the whole bucket.")
@click.option("--schedule", metavar="EXPRESSION", help="When a job starts, for example 'rate(1 day)'.")
@click.option(
    "--code-bucket",
    metavar="NAME",
    envvar="CODE_BUCKET",
    help="Bucket for the Lambda package (CODE_BUCKET); by default sosw-s3-<account>.",
)
@click.option("--set", "sets", metavar="NAME=VALUE", multiple=True, callback=_pairs, help="Any other parameter.")
@click.option(
    "--tag", "tags", metavar="NAME=VALUE", multiple=True, callback=_pairs, help="Tag for everything in the stack."
)
@click.option("--merge-lifecycle", is_flag=True, help="Add the lifecycle rules to an existing bucket's own rules.")
@click.option("--allow-empty", is_flag=True, help="Deploy although there is no object under the prefix yet.")
@click.option("--dry-run", is_flag=True, help="Only show what would change.")
@click.option("--live-version", metavar="N", help="Only move the alias to this version (a roll-back).")
@click.option("--delete", is_flag=True, help="Delete the stack instead; buckets and their objects stay.")
@click.option("--yes", is_flag=True, help="With --delete: do not ask.")
@target_options
@aws_options
def deploy(terminal: Terminal, stack: str, live_version: str | None, *, delete: bool, **options: Any) -> None:
    """
    Create or update the stack in the caller's account, and move the alias `live` to the new version.

    The command builds the Lambda package, uploads it, and applies the template through a change set. On an update,
    parameters that are not named keep their values. Buckets and their regions, the prefix and the account's concurrency
    are looked at before anything is built.
    """
    if not stack:
        raise WrongUseError("--stack is empty (make deploy STACK=...)")
    if delete and live_version:
        raise WrongUseError("--delete and --live-version cannot be used together")
    cloudformation = terminal.client("cloudformation")
    if delete:
        _confirm(cloudformation, stack, yes=options["yes"])
        change_set.delete(cloudformation, stack)
        _report(terminal, stack, "deleted; buckets and their objects stay")
    elif live_version:
        if change_set.values(cloudformation, stack) is not None:
            function = change_set.outputs(cloudformation, stack)["FunctionName"]
            preflight.check_version(terminal.client("lambda"), function, live_version)
        moved = go_live(cloudformation, stack, live_version)
        _report(terminal, stack, f"live {'is now at' if moved else 'was already at'} version {live_version}")
    elif not options["bucket"]:
        raise WrongUseError("--bucket is empty (make deploy BUCKET=...)")
    else:
        _deploy(terminal, stack, options)


def _deploy(terminal: Terminal, stack: str, options: dict[str, Any]) -> None:
    s3, cloudformation, functions = terminal.client("s3"), terminal.client("cloudformation"), terminal.client("lambda")
    preflight.check_parameters(options["sets"])
    code_bucket = options["code_bucket"] or f"sosw-s3-{terminal.client('sts').get_caller_identity()['Account']}"
    parameters = {each: options[name] for name, each in PARAMETERS.items() if options[name] is not None}
    parameters |= {"CodeBucket": code_bucket, **options["sets"]}
    before = change_set.values(cloudformation, stack)
    will_be = {**defaults(), **(before or {}), **parameters}
    check(will_be)
    look = preflight.Preflight(s3, functions, will_be, before is not None)
    for note in look.check(allow_empty=options["allow_empty"]):
        terminal.note(f"note: {note}")
    terminal.note("building the package for Lambda; pip downloads the wheels the first time")
    target = package.deployment(options["architecture"], options["runtime"], options["sosw"])
    archive = package.build(target, package.cache_folder())
    tags = {**TAGS, **options["tags"]} if options["tags"] else None
    if options["dry_run"]:
        parameters["CodeKey"] = key_of(archive)
        where = upload_template(s3, code_bucket)
        _show(terminal, stack, change_set.shown(cloudformation, stack, parameters, tags=tags, template_url=where))
        return
    parameters["CodeKey"] = upload(s3, code_bucket, archive)
    terminal.note(f"applying the change set of stack {stack}; a first one takes some minutes")
    changed, outputs = deploy_stack(
        cloudformation, functions, stack, parameters, tags=tags, template_url=upload_template(s3, code_bucket)
    )
    _report(terminal, stack, "deployed" if changed else "no changes", outputs)
    now = change_set.values(cloudformation, stack) or {}
    for line in lifecycle.looked_after(s3, now, merge=options["merge_lifecycle"]):
        (terminal.note if terminal.json else terminal.say)(line)


def _confirm(cloudformation: Any, stack: str, *, yes: bool) -> None:
    """
    Say what goes with a stack, and ask.

    :raises WrongUseError: Nobody is there to ask.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise WrongUseError(f"--delete asks before stack {stack} goes: --yes answers it")
    found = change_set.values(cloudformation, stack) or {}
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
    terminal.say(f"stack {stack}: {len(changes)} resources would change" if changes else f"stack {stack}: no changes")
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


@click.command("package", epilog=examples("package", "package --architecture x86_64 --runtime python3.12 --to build/"))
@click.option("--to", metavar="DIR", type=click.Path(path_type=Path), default="dist", show_default=True, help="Folder.")
@target_options
@aws_options
def package_command(terminal: Terminal, to: Path, architecture: str, runtime: str, sosw: str) -> None:
    """
    Write the zip that the function runs, for a deployment of your own.

    The same version of this tool writes the same bytes: the wheels are those of a lock with hashes.
    """
    target = package.deployment(architecture, runtime, sosw)
    place = to / f"presign-siblings-{target.name}.zip"
    to.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(package.build(target, package.cache_folder()), place)
    content = place.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if terminal.json:
        terminal.result({"file": str(place), "bytes": len(content), "sha256": digest})
    else:
        terminal.say(f"{place}  {len(content) / 1e6:.1f} MB  sha256 {digest}")
