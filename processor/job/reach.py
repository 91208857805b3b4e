"""How S3 is reached: endpoint, style and patience, read in one place for Lambda and for every command alike."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from processor.errors import InvalidEventError
from processor.job import times, validation

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH, VIRTUAL, AUTO = "path", "virtual", "auto"
READ_SECONDS = 60.0  # boto3's own default
MAX_READ_SECONDS = 900.0
_PORTS = {"http": 80, "https": 443}  # the default ports, which a Host header omits
_WRITTEN = "must be written as http://host:port or https://host, with a path at most"
_FOREIGN = re.compile(r"[^a-z0-9.:%-]")  # in a host's name, or IPv6 address: botocore/utils.py, is_valid_uri
_HOST = "must have a host name of letters, digits, hyphens and dots: AWS's SDK takes no underscore, and no accent"


@dataclass(frozen=True, slots=True)
class Reach:
    """
    How requests to S3 are sent.

    :param style:        Where the bucket's name is: ``path`` or ``virtual``; ``None``: as the profile says, and without
                         that in the path where an endpoint is named and in the host name where none is.
    :param read_seconds: Longest wait for the next bytes of an answer, or until the server takes the next of a body.
    """

    style: str | None = None
    read_seconds: float = READ_SECONDS

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Reach:
        """
        Read the settings.

        :raises InvalidEventError: One breaks its rule; the message names the variable.
        """
        style, wait = environment.get("S3_ADDRESSING_STYLE") or AUTO, environment.get("S3_READ_TIMEOUT")
        validation.choice("S3_ADDRESSING_STYLE", style, (AUTO, PATH, VIRTUAL))
        return cls(
            style=None if style == AUTO else style,
            read_seconds=times.seconds("S3_READ_TIMEOUT", wait, 1.0, MAX_READ_SECONDS) if wait else READ_SECONDS,
        )


def endpoint_of(environment: Mapping[str, str]) -> str | None:
    """
    Return S3's endpoint: this product's variable, then the SDK's own, the service's before the global one.

    :raises InvalidEventError: It is not written as a URL; the message names the variable.
    """
    names = ["S3_ENDPOINT_URL"]
    if environment.get("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "").lower() != "true":
        names += ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
    name = next((name for name in names if environment.get(name)), names[0])
    return endpoint_in(name, environment)


def endpoint_in(name: str, environment: Mapping[str, str]) -> str | None:
    """
    Return the endpoint that a variable holds; ``None`` where it is absent or empty.

    :raises InvalidEventError: It is not written as a URL; the message names the variable.
    """
    return endpoint(name, environment[name]) if environment.get(name) else None


def endpoint(field: str, written: str) -> str:
    """
    Return an endpoint as every library takes it: scheme and host in lower case, no slash at the end.

    :param field: The option or variable that names it.
    :raises InvalidEventError: It has no scheme, or more than host, port and path.
    """
    # What comes before an @ may be a password.
    shown = f"...@{written.rpartition('@')[2]}" if "@" in written else written
    try:
        parts = urlsplit(written.strip())
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidEventError(field, shown, _WRITTEN) from None
    if parts.scheme not in {"http", "https"} or not host or parts.query or parts.fragment or "@" in parts.netloc:
        raise InvalidEventError(field, shown, _WRITTEN)
    if _FOREIGN.search(host):
        raise InvalidEventError(field, shown, _HOST)
    named = f"[{host}]" if ":" in host else host
    return (
        f"{parts.scheme}://{named}{f':{port}' if port and port != _PORTS[parts.scheme] else ''}{parts.path.rstrip('/')}"
    )
