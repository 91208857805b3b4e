"""Who may work on a job: a sentence for every pair of a record and an event that matters."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from processor.errors import RetryableError
from processor.job import LAST, VERSION, Share, SiblingPayload
from processor.ledger import COMPLETE, FAILED, FANNED_OUT, HANDED_OVER, PARKED, RUNNING, Claim, Record, Verdict
from processor.ledger import claim as module
from processor.ledger.claim import FINAL_REASONS, MAX_TAKEOVERS, REMEMBERED_RUNS
from processor.ledger.record import LEASE
from tests.builders import OPEN, at_hop, claim, record_of, run_of
from tests.conftest import NOW
from tests.mutants import assert_the_test_misses_it, put, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.mutants import Patch

LIVE, OUT = NOW + timedelta(seconds=1), NOW
TOMORROW = NOW + timedelta(days=1)
NEXT_HOUR = (NOW + timedelta(hours=1)).isoformat()


def verdict(record: Record | None, run: SiblingPayload, **fields: Any) -> Verdict:
    """Return what an event may do."""
    return claim(run, **fields).decide(record).verdict


def test_a_new_job_begins() -> None:
    """With a lease of its own."""
    decision = claim(run_of()).decide(None)
    assert decision.verdict is Verdict.WORK
    assert (decision.record.state, decision.record.holder) == (RUNNING, "me")
    assert decision.record.lease_until == NOW + LEASE


@pytest.mark.parametrize("state", [RUNNING, HANDED_OVER])
def test_another_submitter_of_a_live_job_waits(state: str) -> None:
    """The same job submitted twice at the same time runs once."""
    for changes in ({}, {"fresh": True}):
        assert verdict(record_of(state), run_of("second", **changes)) is Verdict.IN_PROGRESS
    assert verdict(record_of(state), run_of("second"), time=TOMORROW) is Verdict.IN_PROGRESS


def test_a_task_of_an_earlier_run_changes_no_record_of_a_later_one() -> None:
    """A write would take the lease from the run's holder; a task of the run itself is remembered."""
    record = record_of(RUNNING, run_of("second"))
    stale = replace(claim(at_hop(3, run_of("first"))), token="t").decide(record)
    assert (stale.verdict, stale.record) == (Verdict.DUPLICATE, record)
    assert replace(claim(at_hop(3, run_of("second"))), token="t").decide(record).record.tokens == ("t",)


def test_the_latest_tasks_that_wait_for_a_run_hear_of_its_end() -> None:
    """A restarted state machine waits with a token of its own; the tokens before it are of no use."""
    record, place = record_of(RUNNING, run_of()), run_of()
    for token in "abcdd":
        record = replace(claim(place), token=token).decide(record).record
    assert record.tokens == ("b", "c", "d")


@pytest.mark.parametrize("state", [FANNED_OUT, HANDED_OVER, RUNNING])
@pytest.mark.parametrize(("resume", "stop"), [(True, False), (False, True)])
def test_an_operators_stop_lasts_until_an_operator_resumes(state: str, *, resume: bool, stop: bool) -> None:
    """Also when the stopped hop dies, or the hop that gathers the ranges comes in between."""
    record = replace(record_of(state, stop=True), lease_until=NOW)
    decision = replace(claim(at_hop(3), resume=resume), machine_ended=True).decide(record)
    assert (decision.verdict, decision.record.stop) == (Verdict.WORK, stop)


def test_a_retry_of_a_fresh_job_continues_from_its_checkpoint() -> None:
    """``fresh`` counts once a delivery: otherwise each hop that dies would cost all that is done."""
    run = run_of(fresh=True)
    decision = claim(run).decide(record_of(RUNNING, at_hop(3, run), lease_until=OUT))
    assert (decision.verdict, decision.record.place.hop, decision.record.takeovers) == (Verdict.WORK, 3, 1)


def test_a_retry_that_meets_a_live_lease_is_delivered_again() -> None:
    """The first try of the same event may still be dying."""
    assert verdict(record_of(RUNNING, run_of()), run_of()) is Verdict.AGAIN
    assert verdict(record_of(RUNNING, at_hop(3)), at_hop(3)) is Verdict.AGAIN


