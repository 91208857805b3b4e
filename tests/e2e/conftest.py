"""The real stack on an emulated AWS: one for each test process, with PDFs in its bucket."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

import boto3
import pytest

from dev import sample_objects
from dev.aws import emulator, stack
from dev.aws.ministack import REGION

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.aws.emulator import Emulator
    from dev.aws.stack import Stack
    from dev.sample_objects import Item

PDFS = 120
# As long as the timeout itself: there is never time for a second page, so each sibling lists one page, on any machine.
ONE_PAGE_A_SIBLING = {"Timeout": "10", "ShutdownPeriod": "10", "PageSize": "20"}


class Deployed(NamedTuple):
    """The emulated AWS, the stack on it, and the PDFs in its bucket."""

    emulator: Emulator
    stack: Stack
    items: list[Item]


@contextmanager
def _deployed() -> Iterator[Deployed]:
    """Start the emulator, deploy the stack, upload the PDFs; end every process afterwards."""
    with emulator.running() as running:
        created = stack.create(running, ONE_PAGE_A_SIBLING)
        items = list(sample_objects.made(PDFS, stack.PREFIX))
        s3 = boto3.client("s3", **running.options)
        for item in items:
            s3.put_object(Bucket=stack.BUCKET, Key=item.key, Body=item.body)
        yield Deployed(running, created, items)


@pytest.fixture(scope="session")
def deployed() -> Iterator[Deployed]:
    """Deploy the stack that the tests of a process share."""
    with _deployed() as shared:
        yield shared


@pytest.fixture
def account(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the command line at the emulator."""
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_REGION", REGION)
    monkeypatch.setenv("AWS_ENDPOINT_URL", deployed.emulator.endpoint)


@pytest.fixture
def own_stack() -> Iterator[Deployed]:
    """Deploy another stack, for a test that changes it."""
    with _deployed() as own:
        yield own


@pytest.fixture
def roomy(deployed: Deployed) -> Iterator[Deployed]:
    """
    Lift the reserved concurrency for a test with many invocations at once.

    A throttled caller is refused, and a throttled message of a queue counts as tried.
    """
    functions = boto3.client("lambda", **deployed.emulator.options)
    name = deployed.stack.function
    before = functions.get_function_concurrency(FunctionName=name)["ReservedConcurrentExecutions"]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=100)
    yield deployed
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=before)
