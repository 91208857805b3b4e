"""The emulated AWS: MiniStack on a free loopback port, with signatures and IAM enforced; it leaves nothing behind."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from botocore.config import Config

from dev.aws import ministack

if TYPE_CHECKING:
    from collections.abc import Iterator


class ClientOptions(TypedDict):
    """The options of every boto3 client of the emulator: ``boto3.client("s3", **emulator.options)``."""

    endpoint_url: str
    region_name: str
    aws_access_key_id: str
    aws_secret_access_key: str
    aws_session_token: str | None
    config: Config


@dataclass(frozen=True, slots=True)
class Emulator:
    """
    A running emulator.

    :param endpoint: The URL that all services share.
    :param pid:      The process, which also leads the process group of its Lambda workers.
    :param root:     Directory of all its files; removed at the end.
    """

    endpoint: str
    pid: int
    root: Path

    @property
    def options(self) -> ClientOptions:
        """Options of a client with the account's own credentials."""
        return self.options_as("test", "test")

    def options_as(self, access_key: str, secret_key: str, session_token: str | None = None) -> ClientOptions:
        """Options of a client with the given credentials."""
        return ClientOptions(
            endpoint_url=self.endpoint,
            region_name=ministack.REGION,
            aws_access_key_id=access_key,
            aws_secret_access_key=secret_key,
            aws_session_token=session_token,
            config=Config(
                signature_version="v4",
                s3={"addressing_style": "path"},
                retries={"max_attempts": 2},
                max_pool_connections=32,
            ),
        )

    @contextmanager
    def holding(self, what: str) -> Iterator[None]:
        """
        Let every chain wait at a place until the block has ended.

        :param what: ``hop-<number>``: before that hop, after the hand-over to it was written; ``lists``: in a hop that
                     has its lease, at its first page, for no longer than its timeout.
        """
        held = self.root / f"held-{what}"
        held.touch()
        try:
            yield
        finally:
            held.unlink()


@contextmanager
def running() -> Iterator[Emulator]:
    """
    Start an emulator, and end it with every process that it started.

    :raises EmulatorError: The emulator does not answer in time; the message holds the end of its log.
    """
    with tempfile.TemporaryDirectory(prefix="presign-siblings-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        process, endpoint = ministack.start(root)
        try:
            yield Emulator(endpoint, process.pid, root)
        finally:
            ministack.end(process)
