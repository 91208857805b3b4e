"""A job that several chains share, from its event to its manifest, with the faults on the way."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from processor.errors import (
    ArchivedError,
    ChainFailedError,
    CheckpointLostError,
    RetryableError,
    SourceRefusedError,
    TerminalError,
)
from processor.fanout.gathering import Found, gathered
from processor.job import Checkpoint, EncodedBytes, KeyRange, WrittenRange
from processor.ledger import COMPLETE
from tests.builders import of_a_newer_release
from tests.fakes import refuse
from tests.output import logged, metrics
from tests.unit.fanout.conftest import JOB, KEYS

if TYPE_CHECKING:
    from tests.output import Output
    from tests.unit.fanout.conftest import Deployed

pytestmark = pytest.mark.no_cover  # whole jobs, again and again, of lines that other tests run, too


def test_several_chains_make_one_manifest_with_every_key_once(deployed: Deployed) -> None:
    """The first hop answers with the execution, which is named after the run; the pieces are deleted at the end."""
    answer, execution = deployed.submit()
    assert (answer["status"], answer["chains"]) == ("continued", 4)
    assert answer["execution"].endswith(f":execution:presign:{answer['job_id']}")
    assert execution.name == answer["job_id"]
    assert len(deployed.plan(execution)) > 4

    last = deployed.run(execution)
    assert (last["status"], last["count"], last["job_id"]) == ("complete", len(KEYS), answer["job_id"])
    assert last["hops"] == deployed.hops
    assert deployed.manifest == KEYS
    assert (deployed.record["state"], execution.status) == ("complete", "SUCCEEDED")
    assert int(deployed.record["count"]) == len(KEYS), "the next run compares its count with this"
    assert not [key for key in deployed.s3.objects if "/pieces/" in key]
    assert {how[0] for how in deployed.states.tasks.values() if how} == {"success"}


def test_the_keys_that_the_chains_list_divide_the_next_run_without_a_request(deployed: Deployed) -> None:
    """The maps of the ranges become one map at the end."""
    deployed.pages = 99
    _, execution = deployed.submit(page_size=5)
    assert deployed.run(execution)["pages"] > 64
    asked = len(deployed.s3.sent("list"))
    deployed.seconds = 10_000
    _, second = deployed.submit(page_size=5, fresh=True)
    assert second.name != execution.name
    assert len(deployed.s3.sent("list")) == asked
    assert len(deployed.plan(second)) > 4
    assert deployed.run(second)["count"] == len(KEYS)


def test_a_job_without_time_to_sample_its_keys_reports_it(deployed: Deployed, output: Output) -> None:
    """It still runs, with fewer ranges."""
    assert deployed.hop(JOB, 1)["status"] == "continued"
    (execution,) = deployed.states.executions.values()
    (line,) = logged(output, "divided_unseen")
    assert line["ranges"] == len(deployed.plan(execution))
    assert deployed.run(execution)["count"] == len(KEYS)


def test_a_second_delivery_starts_nothing_and_another_submission_is_in_progress(
    deployed: Deployed,
) -> None:
    """While the state machine works on the job."""
    _, execution = deployed.submit()
    deployed.seconds += 3600
    deployed.hops = 0  # the same request id
    again, _ = deployed.submit()
    other, _ = deployed.submit()
    assert {again["status"], other["status"]} == {"in_progress"}
    assert len(deployed.states.executions) == 1
    assert deployed.run(execution)["status"] == "complete"
    assert deployed.manifest == KEYS


def no_answer(deployed: Deployed, operation: str, *, done: bool) -> None:
    """Lose the next answer of an operation of Step Functions, which is carried out or not."""
    states, real = deployed.states, getattr(deployed.states, operation)

    async def lose(**asked: Any) -> dict[str, Any]:
        setattr(states, operation, real)
        if done:
            await real(**asked)
        raise ConnectTimeoutError(endpoint_url="https://states")

    setattr(states, operation, lose)


@pytest.mark.parametrize("done", [True, False])
def test_a_start_without_an_answer_is_tried_again_and_the_job_runs_once(deployed: Deployed, *, done: bool) -> None:
    """The retry of the event finds the execution, or finds none and starts it."""
    no_answer(deployed, "start_execution", done=done)
    with pytest.raises(RetryableError):
        deployed.submit()
    deployed.hops = 0
    deployed.hop(JOB, 99)
    (execution,) = deployed.states.executions.values()
    assert deployed.run(execution)["status"] == "complete"
    assert deployed.manifest == KEYS


@pytest.mark.parametrize("code", ["ThrottlingException", "ExecutionLimitExceeded"])
def test_a_start_that_finds_step_functions_busy_is_tried_again(deployed: Deployed, code: str) -> None:
    """The retry of the event starts the execution; no operator has to resume the job."""

    def busy(operation: str) -> None:
        if operation == "start_execution":
            raise refuse(code)

    deployed.states.before = busy
    with pytest.raises(RetryableError):
        deployed.hop(JOB, 99)
    deployed.states.before, deployed.hops = lambda _: None, 0
    _, execution = deployed.submit()
    assert deployed.run(execution)["status"] == "complete"


def test_a_start_that_finds_its_execution_ended_is_tried_again_under_another_name(deployed: Deployed) -> None:
    """The table was emptied, and the event came again: the job waited for an execution that had ended."""
    _, ended = deployed.submit()
    deployed.table.items.clear()
    ended.status, deployed.hops = "FAILED", 0
    with pytest.raises(RetryableError, match=r"execution \S+ has ended"):
        deployed.hop(JOB, 99)
    deployed.hops = 0
    assert deployed.hop(JOB, 99)["status"] == "continued"
    _, execution = deployed.states.executions.values()
    assert deployed.run(execution)["status"] == "complete"
    assert deployed.manifest == KEYS


def test_a_start_that_finds_its_execution_at_work_waits_for_it(deployed: Deployed) -> None:
    """The table was emptied, and the event came again before the chains knew."""
    _, execution = deployed.submit()
    deployed.table.items.clear()
    deployed.hops = 0
    assert deployed.hop(JOB, 99)["status"] == "continued"
    assert len(deployed.states.executions) == 1
    assert deployed.run(execution)["status"] == "complete"
    assert deployed.manifest == KEYS


def test_a_refused_start_parks_the_job_and_a_resume_continues_it(deployed: Deployed, output: Output) -> None:
    """Nothing is lost: the ranges exist already. The log has the words of Step Functions: which right, which policy."""

    def deny(_: str) -> None:
        raise refuse("AccessDeniedException")

    deployed.states.before = deny
    parked = deployed.hop(JOB, 99)
    assert (parked["status"], parked["reason"]) == ("parked", "execution_refused: AccessDeniedException")
    assert deployed.record["state"] == "parked", "as the operator's list of jobs shows it"
    (line,) = logged(output, "execution_not_accepted")
    assert (line["error"], "AccessDeniedException" in line["reason"]) == ("AccessDeniedException", True)
    deployed.states.before = lambda _: None
    assert deployed.hop(parked["resume"])["status"] == "continued"
    (execution,) = deployed.states.executions.values()
    assert deployed.run(execution)["status"] == "complete"
    assert deployed.manifest == KEYS


def test_a_stop_parks_every_chain_within_a_page_and_a_resume_continues_the_rest(deployed: Deployed) -> None:
    """One resume payload for the job; finished ranges are not in the second plan."""
    deployed.pages = 1
    _, execution = deployed.submit()
    *others, first = deployed.plan(execution)
    deployed.chain(deployed.task(first))
    deployed.hop(deployed.task(others[0]))
    deployed.table.items[deployed.record["job_key"]]["stop"] = {"BOOL": True}
    pages = len(deployed.s3.sent("list"))
    while (payload := deployed.next_sibling()) is not None:
        deployed.hop(payload)
    for item in others[1:]:
        deployed.chain(deployed.task(item))
    parked = deployed.gather(execution)
    assert (parked["status"], parked["reason"], execution.status) == ("parked", "stopped", "FAILED")
    assert len(deployed.s3.sent("list")) - pages <= 8 * len(others)
    assert {how[0] for how in deployed.states.tasks.values() if how} == {"success", "Parked"}

    complete = [item for item in deployed.table.items.values() if item["state"]["S"] == "complete"]
    resumed = deployed.hop(parked["resume"], 99)
    second = list(deployed.states.executions.values())[-1]
    assert second.name == f"{parked['job_id']}-3"
    assert (resumed["status"], second.status) == ("continued", "RUNNING")
    left = [item["share"]["number"] for item in deployed.plan(second)]
    done = {json.loads(item["place"]["S"])["share"]["number"] for item in complete}
    assert first["share"]["number"] in done  # and a range whose one page ends it
    assert sorted(left) == sorted({item["share"]["number"] for item in others} - done)
    assert deployed.run(second)["status"] == "complete"
    assert deployed.manifest == KEYS


def refused(deployed: Deployed, error: Exception, what: str = "list") -> None:
    """Make the next requests of an operation fail."""

    async def refuse_it(operation: str, _: object) -> None:
        if operation == what:
            raise error

    deployed.s3.before = refuse_it


def test_a_range_that_fails_for_good_fails_the_job_and_leaves_no_piece(deployed: Deployed) -> None:
    """The other chains stop, and no unneeded piece remains."""
    _, execution = deployed.submit()
    first, second, *others = deployed.plan(execution)
    deployed.chain(deployed.task(first))

    refused(deployed, ArchivedError("it is archived"))
    with pytest.raises(ArchivedError):
        deployed.chain(deployed.task(second))
    deployed.s3.before = None
    for item in others:
        deployed.chain(deployed.task(item))
    with pytest.raises(ChainFailedError, match="ArchivedError"):
        deployed.gather(execution)
    assert (deployed.record["state"], deployed.record["reason"]) == ("failed", "ChainFailedError")
    assert not [key for key in deployed.s3.objects if "/pieces/" in key]
    assert not deployed.s3.uploads
    assert ("Failed", "ChainFailedError") in deployed.states.tasks.values()


def test_a_range_that_s3_refuses_parks_the_job_with_all_that_is_written(deployed: Deployed) -> None:
    """The reason is this refusal, and not the stop of the other chains; one resume continues the rest."""
    deployed.pages = 1
    _, execution = deployed.submit()
    first, second, third, *others = deployed.plan(execution)
    deployed.chain(deployed.task(first))
    for item in (second, third):  # each has a page, and a sibling under way
        deployed.hop(deployed.task(item))
    refused(deployed, refuse("AccessDenied", status=403))
    with pytest.raises(SourceRefusedError):
        deployed.hop(deployed.next_sibling() or {})
    deployed.s3.before = None
    while (payload := deployed.next_sibling()) is not None:
        deployed.hop(payload)
    for item in others:
        deployed.chain(deployed.task(item))
    parked = deployed.gather(execution)
    assert (parked["status"], parked["reason"]) == ("parked", "SourceRefusedError")
    assert (deployed.record["state"], execution.status) == ("parked", "FAILED")
    assert ("Failed", "SourceRefusedError") in deployed.states.tasks.values()

    waits = deployed.submit()[0]
    assert (waits["status"], waits["reason"]) == ("parked", "SourceRefusedError"), (
        "a submission alone continues nothing"
    )
    deployed.hop(parked["resume"], 99)
    again = list(deployed.states.executions.values())[-1]
    assert len(deployed.plan(again)) < len(deployed.plan(execution))
    assert deployed.run(again)["status"] == "complete"
    assert deployed.manifest == KEYS
    assert not [key for key in deployed.s3.objects if "/pieces/" in key]


def test_a_commit_that_s3_refuses_keeps_what_all_chains_have_written(deployed: Deployed) -> None:
    """A right to write was missing for a minute, after hours of listing; the resume only commits."""
    _, execution = deployed.submit()
    for item in deployed.plan(execution):
        deployed.chain(deployed.task(item))
    listed = len(deployed.s3.sent("list"))
    refused(deployed, refuse("AccessDenied", status=403), "create")
    with pytest.raises(SourceRefusedError):
        deployed.gather(execution)
    record = deployed.record
    assert (record["state"], record["reason"]) == ("failed", "SourceRefusedError")
    deployed.s3.before = None
    answer = deployed.hop({**json.loads(record["place"]), "resume": True}, 99)
    assert (answer["status"], answer["count"], len(deployed.s3.sent("list"))) == ("complete", len(KEYS), listed)
    assert deployed.manifest == KEYS


def test_a_range_whose_hops_keep_dying_parks_the_job(deployed: Deployed) -> None:
    """The pieces of all other ranges are kept; an operator's resume gives the range out once more."""
    _, execution = deployed.submit()
    first, *others = deployed.plan(execution)
    refused(deployed, refuse("SlowDown", status=503))
    for _ in range(4):
        with pytest.raises(RetryableError):
            deployed.hop(deployed.task(first))
        deployed.seconds += 46
    with pytest.raises(TerminalError, match="no_progress_after_takeovers"):
        deployed.hop(deployed.task(first))
    deployed.s3.before = None
    for each in others:
        deployed.chain(deployed.task(each))
    parked = deployed.gather(execution)
    assert (parked["status"], parked["reason"]) == ("parked", "no_progress_after_takeovers")
    deployed.hop(parked["resume"], 99)
    again = list(deployed.states.executions.values())[-1]
    assert [each["share"]["number"] for each in deployed.plan(again)] == [first["share"]["number"]]
    assert deployed.run(again)["status"] == "complete"
    assert deployed.manifest == KEYS


