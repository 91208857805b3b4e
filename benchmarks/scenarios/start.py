"""Start of the command line: CPU time of a fresh process until its first request is on the wire, or until it ends."""

from __future__ import annotations

import json
import os
import select
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.dataset import BUCKET
from benchmarks.launch import MEASURED_CORE, started_on
from benchmarks.results import Findings, at_most_goal
from benchmarks.work import environment

if TYPE_CHECKING:
    from benchmarks.bench import Bench

MOST_SECONDS = 0.25
_WAITS = 60.0  # seconds until a command that neither sends a request nor ends is given up
_SOURCE, _MANIFEST, _IN_S3 = f"s3://{BUCKET}/2026/", "manifest.jsonl", f"s3://{BUCKET}/manifests/3f2a.jsonl"
# A job asks AWS for its bucket's region, then loads the pipeline; at another store it requests the first page.
_ELSEWHERE = "--endpoint-url URL"
COMMANDS = (
    "--version",
    "--help",
    "run --help",
    f"url {_SOURCE}may.pdf --no-probe",
    f"url {_SOURCE}may.pdf",
    f"ls {_SOURCE}",
    f"ls {_SOURCE} {_ELSEWHERE}",
    f"run {_SOURCE}",
    f"run {_SOURCE} {_ELSEWHERE}",
    f"refresh {_MANIFEST} --to new.jsonl",
    "status",
    "stop 3f2a",
    "watch 3f2a",
    "invoke",
    "resume 3f2a",
    "who",
    "revoke",
    "rollback --stack reports",
    f"deploy --stack reports --bucket {BUCKET}",
    f"verify {_MANIFEST}",
    f"verify {_IN_S3}",
    f"download {_MANIFEST} files",
    f"download {_IN_S3} files",
    f"export {_MANIFEST}",
    f"export {_IN_S3}",
)


class NoStartError(Exception):
    """A command failed before its first request, or neither sent one nor ended."""


def measure(bench: Bench) -> Findings:
    """Start each command some times; the first time only fills the caches."""
    rounds = range(bench.sizes.cold_rounds + 1)
    found = {command: [_seconds(command) for _ in rounds][1:] for command in COMMANDS}
    text = "CPU seconds to start"
    return Findings(goals=[at_most_goal(f"{text}: {name}", each, MOST_SECONDS, 3) for name, each in found.items()])


def _seconds(command: str) -> float:
    """Start a command, with a server that is another store and the proxy to AWS; end it at its first request."""
    with socket.create_server(("127.0.0.1", 0)) as server, tempfile.TemporaryDirectory() as folder:
        endpoint = f"http://127.0.0.1:{server.getsockname()[1]}"
        line = {"key": "2026/may.pdf", "url": f"{endpoint}/{BUCKET}/2026/may.pdf?X-Amz-Signature=0"}
        if _MANIFEST in command:
            Path(folder, _MANIFEST).write_text(json.dumps(line) + "\n", encoding="utf-8")
        variables = environment({"HTTPS_PROXY": endpoint, "NO_PROXY": "", "PYTHONPATH": str(Path.cwd())})
        words = [sys.executable, "-m", "presign_siblings", *command.replace("URL", endpoint).split()]
        streams = {"cwd": folder, "env": variables, "stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        with started_on(MEASURED_CORE):
            process = subprocess.Popen(words, **streams)  # type: ignore[call-overload]
        return _used(process, server)


def _used(process: subprocess.Popen[bytes], server: socket.socket) -> float:
    """
    Wait until a process sends a request or ends; return its CPU seconds.

    :raises NoStartError: It failed before its first request, or neither sent one nor ended.
    """
    ended = os.pidfd_open(process.pid)
    try:
        watched: list[Any] = [server, ended]
        ready, _, _ = select.select(watched, [], [], _WAITS)
        if server in ready:
            asking, _ = server.accept()
            with asking:
                asking.recv(1)
        used = time.clock_gettime(_cpu_clock(process.pid))
    finally:
        os.close(ended)
        process.kill()
        _, errors = process.communicate()
    if not ready or (server not in ready and process.returncode):
        raise NoStartError(f"{process.args!r} ended with {process.returncode}: {errors.decode()[-300:]}")
    return used


def _cpu_clock(process: int) -> int:
    """Return the clock of a process's CPU time (``clock_getcpuclockid(3)``, as Linux numbers it)."""
    return (~process << 3) | 2
