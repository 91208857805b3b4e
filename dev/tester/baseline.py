"""The seed's original handler as a Lambda of its own, on the same bucket: one invocation without siblings."""

from __future__ import annotations

import json
import shutil
import time
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dev.aws import stack
from dev.checkout import PACKAGES, REPOSITORY
from presign_siblings.deploy import package

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dev.tester.services import Services

FUNCTION = "sign_pdfs_optimized"
LOGS = f"/aws/lambda/{FUNCTION}"
SOURCES = ("*.py", "peers/__init__.py", "peers/seed.py")  # of benchmarks/: the handler, and what it imports
COLD_START_SECONDS = 60  # on a busy machine; it does not count towards the timeout


def deploy(services: Services) -> None:
    """Create the function with the same packages, runtime, memory and role as ours."""
    own = services.functions.get_function_configuration(FunctionName=services.deployed.function)
    archive = services.emulator.root / "seed.zip"
    shutil.copyfile(package.build(stack.host(), PACKAGES), archive)
    with zipfile.ZipFile(archive, "a") as zipped:
        for path in sources():
            zipped.write(path, path.relative_to(REPOSITORY))
    services.s3.upload_file(str(archive), stack.CODE_BUCKET, archive.name)
    services.functions.create_function(
        FunctionName=FUNCTION,
        Runtime=own["Runtime"],
        Role=own["Role"],
        Handler="benchmarks.peers.seed.handler",
        Code={"S3Bucket": stack.CODE_BUCKET, "S3Key": archive.name},
        MemorySize=own["MemorySize"],
        Environment={"Variables": {"S3_ENDPOINT_URL": services.emulator.endpoint}},
    )
    archive.unlink()


def sources() -> list[Path]:
    """Return the modules of its package, besides the wheels."""
    return [path for pattern in SOURCES for path in sorted((REPOSITORY / "benchmarks").glob(pattern))]


@dataclass(slots=True)
class OneShot:
    """
    One invocation of the seed's handler.

    :param timeout: Timeout of its Lambda, seconds.
    :param state:   ``waiting``, ``running``, ``complete`` or ``died``.
    :param points:  Pairs: seconds since the epoch, and lines in the spool file at that time.
    :param message: Message of the error that ended it.
    """

    services: Services
    event: Mapping[str, Any]
    timeout: int
    state: str = "waiting"
    began: float | None = None
    ended: float | None = None
    points: list[tuple[float, int]] = field(default_factory=list)
    message: str = ""
    _spool: Path | None = None
    _read: int = 0
    _before: frozenset[Path] = frozenset()

    def run(self) -> None:
        """Invoke the handler and wait for its end; the caller is a thread."""
        options = self.services.emulator.options
        options["config"] = Config(
            signature_version="v4", retries={"total_max_attempts": 1}, read_timeout=self.timeout + COLD_START_SECONDS
        )
        functions = boto3.client("lambda", **options)
        try:
            functions.update_function_configuration(FunctionName=FUNCTION, Timeout=self.timeout)
            self._before = frozenset(self._spools())
            self.state = "running"
            answer = functions.invoke(FunctionName=FUNCTION, Payload=json.dumps(self.event))
            response = json.loads(answer["Payload"].read())
        except (BotoCoreError, ClientError):  # the tester ends, or the machine has slept
            self.state, self.message, self.ended = "died", "its invocation broke off", time.time()
            return
        self.sample(time.time())
        self.ended = time.time()
        if "FunctionError" in answer:
            self.state, self.message = "died", str(response.get("errorMessage", "")).split(" ", 1)[-1]
        else:
            self.state = "complete"
            self.points.append((self.ended, json.loads(response["body"])["count"]))

    def sample(self, now: float) -> None:
        """Count the lines in the spool file, which is in the emulator's own directory."""
        if self.state != "running":
            return
        if self._spool is None:
            self._spool = next((path for path in self._spools() if path not in self._before), None)
            if self._spool is None:
                return
            self.began = now
        try:
            with self._spool.open("rb") as spool:
                spool.seek(self._read)
                new = spool.read()
        except FileNotFoundError:  # the handler has written its manifest, and is about to answer
            return
        self._read += len(new)
        self.points.append((now, self.count + new.count(b"\n")))

    @property
    def count(self) -> int:
        """Keys signed so far."""
        return self.points[-1][1] if self.points else 0

    def _spools(self) -> list[Path]:
        return list(self.services.emulator.root.glob("*.jsonl"))