def test_a_retry_takes_over_a_dead_lease_from_the_ledgers_place() -> None:
    """The payload's place does not count."""
    for event in (run_of(), run_of("second"), at_hop(3)):
        decision = claim(event).decide(record_of(RUNNING, at_hop(3), lease_until=OUT, takeovers=1))
        assert decision.verdict is Verdict.WORK
        assert decision.record.place.hop == 3
        assert (decision.record.takeovers, decision.record.holder) == (2, "me")


def test_a_sibling_begins_at_the_place_that_it_was_given() -> None:
    """At once, and not as a take-over."""
    decision = claim(at_hop(3)).decide(record_of(HANDED_OVER))
    assert (decision.verdict, decision.record.takeovers) == (Verdict.WORK, 0)


def test_a_sibling_that_never_came_is_replaced_after_the_grace() -> None:
    """By the retry of the hop before, by a schedule, or by another submission of the job."""
    lost = record_of(HANDED_OVER, lease_until=OUT)
    for event in (at_hop(2), run_of(), run_of("second")):
        decision = claim(event).decide(lost)
        assert (decision.verdict, decision.record.place.hop) == (Verdict.WORK, 3)
    waiting = record_of(HANDED_OVER)
    assert verdict(waiting, at_hop(2)) is Verdict.DUPLICATE
    assert verdict(waiting, run_of()) is Verdict.DUPLICATE


@pytest.mark.parametrize("state", [RUNNING, HANDED_OVER])
def test_an_event_that_the_chain_has_passed_changes_nothing(state: str) -> None:
    """Delivered twice, late or out of order; even after the end of the lease."""
    for until in (LIVE, OUT):
        assert verdict(record_of(state, lease_until=until), at_hop(1)) is Verdict.DUPLICATE
        assert verdict(record_of(state, lease_until=until), at_hop(4)) is Verdict.DUPLICATE


def test_a_task_of_an_earlier_execution_leaves_the_later_ones_ranges_alone() -> None:
    """It would gather ranges whose chains still work, and give them out again."""
    for hop in (2, 4):
        early = replace(claim(at_hop(hop)), token="t")
        assert early.decide(record_of(FANNED_OUT)).verdict is Verdict.DUPLICATE


def test_an_event_of_another_run_changes_nothing() -> None:
    """For example a sibling of yesterday's run."""
    other = at_hop(3, run_of("second"))
    for state in (RUNNING, HANDED_OVER, PARKED, COMPLETE, FAILED):
        assert verdict(record_of(state, lease_until=OUT), other) is Verdict.DUPLICATE


def test_a_sibling_whose_record_is_gone_parks() -> None:
    """The table was emptied, or has dropped the job long after its end: an operator decides whether it continues."""
    parked = claim(at_hop(3)).decide(None)
    assert (parked.verdict, parked.record.reason, parked.record.place) == (Verdict.PARKED, "forgotten", at_hop(3))
    again = replace(claim(at_hop(3), resume=True), now=TOMORROW).decide(None)
    assert again.verdict is Verdict.WORK
    assert (again.record.place.budget_hop, again.record.place.budget_since) == (3, TOMORROW), "a budget is opened"


def test_three_take_overs_without_progress_fail_the_job() -> None:
    """The cause of the crashes would persist."""
    dead = record_of(RUNNING, lease_until=OUT, takeovers=MAX_TAKEOVERS)
    decision = claim(at_hop(3)).decide(dead)
    assert (decision.verdict, decision.record.state) == (Verdict.FAILED, FAILED)


def test_three_take_overs__an_operator_resumes_from_the_last_checkpoint() -> None:
    """The cause may be over: a disabled key, an hour without S3. All pieces still exist."""
    dead = record_of(RUNNING, lease_until=OUT, takeovers=MAX_TAKEOVERS)
    assert verdict(dead, at_hop(3), resume=True) is Verdict.WORK
    failed = claim(at_hop(3)).decide(dead).record
    again = claim(at_hop(3), resume=True).decide(failed)
    assert (again.verdict, again.record.place.hop, again.record.takeovers) == (Verdict.WORK, 3, 0)
    assert (again.record.state, again.record.place.budget_hop) == (RUNNING, 3)
    assert verdict(failed, at_hop(3)) is Verdict.FAILED, "a retry alone does not resume"
    assert verdict(failed, at_hop(2), resume=True) is Verdict.DUPLICATE
    assert verdict(replace(failed, reason="ArchivedError"), at_hop(3), resume=True) is Verdict.FAILED


