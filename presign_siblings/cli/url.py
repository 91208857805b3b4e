"""``url``: one presigned URL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from presign_siblings.cli.job_options import asked, signing
from presign_siblings.errors import DONE, UNTRUE
from presign_siblings.laptop.one_url import link
from presign_siblings.manifests.location import S3Place
from processor.hindrances import describe, hindered
from processor.instant import ISO

if TYPE_CHECKING:
    from presign_siblings.cli.console import Terminal


def url(terminal: Terminal, place: str, *, no_probe: bool, **options: Any) -> None:
    """Print the presigned URL of one key on standard output, and nothing else there."""
    named = S3Place.parse(place)
    event = asked(None, options) | {"bucket": named.bucket}
    asking = link(terminal.client("s3"), event, named.key, probe=not no_probe, **signing(options))
    made = asyncio.run(asking)
    ends, of_session = made.ends_at, made.of_session
    if terminal.json:
        expires_at = ends and ends.strftime(ISO)
        terminal.result(
            {"url": made.url, "expires_at": expires_at, "ends_with_session": of_session, "refused": made.refused}
        )
    else:
        terminal.say(made.url)
        if ends is not None:
            more = ", and dies with the session that signed it" if of_session else ""
            terminal.note(f"lives until {ends.strftime(ISO)} at most{more}")
    for text in describe(hindered([named.key], [made.url])).values():
        terminal.note(text)
    if made.refused is not None and not terminal.json:
        terminal.note(f"{named} gives nothing: {made.refused}")
    raise SystemExit(DONE if made.refused is None else UNTRUE)
