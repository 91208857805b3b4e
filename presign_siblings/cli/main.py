"""One command line for jobs on a deployed function, for jobs on this machine, for manifests, and for the stack."""

from __future__ import annotations

import atexit
import gc
from importlib import import_module

import click

from presign_siblings.cli.program import PROGRAM, Command, LazyGroup, examples
from presign_siblings.errors import EXIT_CODES
from presign_siblings.version import version

# Modules are never garbage: collecting them takes a tenth of a short command, at its start and at its end.
gc.set_threshold(200_000)
atexit.register(gc.freeze)

_CODES = "\n".join(["\b", "Exit codes:", *(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())])
_CLI = "presign_siblings.cli.usage"
COMMANDS = {
    "run": Command(f"{_CLI}.run", "run", "Write the manifest on this machine, without Lambda."),
    "ls": Command(f"{_CLI}.ls", "ls", "List what a job would take: keys, bytes, folders. Writes nothing."),
    "url": Command(f"{_CLI}.url", "url", "Print the presigned URL of one key."),
    "cookies": Command(f"{_CLI}.cookies", "cookies", "Print CloudFront's signed cookies for a prefix."),
    "refresh": Command(f"{_CLI}.refresh", "refresh", "Sign the keys of a manifest again, without a listing."),
    "invoke": Command(f"{_CLI}.invoke", "invoke", "Start a job on the deployed function."),
    "status": Command(f"{_CLI}.status", "status", "List the jobs of the jobs table."),
    "watch": Command(f"{_CLI}.watch", "watch", "Watch one job until it ends: hops, keys, rate, estimate, guards."),
    "stop": Command(f"{_CLI}.stop", "stop", "Park a job at its next page, or every job with --all."),
    "resume": Command(f"{_CLI}.invoke", "resume", "Continue jobs that were parked, or whose hop died."),
    "verify": Command(f"{_CLI}.verify", "verify", "Check a manifest: every line, and a sample of its URLs or all."),
    "download": Command(f"{_CLI}.download", "download", "Download every object of a manifest, many at once."),
    "export": Command(f"{_CLI}.export", "export", "Write a manifest's URLs for other programs, or as a page."),
    "revoke": Command(f"{_CLI}.revoke", "revoke_command", "Kill every link that was signed so far."),
    "who": Command(f"{_CLI}.who", "who", "List who fetched what by a presigned URL (with the audit stack)."),
    "deploy": Command(f"{_CLI}.deploy", "deploy", "Create or update the stack in your AWS account."),
    "rollback": Command(f"{_CLI}.rollback", "rollback", "Let an older version of the function go live again."),
    "package": Command(f"{_CLI}.deploy", "package_command", "Write the zip that the function runs."),
}


def _version(context: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click gives it so
    if wanted:
        click.echo(f"{PROGRAM}, version {version()}")
        context.exit()


def _man(context: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click gives it so
    if wanted:
        click.echo(import_module("presign_siblings.cli.man_page").man_page(context.command), nl=False)
        context.exit()


@click.group(
    cls=LazyGroup,
    commands_by_name=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=examples("run s3://reports/2026/", "status", "verify manifest.jsonl", "download manifest.jsonl pdfs/")
    + "\n\n"
    + _CODES,
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show version and commit."
)
@click.option(
    "--man", is_flag=True, is_eager=True, expose_value=False, callback=_man, help="Print the manual page, for man -l."
)
def main() -> None:
    """
    Presign every PDF under an S3 prefix, here or on a deployed function, and use the manifest.

    Each command takes --profile, --region and --endpoint-url, and reads the variables and files of the AWS CLI
    (AWS_PROFILE, AWS_REGION, AWS_ENDPOINT_URL). Only `url`, `cookies`, `export`, `--url` and `--page-url`
    print credentials.
    """
