"""S3 stores that run from a package, without Docker and without root: ``rclone serve s3`` and SeaweedFS."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_s3 import S3Client

REPOSITORY = Path(__file__).resolve().parents[2]
ACCESS_KEY, SECRET_KEY, REGION = "storekey", "storesecret", "us-east-1"
START_SECONDS = 60.0
ATTEMPTS = 3


class StoreError(RuntimeError):
    """A store is not installed, or did not start."""


@dataclass(frozen=True, slots=True)
class Store:
    """
    A running store.

    :param endpoint: Endpoint of its S3 interface; path style.
    """

    endpoint: str

    def client(self) -> S3Client:
        """Create a client with the plain settings that these stores need."""
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name=REGION,
            config=Config(
                s3={"addressing_style": "path"},
                request_checksum_calculation="when_required",
                retries={"total_max_attempts": 1},
            ),
        )


@contextmanager
def rclone(prepare: Callable[[Path], None] = lambda _: None) -> Iterator[Store]:
    """
    Run ``rclone serve s3`` on a folder of this machine.

    :param prepare: Called with the folder, whose folders are buckets, before the start: files are faster made than put.
    """
    with _running("rclone", 1, _rclone, prepare) as store:
        yield store


@contextmanager
def seaweedfs() -> Iterator[Store]:
    """Run SeaweedFS: master, volume server, filer and S3 gateway in one process."""
    with _running("weed", 8, _seaweedfs) as store:
        yield store


def _rclone(root: Path, ports: list[int]) -> list[str]:
    address = f"127.0.0.1:{ports[0]}"
    keys = ["--config", "/dev/null", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"]
    # Without the write cache it refuses names with control characters.
    files = ["--vfs-cache-mode", "writes", "--cache-dir", str(root / "cache")]
    return ["serve", "s3", str(root / "data"), "--addr", address, *keys, *files]


def _seaweedfs(root: Path, ports: list[int]) -> list[str]:
    keys = [{"accessKey": ACCESS_KEY, "secretKey": SECRET_KEY}]
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    identities = [{"name": "test", "credentials": keys, "actions": actions}]
    (root / "s3.json").write_text(json.dumps({"identities": identities}))
    names = ("s3", "master", "volume", "filer")
    listening = [f"-{name}.port={port}" for name, port in zip(names, ports[:4], strict=True)]
    listening += [f"-{name}.port.grpc={port}" for name, port in zip(names, ports[4:8], strict=True)]
    own = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-dir={root / 'data'}", "-s3", f"-s3.config={root / 's3.json'}"]
    off = ["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    return ["server", *own, *listening, *off, "-master.volumeSizeLimitMB=64", "-volume.max=50"]


@contextmanager
def _running(
    program: str,
    count: int,
    command: Callable[[Path, list[int]], list[str]],
    prepare: Callable[[Path], None] = lambda _: None,
) -> Iterator[Store]:
    """
    Start a store, and end it.

    :param count: Number of ports; the first is that of S3.
    :raises StoreError: It does not answer in time; the message holds the end of its log.
    """
    path = Path(os.environ.get("STORES_VENV", REPOSITORY / ".venv-stores")) / "bin" / program
    if not path.exists():
        raise StoreError(f"no {program} at {path}: `make test` makes it")
    with tempfile.TemporaryDirectory(prefix=f"{program}-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        (root / "data").mkdir()
        prepare(root / "data")
        for _ in range(ATTEMPTS):
            ports = free_ports(count)
            process = _spawn([str(path), *command(root, ports)], root)
            try:
                store = Store(f"http://127.0.0.1:{ports[0]}")
                if _answers(process, store):
                    yield store
                    return
            finally:
                process.kill()
                process.wait()
        lines = (root / "log").read_text(encoding="utf-8", errors="replace").splitlines()
        raise StoreError(f"{program} did not start:\n" + "\n".join(lines[-20:]))


def _spawn(command: list[str], root: Path) -> subprocess.Popen[bytes]:
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(root), "TMPDIR": str(root)}
    with (root / "log").open("ab") as log:
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, cwd=root)


def _answers(process: subprocess.Popen[bytes], store: Store) -> bool:
    """Wait until a bucket can be created and written to; ``False`` if the store ended or does not answer."""
    client, deadline = store.client(), time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
                client.create_bucket(Bucket="probe")
            client.put_object(Bucket="probe", Key="probe", Body=b"x")
        except (BotoCoreError, ClientError):
            time.sleep(0.1)
        else:
            return True
    return False
