"""The operator's desk: one command line for jobs on a deployed function, for jobs here, and for manifests."""

from __future__ import annotations

import click

from presign_siblings.cli.console import PROGRAM, examples
from presign_siblings.cli.download import download
from presign_siblings.cli.export import export
from presign_siblings.cli.invoke import invoke, resume
from presign_siblings.cli.run import run
from presign_siblings.cli.status import status
from presign_siblings.cli.stop import stop
from presign_siblings.cli.verify import verify
from presign_siblings.cli.watch import watch
from presign_siblings.errors import EXIT_CODES

_CODES = "\n".join(["\b", "Exit codes:", *(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())])


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=examples("run s3://reports/2026/", "status", "verify manifest.jsonl", "download manifest.jsonl pdfs/")
    + "\n\n"
    + _CODES,
)
@click.version_option(package_name=PROGRAM, prog_name=PROGRAM)
def main() -> None:
    """
    Presign every PDF under an S3 prefix, here or on a deployed function, and use the manifest.

    AWS is taken as the AWS CLI takes it: --profile, --region and --endpoint-url on each command, or AWS_PROFILE,
    AWS_REGION, AWS_ENDPOINT_URL and its other variables and files. No presigned URL is ever printed but by `export`
    and `--url`.
    """


for command in (run, invoke, status, watch, stop, resume, verify, download, export):
    main.add_command(command)
