"""An event that is delivered twice to the deployed stack, at once or late, changes nothing."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from dev import proof
from dev.aws import stack
from tests.e2e.jobs import Job, eventually, pdf_keys

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.conftest import Deployed

pytestmark = pytest.mark.e2e


@contextmanager
def _variable(deployed: Deployed, name: str, value: str | None) -> Iterator[None]:
    """Set an environment variable of the function for a while, or remove it (``None``)."""
    functions, function = boto3.client("lambda", **deployed.emulator.options), deployed.stack.function
    before = functions.get_function_configuration(FunctionName=function)["Environment"]["Variables"].get(name)
    stack.set_variables(deployed.emulator, function, **{name: value})
    try:
        yield
    finally:
        stack.set_variables(deployed.emulator, function, **{name: before})


def test_the_same_job_submitted_many_times_at_once_runs_once(deployed: Deployed) -> None:
    """Four events of four requests reach four runtimes at once: one chain, one manifest."""
    job = Job(deployed, page_size=10)
    with ThreadPoolExecutor(4) as callers:
        for _ in callers.map(lambda _: job.start(), range(4)):
            pass
    record = job.wait_for_end("complete")
    assert len(record["runs"]) == 1
    job.prove(pdf_keys(deployed))


def test_a_second_submission_is_answered_with_in_progress(deployed: Deployed) -> None:
    """The chain continues undisturbed."""
    job = Job(deployed)
    with job.held(1) as before:
        status, body = job.ask()
    assert (status, body) == (409, {"status": "in_progress", "job_id": before["job_id"]})
    job.wait_for_end("complete")
    job.prove(pdf_keys(deployed))


def test_each_siblings_event_delivered_again_changes_nothing(roomy: Deployed) -> None:
    """Each place in the table is delivered again at once, with the next one, and after the end."""
    job = Job(roomy)
    job.start()
    payloads: list[dict[str, Any]] = []
    record = job.wait_for_hop(1)
    with ThreadPoolExecutor(4) as callers:
        while record["state"] != "complete":
            hop = record["hop"]
            payloads.append(json.loads(record["place"]))
            for again in payloads[-2:]:
                callers.submit(job.deliver, again)
            record = job.wait(lambda record, hop=hop: record["hop"] > hop or record["state"] == "complete")  # type: ignore[misc]
    assert len(payloads) >= 3
    before, written = job.prove(pdf_keys(roomy)), job.objects()

    answers = {job.ask(payload)[0] for payload in payloads}

    assert answers == {200}  # with the finished manifest
    assert job.record() == before
    assert job.objects() == written


def test_a_finished_job_is_answered_with_the_same_manifest_under_a_fresh_url(deployed: Deployed) -> None:
    """As long as its URLs live; nothing is listed or written again."""
    job = Job(deployed)
    job.start()
    job.wait_for_end("complete")
    before, written = job.prove(pdf_keys(deployed)), job.objects()
    status, first = job.ask()
    time.sleep(1.1)  # a signature's date has whole seconds
    _, second = job.ask()
    assert status == 200
    assert first["manifest_url"] != second["manifest_url"]
    assert {**first, "manifest_url": None} == {**second, "manifest_url": None}
    assert (
        proof.get(first["manifest_url"]) == proof.get(second["manifest_url"]) == (200, job.body(first["manifest_key"]))
    )
    assert job.record() == before
    assert job.objects() == written


def test_fresh_makes_a_new_manifest_which_the_next_submission_without_it_gets(deployed: Deployed) -> None:
    """It counts once: no sibling of the new run carries it on."""
    job = Job(deployed)
    job.start()
    first = job.wait_for_end("complete")
    job.start({**job.event, "fresh": True})
    second = job.wait_for_end("complete", after=first)
    assert second["job_id"] != first["job_id"]
    assert list(second["runs"]) == [first["job_id"], second["job_id"]]
    assert len(job.manifests()) == 2
    assert job.ask()[1]["job_id"] == second["job_id"]
    assert len({job.body(key) for key in job.manifests()}) == 2  # other dates, other signatures


def test_a_later_schedule_is_a_new_run_and_the_same_event_again_is_not(deployed: Deployed) -> None:
    """EventBridge delivers at least once; the next day's event has its own id and a later time."""
    scheduled = {"detail-type": "Scheduled Event", "source": "aws.events", "time": "2026-04-01T03:00:00Z", "id": "a-1"}
    job = Job(deployed)
    with _variable(deployed, "MANIFEST_PREFIX", job.place):
        job.start(scheduled)
        first = job.wait_for_end("complete")
        status, again = job.ask(scheduled)
        tomorrow = {**scheduled, "id": "a-2", "time": "2099-04-02T03:00:00Z"}
        job.start(tomorrow)
        second = job.wait_for_end("complete", after=first)
        assert (status, again["job_id"]) == (200, first["job_id"])
        assert job.ask(tomorrow)[1]["job_id"] == second["job_id"] != first["job_id"]
    assert len(job.manifests()) == 2


def test_a_forged_payload_is_refused(deployed: Deployed) -> None:
    """A payload is input: with a ledger it can neither move the hop nor name a run that the table does not have."""
    job = Job(deployed)
    with job.held(2) as record:
        payload = json.loads(record["place"])
        ahead = {**payload, "hop": payload["hop"] + 70}
        unknown = json.loads(json.dumps(payload).replace(payload["job_id"], f"{payload['job_id'][:16]}-{'0' * 16}"))
        elsewhere = {**payload, "manifest": {**payload["manifest"], "checkpoint": "manifests/another"}}
        answers = [job.ask(forged)[0] for forged in (ahead, unknown, elsewhere)]
    assert answers == [409, 409, 400]
    job.wait_for_end("complete")
    job.prove(pdf_keys(deployed))


def test_a_chain_without_a_table_works_and_warns_that_it_is_not_fenced(deployed: Deployed) -> None:
    """Only the first hop warns; no record is written."""
    job = Job(deployed)
    with _variable(deployed, "JOBS_TABLE", None):
        status, body = job.ask()
        eventually(lambda: [line for line in job.lines(body["job_id"]) if line["event"] == "complete"])
    assert (status, body["status"]) == (202, "continued")
    assert job.record() is None
    (key,) = job.manifests()
    _, checks = proof.manifest(job.body(key), pdf_keys(deployed))
    assert [check for check in checks if not check.passed] == []
    warnings = [line["hop"] for line in job.lines(body["job_id"]) if line["event"] == "unfenced"]
    assert warnings == [0]
