"""The embedded AWS: MiniStack on a free loopback port, with signatures and IAM enforced, gone without a trace after."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from botocore.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parent.parent
REGION = "us-east-1"
ACCOUNT = "000000000000"
START_SECONDS = 30.0
ATTEMPTS = 3

# The standard input is a lifeline: when its other end closes, because the starter ended in whatever way, SIGKILL
# included, the emulator removes its files and ends its own process group, with every Lambda worker that it spawned.
# Those inherit its environment, where LOG_LEVEL would silence the function's own logger.
_BOOT = """
import os, shutil, signal, sys, threading

def end_with_the_starter():
    sys.stdin.buffer.read()
    shutil.rmtree(os.getcwd(), ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)

threading.Thread(target=end_with_the_starter, daemon=True).start()
sys.argv = ["ministack"]
from ministack.app import main
del os.environ["LOG_LEVEL"]
main()
"""


class EmulatorError(RuntimeError):
    """The emulator is not installed, or did not start."""


class ClientOptions(TypedDict):
    """What every boto3 client of the emulator is made with: ``boto3.client("s3", **emulator.options)``."""

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

    :param endpoint: The one URL of every service.
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
            region_name=REGION,
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


def interpreter() -> Path:
    """
    Return the interpreter that runs the emulator, and in it the Lambda functions of its python runtimes.

    :raises EmulatorError: Its virtual environment is not there.
    """
    python = Path(os.environ.get("EMULATOR_VENV", REPOSITORY / ".venv-emulator")) / "bin" / "python"
    if not python.exists():
        raise EmulatorError(f"no emulator at {python}: run `make install` first")
    return python


@contextmanager
def running() -> Iterator[Emulator]:
    """
    Start an emulator, and end it with every process that it started.

    :raises EmulatorError: It does not answer in time; the message holds the end of its log.
    """
    with tempfile.TemporaryDirectory(prefix="presign-siblings-", ignore_cleanup_errors=True) as name:
        root = Path(name)
        process, endpoint = _start(root)
        try:
            yield Emulator(endpoint, process.pid, root)
        finally:
            _end(process)


def _start(root: Path) -> tuple[subprocess.Popen[bytes], str]:
    for _ in range(ATTEMPTS):
        port = _free_port()
        process = _spawn(root, port)
        endpoint = f"http://127.0.0.1:{port}"
        try:
            if _answers(process, endpoint):
                return process, endpoint
        except BaseException:
            _end(process)
            raise
        _end(process)
    lines = (root / "emulator.log").read_text(encoding="utf-8", errors="replace").splitlines()
    raise EmulatorError("the emulator did not start:\n" + "\n".join(lines[-20:]))


def _spawn(root: Path, port: int) -> subprocess.Popen[bytes]:
    # Its workers inherit this environment: nothing of the caller's account, profile or Python path may be in it.
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(root),
        "TMPDIR": str(root),
        "S3_DATA_DIR": str(root / "s3"),
        "STATE_DIR": str(root / "state"),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "MINISTACK_REGION": REGION,
        "AUTH": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "LOG_LEVEL": "WARNING",
        "LAMBDA_ASYNC_RETRY_BASE_SECONDS": "0.2",  # AWS waits a minute, then two
    }
    with (root / "emulator.log").open("ab") as log:
        return subprocess.Popen(
            [interpreter(), "-c", _BOOT],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=root,
            start_new_session=True,
        )


def _answers(process: subprocess.Popen[bytes], endpoint: str) -> bool:
    """Wait for the health page; ``False`` when the process ended (another took its port) or stays silent."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{endpoint}/_localstack/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the whole process group at once: it has no state worth a farewell."""
    with suppress(ProcessLookupError):  # it may have ended by itself, and its workers with it
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
