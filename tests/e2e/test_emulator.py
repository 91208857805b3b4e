"""The emulated AWS leaves no process, however its starter ends."""

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
from typing import TYPE_CHECKING

import boto3
import pytest

from dev.aws import emulator, ministack
from dev.checkout import REPOSITORY

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

    from dev.aws.emulator import Emulator

pytestmark = pytest.mark.e2e

SECONDS = 60.0  # the longest wait for the emulator's end, on a busy machine

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
    """Not even when the starter is killed: the emulator sees the end of its standard input."""
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


def _function(running: Emulator, code: str) -> LambdaClient:
    """Create a function named ``small``, whose handler is ``small.handler``."""
    package = io.BytesIO()
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("small.py", code)
    trusted = {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [trusted]})
    role = boto3.client("iam", **running.options).create_role(RoleName="small", AssumeRolePolicyDocument=trust)
    functions = boto3.client("lambda", **running.options)
    functions.create_function(
        FunctionName="small",
        Runtime="python3.11",
        Role=role["Role"]["Arn"],
        Handler="small.handler",
        Code={"ZipFile": package.getvalue()},
        Timeout=60,
        Environment={"Variables": {"SETTING": "first"}},
    )
    return functions


def test_no_log_line_of_an_invocation_is_lost_however_many_there_are() -> None:
    """On a busy machine all of these lines may still be unread when the function answers."""
    with emulator.running() as running:
        functions = _function(running, "def handler(event, context):\n    print('x\\n' * 400_000, 'last', sep='')\n")
        functions.invoke(FunctionName="small")
        logs = boto3.client("logs", **running.options)
        lines = logs.filter_log_events(logGroupName="/aws/lambda/small", filterPattern='"last"')["events"]
    assert [line["message"] for line in lines] == ["last"]


FAILS_ONCE = """
import os, pathlib, time

def handler(event, context):
    here = pathlib.Path(event["here"])
    with (here / "tries").open("a") as tries:
        tries.write(os.environ["SETTING"] + "\\n")
    while not (here / "go").exists():
        time.sleep(0.01)
    if event["fails"] and len((here / "tries").read_text().splitlines()) == 1:
        raise RuntimeError("the first try")
    (here / "done").touch()
"""


WAITS = """
import pathlib, time

def handler(event, context):
    here = pathlib.Path(event["here"])
    while not (here / "go").exists():
        time.sleep(0.01)
    (here / event["number"]).touch()
"""


def _wait_for(file: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while not file.exists():
        assert time.monotonic() < deadline, f"no {file.name}"
        time.sleep(0.01)


@pytest.mark.parametrize(("fails", "tries"), [(False, ["first", "second"]), (True, ["first", "second", "second"])])
def test_a_function_that_is_changed_during_its_work_finishes_it_before_the_new_settings_apply(
    tmp_path: Path, *, fails: bool, tries: list[str]
) -> None:
    """As in Lambda: nothing is killed, and neither a second try nor a later event has the old settings."""
    with emulator.running() as running:
        functions = _function(running, FAILS_ONCE)
        event = json.dumps({"here": str(tmp_path), "fails": fails})
        functions.invoke(FunctionName="small", InvocationType="Event", Payload=event)
        _wait_for(tmp_path / "tries")
        functions.update_function_configuration(FunctionName="small", Environment={"Variables": {"SETTING": "second"}})
        (tmp_path / "go").touch()
        _wait_for(tmp_path / "done")
        functions.invoke(FunctionName="small", Payload=event)
        assert (tmp_path / "tries").read_text().split() == tries


def test_an_event_waits_for_concurrency_however_long_the_function_works(tmp_path: Path) -> None:
    """As in Lambda: a throttle is not a failure, which is retried only twice."""
    with emulator.running() as running:
        functions = _function(running, WAITS)
        functions.put_function_concurrency(FunctionName="small", ReservedConcurrentExecutions=1)
        for number in ("1", "2"):
            event = json.dumps({"here": str(tmp_path), "number": number})
            functions.invoke(FunctionName="small", InvocationType="Event", Payload=event)
        time.sleep(1.5)  # longer than the retries take
        (tmp_path / "go").touch()
        for number in ("1", "2"):
            _wait_for(tmp_path / number)


def test_the_emulator_listens_on_the_loopback_interface_only() -> None:
    """It obeys any command of the account, so no other machine may reach it."""
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


def test_a_missing_environment_is_named_with_the_command_that_makes_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """There is no traceback."""
    monkeypatch.setenv("EMULATOR_VENV", str(tmp_path))
    with pytest.raises(ministack.EmulatorError, match="make install"):
        ministack.interpreter()
