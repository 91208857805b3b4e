"""``who``: who fetched what by a presigned URL."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from presign_siblings.cli.program import printable
from presign_siblings.remote.audit import fetches
from processor.plural import plural

if TYPE_CHECKING:
    from presign_siblings.cli.console import Terminal


def who(terminal: Terminal, key: str, since: float, log_group: str) -> None:
    """List who fetched what by a presigned URL."""
    count = 0
    for found in fetches(terminal.client("logs"), log_group, datetime.now(UTC) - timedelta(seconds=since), key):
        count += 1
        if terminal.json:
            terminal.result(asdict(found))
            continue
        got = found.refused or plural(found.size, "byte")
        terminal.say(f"{found.at}  {found.address:<39}  {got:>16}  {printable(found.key)}  {printable(found.agent)}")
    if not count:
        terminal.note("the trail has no request by a presigned URL")
