"""Network settings from the environment: the longest wait for an answer, and the proxy."""

from __future__ import annotations

import os
import sys
from urllib.parse import urlsplit

from presign_siblings.defaults import MAX_READ_SECONDS
from presign_siblings.manifests.connection import READ_SECONDS

_READ_TIMEOUT = "S3_READ_TIMEOUT"


def read_seconds() -> float:
    """
    Return the longest wait for an answer, which ``--read-timeout`` puts into the environment.

    :raises InvalidEventError: The variable breaks its rule.
    """
    text = os.environ.get(_READ_TIMEOUT)
    if not text:
        return READ_SECONDS
    from processor.job.times import seconds  # noqa: PLC0415 - a job's modules take 0.05 s to import

    return seconds(_READ_TIMEOUT, text, 1, MAX_READ_SECONDS)


def proxy_of(url: str) -> str | None:
    """Return the URL of the environment's proxy for a URL; a password in ~/.netrc is not sent."""
    if sys.platform.startswith("linux") and not any(name.lower().endswith("_proxy") for name in os.environ):
        return None
    from urllib.request import proxy_bypass  # noqa: PLC0415 - takes longer than a small download

    parts = urlsplit(url)
    if parts.hostname is None or proxy_bypass(parts.hostname) or proxy_bypass(parts.netloc):  # NO_PROXY may name a port
        return None
    found = proxies().get(parts.scheme)
    return f"http://{found}" if found and "://" not in found else found


def proxies() -> dict[str, str]:
    """Return the environment's proxies by scheme; ``ALL_PROXY`` is unknown to urllib."""
    from urllib.request import getproxies  # noqa: PLC0415 - as above

    found = getproxies()
    return dict.fromkeys(("http", "https"), found["all"]) | found if "all" in found else found