@pytest.mark.parametrize(
    "lost", [record_of(RUNNING), record_of(HANDED_OVER), record_of(FANNED_OUT)], ids=lambda record: record.state
)
def test_one_resume_continues_a_lost_job_that_is_older_than_its_budget(lost: Record) -> None:
    """Found on Monday: without a new budget it would park at its next checkpoint."""
    lost = replace(lost, chain_hops=7)
    late = replace(claim(at_hop(3), resume=True), now=TOMORROW, machine_ended=True)
    decision = late.decide(lost)
    assert decision.verdict is Verdict.WORK
    assert (decision.record.place.budget_hop, decision.record.place.budget_since) == (3, TOMORROW)
    assert decision.record.chain_hops_used == 0
    again = replace(late, resume=False).decide(lost)
    assert again.record.place.budget_since == NOW, "a mere retry opens no budget"
    assert again.record.chain_hops_used == 7


def test_a_range_given_out_again_continues_in_the_new_budget_once() -> None:
    """Whether it was parked or its hop has died; a repeated start finds it begun."""
    first, second = (run_of().shared(Share(3, "a", "b", start)) for start in (1, 2))
    second = replace(second, budget_since=NOW)
    place = replace(at_hop(3, first), budget_since=NOW - timedelta(days=2))
    for before in (
        record_of(PARKED, place, reason="max_job_seconds"),
        record_of(PARKED, place, reason="stopped", stop=True),
        record_of(RUNNING, place, lease_until=OUT, takeovers=MAX_TAKEOVERS),
        record_of(FAILED, place, reason="SourceRefusedError"),
    ):
        decision = claim(second).decide(before)
        assert (decision.verdict, decision.record.takeovers, decision.record.stop) == (Verdict.WORK, 0, False)
        assert (decision.record.place.hop, decision.record.place.budget_since) == (3, NOW)
        stopped = replace(decision.record, state=PARKED, reason="stopped")
        assert verdict(stopped, second) is Verdict.PARKED
    assert verdict(record_of(RUNNING, place), second) is Verdict.AGAIN, "a live hop continues"
    assert verdict(record_of(COMPLETE, place, expires_at=LIVE), second) is Verdict.FINISHED


def test_after_a_refusal_of_s3_an_operator_resumes_from_the_last_checkpoint() -> None:
    """A policy was corrected; a retry alone does not resume, and a submission starts again."""
    refused = record_of(FAILED, reason="SourceRefusedError", takeovers=2)
    again = claim(at_hop(3), resume=True).decide(refused)
    assert (again.verdict, again.record.place.hop, again.record.takeovers) == (Verdict.WORK, 3, 0)
    assert verdict(refused, at_hop(3)) is Verdict.FAILED
    assert verdict(refused, at_hop(2), resume=True) is Verdict.DUPLICATE


def test_a_finished_job_answers_while_its_urls_live() -> None:
    """With the same manifest, and never longer than its URLs live."""
    fine = record_of(COMPLETE, expires_at=LIVE)
    assert verdict(fine, run_of("second")) is Verdict.FINISHED
    dead = record_of(COMPLETE, expires_at=OUT)
    assert verdict(dead, run_of("second")) is Verdict.WORK
    assert verdict(dead, run_of()) is Verdict.FINISHED, "a repeated delivery is no new run, however late"
    assert verdict(fine, at_hop(3)) is Verdict.FINISHED


def test_a_finished_job_whose_manifest_is_gone_starts_again() -> None:
    """Only for a new submission, and only while the record is of the run that was checked."""
    fine = record_of(COMPLETE, expires_at=LIVE)
    second = replace(claim(run_of("second")), gone=fine.job_id)
    assert second.decide(fine).verdict is Verdict.WORK
    assert replace(claim(run_of()), gone=fine.job_id).decide(fine).verdict is Verdict.FINISHED
    newer = record_of(COMPLETE, at_hop(3, run_of("newer")), expires_at=LIVE)
    assert second.decide(newer).verdict is Verdict.FINISHED