def test_each_token_of_a_task_given_out_again_gets_the_result(deployed: Deployed) -> None:
    """A retry or a redrive brings another token; the state machine may wait for either."""
    _, execution = deployed.submit()
    first, *others = deployed.plan(execution)
    old, new, late = (deployed.states.token() for _ in range(3))
    deployed.hop(deployed.task(first, old))
    deployed.hop(deployed.task(first, new))
    while (payload := deployed.next_sibling()) is not None:
        deployed.hop(payload)
    assert deployed.states.tasks[old] == deployed.states.tasks[new]
    assert str((deployed.states.tasks[new] or ("", ""))[0]) == "success"
    deployed.hop(deployed.task(first, late))
    assert (deployed.states.tasks[late] or ("", ""))[0] == "success"
    for item in others:
        deployed.chain(deployed.task(item))
    assert deployed.gather(execution)["status"] == "complete"
    assert deployed.manifest == KEYS


def test_a_report_without_an_answer_is_repeated(deployed: Deployed) -> None:
    """The retry of the last hop's event finds the range done, and reports it."""
    _, execution = deployed.submit()
    (first, *_), token, deployed.pages = deployed.plan(execution), deployed.states.token(), 99
    no_answer(deployed, "send_task_success", done=False)
    with pytest.raises(RetryableError) as lost:
        deployed.hop(deployed.task(first, token))
    assert token not in str(lost.value)
    assert deployed.states.tasks[token] is None
    deployed.hop(deployed.task(first, token))
    assert (deployed.states.tasks[token] or ("", ""))[0] == "success"


