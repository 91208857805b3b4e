"""``who``: who fetched what by a presigned URL."""

from __future__ import annotations

from typing import Any

import click

from presign_siblings.cli.program import examples
from presign_siblings.cli.usage.shared import Seconds, aws_options
from presign_siblings.defaults import FUNCTION

DAY_SECONDS, YEARS_SECONDS = 86_400.0, 10 * 366 * 86_400.0


@click.command(
    epilog=examples(
        "who", "who inbox/2026/may.pdf --since 7d", "who inbox/2026/ --json | jq -r .address | sort | uniq -c"
    )
)
@click.argument("key", required=False, default="", metavar="[KEY]")
@click.option(
    "--since",
    type=Seconds(0, YEARS_SECONDS),
    metavar="DURATION",
    default=DAY_SECONDS,
    show_default="1d",
    help="How far back to look.",
)
@click.option(
    "--log-group",
    metavar="NAME",
    default=f"/aws/cloudtrail/{FUNCTION}",
    show_default=True,
    help="Log group of the audit's trail.",
)
@aws_options
def who(**_: Any) -> None:
    """
    List who fetched what by a presigned URL: time, address, bytes, key, client; of all keys, or of those that begin
    with KEY.

    The stack of presign-siblings-audit.yaml records this from its creation on; CloudTrail delivers it some minutes
    late. An address is all that can be known of a URL's user: whoever has the URL can use it.
    """
