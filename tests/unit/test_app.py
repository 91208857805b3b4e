"""The sosw Processor: sosw's interface without sosw's traps; answers, logs and metrics of the contract."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from importlib.metadata import version
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock
from urllib.parse import parse_qs, urlsplit

import pytest
import sosw.app

from dev.checkout import REPOSITORY
from processor import app
from processor.chain import execution
from processor.errors import (
    CheckpointLostError,
    CursorRefusedError,
    PresignSiblingsError,
    RetryableError,
    SourceRefusedError,
    TerminalError,
)
from processor.reporting import logger
from processor.siblings.manager import SiblingsManager
from processor.signing.signers import Signed
from processor.sosw_base import HAS_TASKS, Base
from processor.urls import Urls
from tests.conftest import NOW
from tests.fakes import FakeS3, LambdaContext, refuse
from tests.memory_s3 import etag
from tests.output import logged, metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.fakes import Siblings
    from tests.output import Output
    from tests.simulation.dynamo import FakeDynamo

    Handler = Callable[..., dict[str, Any]]

JOB = {"bucket": "reports", "prefix": "2026/", "page_size": 10}
IN_ORDER = {**JOB, "concurrency": 1}  # one page after the other, so that pages can be counted


def short_of_time() -> LambdaContext:
    """Return a context with less than ``shutdown_period`` left."""
    return LambdaContext(remaining_seconds=9)


def test_the_processor_has_sosws_interface() -> None:
    """A developer who knows sosw finds everything in its place."""
    assert issubclass(app.Processor, sosw.app.Processor)
    assert issubclass(app.Processor, Base)
    assert (version("sosw").split(".")[0] == "0") == HAS_TASKS
    assert isinstance(app.global_vars, sosw.app.LambdaGlobals)
    assert app.Processor.DEFAULT_CONFIG["siblings_config"] is SiblingsManager.DEFAULT_CONFIG
    assert SiblingsManager.DEFAULT_CONFIG["auto_spawning"] is True


def test_default_config__shadows_no_job_default_and_has_no_list() -> None:
    """Sosw's config precedes the environment, and sosw unites lists instead of replacing them."""
    assert set(app.Processor.DEFAULT_CONFIG) == {"init_clients", "siblings_config"}
    assert not [value for value in SiblingsManager.DEFAULT_CONFIG.values() if isinstance(value, list | set | tuple)]


def test_config_row__reaches_the_processor(handler: Handler, s3: FakeS3, monkeypatch: pytest.MonkeyPatch) -> None:
    """``<function>_config``: job fields, ``shutdown_period`` and the siblings' config."""
    monkeypatch.delenv("SOSW_CONFIG")
    asked: list[str] = []
    row = {"bucket": "reports", "prefix": "2026/0", "page_size": 4, "siblings_config": {"max_concurrent_siblings": 2}}

    def read(name: str) -> dict[str, Any]:
        asked.append(name)
        return row

    monkeypatch.setattr("sosw.app.get_config", read)
    assert handler({})["body"]["count"] == 10
    assert asked == ["presign_config"]
    assert s3.sent("list")[0][1]["MaxKeys"] == 4
    assert app.global_vars.processor.config["siblings_config"]["max_concurrent_siblings"] == 2
    assert app.global_vars.processor.config["siblings_config"]["auto_spawning"] is True


