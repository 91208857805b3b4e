"""The desk reads the jobs table that the ledger writes, and sets ``stop`` there."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import AsyncMock, patch

import boto3
import pytest
from click.testing import CliRunner

from presign_siblings.cli.console import Terminal
from presign_siblings.cli.main import main
from presign_siblings.cli.program import printable
from presign_siblings.cli.status import note
from presign_siblings.errors import CommandError, NotFoundError, WrongUseError
from presign_siblings.remote.jobs import Jobs
from presign_siblings.remote.slowest import in_words, slowest, to_dict
from presign_siblings.remote.start import resume_payload
from presign_siblings.remote.watch import samples
from processor.errors import RetryableError
from processor.fanout.reporting_ledger import ReportingLedger
from processor.fanout.tasks import Tasks
from processor.job import DeploymentSettings, Job, Share, SiblingPayload
from processor.ledger.record import FANNED_OUT, LEASE, RUNNING
from tests.builders import at_hop, record_of, run_of
from tests.conftest import NOW
from tests.jobs_table import claim, ledger_of, rewritten_by_a_newer_release

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from types_boto3_dynamodb.service_resource import Table


@pytest.fixture
def jobs(table: Table, aws: str) -> Jobs:
    """Return the desk's view of the table."""
    return Jobs(boto3.client("dynamodb", endpoint_url=aws), table.name)


def write(table: Table, *, park: bool = False, **event: Any) -> str:
    """Bring a chain to hop 1, and perhaps park it; return its job key."""
    run = run_of(**event)

    async def work() -> str:
        async with ledger_of(table) as ledger:
            record = (await ledger.claim(claim("a", run))).record
            to = at_hop(1, run)
            if park:
                await ledger.park(replace(record, count=20), to, "stopped", NOW + timedelta(seconds=9))
            else:
                await ledger.hand_over(replace(record, count=20), to, None, NOW + timedelta(seconds=9))
            return record.job_key

    return asyncio.run(work())


def test_the_desk_reads_what_a_chain_writes(table: Table, jobs: Jobs) -> None:
    """State, place, keys and times, and no URL."""
    key = write(table, prefix="2026/")
    seen = jobs.get(key)
    assert seen is not None
    shown_as = seen.to_dict(NOW)
    assert (shown_as["state"], shown_as["hop"], shown_as["count"], shown_as["source"]) == (
        "handed_over",
        1,
        20,
        "s3://reports/2026/",
    )
    assert (shown_as["started"], shown_as["written"], shown_as["seconds"]) == (
        "2026-04-01T06:30:15Z",
        "2026-04-01T06:30:24Z",
        9,
    )
    assert seen.state(NOW + 2 * LEASE) == "lost"
    assert jobs.get("nobody") is None


@pytest.mark.parametrize("fields", [{"modified_since": "last"}, {"signer": "cloudfront"}])
def test_a_job_that_only_its_own_deployment_allows_can_be_seen_and_stopped(
    table: Table, jobs: Jobs, fields: dict[str, str]
) -> None:
    """The desk does not know the distribution; status left such a job out, and stop, watch and resume refused it."""
    pair = {"CLOUDFRONT_DOMAIN": "d111111abcdef8.cloudfront.net", "CLOUDFRONT_KEY_PAIR_ID": "K2JCJMDEHXQW5F"}
    environment = {"JOBS_TABLE": table.name, **pair, "CLOUDFRONT_SECRET": "key"}
    deployment = DeploymentSettings.from_environment(environment, {})
    event = {"bucket": "reports", **fields}
    job = Job.from_event(event, config={}, environment={}, deployment=deployment, now=NOW)
    place = at_hop(2, SiblingPayload.first(job, job.job_id("first"), NOW))
    table.put_item(Item=record_of(RUNNING, place).to_item())
    assert ([seen.record.place for seen in jobs.latest()[0]], jobs.unread) == ([place], {})
    seen = jobs.set_stop(jobs.find(job.job_key[:9]).record.job_key, stop=True)
    assert seen.record.stop
    assert SiblingPayload.from_payload(resume_payload(seen, NOW + LEASE), deployment).job == job


def test_jobs_come_latest_first_and_a_beginning_of_the_key_or_id_finds_one(table: Table, jobs: Jobs) -> None:
    """32 characters are too long to type."""
    keys = {write(table, prefix=f"{number}/", park=True) for number in range(3)}
    assert {seen.record.job_key for seen in jobs.latest()[0]} == keys
    one = min(keys)
    assert jobs.find(one[:6]).record.job_key == one
    assert jobs.find(jobs.find(one).record.job_id[:20]).record.job_key == one
    with pytest.raises(NotFoundError, match="begins with 'zz'"):
        jobs.find("zz")
    with pytest.raises(WrongUseError, match="empty"):
        jobs.find("")


