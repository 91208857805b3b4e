"""``deploy`` and ``package``: the stack in the caller's account, and the zip that it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import aws_options
from presign_siblings.deploy import targets
from presign_siblings.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def target_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say what the package is built for."""
    choices = {
        "architecture": ("ARCH", targets.ARCHITECTURES, targets.DEFAULT_ARCHITECTURE),
        "runtime": ("RUNTIME", targets.RUNTIMES, targets.DEFAULT_RUNTIME),
        "sosw": ("SOSW", targets.LOCKS, targets.DEFAULT_SOSW),
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
    return click.option(
        "--extra",
        "extras",
        type=click.Choice(list(targets.EXTRAS)),
        multiple=True,
        help="A further library in the package; deploy adds what the stack's parameters need.",
    )(command)


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
@click.option("--alarm-email", metavar="ADDRESS", help="Address that gets a mail when an alarm begins and ends.")
@click.option("--merge-lifecycle", is_flag=True, help="Add the lifecycle rules to an existing bucket's own rules.")
@click.option("--allow-empty", is_flag=True, help="Deploy although there is no object under the prefix yet.")
@click.option("--renew", is_flag=True, help="Publish a version although nothing changed; after `revoke` it can sign.")
@click.option("--dry-run", is_flag=True, help="Only show what would change; nothing but the template is uploaded.")
@click.option("--delete", is_flag=True, help="Delete the stack instead; buckets and their objects stay.")
@click.option("--yes", is_flag=True, help="With --delete: do not ask.")
@target_options
@aws_options
def deploy(stack: str, *, delete: bool, **options: Any) -> None:
    """
    Create or update the stack in the caller's account, and move the alias `live` to the new version.

    The command builds the Lambda package, uploads it, and applies the template through a change set. On an update,
    parameters that are not named keep their values. Buckets and their regions, the prefix and the account's concurrency
    are checked before anything is built. The newest ten versions are kept, for `rollback`.
    """
    if not stack:
        raise WrongUseError("--stack is empty: name the stack to create or to update (make deploy STACK=...)")
    if not (delete or options["bucket"]):
        raise WrongUseError("--bucket is missing: name the bucket of the objects to sign (make deploy BUCKET=...)")


@click.command("package", epilog=examples("package", "package --architecture x86_64 --runtime python3.12 --to build/"))
@click.option("--to", metavar="DIR", type=click.Path(path_type=Path), default="dist", show_default=True, help="Folder.")
@click.option("--dry-run", is_flag=True, help="Only say where the zip would be; build nothing.")
@target_options
@aws_options
def package_command(**_: Any) -> None:
    """
    Write the zip that the function runs, for a deployment of your own.

    The wheels are those of a lock with hashes. Where a Python of the runtime's version is installed, its byte code is
    in the zip; the same version of this tool and of Python writes the same bytes. The zip's bill of materials
    (CycloneDX) and the licences of its packages are written beside it.
    """
