"""Start the stub and the measured processes, each on its own core, and collect their reports."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.request
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from benchmarks.work import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.work import Work

CORES = tuple(sorted(os.sched_getaffinity(0)))
MEASURED_CORE, STUB_CORE = CORES[-1], CORES[0]


class ChildFailedError(Exception):
    """A measured process ended with an error; the message holds the end of its output."""


@contextlib.contextmanager
def started_on(*cores: int) -> Iterator[None]:
    """Restrict the processes that are started inside the context to these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@dataclass(frozen=True, slots=True)
class Server:
    """A running stub."""

    endpoint: str

    def reset(self, *, latency: float = 0.0, keep: int = 0) -> None:
        """Make it forget everything; set seconds per LIST, and how many bytes of each body it keeps."""
        request = urllib.request.Request(f"{self.endpoint}/-/reset?latency={latency}&keep={keep}", method="POST")
        urllib.request.urlopen(request).close()

    def report(self) -> dict[str, Any]:
        """Return the requests that it has had since the last reset."""
        with urllib.request.urlopen(f"{self.endpoint}/-/report") as answer:
            report: dict[str, Any] = json.load(answer)
        return report

    def read(self, name: str) -> bytes:
        """Read the kept bytes of an object, ``bucket/key``."""
        with urllib.request.urlopen(f"{self.endpoint}/{name}") as answer:
            content: bytes = answer.read()
        return content


@contextlib.contextmanager
def stub() -> Iterator[Server]:
    """Run the stub on its own core while the context lasts."""
    with started_on(STUB_CORE):
        process = subprocess.Popen([sys.executable, "-m", "benchmarks.stub"], stdout=subprocess.PIPE, text=True)
    with process:
        try:
            assert process.stdout is not None  # noqa: S101 a pipe was asked for
            yield Server(f"http://127.0.0.1:{int(process.stdout.readline())}")
        finally:
            process.terminate()


def run_child(
    module: str,
    work: Work,
    extra: dict[str, str] | None = None,
    *,
    warm_up: bool = False,
    cores: tuple[int, ...] = (MEASURED_CORE,),
) -> dict[str, float]:
    """
    Run one module in a fresh process.

    :param module: A module with ``run(work)``.
    :param extra: More environment variables.
    :param warm_up: Let it do one page of the work first, unmeasured.
    :param cores: Cores that it may use.
    :return: Its report.
    :raises ChildFailedError: It ended with an error.
    """
    read_end, write_end = os.pipe()
    command = [sys.executable, "-m", "benchmarks.child", module, json.dumps(asdict(work))]
    command += ["--report-to", str(write_end), *(["--warm-up"] if warm_up else [])]
    with tempfile.TemporaryFile() as output:
        streams: dict[str, Any] = {"stdout": output, "stderr": output, "pass_fds": [write_end]}
        with started_on(*cores):
            process = subprocess.Popen(command, env=environment(extra), **streams)
        os.close(write_end)
        with os.fdopen(read_end) as reports:
            text = reports.read()
        if process.wait() or not text:
            output.seek(0)
            raise ChildFailedError(f"{module} ended with {process.returncode}: {output.read()[-3000:].decode()}")
    report: dict[str, float] = json.loads(text)
    return report
