"""A chain of real siblings is stopped by each of its guards, loses nothing, and continues with its resume payload."""

from __future__ import annotations

import json
import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from dev.aws import stack
from tests.e2e import jobs
from tests.e2e.jobs import Job, eventually, pdf_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Deployed
    from tests.e2e.jobs import Record

pytestmark = pytest.mark.e2e

# 126 objects: 42 siblings without a guard, or 7. The emulator's recursion guard ends a chain after 16, as Lambda's.
MANY_HOPS: dict[str, Any] = {"page_size": 3, "concurrency": 1}
HOPS = 42
FEW_HOPS: dict[str, Any] = {"page_size": 20, "concurrency": 1}
FEW = 7
# The emulator refuses the seventeenth invoke, and the chain parks. Lambda itself answers 202 and drops it, and the
# chain is lost as without concurrency, below.
REFUSED = "sibling_refused: RecursiveInvocationException"


@contextmanager
def _parameters(deployed: Deployed, **changed: str) -> Iterator[None]:
    """Deploy other parameters for a while."""
    before = {"MaxHops": "100", "MaxJobSeconds": "86400"}
    stack.update(deployed.emulator, changed)
    try:
        yield
    finally:
        stack.update(deployed.emulator, {name: before[name] for name in changed})


@contextmanager
def _recursion(deployed: Deployed, guard: str) -> Iterator[None]:
    functions = boto3.client("lambda", **deployed.emulator.options)
    put: Any = functions.put_function_recursion_config
    put(FunctionName=deployed.stack.function, RecursiveLoop=guard)
    try:
        yield
    finally:
        put(FunctionName=deployed.stack.function, RecursiveLoop="Allow")


