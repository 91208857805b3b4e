"""Texts that several commands share."""

from __future__ import annotations

import re

from processor.causes import place


def unspoken(proxy: str | None, kinds: tuple[str, ...] = ("http",)) -> str | None:
    """
    Return why a proxy cannot be used, or ``None``: it is a SOCKS proxy, or its URL is broken.

    :param proxy: Its URL, or its host alone.
    :param kinds: Schemes that are supported.
    """
    kind, mark, rest = (proxy or "").partition("://")
    if "@" in "".join(re.split("([/?#])", rest if mark else kind, maxsplit=1)[1:]):
        return (
            "the proxy's password ends its URL: http://name:password@host:port has special characters as %2F, %3F, %23"
        )
    if proxy and place(proxy if mark else f"http://{proxy}") == place(None):
        return "the proxy's host or port is not valid: HTTPS_PROXY=http://host:port, or NO_PROXY"
    if not mark or kind.lower() in kinds:
        return None
    return f"{place(proxy)} is not an HTTP proxy, the only kind supported: HTTPS_PROXY=http://host:port, or NO_PROXY"


def span(seconds: float) -> str:
    """Return a span of time for a reader, in its two largest units."""
    if 0 < seconds < 10:  # noqa: PLR2004 - below, one more digit matters
        return f"{seconds:.1f} s"
    left, parts = round(seconds), list[str]()
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        amount, left = divmod(left, size)
        if amount or (unit == "s" and not parts):
            parts.append(f"{amount} {unit}")
    return " ".join(parts[:2])