def test_a_later_scheduled_event_is_a_new_run() -> None:
    """Tomorrow's reports are not today's; the same event delivered twice is the same run."""
    fine = record_of(COMPLETE, expires_at=TOMORROW)
    decision = claim(run_of("tomorrow"), time=TOMORROW).decide(fine)
    assert decision.verdict is Verdict.WORK
    assert decision.record.runs == (run_of().job_id, run_of("tomorrow").job_id)
    for earlier in (fine.place.started, NOW - timedelta(minutes=1)):
        assert verdict(fine, run_of("late"), time=earlier) is Verdict.FINISHED


@pytest.mark.parametrize(("state", "answer"), [(COMPLETE, Verdict.FINISHED), (PARKED, Verdict.PARKED)])
def test_a_run_answers_its_own_time_also_where_that_is_still_to_come(state: str, answer: Verdict) -> None:
    """Each repeated request for the same job with tomorrow's time began a run."""
    tomorrow = TOMORROW.isoformat()
    known = record_of(state, at_hop(3, run_of(time=tomorrow)), reason="max_hops")
    assert verdict(known, run_of("second", time=tomorrow), time=TOMORROW) is answer
    tick = replace(claim(run_of("tick", time=tomorrow), time=TOMORROW), now=TOMORROW - timedelta(seconds=1))
    assert tick.decide(known).verdict is answer
    assert replace(tick, now=TOMORROW).decide(known).verdict is Verdict.WORK, "tomorrow's schedule lists again"
    later = TOMORROW + timedelta(seconds=1)
    assert verdict(known, run_of("third", time=later.isoformat()), time=later) is Verdict.WORK


def test_fresh_starts_a_new_run_once_a_delivery() -> None:
    """A repeated delivery finds its own run, also among the runs that are remembered later."""
    fine = record_of(COMPLETE, expires_at=TOMORROW)
    fresh = run_of("second", fresh=True)
    renewed = claim(fresh).decide(fine)
    assert renewed.verdict is Verdict.WORK
    done = replace(renewed.record, state=COMPLETE, expires_at=TOMORROW)
    assert verdict(done, fresh) is Verdict.FINISHED
    third = claim(run_of("third", fresh=True)).decide(done).record
    assert verdict(third, fresh) is Verdict.IN_PROGRESS
    assert verdict(replace(third, state=COMPLETE), fresh) is Verdict.FINISHED


def test_fresh_replaces_a_dead_run_and_waits_for_a_live_one() -> None:
    """It demands a new listing: a dead run continued would give the keys of the day before."""
    fresh = run_of("second", fresh=True)
    for state in (RUNNING, HANDED_OVER):
        decision = claim(fresh).decide(record_of(state, lease_until=OUT))
        assert (decision.verdict, decision.record.place.hop) == (Verdict.WORK, 0)
        assert decision.record.job_id == fresh.job_id
        assert verdict(record_of(state), fresh) is Verdict.IN_PROGRESS
    assert verdict(decision.record, at_hop(3)) is Verdict.DUPLICATE, "the old run's siblings come too late"


def test_a_repeated_submission_that_continued_a_run_starts_no_new_one() -> None:
    """However late it comes (the simulation found one)."""
    event = run_of("second")
    taken = claim(event).decide(record_of(RUNNING, lease_until=OUT)).record
    assert (taken.job_id, taken.runs[-1], taken.claimant) == (run_of().job_id, event.job_id, event.job_id)
    done = replace(taken, state=COMPLETE, expires_at=OUT)
    assert verdict(done, event, time=TOMORROW) is Verdict.FINISHED
    assert verdict(replace(done, state=FAILED), event) is Verdict.FAILED
    assert verdict(replace(taken, lease_until=OUT), event) is Verdict.WORK, "its retry continues"


