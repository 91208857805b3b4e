"""Whatever ends the one who started it, the emulated AWS leaves no process."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import boto3
import pytest

from dev.aws import emulator, ministack
from dev.checkout import REPOSITORY

pytestmark = pytest.mark.e2e

SECONDS = 60.0  # within which the emulator must have ended, on however busy a machine

STARTER = """
import time
from dev.aws import emulator
with emulator.running() as running:
    print(running.pid, running.root, flush=True)
    time.sleep(600)
"""


def _lives(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_no_process_and_no_file_outlives_the_starter(number: signal.Signals) -> None:
    """Not even when it is killed: the emulator sees the end of its standard input."""
    with subprocess.Popen(
        [sys.executable, "-c", STARTER],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        pid, root = starter.stdout.readline().split()
        assert _lives(int(pid))
        starter.send_signal(number)
    deadline = time.monotonic() + SECONDS
    while (_lives(int(pid)) or Path(root).exists()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _lives(int(pid))
    assert not Path(root).exists()


def test_no_line_of_an_invocation_is_lost_however_many_there_are() -> None:
    """What a busy machine has not read when the function answers is as far behind as all of these lines."""
    code = "def handler(event, context):\n    print('x\\n' * 400_000, 'last', sep='')\n"
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("talk.py", code)
    trusted = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    with emulator.running() as running:
        role = boto3.client("iam", **running.options).create_role(RoleName="talker", AssumeRolePolicyDocument=trust)
        functions, logs = boto3.client("lambda", **running.options), boto3.client("logs", **running.options)
        functions.create_function(
            FunctionName="talk",
            Runtime="python3.11",
            Role=role["Role"]["Arn"],
            Handler="talk.handler",
            Code={"ZipFile": package.getvalue()},
            Timeout=60,
        )
        functions.invoke(FunctionName="talk")
        lines = logs.filter_log_events(logGroupName="/aws/lambda/talk", filterPattern='"last"')["events"]
    assert [line["message"] for line in lines] == ["last"]


def test_it_listens_on_the_loopback_interface_only() -> None:
    """It takes any command of the account: nobody else may reach it."""
    with emulator.running() as running:
        port = int(running.endpoint.rpartition(":")[2])
        # Columns 2 and 4: address and state, 0A is LISTEN; 0100007F is 127.0.0.1.
        listening = [
            line.split()[1]
            for table in ("tcp", "tcp6")
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
            if line.split()[3] == "0A"
        ]
        assert [address.split(":")[0] for address in listening if address.endswith(f":{port:04X}")] == ["0100007F"]


def test_a_missing_environment_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Instead of a traceback."""
    monkeypatch.setenv("EMULATOR_VENV", str(tmp_path))
    with pytest.raises(ministack.EmulatorError, match="make install"):
        ministack.interpreter()
