"""The tester kills a working hop, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from dev.tester.faults import Faults
from tests.deployed import TESTER

STOPPED = "T"
SECONDS = 60.0  # within which a signal reaches its process


class Ledger:
    """A jobs table whose holder has its lease or not; each request also looks at the runtime's state."""

    def __init__(self, runtime: int, *, held: bool) -> None:
        self.runtime, self.held, self.looks = runtime, held, list[str]()

    def update_item(self, **_: Any) -> None:
        deadline = time.monotonic() + SECONDS
        while state(self.runtime) != STOPPED and time.monotonic() < deadline:
            time.sleep(0.001)  # until the kernel has delivered the signal
        self.looks.append(state(self.runtime))
        if not self.held:
            raise ClientError({"Error": {"Code": "ConditionalCheckFailedException"}}, "UpdateItem")


def state(process: int) -> str:
    """Return the letter of a process's state."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("held", [True, False])
def test_a_runtime_is_killed_only_while_its_hop_has_the_lease(held: bool) -> None:  # noqa: FBT001 - a parameter
    """A hop that has handed over would die before it calls the sibling, and the chain would stop."""
    environment = {"AWS_LAMBDA_FUNCTION_NAME": TESTER.function}
    command = [sys.executable, "-c", "print(flush=True); input()"]
    with subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as runtime:
        assert runtime.stdout is not None
        runtime.stdout.readline()
        ledger = Ledger(runtime.pid, held=held)
        services: Any = SimpleNamespace(emulator=SimpleNamespace(pid=os.getpid()), deployed=TESTER, tables=ledger)
        assert Faults(services).kill("a-job", "a-holder") is held
    assert ledger.looks == [STOPPED], "it was stopped during the request to the ledger"
    assert runtime.returncode == (-signal.SIGKILL if held else 1)  # 1: its input ended