@pytest.mark.parametrize(("state", "reason"), [(FAILED, "denied"), (PARKED, "rules_unknown")])
def test_the_latest_submissions_are_remembered_and_the_record_grows_no_further(state: str, reason: str) -> None:
    """Whether each begins a run or continues one: a schedule submits the same job for years."""
    record, events = record_of(state, reason=reason), [run_of(f"{number}") for number in range(REMEMBERED_RUNS + 5)]
    for event in events:
        taken = claim(event).decide(record)
        assert taken.verdict is Verdict.WORK
        record = replace(taken.record, state=state, reason=reason)
    assert record.runs == tuple(event.job_id for event in events[-REMEMBERED_RUNS:])
    assert [claim(event).is_new(record) for event in events] == [True] * 5 + [False] * REMEMBERED_RUNS


def test_parked__a_resume_continues_with_one_new_budget() -> None:
    """A repeated resume finds that the chain has moved on."""
    parked = record_of(PARKED, reason="max_hops", stop=True)
    decision = claim(at_hop(3), resume=True).decide(parked)
    assert (decision.verdict, decision.record.stop, decision.record.reason) == (Verdict.WORK, False, None)
    assert (decision.record.place.budget_hop, decision.record.place.budget_since) == (3, NOW)
    assert verdict(decision.record, at_hop(3), resume=True) is Verdict.IN_PROGRESS
    further = record_of(PARKED, at_hop(9), reason="max_hops")
    assert verdict(further, at_hop(3), resume=True) is Verdict.PARKED


@pytest.mark.parametrize("reason", sorted(FINAL_REASONS))
def test_parked__no_submission_continues_past_a_budget_a_guard_or_an_operator(reason: str) -> None:
    """Tomorrow's schedule, or ``fresh``, is a new run."""
    parked = record_of(PARKED, reason=reason)
    assert verdict(parked, run_of()) is Verdict.PARKED
    assert verdict(parked, run_of("second")) is Verdict.PARKED
    assert verdict(parked, at_hop(3)) is Verdict.PARKED
    first, second = (replace(run, job=replace(run.job, modified_since=LAST)) for run in (run_of(), run_of("second")))
    assert verdict(record_of(PARKED, first, reason=reason), second) is Verdict.PARKED, "more may have changed"
    for event, time in ((run_of("second"), TOMORROW), (run_of("second", fresh=True), None)):
        decision = claim(event, time=time).decide(parked)
        assert (decision.verdict, decision.record.place.hop) == (Verdict.WORK, 0)


def test_parked__the_next_submission_continues_after_a_passing_reason() -> None:
    """Too many siblings, or an unknown state of the rules, is not a stop."""
    for reason in ("max_concurrent_siblings", "rules_unknown", "sibling_refused: TooManyRequestsException"):
        decision = claim(run_of("second")).decide(record_of(PARKED, reason=reason))
        assert (decision.verdict, decision.record.place.hop) == (Verdict.WORK, 3)
        tomorrow = claim(run_of("second"), time=TOMORROW).decide(record_of(PARKED, reason=reason))
        assert (tomorrow.verdict, tomorrow.record.place.hop) == (Verdict.WORK, 0), "a new run"


def test_failed__a_retry_fails_again_and_the_next_submission_starts_a_new_run() -> None:
    """The on-failure destination must see the retry fail."""
    failed = record_of(FAILED, reason="SourceRefusedError")
    assert verdict(failed, run_of()) is Verdict.FAILED
    assert verdict(failed, at_hop(3)) is Verdict.FAILED
    assert verdict(failed, at_hop(2)) is Verdict.DUPLICATE
    assert claim(run_of("second")).decide(failed).record.place.hop == 0


def test_failed__a_retry_starts_a_new_run_after_a_lost_checkpoint() -> None:
    """As a new run, and only a limited number of times."""
    lost = record_of(FAILED, reason="checkpoint_lost")
    decision = claim(at_hop(3)).decide(lost)
    assert decision.verdict is Verdict.WORK
    assert decision.record.place.hop == 0
    assert decision.record.job_id != lost.job_id
    assert decision.record.takeovers == 1
    assert verdict(replace(lost, takeovers=MAX_TAKEOVERS), at_hop(3)) is Verdict.FAILED
    assert verdict(lost, at_hop(2)) is Verdict.DUPLICATE, "an older event begins nothing"
    awaited = replace(lost, tokens=("t",))
    assert claim(at_hop(3)).decide(awaited).record.tokens == ("t",), "the state machine still waits for it"


