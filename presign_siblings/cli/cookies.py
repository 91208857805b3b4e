"""``cookies``: CloudFront's signed cookies for everything under a prefix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from presign_siblings.cli.job_options import asked, signing
from presign_siblings.laptop.inquiry import cookies as made_for
from processor.instant import ISO

if TYPE_CHECKING:
    from presign_siblings.cli.console import Terminal


def cookies(terminal: Terminal, place: str, **options: Any) -> None:
    """Print the cookies that open everything under a prefix to a browser."""
    found, ends = made_for(terminal.client("s3"), asked(place, options), **signing(options))
    if terminal.json:
        terminal.result({"cookies": found, "expires_at": ends.strftime(ISO)})
        return
    for name, value in found.items():
        click.echo(f"{name}={value}")
    terminal.note(f"they end at {ends.strftime(ISO)}")
