"""The work of each peer, and its environment."""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.dataset import BUCKET, EVEN_SET, REGION, prefix_of

if TYPE_CHECKING:
    from collections.abc import Mapping

EXPIRY_SECONDS = 43_200
FUNCTION = "presign_bench"
ACCESS_KEY = "ASIABENCHMARKSTUB000"
SECRET_KEY = "stub/" + "secret+" * 5  # as long as a real one
TOKEN = "".join(base64.b64encode(hashlib.sha512(b"%d" % turn).digest()).decode()[:80] for turn in range(10))


@dataclass(frozen=True, slots=True)
class Work:
    """
    List a prefix, presign a GET for each PDF, write one JSON line per key to one object.

    :param endpoint: The stub's URL.
    :param count: Objects under the prefix.
    :param compression: ``none`` or ``gzip``, for the peers that support it.
    :param concurrency: List requests under way, for the peers that support it.
    :param keys: The set of keys, by name.
    :param fields: Facts in each line, with commas, for the peers that support them.
    :param names: Whether each URL names the file that a browser saves, for the signers that support it.
    :param processes: Processes that share the work, for the peer that supports it.
    """

    endpoint: str
    count: int
    compression: str = "none"
    concurrency: int = 4
    bucket: str = BUCKET
    expiry_seconds: int = EXPIRY_SECONDS
    keys: str = EVEN_SET
    fields: str = ""
    names: bool = False
    processes: int = 1

    @property
    def prefix(self) -> str:
        """The prefix to list."""
        return prefix_of(self.count, self.keys)

    @property
    def host(self) -> str:
        """The endpoint without its scheme."""
        return self.endpoint.removeprefix("http://")


def environment(extra: Mapping[str, Any] | None = None) -> dict[str, str]:
    """
    Return the environment of a measured process, without the caller's own AWS settings.

    It also allows byte code: others' packages have theirs, and ours would be compiled at each start.
    """
    others = ("AWS_", "SOSW_", "STAGE", "PYTHONDONTWRITEBYTECODE")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(others)}
    credentials = {
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    return {**inherited, **credentials, **(extra or {})}