def test_a_job_whose_execution_was_aborted_continues_with_the_next_submission(deployed: Deployed) -> None:
    """With the remaining ranges; a chain that still works does so for the new execution."""
    _, execution = deployed.submit()
    items = deployed.plan(execution)
    for item in items[: len(items) // 2]:
        deployed.chain(deployed.task(item))
    execution.status = "ABORTED"
    answer, second = deployed.submit()
    assert (answer["status"], second.name) == ("continued", f"{answer['job_id']}-2")
    assert len(deployed.plan(second)) == len(items) - len(items) // 2
    assert deployed.run(second)["status"] == "complete"
    assert deployed.manifest == KEYS


def test_a_deployment_without_a_state_machine_finishes_a_job_of_several_chains(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The job waited a week for the end of its lease; after an operator's resume one chain lists the rest."""
    _, execution = deployed.submit()
    deployed.chain(deployed.task(deployed.plan(execution)[0]))
    monkeypatch.delenv("STATE_MACHINE_ARN")
    last = deployed.chain({**execution.given["job"], "resume": True})
    assert (last["status"], last["count"]) == ("complete", len(KEYS))
    assert deployed.manifest == KEYS


def test_no_state_machine_gives_out_a_job_that_one_chain_has_begun(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An older version was live for a while: the keys that it listed of a range were counted twice."""
    _, execution = deployed.submit()
    first, *_ = deployed.by_key(execution)
    deployed.chain(deployed.task(first))
    with monkeypatch.context() as older:
        older.delenv("STATE_MACHINE_ARN")
        deployed.hop({**execution.given["job"], "resume": True}, 1)
    last = deployed.chain(deployed.next_sibling() or {})
    assert (last["status"], last["count"]) == ("complete", len(KEYS))
    assert deployed.manifest == KEYS


def test_a_dead_chain_is_taken_over_by_the_next_task_of_its_range(deployed: Deployed) -> None:
    """Its sibling's event is lost; the state machine misses the heartbeat and gives the range out again."""
    deployed.pages = 1
    _, execution = deployed.submit()
    first, *others = deployed.by_key(execution)
    deployed.hop(deployed.task(first))
    assert deployed.next_sibling() is not None
    deployed.seconds += 46
    for item in [first, *others]:
        deployed.chain(deployed.task(item))
    assert deployed.gather(execution)["status"] == "complete"
    assert deployed.manifest == KEYS


def test_unfinished_ranges_at_the_end_of_the_state_machine_park_the_job(deployed: Deployed) -> None:
    """A range that timed out has no reason of its own."""
    _, execution = deployed.submit()
    first, *_ = deployed.plan(execution)
    deployed.chain(deployed.task(first))
    parked = deployed.gather(execution)
    assert (parked["status"], parked["reason"]) == ("parked", "chains_lost")


def test_ranges_written_by_another_release_are_never_guessed_at(deployed: Deployed) -> None:
    """A finished range of the same number was taken for the whole job: a manifest of one key, reported as complete."""
    _, execution = deployed.submit()
    for item in deployed.plan(execution):
        deployed.chain(deployed.task(item))
    key = execution.given["job"]["manifest"]["checkpoint"]
    deployed.s3.objects[key] = of_a_newer_release(deployed.s3.objects[key])
    with pytest.raises(CheckpointLostError):
        deployed.gather(execution)
    assert deployed.gather(execution)["status"] == "continued", "its retry begins a new run"
    second = list(deployed.states.executions.values())[-1]
    assert second.name != execution.name
    assert deployed.run(second)["status"] == "complete"
    assert deployed.manifest == KEYS


def test_a_checkpoint_of_another_range_is_refused_despite_its_number() -> None:
    """Whatever the numbers say."""
    part = WrittenRange(KeyRange(0, "", "m", "m", None, done=True), EncodedBytes(), ())
    whole = WrittenRange(KeyRange(0, "", None, "", None, done=False), EncodedBytes(), ())
    chain = Checkpoint(job_key="k", job_id="i", ranges=(part,))
    with pytest.raises(CheckpointLostError, match="another range"):
        gathered(replace(chain, ranges=(whole,)), [Found(whole, COMPLETE, None, chain)])


def test_adjacent_finished_ranges_become_one_range_over_all_of_them() -> None:
    """The ranges always partition the key space, and each has a number of its own, whatever its chain calls it."""
    bounds = ("", "g", "m", "t", None)
    ranges = [
        WrittenRange(KeyRange(number, str(after), upto, str(after), None, done=False), EncodedBytes(), ())
        for number, (after, upto) in zip((3, 1, 2, 0), pairwise(bounds), strict=True)
    ]
    job = Checkpoint(job_key="k", job_id="i", ranges=tuple(ranges))

    def chain(each: WrittenRange) -> Found:
        done = replace(each, range=replace(each.range, number=0, place=f"{each.range.after}z", done=True))
        return Found(each, COMPLETE, None, replace(job, ranges=(done,)))

    found = gathered(job, [*map(chain, ranges[:3]), Found(ranges[3])]).checkpoint
    first, last = (each.range for each in found.ranges)
    assert first == KeyRange(3, "", "t", "mz", None, done=True)
    assert last == ranges[3].range


def test_the_hop_budget_is_shared_by_all_chains_of_a_job(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each range has a first hop; the hand-overs of all chains count together."""
    monkeypatch.setenv("MAX_HOPS", "2")
    deployed.pages = 1
    _, execution = deployed.submit()
    parked = deployed.run(execution)
    assert (parked["status"], parked["reason"]) == ("parked", "max_hops")
    ranges = len(deployed.plan(execution))
    assert ranges < deployed.hops <= 2 * ranges + 2 + 2


def test_the_first_hop_of_each_range_does_not_count_in_the_budget(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a job with more ranges than its budget has hops would park at once, and again."""
    monkeypatch.setenv("MAX_HOPS", "2")
    deployed.pages = 99
    _, execution = deployed.submit()
    assert len(deployed.plan(execution)) > 2
    assert deployed.run(execution)["status"] == "complete"
    assert int(deployed.record["chain_hops"]) == int(deployed.record["hops_free"]) == len(deployed.plan(execution))


def test_a_chain_whose_job_has_moved_on_parks_at_its_next_checkpoint(deployed: Deployed) -> None:
    """A new run of the job has begun, or the table has dropped the job: its pieces are of no use."""
    deployed.pages = 1
    _, execution = deployed.submit()
    first, *_ = deployed.by_key(execution)
    deployed.hop(deployed.task(first))
    del deployed.table.items[deployed.record["job_key"]]
    stopped = deployed.hop(deployed.next_sibling() or {})
    assert (stopped["status"], stopped["reason"]) == ("parked", "stopped")
    assert deployed.next_sibling() is None


def test_a_job_that_the_table_forgets_parks_with_all_of_its_chains_and_one_resume_continues_it(
    deployed: Deployed,
) -> None:
    """The table was emptied while chains worked: each writes at most one more page, and none begins by itself."""
    deployed.pages = 1
    _, execution = deployed.submit()
    done, first, *others = deployed.by_key(execution)
    deployed.chain(deployed.task(done))
    deployed.hop(deployed.task(first))
    sibling = deployed.next_sibling() or {}
    deployed.table.items.clear()

    stopped = deployed.hop(sibling)
    assert (stopped["status"], stopped["reason"]) == ("parked", "forgotten")
    requests = len(deployed.s3.sent("list"))
    for item in (first, *others):
        token = deployed.states.token()
        assert deployed.hop(deployed.task(item, token))["reason"] == "stopped"
        assert deployed.states.tasks[token] == ("Parked", "stopped")
    assert len(deployed.s3.sent("list")) - requests <= 4 * (len(others) + 1), "a page, and the requests beside it"

    token = deployed.states.token()
    parked = deployed.hop(deployed.task(execution.given["job"], token))
    assert (parked["status"], parked["reason"]) == ("parked", "forgotten")
    assert deployed.states.tasks[token] == ("Parked", "forgotten")
    assert (len(deployed.states.executions), deployed.siblings.requests) == (1, [])

    deployed.hop(parked["resume"], 99)
    again = list(deployed.states.executions.values())[-1]
    assert deployed.run(again)["status"] == "complete"
    assert deployed.manifest == KEYS


def test_a_range_whose_record_alone_is_gone_begins_again_with_the_state_machines_next_try(deployed: Deployed) -> None:
    """No payload holds a token, so its sibling can report to no task; the task's heartbeat ends, and it is retried."""
    deployed.pages = 1
    _, execution = deployed.submit()
    first, *others = deployed.by_key(execution)
    token = deployed.states.token()
    deployed.hop(deployed.task(first, token))
    (key,) = (key for key, item in deployed.table.items.items() if "share" in json.loads(item["place"]["S"]))
    del deployed.table.items[key]
    assert deployed.hop(deployed.next_sibling() or {})["reason"] == "forgotten"
    assert deployed.states.tasks[token] is None
    for item in (first, *others):
        deployed.chain(deployed.task(item))
    assert deployed.gather(execution)["status"] == "complete"
    assert deployed.manifest == KEYS


def test_the_budget_metric_covers_the_whole_job(
    deployed: Deployed, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The alarm at four fifths comes before the job parks, however few hops each of its chains has."""
    monkeypatch.setenv("MAX_HOPS", "10")
    deployed.pages = 1
    _, execution = deployed.submit()
    assert deployed.run(execution)["reason"] == "max_hops"
    used = [each["HopBudgetPercent"] for each in metrics(output)]
    assert used[0] <= 20
    assert any(80 <= each < 100 for each in used), used


def test_one_resume_gives_a_range_whose_hop_died_the_new_budget_too(
    deployed: Deployed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a range continued in the job's old budget, and parked the job once more."""
    monkeypatch.setenv("MAX_JOB_SECONDS", "600")
    deployed.pages = 1
    _, execution = deployed.submit()
    first, *others = deployed.by_key(execution)
    deployed.hop(deployed.task(first))
    refused(deployed, refuse("SlowDown", status=503))
    with pytest.raises(RetryableError):
        deployed.hop(deployed.next_sibling() or {})
    deployed.s3.before = None
    deployed.seconds += 700
    for item in others:
        deployed.chain(deployed.task(item))
    parked = deployed.gather(execution)
    assert (parked["status"], parked["reason"]) == ("parked", "max_job_seconds")

    deployed.hop(parked["resume"], 99)
    again = list(deployed.states.executions.values())[-1]
    assert deployed.run(again)["status"] == "complete"
    assert deployed.manifest == KEYS


def test_no_token_is_in_a_log_or_in_a_siblings_event(deployed: Deployed, output: Output) -> None:
    """The token of a task is enough to end it."""
    _, execution = deployed.submit()
    first, second, *_ = deployed.plan(execution)
    deployed.hop({"requestPayload": deployed.task(second), "responsePayload": {}})
    deployed.hop(deployed.task(first))
    assert all("secret" not in str(request) for request in deployed.siblings.requests)
    assert "-secret-" not in output.getvalue()


def test_the_records_of_chains_name_the_job_and_the_jobs_record_has_their_progress(deployed: Deployed) -> None:
    """``status`` and ``watch`` read the job's own record alone."""
    _, execution = deployed.submit()
    items = deployed.plan(execution)
    for item in items[:2]:
        deployed.chain(deployed.task(item))
    record = deployed.record
    assert (record["state"], int(record["ranges"]), int(record["ranges_done"])) == ("fanned_out", len(items), 2)
    counted = sum(int(item["count"]["N"]) for item in deployed.table.items.values() if item["state"]["S"] == "complete")
    assert int(record["count"]) == counted > 0