def test_a_beginning_that_several_jobs_share_is_refused(table: Table, jobs: Jobs) -> None:
    """There are 17 keys, and only 16 hexadecimal digits."""
    keys = [write(table, prefix=f"{number}/") for number in range(17)]
    first = next(key[0] for key in keys if sum(other[0] == key[0] for other in keys) > 1)
    with pytest.raises(WrongUseError, match="jobs begin with"):
        jobs.find(first)


def test_a_job_of_a_newer_release_is_named_and_hides_no_other(
    table: Table, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a roll-back, ``status`` failed on the one record that it cannot read, and showed no job."""
    newer, other = (write(table, prefix=f"{number}/") for number in range(2))
    rewritten_by_a_newer_release(table, newer)
    monkeypatch.setattr(Terminal, "jobs", lambda *_: jobs)
    result = CliRunner().invoke(main, ["status", "--table", table.name])
    assert (result.exit_code, other[:10] in result.stdout) == (0, True)
    assert f"note: job {newer} is handed_over: " in result.stderr
    assert "a newer version of the function wrote this" in result.stderr
    with pytest.raises(CommandError, match="a newer version of the function wrote this"):
        jobs.find(newer[:8])
    for number in range(2, 8):
        rewritten_by_a_newer_release(table, write(table, prefix=f"{number}/"))
    shown_as = CliRunner().invoke(main, ["status", "--table", table.name]).stderr.splitlines()
    assert (len(shown_as), shown_as[-1]) == (6, "note: 2 more cannot be read either"), (
        "thousands would leave nothing else to see"
    )


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 120])
def test_status_shows_the_state_and_the_note_on_a_terminal_of_any_width(
    columns: int, table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table of 20 to 40 columns cut them."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", str(columns))
    job = write(table, prefix="2026/", park=True)
    result = CliRunner().invoke(main, ["status", "--table", table.name])
    assert result.exit_code == 0, result.exception
    shown = re.sub("\x1b\\[[0-9;]*m", "", result.stdout)
    assert job[:10] in shown
    assert "parked" in shown
    assert "stopped" in shown


@pytest.mark.parametrize("prefix", ["a[/b]/", "a\\[b]/", "\x1b]0;title\x07\x1b[2J/", "two\nlines/"])
def test_a_prefix_can_neither_end_nor_change_what_status_shows(table: Table, prefix: str) -> None:
    """The prefix is the caller's choice; the reason of a failed job contains it, too."""
    reason = f"cannot list s3://reports/{prefix}: AccessDenied"

    async def work() -> None:
        async with ledger_of(table) as ledger:
            found = await ledger.claim(claim("a", run_of(prefix=prefix)))
            await ledger.fail(found.record, reason, NOW)

    asyncio.run(work())
    result = CliRunner().invoke(main, ["status", "--table", table.name], terminal_width=400)
    assert result.exit_code == 0, result.exception
    shown = "".join(result.stdout.split("\n"))
    assert printable(f"s3://reports/{prefix}") in shown
    assert not [each for each in shown if not each.isprintable()]


def test_an_error_that_names_a_key_prints_no_control_characters() -> None:
    """A name that begins with ESC would clear the screen."""
    result = CliRunner().invoke(main, ["verify", "\x1b[2Jmanifest.jsonl"])
    assert (result.exit_code, "\x1b" in result.stderr, "\\x1b[2Jmanifest.jsonl" in result.stderr) == (4, False, True)


def test_stop_is_set_on_a_job_under_way_and_taken_back(table: Table, jobs: Jobs) -> None:
    """The holder's own writes are not disturbed."""
    key = write(table)
    assert jobs.set_stop(key, stop=True).record.stop
    assert not jobs.set_stop(key, stop=False).record.stop
    with pytest.raises(NotFoundError, match="no job nobody"):
        jobs.set_stop("nobody", stop=True)


def test_stop_leaves_a_job_that_has_ended_as_it_is(table: Table, jobs: Jobs) -> None:
    """Otherwise it would stop the job's next run."""
    key = write(table, park=True)
    before = jobs.get(key)
    assert jobs.set_stop(key, stop=True) == before
    assert jobs.get(key) == before


def test_a_missing_table_is_named(aws: str) -> None:
    """With its region, which is the usual mistake."""
    missing = Jobs(cast("Any", boto3.client("dynamodb", endpoint_url=aws)), "nowhere")
    with pytest.raises(NotFoundError, match="no table nowhere in region eu-west-1"):
        list(missing.all())
    with pytest.raises(NotFoundError, match="nowhere"):
        missing.get("x")


def count_scans(jobs: Jobs) -> list[int]:
    """Count the scans of the table from now on."""
    scans = [0]

    def scan(**_: Any) -> None:
        scans[0] += 1

    jobs._tables.meta.events.register("before-call.dynamodb.Scan", scan)
    return scans


@asynccontextmanager
async def none() -> AsyncIterator[Any]:
    """Open a state machine that takes every report."""
    yield AsyncMock()


def test_one_scan_finds_the_slowest_range_of_each_job(
    table: Table, jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``status`` made one more scan for each job of several chains."""
    for number in range(3):
        place = at_hop(1, run_of(prefix=f"{number}/"))
        table.put_item(Item=record_of(FANNED_OUT, place, ranges=2).to_item())
        chain = place.shared(Share(number, "a", None, 1))
        table.put_item(Item=replace(record_of(RUNNING, chain), job_key=chain.ledger_key).to_item())
    asked = count_scans(jobs)
    monkeypatch.setattr(Terminal, "jobs", lambda *_: jobs)
    shown_as = json.loads(CliRunner().invoke(main, ["status", "--json"]).stdout)
    assert sorted(job["slowest_range"]["number"] for job in shown_as) == [0, 1, 2]
    assert asked == [1]


def test_keys_that_a_busy_table_did_not_take_are_reported_with_the_next_ones(table: Table, jobs: Jobs) -> None:
    """They were missing in what ``status`` and ``watch`` show, to the end of the job."""
    run = run_of(prefix="2026/")
    shared = at_hop(1, run).shared(Share(3, "2026/a", None, 1))

    async def work() -> None:
        async with ledger_of(table) as inner:
            ledger = ReportingLedger(inner, Tasks(none))
            await ledger.fan_out((await ledger.claim(claim("a", run))).record, at_hop(1, run), 7, NOW)
            chain = replace((await ledger.claim(claim("b", shared, token="t"))).record, count=40)
            busy = RetryableError("ThrottlingException")
            with patch.object(inner, "add_progress", side_effect=busy), pytest.raises(RetryableError):
                await ledger.renew(chain, NOW)
            await ledger.renew(replace(chain, count=50), NOW)

    asyncio.run(work())
    (seen,), _ = jobs.latest()
    assert seen.record.count == 50


def test_a_job_that_several_chains_share_is_shown_as_one_with_all_their_keys(table: Table, jobs: Jobs) -> None:
    """A stop of that job reaches each of its chains."""
    run = run_of(prefix="2026/")
    shared, late = (at_hop(1, run).shared(Share(number, "2026/a", None, 1)) for number in (3, 4))

    async def work() -> bool:
        async with ledger_of(table) as inner:
            ledger = ReportingLedger(inner, Tasks(none))
            await ledger.fan_out((await ledger.claim(claim("a", run))).record, at_hop(1, run), 7, NOW)
            chain = (await ledger.claim(claim("b", shared, token="t"))).record
            assert not chain.stop
            assert jobs.set_stop(run.job.job_key, stop=True).record.stop
            await ledger.claim(claim("c", late, token="u"))
            chain = await ledger.renew(replace(chain, count=40), NOW + timedelta(seconds=15))
            await ledger.complete(replace(chain, count=50), NOW + timedelta(seconds=20), shared)
            return chain.stop

    assert asyncio.run(work()), "the chain did not read the stop"
    (seen,), ranges = jobs.latest()
    shown_as = seen.to_dict(NOW)
    assert (shown_as["job_key"], shown_as["state"], shown_as["count"]) == (run.job.job_key, "fanned_out", 50)
    assert (shown_as["ranges"], shown_as["ranges_done"], shown_as["seconds"]) == (7, 1, 20)
    assert note(seen, NOW) == "stopping"
    refused = replace(seen, record=replace(seen.record, reason="SourceRefusedError"))
    assert note(refused, NOW) == "SourceRefusedError: the job's failed line in the log says why"
    assert in_words(slowest(ranges, seen), NOW) == "slowest: range 4 at hop 0, 0 keys, running"
    assert to_dict(slowest(ranges, seen), NOW) == {"number": 4, "hop": 0, "count": 0, "state": "running"}
    asked = count_scans(jobs)
    seen_thrice = [look.slowest for look in islice(samples(jobs, seen, sleep=lambda _: None), 3)]
    assert (None in seen_thrice, asked[0]) == (False, 1), "each look scanned the whole table"
    assert note(jobs.set_stop(run.job.job_key, stop=False), NOW) == "1 of 7 ranges done"
    rewritten_by_a_newer_release(table, late.ledger_key)
    assert slowest(jobs.latest()[1], seen) is None, "a newer release's record of a range is passed over"
    assert jobs.find(seen.record.job_id[:20]).record.job_key == run.job.job_key