@contextmanager
def _no_concurrency(deployed: Deployed) -> Iterator[None]:
    functions = boto3.client("lambda", **deployed.emulator.options)
    functions.put_function_concurrency(FunctionName=deployed.stack.function, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        functions.put_function_concurrency(FunctionName=deployed.stack.function, ReservedConcurrentExecutions=5)


@contextmanager
def _rule_off(deployed: Deployed) -> Iterator[None]:
    events = boto3.client("events", **deployed.emulator.options)
    rule = f"{deployed.stack.function}_schedule"
    events.disable_rule(Name=rule)
    try:
        yield
    finally:
        events.enable_rule(Name=rule)


def _parked(job: Job, reason: str) -> dict[str, Any]:
    """Assert that the chain is parked for a reason, in the record, in the log and in the answer; return its resume."""
    record = job.wait_for_end("parked")
    assert record["reason"] == reason
    assert job.manifests() == []
    (line,) = eventually(lambda: [line for line in job.lines() if line["event"] == "parked"])  # logs come late
    status, body = job.ask()
    assert (status, body["status"], body["reason"], body["job_id"]) == (409, "parked", reason, record["job_id"])
    assert line["reason"] == reason
    assert line["resume"] == body["resume"]
    resume: dict[str, Any] = body["resume"]
    assert resume["hop"] == record["hop"] < HOPS
    return resume


def _resumed(job: Job, resume: dict[str, Any]) -> None:
    """Assert that the resume payload ends the same run, with an exact manifest."""
    before = job.record()
    job.start(resume)
    record = job.wait_for_end("complete", after=before)
    assert record["job_id"] == resume["job_id"]
    job.prove(pdf_keys(job.deployed))


def test_the_hop_budget_stops_a_chain_and_a_resume_opens_another(deployed: Deployed) -> None:
    """Seven siblings are needed, four are allowed at a time."""
    with _parameters(deployed, MaxHops="4"):
        job = Job(deployed)
        job.start()
        resume = _parked(job, "max_hops")
        assert resume["hop"] == 4
        _resumed(job, resume)


def test_a_resume_is_held_to_the_hop_budget_too(deployed: Deployed) -> None:
    """A budget of two for seven siblings: each resume adds two hops, and not one more."""
    with _parameters(deployed, MaxHops="2"):
        job = Job(deployed)
        job.start()
        record = job.wait_for_end("parked")
        for hop in (2, 4):
            assert record["hop"] == hop
            job.start(job.ask()[1]["resume"])
            record = job.wait_for_end("parked", after=record)
        _resumed(job, job.ask()[1]["resume"])


def test_the_age_budget_stops_a_chain(deployed: Deployed) -> None:
    """One second, in which a sibling waits; the resume begins a new age, here with the stack's own limit of a day."""
    with _parameters(deployed, MaxJobSeconds="1"):
        job = Job(deployed)
        with job.held(1):
            time.sleep(1)
        resume = _parked(job, "max_job_seconds")
    _resumed(job, resume)


def test_disabling_the_rule_stops_a_chain_under_way(deployed: Deployed) -> None:
    """The kill switch, in mid-chain. While the rule is disabled, a resume works one hop, and parks again."""
    job = Job(deployed, **FEW_HOPS)
    with ExitStack() as switched:
        with job.held(3):
            switched.enter_context(_rule_off(deployed))
        resume = _parked(job, "rules_disabled")
        status, body = job.ask(resume)
        assert (status, body["reason"], body["resume"]["hop"]) == (409, "rules_disabled", resume["hop"] + 1)
    _resumed(job, body["resume"])


def test_force_continues_although_each_rule_is_disabled(deployed: Deployed) -> None:
    """It overrides only the kill switch: the hop budget still holds."""
    with _rule_off(deployed), _parameters(deployed, MaxHops="4"):
        job = Job(deployed, force=True)
        job.start()
        resume = _parked(job, "max_hops")
        _resumed(job, resume)


def test_the_stop_flag_in_the_table_stops_only_its_own_job(deployed: Deployed) -> None:
    """An operator sets one attribute; a job beside it continues."""
    job, other = Job(deployed, **FEW_HOPS), Job(deployed)
    with job.held(2):
        other.start()
        job.change(stop=True)
    resume = _parked(job, "stopped")
    other.wait_for_end("complete")
    other.prove(pdf_keys(deployed))
    _resumed(job, resume)


def test_without_concurrency_the_sibling_is_lost_and_the_next_start_continues_the_chain(deployed: Deployed) -> None:
    """
    The kill switch of last resort: Lambda accepts the sibling's event and never runs it.

    Afterwards, a start within the sibling's grace is answered with in_progress; a later one continues the run.
    """
    job = Job(deployed, **FEW_HOPS)
    with ExitStack() as switched:
        with job.held(3):
            switched.enter_context(_no_concurrency(deployed))
        lost = _halted(job)
    assert 3 <= lost["hop"] < FEW
    assert job.ask()[0] == 409
    job.age(lost["holder"])
    job.start()
    record = job.wait_for_end("complete")
    assert record["job_id"] == lost["job_id"]
    assert json.loads(job.prove(pdf_keys(deployed))["result"])["hops"] == FEW


def _halted(job: Job) -> Record:
    """Wait until the chain halts after a hand-over, its event given up to the queue of failed ones."""
    places: list[Any] = []

    def given_up(record: Record) -> bool:
        # An event may be later than the record, which was read before.
        places.extend((event.get("job_id"), event.get("hop")) for event in jobs.given_up(job.deployed))
        return record["state"] == "handed_over" and (record["job_id"], record["hop"]) in places

    return job.wait(given_up)


def test_more_than_sixteen_siblings_run(deployed: Deployed) -> None:
    """Lambda's own guard, which the emulator has too, would end the chain after sixteen without the stack's Allow."""
    job = Job(deployed, **MANY_HOPS)
    job.start()
    job.wait_for_end("complete")
    assert json.loads(job.prove(pdf_keys(deployed))["result"])["hops"] == HOPS


def test_under_terminate_each_start_continues_from_the_cut(deployed: Deployed) -> None:
    """The function is back at Lambda's default: three starts do the work of one."""
    with _recursion(deployed, "Terminate"):
        job = Job(deployed, **MANY_HOPS)
        record: Record | None = None
        for cut in (16, 32, None):
            job.start()
            record = job.wait_for_end("parked" if cut else "complete", after=record)
            assert cut is None or (record["hop"], record["reason"]) == (cut, REFUSED)
    job.prove(pdf_keys(deployed))
    assert len({line["job_id"] for line in job.lines()}) == 1
    warned = [(line["hop"], line["level"]) for line in job.lines() if line["event"] == "recursive_loop"]
    assert warned == [(0, "WARNING")], "the first hop did not warn that Lambda will end the chain"