def test_failed__a_new_start_keeps_the_age_of_the_job_unless_an_operator_resumes() -> None:
    """Otherwise a job whose checkpoints never last would start again for ever, each time within its budget."""
    lost = record_of(FAILED, reason="checkpoint_lost")
    since, later = lost.place.budget_since, replace(claim(at_hop(3)), now=TOMORROW)
    place = later.decide(lost).record.place
    assert (place.started, place.budget_since, place.budget_hop) == (TOMORROW, since, 0)
    assert SiblingPayload.restored(place.to_payload(), OPEN).budget_since == since
    assert replace(later, resume=True).decide(lost).record.place.budget_since == TOMORROW


def test_failed__a_retried_submission_starts_a_new_run_after_a_lost_checkpoint() -> None:
    """It had taken the run over: no other event may come before the next schedule."""
    lost = record_of(FAILED, reason="checkpoint_lost")
    decision = claim(run_of()).decide(lost)
    assert (decision.verdict, decision.record.place.hop) == (Verdict.WORK, 0)
    assert verdict(replace(lost, takeovers=MAX_TAKEOVERS), run_of()) is Verdict.FAILED


def test_a_new_submission_does_not_continue_a_run_whose_urls_are_dead() -> None:
    """Its manifest would begin with dead URLs; so would a parked one's."""
    gone = record_of(RUNNING, lease_until=OUT, expires_at=OUT)
    for dead in (gone, replace(gone, state=PARKED, reason="rules_unknown")):
        decision = claim(run_of("second")).decide(dead)
        assert (decision.verdict, decision.record.place.hop) == (Verdict.WORK, 0)
    assert verdict(replace(dead, reason="stopped"), run_of("second")) is Verdict.PARKED


def test_the_key_count_of_the_last_manifest_is_kept_until_the_next() -> None:
    """It shows an operator how far a run is; a failed run in between does not clear it."""
    finished = record_of(COMPLETE, expires_at=OUT, count=50, last_count=40)
    begun = claim(run_of("second")).decide(finished).record
    assert (begun.count, begun.last_count) == (0, 50)
    again = claim(run_of("third")).decide(replace(begun, state=FAILED, count=7)).record
    assert (again.count, again.last_count) == (0, 50)


def test_last__is_the_start_of_the_last_complete_run_whatever_failed_since() -> None:
    """The payload carries it to each sibling, and the ledger keeps it; other jobs do not have it."""
    job = replace(run_of().job, modified_since=LAST)
    first, second = (replace(run_of(delivery), job=job, started=NOW) for delivery in ("first", "second"))
    assert claim(first).decide(None).record.place.last_started is None
    finished = record_of(COMPLETE, replace(first, started=NOW - timedelta(hours=3)), expires_at=OUT)
    begun = claim(second).decide(finished).record
    assert begun.place.last_started == NOW - timedelta(hours=3)
    failed = replace(begun, state=FAILED, place=replace(begun.place, started=NOW - timedelta(hours=1)))
    again = claim(replace(second, job_id="third")).decide(failed).record
    assert again.place.last_started == NOW - timedelta(hours=3)
    with_table = replace(OPEN, jobs_table="jobs")
    assert Record.from_item(again.to_item(), with_table).place.last_started == NOW - timedelta(hours=3)
    place = replace(at_hop(3, again.place), checkpoint_key=f"{job.checkpoint_prefix(again.job_id)}x")
    assert place.to_payload()["last_started"] == (NOW - timedelta(hours=3)).isoformat()
    assert "last_started" not in run_of().to_payload()


def test_last__a_new_submission_is_a_new_run_and_a_retry_is_answered() -> None:
    """The finished manifest lacks what has changed since."""
    job = replace(run_of().job, modified_since=LAST)
    first, second = (replace(run_of(delivery), job=job) for delivery in ("first", "second"))
    finished = record_of(COMPLETE, first, expires_at=LIVE, runs=(first.job_id,))
    assert verdict(finished, second) is Verdict.WORK
    assert verdict(finished, first) is Verdict.FINISHED


