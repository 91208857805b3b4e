"""The emulator's process: MiniStack in an environment of its own, which ends with its starter."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

from dev.checkout import REPOSITORY

REGION = "us-east-1"
ACCOUNT = "000000000000"
START_SECONDS = 30.0
ATTEMPTS = 3

BOOT = Path(__file__).with_name("ministack_boot.py")


class EmulatorError(RuntimeError):
    """The emulator is not installed, or did not start."""


def interpreter() -> Path:
    """
    Return the interpreter that runs the emulator and its Python functions.

    :raises EmulatorError: The virtual environment does not exist.
    """
    python = Path(os.environ.get("EMULATOR_VENV", REPOSITORY / ".venv-emulator")) / "bin" / "python"
    if not python.exists():
        raise EmulatorError(f"no emulator at {python}: run `make install` first")
    return python


def start(root: Path) -> tuple[subprocess.Popen[bytes], str]:
    """
    Start MiniStack.

    :param root: Directory of all its files.
    :return:     The process, which leads its process group, and the endpoint.
    :raises EmulatorError: The emulator does not answer in time; the message holds the end of its log.
    """
    for _ in range(ATTEMPTS):
        port = _free_port()
        process = _spawn(root, port)
        endpoint = f"http://127.0.0.1:{port}"
        try:
            if _answers(process, endpoint):
                return process, endpoint
        except BaseException:
            end(process)
            raise
        end(process)
    raise EmulatorError(f"the emulator did not start:\n{last_lines(root)}")


def last_lines(root: Path) -> str:
    """Return the end of the emulator's log, which also says why a function could not load its code."""
    lines = (root / "emulator.log").read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-20:])


def _spawn(root: Path, port: int) -> subprocess.Popen[bytes]:
    # The workers inherit this environment: it must hold nothing of the caller's account, profile or Python path.
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
            [interpreter(), "-c", BOOT.read_text(encoding="utf-8")],
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


def end(process: subprocess.Popen[bytes]) -> None:
    """End the whole process group at once: it has no state to save."""
    with suppress(ProcessLookupError):  # the emulator may have ended already, with its workers
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    if process.stdin is not None:
        process.stdin.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