def test_config_row__is_not_read_when_there_is_none(
    handler: Handler, s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``SOSW_CONFIG=none``: no DynamoDB and no Glue at a cold start."""
    monkeypatch.setattr("sosw.app.get_config", lambda _: pytest.fail("asked"))
    assert handler(JOB)["statusCode"] == 200
    assert s3.objects


def test_config_row__is_read_without_glue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sosw's DynamoDB client asks Glue for a schema at its start, which the role may not do."""
    monkeypatch.delenv("SOSW_CONFIG")
    source = sosw.app.get_config.__self__.dynamo_config
    monkeypatch.setattr(source, "config", {"dynamo_client_config": dict(source.config["dynamo_client_config"])})
    monkeypatch.setattr(source, "dynamo_client", None)
    monkeypatch.setattr(source, "no_ddb_access", True)
    app.Processor.get_config("presign_config")
    assert source.config["dynamo_client_config"]["skip_glue"] is True


def test_config_row__that_cannot_be_read_ends_the_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sosw would continue without it, in each later invocation too: another prefix's job, and no kill switch."""
    source = sosw.app.get_config.__self__.dynamo_config
    monkeypatch.setattr(source, "config", {"dynamo_client_config": dict(source.config["dynamo_client_config"])})
    monkeypatch.setattr(source, "dynamo_client", None)
    monkeypatch.setattr(source, "no_ddb_access", None)
    monkeypatch.setattr("sosw.components.config.DynamoDbClient", Mock(side_effect=refuse("ThrottlingException")))
    monkeypatch.setenv("SOSW_CONFIG", "dynamodb")
    for _ in range(2):
        with pytest.raises(RetryableError, match="cannot read the config row presign_config"):
            app.Processor.get_config("presign_config")
    monkeypatch.delenv("SOSW_CONFIG")
    assert app.Processor.get_config("presign_config") == {}, "where the environment does not announce a row"


def test_config_row__that_is_not_json_ends_the_invocation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sosw returns its text; a superfluous comma is easily written."""
    monkeypatch.delenv("SOSW_CONFIG")
    monkeypatch.setattr("sosw.app.get_config", lambda _: '{"prefix": "2026/",}')
    with pytest.raises(TerminalError, match="the config row presign_config is not a JSON object"):
        app.Processor.get_config("presign_config")


def test_a_config_row_with_init_clients_does_not_recurse(
    handler: Handler, s3: FakeS3, siblings: Siblings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sosw's own SiblingsManager loads the Processor's row and creates itself for ever."""
    monkeypatch.delenv("SOSW_CONFIG")
    monkeypatch.setattr("sosw.app.get_config", lambda _: {"auto_spawning": True})
    assert handler(JOB, short_of_time())["statusCode"] == 202
    assert len(siblings.requests) == 1
    assert s3.sent("put")


def test_init_clients__siblings_is_our_own_class(siblings: Siblings, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in sosw's manual; sosw's own class would fail at the first hand-over, after the checkpoint."""
    assert not siblings.requests
    monkeypatch.setattr(app.global_vars, "lambda_context", LambdaContext())
    own = {"init_clients": ["Siblings"], "siblings_config": {"max_concurrent_siblings": 3}}
    made = app.Processor(custom_config=own).siblings_client
    assert isinstance(made, SiblingsManager)
    assert made.config["max_concurrent_siblings"] == 3
    assert not siblings.requests


def test_a_call_without_a_lambda_context_is_refused_with_the_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's own test may create and call the Processor by hand."""
    monkeypatch.setattr(app.global_vars, "lambda_context", None)
    with pytest.raises(PresignSiblingsError, match="inside a Lambda invocation.*lambda_handler"):
        app.Processor()({"bucket": "reports"})


def test_invalid__counts_in_sosws_stats(handler: Handler) -> None:
    """Sosw's handler logs them, and its users monitor them."""
    assert handler({"bucket": "UPPER"})["statusCode"] == 400
    processor = app.global_vars.processor
    assert (processor.stats["total_processor_calls"], processor.stats["total_invalid"]) == (1, 1)


def test_a_list_raises_and_is_counted(handler: Handler, output: Output) -> None:
    """EventBridge Pipes must see an error, and the alarm the metric."""
    with pytest.raises(PresignSiblingsError, match="EventBridge Pipes"):
        handler([{"bucket": "reports"}])
    assert metrics(output)[0]["Invalid"] == 1


def test_complete__has_the_contracts_answer(handler: Handler, s3: FakeS3) -> None:
    """Count, errors, place, expiry, hops, pages; and one presigned URL."""
    answer = handler(IN_ORDER)
    body = answer["body"]
    assert answer["statusCode"] == 200
    assert set(body) == {
        "status",
        "job_id",
        "count",
        "errors",
        "manifest_key",
        "manifest_url",
        "expires_at",
        "hops",
        "pages",
    }
    assert (body["status"], body["count"], body["errors"], body["hops"], body["pages"]) == ("complete", 35, 0, 1, 4)
    assert body["expires_at"] == "2026-04-01T06:45:15Z"
    assert body["manifest_key"] in s3.objects
    assert body["manifest_key"] in body["manifest_url"]
    assert "X-Amz-Signature=" in body["manifest_url"]


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_page__is_next_to_the_manifest(handler: Handler, s3: FakeS3, output: Output, compression: str) -> None:
    """Made from it, under a URL that is in no log; the manifest is the same as without it."""
    plain = handler({**IN_ORDER, "compression": compression})["body"]
    body = handler({**IN_ORDER, "compression": compression, "page": True, "fresh": True})["body"]
    assert "page_key" not in plain
    assert body["page_key"] == body["manifest_key"].replace(".gz", "").replace(".jsonl", ".html")
    assert body["page_key"] in body["page_url"]
    assert "X-Amz-Signature=" in body["page_url"]
    written = s3.objects[body["page_key"]].decode()
    assert "<title>reports/2026/</title>" in written
    assert written.count("X-Amz-Signature=") == body["count"]
    assert s3.headers[body["page_key"]]["ContentType"] == "text/html; charset=utf-8"
    assert "X-Amz-Signature" not in output.getvalue()
    assert s3.objects[body["manifest_key"]] == s3.objects[plain["manifest_key"]]


def test_page__of_a_list_in_any_order_names_no_file_as_a_folder(handler: Handler, s3: FakeS3) -> None:
    """A recipient who saved all files got an error for one of the two: file names depend on S3's order."""
    s3.store("lists/keys.txt", b"2026/a/b\n2026/a\n", {}, etag(b""))
    body = handler({"bucket": "reports", "keys_from": "s3://reports/lists/keys.txt", "page": True})["body"]
    (files,) = re.findall(r'"files":(.*),"ends"', s3.objects[body["page_key"]].decode())
    assert [(each[0], each[5] if len(each) > 5 else None) for each in json.loads(files)] == [
        ("2026/a", None),
        ("2026/a/b", "2026/a%d/b"),
    ]


def test_page__has_the_title_and_the_contact(
    handler: Handler, s3: FakeS3, siblings: Siblings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The event precedes the deployment, in each hop; both are text, and no markup."""
    monkeypatch.setenv("PAGE_TITLE", "All reports")
    monkeypatch.setenv("PAGE_CONTACT", "Ann <ann@example.com>")
    body = handler({**IN_ORDER, "page": True})["body"]
    written = s3.objects[body["page_key"]].decode()
    assert "<title>All reports</title>" in written
    assert "<bdi>Ann &lt;ann@example.com&gt;</bdi>" in written
    asked = {**IN_ORDER, "page": True, "fresh": True, "page_title": "April", "page_contact": ""}
    assert handler(asked, short_of_time())["statusCode"] == 202
    body = handler(siblings.payloads[-1])["body"]
    written = s3.objects[body["page_key"]].decode()
    assert "<title>April</title>" in written
    assert "Contact:" not in written


def test_page__of_too_many_files_for_a_browser_is_left_out_with_a_warning(
    handler: Handler, s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The manifest is still written."""
    monkeypatch.setattr("processor.chain.result.MOST_FILES", 34)
    body = handler({**IN_ORDER, "page": True})["body"]
    assert (body["status"], "page_url" in body, "page_key" in body) == ("complete", False, False)
    assert body["warning"] == "page_left_out: 35 files are more than a page holds (34); export makes a page of some"
    assert not [key for key in s3.objects if key.endswith(".html")]


def test_page__is_written_by_the_hop_that_takes_over_after_the_manifest(
    handler: Handler, s3: FakeS3, jobs_table: FakeDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hop that dies between manifest and page leaves the page to Lambda's retry."""

    async def dies(_: str, what: object) -> None:
        if str(what).endswith(".html"):
            raise RuntimeError("out of memory")

    s3.before = dies
    with pytest.raises(RuntimeError, match="out of memory"):
        handler({**IN_ORDER, "page": True})
    assert [key for key in s3.objects if key.startswith("manifests/") and key.endswith(".jsonl")]
    s3.before = None
    monkeypatch.setattr("processor.app.Processor.clock", staticmethod(lambda: NOW + timedelta(minutes=2)))
    body = handler({**IN_ORDER, "page": True})["body"]
    assert (body["status"], body["page_key"] in s3.objects) == ("complete", True)
    assert jobs_table.items


def test_continued__the_sibling_gets_cursor_and_manifest_pointer(
    handler: Handler, s3: FakeS3, siblings: Siblings
) -> None:
    """It needs nothing but its payload, each hop in a Processor of its own."""
    answer = handler(JOB, short_of_time())
    assert (answer["statusCode"], answer["body"]["status"]) == (202, "continued")
    assert (answer["body"]["hop"], answer["body"]["count"]) == (1, 10)
    payload = siblings.payloads[0]
    assert (payload["cursor"], payload["start_after"]) == (None, "2026/09.pdf")
    assert payload["manifest"]["checkpoint"] in s3.objects
    for number in range(2, 5):
        app.global_vars.processor = None
        answer = handler(siblings.payloads[-1], short_of_time())
        assert answer["statusCode"] == (202 if number < 4 else 200)
    assert (answer["body"]["count"], answer["body"]["hops"], answer["body"]["pages"]) == (35, 4, 4)
    assert [json.loads(line)["key"] for line in s3.objects[answer["body"]["manifest_key"]].splitlines()] == s3.keys


def test_shutdown_period__decides_when_to_hand_over(
    handler: Handler, s3: FakeS3, siblings: Siblings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compared at every page boundary, from sosw's config or the environment."""
    monkeypatch.setenv("SHUTDOWN_PERIOD", "100")
    context = LambdaContext(ticks=[900, 99])
    assert handler(IN_ORDER, context)["body"]["count"] == 20
    assert siblings.payloads[0]["hop"] == 1
    assert len([key for key in s3.objects if "/000001-" in key]) == 1


def test_parked__the_resume_payload_finishes_the_job(
    handler: Handler, s3: FakeS3, siblings: Siblings, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped chain is never lost: the answer, the log and the metric have the payload or the reason."""
    monkeypatch.setenv("MAX_HOPS", "1")
    answer = handler(JOB, short_of_time())
    assert (answer["statusCode"], answer["body"]["status"], answer["body"]["reason"]) == (409, "parked", "max_hops")
    assert not siblings.requests
    (line,) = logged(output, "parked")
    assert (line["resume"], line["reason"]) == (answer["body"]["resume"], "max_hops")
    assert metrics(output)[-1]["Parked"] == 1
    again = handler(answer["body"]["resume"], LambdaContext(ticks=[900, 9]))
    assert again["body"]["status"] == "parked", "one resume opens one new budget"
    done = handler(again["body"]["resume"])
    assert (done["statusCode"], done["body"]["count"]) == (200, 35)
    assert [json.loads(row)["key"] for row in s3.objects[done["body"]["manifest_key"]].splitlines()] == s3.keys


def test_concurrency__the_reserved_executions_may_all_be_used(
    handler: Handler, s3: FakeS3, siblings: Siblings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twelve prefixes with a rule each begin at 03:00: all of them parked at their first hand-over."""
    monkeypatch.setattr(SiblingsManager, "get_approximate_concurrent_executions", lambda _: 12)
    assert handler(JOB, short_of_time())["body"]["reason"] == "max_concurrent_siblings"
    monkeypatch.setenv("RESERVED_CONCURRENCY", "20")
    assert handler(JOB, short_of_time())["body"]["status"] == "continued"
    assert (len(siblings.requests), bool(s3.objects)) == (1, True)


def test_parked__without_rules_auto_spawning_decides(
    handler: Handler, s3: FakeS3, siblings: Siblings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Sosw's setting, in sosw's config."""
    monkeypatch.setitem(SiblingsManager.DEFAULT_CONFIG, "auto_spawning", False)
    assert handler(JOB, short_of_time())["body"]["reason"] == "rules_disabled"
    assert not siblings.requests
    assert s3.objects


@pytest.mark.parametrize(
    "event",
    [
        [],
        "text",
        5,
        None,
        {"bucket": "reports", "expiry_seconds": 0},
        {"hop": 1},
        {**JOB, "logging_level": "LOUD"},
        {"statusCode": 409, "body": "[" * 100_000},
    ],
)
def test_invalid__answers_400_before_anything_is_read_or_written(
    handler: Handler, s3: FakeS3, output: Output, event: object
) -> None:
    """With a message, a log event and a metric line; no job id."""
    answer = handler(event)
    assert answer["statusCode"] == 400
    assert set(answer["body"]) == {"status", "message"}
    assert not s3.wire
    assert logged(output, "invalid")[0]["reason"] == answer["body"]["message"]
    assert len(metrics(output)) == 1


def test_invalid__a_sibling_under_a_broken_setting_raises(
    handler: Handler, s3: FakeS3, siblings: Siblings, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A wrong parameter deployed at night gave each chain the answer 400, and its event was lost."""
    handler(JOB, short_of_time())
    monkeypatch.setenv("MAX_HOPS", "none")
    assert handler(JOB)["statusCode"] == 400
    with pytest.raises(PresignSiblingsError, match="MAX_HOPS"):
        handler(siblings.payloads[0])
    assert [line["field"] for line in logged(output, "invalid")] == ["MAX_HOPS"] * 2
    monkeypatch.delenv("MAX_HOPS")
    record = {"requestPayload": siblings.payloads[0]}
    assert (handler(record)["body"]["count"], len(s3.keys)) == (35, 35)


@pytest.mark.parametrize("event", [[], "text", None])
def test_invalid__includes_events_that_sosws_stage_test_cannot_read(
    handler: Handler, s3: FakeS3, monkeypatch: pytest.MonkeyPatch, event: object
) -> None:
    """With ``STAGE=test`` sosw's handler calls ``.get`` on every event."""
    monkeypatch.setenv("STAGE", "test")
    assert handler(event)["statusCode"] == 400
    assert not s3.wire


def test_logging_level__applies_only_to_its_own_event(handler: Handler, s3: FakeS3, output: Output) -> None:
    """A warm environment would keep the level of one event; a failed event must not leave it either."""

    async def deny(*_: object) -> None:
        raise refuse("AccessDenied", status=403)

    before = logger.log_level
    handler({**JOB, "logging_level": "DEBUG"})
    assert logged(output, "page")
    assert logger.log_level == before
    s3.before = deny
    with pytest.raises(SourceRefusedError):
        handler({**JOB, "prefix": "2026/0", "logging_level": "ERROR"})
    assert logger.log_level == before


def test_metrics__show_the_progress_of_a_chain_and_its_end(
    handler: Handler, s3: FakeS3, siblings: Siblings, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alarms need them: the share of the hop budget, and the completed and refused jobs."""
    monkeypatch.setenv("MAX_HOPS", "4")
    handler(JOB, short_of_time())
    handler(siblings.payloads[-1])
    handler({**JOB, "expiry_seconds": 0})
    names = ("Hop", "HopBudgetPercent", "Completed", "Invalid")
    assert [tuple(each[name] for name in names) for each in metrics(output)] == [
        (0, 25, 0, 0),
        (1, 0, 1, 0),
        (0, 0, 0, 1),
    ]
    assert s3.objects


@pytest.mark.usefixtures("s3", "siblings")
def test_metrics__a_job_that_completes_within_its_budget_uses_none_up(
    handler: Handler, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A job of one hop under MaxHops=1 woke the operator each night, when its manifest was there."""
    monkeypatch.setenv("MAX_HOPS", "1")
    handler(JOB, short_of_time())
    handler(JOB)
    assert [(each["HopBudgetPercent"], each["Completed"], each["Parked"]) for each in metrics(output)] == [
        (100, 0, 1),
        (0, 1, 0),
    ]


def test_failed__is_logged_and_raised(handler: Handler, s3: FakeS3, output: Output) -> None:
    """Lambda's retry and on-failure destination need the error."""

    async def deny(*_: object) -> None:
        raise refuse("AccessDenied", status=403)

    s3.before = deny
    with pytest.raises(SourceRefusedError, match="cannot list s3://reports/2026/: the service answered AccessDenied"):
        handler(JOB)
    assert logged(output, "failed")[0]["terminal"] is True
    assert len(metrics(output)) == 1


def test_a_cursor_that_s3_refuses_raises_by_name(handler: Handler, s3: FakeS3) -> None:
    """And leaves no object."""
    with pytest.raises(CursorRefusedError, match="S3 refuses the cursor"):
        handler({**JOB, "cursor": "no-token-of-yours"})
    assert not s3.objects


def test_nothing_raises_after_the_sibling_was_accepted(handler: Handler, s3: FakeS3, siblings: Siblings) -> None:
    """A retry would fork the chain: the hand-over is a hop's last step."""
    assert handler(JOB, short_of_time())["statusCode"] == 202
    order = [operation for operation, _ in s3.wire]
    assert order[-1] == "put", "the checkpoint is stored before the sibling is called"
    assert len(siblings.requests) == 1


def test_stats__do_not_leak_from_a_failed_call(handler: Handler, s3: FakeS3) -> None:
    """Sosw's handler resets them only after success."""

    async def fail_late(operation: str, _: object) -> None:
        if operation == "put":
            raise refuse("ExpiredToken")

    s3.before = fail_late
    with pytest.raises(RetryableError):
        handler(IN_ORDER)
    app.global_vars.processor.stats["count"] += 1000
    s3.before = None
    processor = app.global_vars.processor
    processor(IN_ORDER)
    assert (processor.stats["count"], processor.stats["pages"], processor.stats["errors"]) == (35, 4, 0)
    assert processor.stats["total_count"] == 1000


needs_tasks = pytest.mark.skipif(not HAS_TASKS, reason="sosw 3 has no tasks")


@needs_tasks
def test_result__survives_the_closing_of_the_task(
    handler: Handler, s3: FakeS3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``super().__call__`` empties it unless asked not to; the worker assistant stores it."""
    closed: list[tuple[str, dict[str, Any]]] = []

    def close(self: app.Processor, task_id: str) -> None:
        closed.append((task_id, dict(self.result)))

    monkeypatch.setattr(app.Processor, "mark_task_as_completed", close)
    handler({**JOB, "task_id": "task-1"})
    assert closed == [("task-1", {"count": 35, "errors": 0})]
    assert s3.objects


@pytest.mark.skipif(HAS_TASKS, reason="sosw 0.7 has tasks")
def test_task__is_refused_where_sosw_cannot_close_it(handler: Handler, s3: FakeS3) -> None:
    """Before anything is read or written; the error names the sosw that is needed."""
    answer = handler({**JOB, "task_id": "t"})
    assert (answer["statusCode"], s3.objects) == (400, {})
    assert "sosw 3 has no tasks" in answer["body"]["message"]


@pytest.mark.skipif(HAS_TASKS, reason="sosw 0.7 has tasks")
def test_task__of_a_chain_from_an_older_sosw_stays_open(
    handler: Handler, s3: FakeS3, siblings: Siblings, output: Output
) -> None:
    """The manifest matters more than the task: the chain continues, and the log names the open task."""
    handler(JOB, LambdaContext(ticks=[900, 9]))
    payload = siblings.payloads[0]
    answer = handler({**payload, "job": {**payload["job"], "task_id": "t"}})
    assert answer["statusCode"] == 200
    assert s3.objects
    assert logged(output, "task_not_closed")


@needs_tasks
def test_task__is_closed_only_by_the_last_sibling(
    handler: Handler, s3: FakeS3, siblings: Siblings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As completed at the end, as failed when the job can never end."""
    closed: list[str] = []
    monkeypatch.setattr(app.Processor, "mark_task_as_completed", lambda _, task_id: closed.append(f"done {task_id}"))
    monkeypatch.setattr(app.Processor, "mark_task_as_failed", lambda _, task_id: closed.append(f"failed {task_id}"))
    handler({**JOB, "task_id": "t"}, LambdaContext(ticks=[900, 9]))
    assert not closed
    handler(siblings.payloads[0])
    assert closed == ["done t"]

    async def deny(*_: object) -> None:
        raise refuse("NoSuchBucket", status=404)

    s3.before = deny
    with pytest.raises(SourceRefusedError):
        handler({**JOB, "task_id": "t2"})
    assert closed == ["done t", "failed t2"]


def test_improvement_3__one_emf_object_an_invocation(handler: Handler, s3: FakeS3, output: Output) -> None:
    """Not one for each item; each hop counts its own work only, so sums are correct."""
    s3.keys.append("2026/99.txt")
    handler(JOB | {"concurrency": 1})
    (emf,) = metrics(output)
    assert emf["PDFsProcessed"] == emf["PresignCount"] == 35
    assert (emf["PresignErrors"], emf["S3ListPages"], emf["Parked"], emf["SiblingsSpawned"]) == (0, 4, 0, 0)
    assert emf["ManifestBytes"] == sum(map(len, s3.objects.values()))
    assert emf["ResponseBytes"] > 1000


def test_metrics_of_a_chain_add_up(handler: Handler, s3: FakeS3, siblings: Siblings, output: Output) -> None:
    """Over all hops, with the siblings counted."""
    handler(IN_ORDER, LambdaContext(ticks=[900, 9]))
    handler(siblings.payloads[0])
    first, second = metrics(output)
    assert (first["PDFsProcessed"], second["PDFsProcessed"]) == (20, 15)
    assert (first["SiblingsSpawned"], second["SiblingsSpawned"]) == (1, 0)
    (manifest,) = [body for key, body in s3.objects.items() if "/." not in key]
    assert first["ManifestBytes"] + second["ManifestBytes"] == len(manifest)


def test_improvement_5__errors_are_in_the_answer_and_the_log(
    handler: Handler, s3: FakeS3, output: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The caller decides what M failures among N mean."""

    class Broken:
        fallback_reason = "test"

        async def sign(self, keys: list[str], *_: object) -> Signed:
            return Signed(keys[1:], Urls.of([f"https://x/{key}" for key in keys[1:]]), [(keys[0], "ValueError")])

    async def broken(*_: object, **__: object) -> Broken:
        return Broken()

    monkeypatch.setattr(execution, "open_job_signer", broken)
    body = handler(IN_ORDER)["body"]
    assert (body["count"], body["errors"]) == (31, 4)
    assert logged(output, "presign_error")[0]["key"] == "2026/00.pdf"
    assert logged(output, "signer_fallback")[0]["reason"] == "test"
    assert s3.objects


def test_log__every_event_names_job_hop_and_request(
    handler: Handler, s3: FakeS3, siblings: Siblings, output: Output
) -> None:
    """So one query follows the chain."""
    handler({**JOB, "logging_level": "DEBUG"}, short_of_time())
    handler({**siblings.payloads[0], "logging_level": "INFO"})
    job_id = siblings.payloads[0]["job_id"]
    for event, number in (("start", 0), ("page", 0), ("checkpoint", 0), ("handover", 0), ("start", 1), ("complete", 1)):
        (line,) = [line for line in logged(output, event) if line["hop"] == number]
        assert (line["job_id"], line["request_id"]) == (job_id, LambdaContext.aws_request_id)
    assert s3.objects


def test_guard__a_look_up_that_failed_is_logged_with_its_job(
    handler: Handler, s3: FakeS3, siblings: Siblings, output: Output
) -> None:
    """Whoever reads the lines of one job sees what its hand-over did not know."""
    siblings.error = refuse("AccessDeniedException")
    parked = handler(JOB, short_of_time())["body"]
    (line,) = logged(output, "guard")
    assert (line["what"], line["error"]) == ("recursion guard", "AccessDeniedException")
    assert (line["job_id"], line["hop"], line["request_id"]) == (parked["job_id"], 0, LambdaContext.aws_request_id)
    assert s3.objects


def test_unfenced__is_announced_by_one_warning(
    handler: Handler, s3: FakeS3, siblings: Siblings, output: Output
) -> None:
    """Without a jobs table the chain works; duplicates are not fenced."""
    handler(JOB, LambdaContext(ticks=[900, 9]))
    handler(siblings.payloads[0])
    assert len(logged(output, "unfenced")) == 1
    assert s3.objects


def test_no_url_token_or_secret_is_in_any_line_of_a_run(
    handler: Handler, s3: FakeS3, siblings: Siblings, output: Output
) -> None:
    """In the whole output, sosw's own lines included: one chain completes, one parks, one fails."""
    answer = handler({**JOB, "logging_level": "DEBUG"}, LambdaContext(ticks=[900, 9]))
    url = handler(siblings.payloads[0])["body"]["manifest_url"]
    siblings.error = refuse("RecursiveInvocationException")
    handler(JOB, short_of_time())

    async def deny(*_: object) -> None:
        raise refuse("InternalError", status=500)

    s3.before = deny
    with pytest.raises(RetryableError) as raised:
        handler(JOB)
    everything = output.getvalue() + output.errors + repr(raised.value) + repr(answer)
    assert re.search(r"Called presign lambda", everything), "sosw's lines are among them"
    for secret in (os.environ["AWS_SESSION_TOKEN"], os.environ["AWS_SECRET_ACCESS_KEY"], "X-Amz-Signature", url):
        assert secret not in everything
    assert "X-Amz-Security-Token" not in everything


@pytest.mark.parametrize(
    "request_of_http",
    [
        {
            "version": "2.0",
            "headers": {"authorization": "Bearer hunter2"},
            "cookies": ["session=hunter2"],
            "body": "{}",
        },
        {"httpMethod": "POST", "headers": None, "multiValueHeaders": {"Cookie": ["session=hunter2"]}, "body": None},
    ],
)
def test_an_http_request_is_refused_before_its_headers_are_logged(
    handler: Handler, output: Output, request_of_http: dict[str, Any]
) -> None:
    """From a function URL, or from an API Gateway before the function: sosw logs each whole event."""
    answer = handler(request_of_http)
    assert (answer["statusCode"], "API Gateway" in answer["body"]["message"]) == (400, True)
    (line,) = logged(output, "invalid")
    assert line["field"] == "headers"
    assert "hunter2" not in output.getvalue()


def test_a_job_whose_checkpoints_never_last_parks_at_its_age(
    handler: Handler, s3: FakeS3, siblings: Siblings, jobs_table: FakeDynamo, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bucket rule moves each new object away, or a scanner deletes it: the job restarts at each retry."""
    now, event = NOW, JOB
    monkeypatch.setattr(app.Processor, "clock", staticmethod(lambda: now))
    assert handler(event, short_of_time())["body"]["status"] == "continued"
    while (now - NOW).total_seconds() < 90_000:
        event, context = siblings.payloads[-1], LambdaContext(remaining_seconds=9, aws_request_id=f"{now}")
        s3.objects = {key: body for key, body in s3.objects.items() if "/.checkpoints/" not in key}
        with pytest.raises(CheckpointLostError):
            handler(event, context)
        now += timedelta(minutes=60)
        body = handler(event, context)["body"]
        if body["status"] == "parked":
            break
    assert (body["status"], body["reason"], now - NOW) == ("parked", "max_job_seconds", timedelta(days=1))
    assert len(jobs_table.items) == 1


def test_clock__is_the_only_source_of_dates(handler: Handler, s3: FakeS3) -> None:
    """With a frozen clock, two runs write the same bytes."""
    first, second = handler(JOB), handler(JOB, LambdaContext(aws_request_id="another"))
    assert first["body"]["job_id"] != second["body"]["job_id"]
    assert s3.objects[first["body"]["manifest_key"]] == s3.objects[second["body"]["manifest_key"]]
    assert NOW.strftime("X-Amz-Date=%Y%m%dT%H%M%SZ").encode() in s3.objects[first["body"]["manifest_key"]]


def test_a_retried_first_hop_finds_its_own_manifest(handler: Handler, s3: FakeS3) -> None:
    """The same request id is the same run: no second manifest."""
    first, second = handler(JOB), handler(JOB)
    assert first["body"]["manifest_key"] == second["body"]["manifest_key"]
    assert len(s3.objects) == 1


def test_a_deleted_manifest_still_answers_its_own_event_only(
    handler: Handler, s3: FakeS3, jobs_table: FakeDynamo
) -> None:
    """It was deleted after a leak, or by a lifecycle rule before its links expired: its URL would give a 404."""
    first = handler(JOB, LambdaContext(aws_request_id="first"))["body"]
    assert handler(JOB, LambdaContext(aws_request_id="second"))["body"]["manifest_key"] == first["manifest_key"]
    for gone in (None, b"of somebody else"):
        s3.objects.pop(first["manifest_key"])
        if gone is not None:
            s3.call("put_object", {"Bucket": "reports", "Key": first["manifest_key"], "Body": gone})
        request = f"after {gone!r}"
        again = handler(JOB, LambdaContext(aws_request_id=request))["body"]
        assert (again["status"], again["count"], again["manifest_key"] in s3.objects) == ("complete", 35, True)
        assert again["manifest_key"] != first["manifest_key"]
        assert handler(JOB, LambdaContext(aws_request_id=request))["body"]["job_id"] == again["job_id"]
        first = again
    assert len(jobs_table.items) == 1


def test_look_ups_end_in_time_for_the_record_and_the_invoke(handler: Handler, s3: FakeS3, siblings: Siblings) -> None:
    """They need three seconds of the time that Lambda leaves."""
    handler(JOB, short_of_time())
    assert siblings.payloads
    assert s3.uploads == {}
    assert app.global_vars.processor.siblings_client.time_left() == 6


def test_filename__is_signed_into_each_url_and_makes_another_job(handler: Handler, s3: FakeS3) -> None:
    """The name is the template's; a job without it is another job, with a manifest of its own."""
    plain = handler(JOB)["body"]
    named = handler({**JOB, "filename": "{stem}-copy.{ext}", "content_type": "application/pdf"})["body"]
    assert named["job_id"] != plain["job_id"]
    first = json.loads(s3.objects[named["manifest_key"]].splitlines()[0])
    query = parse_qs(urlsplit(first["url"]).query)
    assert query["response-content-disposition"] == ['attachment; filename="00-copy.pdf"']
    assert query["response-content-type"] == ["application/pdf"]
    assert "response-" not in s3.objects[plain["manifest_key"]].decode()


def test_filename__numbers_the_lines_of_the_manifest_across_siblings(
    handler: Handler, s3: FakeS3, siblings: Siblings
) -> None:
    """The job needs a listing in order."""
    event = {**JOB, "filename": "{n}.{ext}", "page_size": 10}
    refused = handler({**event, "concurrency": 4})
    assert refused["statusCode"] == 400
    assert "filename" in refused["body"]["message"]
    answer = handler({**event, "concurrency": 1}, short_of_time())
    while answer["statusCode"] == 202:
        answer = handler(siblings.payloads[-1], short_of_time())
    lines = [json.loads(line) for line in s3.objects[answer["body"]["manifest_key"]].splitlines()]
    names = [parse_qs(urlsplit(line["url"]).query)["response-content-disposition"][0] for line in lines]
    assert names == [f'attachment; filename="{number}.pdf"' for number in range(1, 36)]


def test_empty__is_in_answer_log_and_metric(handler: Handler, s3: FakeS3, output: Output) -> None:
    """A job without a key is no success: a user with a mistyped glob learns that it matches none."""
    body = handler({"bucket": "reports", "prefix": "2026/*.pdf"})["body"]
    assert (body["status"], body["count"]) == ("complete", 0)
    assert body["warning"].startswith("empty_manifest: no key under '2026/*.pdf'")
    assert "the prefix contains *" in body["warning"]
    assert logged(output, "shortfall")[0]["reason"] == body["warning"]
    assert metrics(output)[0]["EmptyManifests"] == 1
    assert s3.sent("put")


def test_empty__is_not_reported_for_a_manifest_with_keys(handler: Handler, s3: FakeS3, output: Output) -> None:
    """The metric is still written, as 0."""
    assert "warning" not in handler(JOB)["body"]
    assert metrics(output)[0]["EmptyManifests"] == 0
    assert s3.sent("put")


@pytest.mark.parametrize(("archived", "count"), [("include", 2), ("skip", 1)])
def test_archived__is_counted_in_answer_and_metric(
    handler: Handler, s3: FakeS3, output: Output, archived: str, count: int
) -> None:
    """S3 gives no byte of such an object; its links are counted, or left out."""
    listed = {"IsTruncated": False, "KeyCount": 2, "Contents": [{"Key": "a.pdf", "StorageClass": "DEEP_ARCHIVE"}]}
    listed["Contents"] += [{"Key": "b.pdf", "StorageClass": "STANDARD"}]  # type: ignore[operator]

    async def answer(**_: object) -> dict[str, Any]:
        return listed

    s3.list_objects_v2 = answer  # type: ignore[method-assign]
    body = handler({"bucket": "reports", "archived": archived})["body"]
    assert (body["count"], body["archived"]) == (count, 1)
    assert ("archived_objects: 1 link" in body.get("warning", "")) == (archived == "include")
    assert body.get("skipped") == (None if archived == "include" else {"archived": 1})
    assert metrics(output)[0]["ArchivedObjects"] == 1


def test_cold_start__loads_nothing_for_other_events_or_other_signers(aws_environment: None) -> None:  # noqa: ARG001
    """A chain has a cold start for each sibling without a warm environment; a batch waits 15 ms more, once."""
    slow = ("aws_lambda_powertools.utilities.batch", "cryptography", "pyarrow", "rich", "multiprocessing.pool")
    script = f"import sys, processor.app; print([name for name in {slow} if name in sys.modules])"
    assert _printed(script) == "[]"


def test_cold_start__hardly_collects_garbage_while_modules_are_loaded_and_never_looks_at_them_again(
    aws_environment: None,  # noqa: ARG001
) -> None:
    """Looking at them again and again takes a seventh of a cold start; garbage of jobs is collected still."""
    script = (
        "import gc; runs = []; gc.callbacks.append(lambda phase, _: runs.append(phase)); import processor.app; "
        "print(len(runs) < 10, gc.isenabled(), gc.get_freeze_count() > 50_000)"
    )
    assert _printed(script) == "True True True"


def test_a_client_of_s3__needs_no_file_transfers(aws_environment: None) -> None:  # noqa: ARG001
    """The pipeline sends and reads what it holds in memory; a sibling's cold start need not load more."""
    script = (
        "import asyncio, sys\nfrom processor.aws import open_s3\n"
        "async def opened():\n    async with open_s3(None, 1) as (client, _): return client\n"
        "client = asyncio.run(opened())\n"
        "print(hasattr(client, 'list_objects_v2'), 's3transfer' in sys.modules)"
    )
    assert _printed(script) == "True False"


def _printed(script: str) -> str:
    """Run a script in a fresh interpreter; return the last line that it prints."""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    return done.stdout.splitlines()[-1]
