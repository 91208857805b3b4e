"""Start a job on a deployed function, or continue one, and wait for its end by its log lines."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from presign_siblings.errors import CommandError, TimedOutError, UnfinishedError
from presign_siblings.remote import logs
from presign_siblings.remote.aws_clock import time_of
from processor.job import FIELDS
from processor.ledger import CHECKPOINT_LOST, COMPLETE, FAILED, FANNED_OUT, LIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient

    from presign_siblings.remote.function import Deployed
    from presign_siblings.remote.job_snapshot import JobSnapshot
    from presign_siblings.remote.logs import Line

BEFORE = timedelta(seconds=60)  # lines of this last minute are read before the start, so that they count as old
LOOK_SECONDS = 1.0
ACCEPTED = 202
FINISHED = "finished"
PAST = "duplicate"  # the event's name, and the verdict
ANSWERED = frozenset({FINISHED, "parked", "failed"})  # verdicts with which the ledger answers without any work


@dataclass(frozen=True, slots=True)
class Started:
    """
    An event that Lambda has accepted.

    :param request_id: Lambda's id of the event, in each line of the first hop.
    :param job_key:    The job, where that is known beforehand.
    :param at:         Time by Lambda's own clock, UTC, to the second.
    :param runs:       The event begins a run or continues one, whatever the ledger would answer to another event.
    """

    request_id: str
    job_key: str | None
    at: datetime
    runs: bool = False


def start(functions: LambdaClient, deployed: Deployed, event: Mapping[str, Any], job_key: str | None = None) -> Started:
    """
    Invoke asynchronously: Lambda accepts the event, and delivers it again when a try fails.

    :param job_key: The job that the event asks for; by default the function's environment decides.
    :raises InvalidEventError: A field breaks its rule; nothing was invoked.
    """
    now = datetime.now(UTC)
    job_key = job_key or asked_for(deployed, event, now)
    answer = functions.invoke(FunctionName=deployed.named, InvocationType="Event", Payload=json.dumps(event))
    if answer["StatusCode"] != ACCEPTED:
        raise CommandError(f"Lambda answered {answer['StatusCode']} instead of accepting the event")
    at = time_of(answer, now.replace(microsecond=0))
    return Started(
        answer["ResponseMetadata"]["RequestId"], job_key, at, bool(event.get("fresh") or event.get("resume"))
    )


def asked_for(deployed: Deployed, event: Mapping[str, Any], now: datetime) -> str | None:
    """
    Return the key of the job that an event asks for; ``None`` where only the function knows it.

    :raises InvalidEventError: A field breaks its rule.
    """
    job = deployed.job(event, now)
    return None if job is None else job.job_key


def resume_payload(snapshot: JobSnapshot, now: datetime) -> dict[str, Any]:
    """
    Return the event that continues a parked or lost job, or one whose state machine has ended without it.

    :raises UnfinishedError: The job is under way.
    :raises CommandError: The job is complete, or has failed for good.
    """
    record = snapshot.record
    if record.state == COMPLETE:
        raise CommandError(f"job {record.job_id} is complete: there is nothing to resume")
    if record.state == FAILED and not record.is_resumable and record.reason != CHECKPOINT_LOST:
        raise CommandError(f"job {record.job_id} has failed ({record.reason}): invoke it again")
    # No lease shows whether the state machine has ended: the function asks for it, and leaves a live one alone.
    if not snapshot.is_over and record.state != FANNED_OUT and record.lease_until > now:
        left = (record.lease_until - now).total_seconds()
        raise UnfinishedError(f"job {record.job_id} is {record.state}: its lease still has {left:.0f} s")
    if record.place.hop == 0:  # the job was lost, or stopped, before its first checkpoint: it starts again
        return record.place.job.to_event() | {"fresh": False}
    return record.place.to_resume()


def refuse_another(deployed: Deployed, snapshot: JobSnapshot, payload: Mapping[str, Any], now: datetime) -> None:
    """
    Refuse to begin a job again that would now be another: no event can say that a field of the deployment is absent.

    :param payload: Its ``resume_payload``.
    :raises CommandError: The message names the fields that the deployment has gained since.
    """
    before = snapshot.record.place
    job = None if before.hop else deployed.job(payload, now)
    if job is not None and job.job_key != before.job.job_key:
        new = [name for name in FIELDS if FIELDS[name].identity and getattr(job, name) != getattr(before.job, name)]
        raise CommandError(
            f"job {snapshot.record.job_id} was lost before a checkpoint, and would now be another job: the function's "
            f"environment has {', '.join(map(str.upper, new))}; invoke that job instead"
        )


def listen(client: CloudWatchLogsClient, deployed: Deployed) -> logs.Tail:
    """Begin to listen to a function, before a job is started: lines until now are old."""
    tail = logs.Tail(client, deployed.log_group, datetime.now(UTC) - BEFORE)
    tail.new()
    return tail


def follow(
    tail: logs.Tail,
    started: Started,
    seconds: float | None,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Line]:
    """
    Yield the lines of the job that was started, up to the line that ends it.

    Where the ledger answers, the end's own line follows that of the verdict, and gets it. Before a run that was asked
    for begins, it may still answer another event, such as Lambda's next try of the hop that has failed.

    :param tail:    The result of ``listen`` before the start.
    :param seconds: How long to wait; ``None`` waits for the end.
    :raises TimedOutError: The job has not ended in this time.
    """
    job_key, deadline = started.job_key, None if seconds is None else time.monotonic() + seconds
    verdicts: dict[object, Line] = {}
    while True:
        for line in tail.new():
            mine = line.get("request_id") == started.request_id
            if job_key is None and mine and line.get("job_id"):
                job_key = str(line["job_id"])  # it begins as the key does
            if not mine and (job_key is None or not logs.of_job([line], job_key)):
                continue
            written = logs.instant(line)
            if written is not None and written < started.at:  # a late line of an earlier run
                continue
            if line.get("verdict") in ANSWERED:
                verdicts[line.get("request_id")] = {"verdict": line["verdict"]}
            answered = verdicts.get(line.get("request_id"), {})
            yield line | answered
            is_of_another = bool(answered) and started.runs and not mine
            if (logs.is_an_end(line) and not is_of_another) or (mine and _is_past(line)):
                return
        if deadline is not None and time.monotonic() >= deadline:
            raise TimedOutError(f"the job has not ended in {seconds:.0f} s; it continues")
        sleep(LOOK_SECONDS)


def _is_past(line: Line) -> bool:
    """Return whether the job has ended without the event, whose run a later one has replaced: no hop follows it."""
    return line["event"] == PAST and line.get("verdict") == PAST and line.get("state") not in LIVE


def outcome(last: Line) -> tuple[str, str | None]:
    """Return the state and the reason that the last line reports."""
    if last["event"] == PAST:
        return PAST, f"the job has moved past this event, and is {last.get('state')}"
    reason = "answered from the ledger" if last.get("verdict") == FINISHED else last.get("reason")
    return str(last["event"]), reason