def test_dates__a_job_of_the_last_hours_is_a_new_run_an_hour_later() -> None:
    """Its dates count back from its time: the manifest, or the rest, of the hour before has other keys."""
    first, later = run_of(modified_since="PT1H"), run_of("second", modified_since="PT1H", time=NEXT_HOUR)
    assert first.job.job_key == later.job.job_key
    finished = record_of(COMPLETE, first, expires_at=TOMORROW)
    parked, lost = record_of(PARKED, first, reason="rules_unknown"), record_of(RUNNING, first, lease_until=OUT)
    for record in (finished, parked, lost):
        decision = claim(later).decide(record)
        assert (decision.verdict, decision.record.job_id) == (Verdict.WORK, later.job_id)
    assert verdict(record_of(PARKED, first, reason="stopped"), later) is Verdict.PARKED
    assert verdict(record_of(RUNNING, first), later) is Verdict.IN_PROGRESS
    twice = run_of("delivered twice", modified_since="PT1H")
    assert verdict(finished, twice) is Verdict.FINISHED, "its time is the same"
    assert claim(twice).decide(lost).record.job_id == first.job_id
    fixed = {"modified_since": "2026-03-01", "modified_before": "2026-04-01"}
    assert verdict(record_of(COMPLETE, run_of(**fixed)), run_of("second", **fixed, time=NEXT_HOUR)) is Verdict.FINISHED


def test_an_item_from_before_keys_were_counted_is_read() -> None:
    """The table outlives a deployment."""
    item = record_of(RUNNING).to_item()
    del item["count"], item["last_count"]
    assert Record.from_item(item, OPEN) == record_of(RUNNING)


def test_an_item_of_the_first_version_is_read_and_a_newer_one_is_refused_by_name() -> None:
    """The first wrote no version. A newer version's job waits for a function that knows it: nothing is written."""
    item = record_of(RUNNING, at_hop(4)).to_item()
    first = {name: value for name, value in item.items() if name != "version"}
    assert Record.from_item(first, OPEN) == Record.from_item(item | {"version": Decimal(VERSION)}, OPEN)
    with pytest.raises(RetryableError, match=f"record of job {item['job_key']}: 'version': {VERSION + 1} is refused"):
        Record.from_item(item | {"version": Decimal(VERSION + 1)}, OPEN)
    place = json.loads(item["place"])
    newer = item | {"place": json.dumps(place | {"job": place["job"] | {"of_tomorrow": 1}})}
    with pytest.raises(RetryableError, match=f"record of job {item['job_key']}: 'job.of_tomorrow': 1 is refused"):
        Record.from_item(newer, OPEN)


def test_an_item_reads_as_it_was_written() -> None:
    """Also that of a first hop, which has no checkpoint."""
    for place in (run_of(compression="gzip"), at_hop(4)):
        record = record_of(
            PARKED,
            place,
            reason="stopped",
            stop=True,
            takeovers=2,
            result={"count": 1},
            expires_at=TOMORROW,
            count=3_000,
            last_count=2_900,
        )
        assert Record.from_item(record.to_item(), OPEN) == record


def _for_ever(real: Any, self: Any, found: Any) -> Any:
    """Make a record valid whatever the age of its URLs."""
    return real(self, found and replace(found, expires_at=None))


@pytest.mark.parametrize(
    ("without", "test"),
    [
        (wrapped(Claim, "_of_submission", _for_ever), test_a_finished_job_answers_while_its_urls_live),
        (put(module, "MAX_TAKEOVERS", 10**9), test_three_take_overs_without_progress_fail_the_job),
        (
            put(module, "FINAL_REASONS", frozenset()),
            lambda: test_parked__no_submission_continues_past_a_budget_a_guard_or_an_operator("max_hops"),
        ),
    ],
    ids=[
        "end of a finished record",
        "limit of take-overs",
        "reasons that only an operator lifts",
    ],
)
def test_each_rule_is_needed(without: Callable[[], Patch], test: Callable[[], None]) -> None:
    """The simulation's histories are too short to need each rule."""
    assert_the_test_misses_it(without, test)
