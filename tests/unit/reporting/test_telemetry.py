"""Structured logs and metrics, and no credential in either."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pytest

from processor.reporting import METRICS, Telemetry, logger
from processor.reporting.telemetry import RedactingFormatter, emf, of_the_code

if TYPE_CHECKING:
    from tests.conftest import Output

URL = (
    "https://b.s3.amazonaws.com/k.pdf?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIASECRETKEY%2F20260401"
    "&X-Amz-Security-Token=FwoSECRETTOKEN&X-Amz-Signature=5ec4e7"
)


def test_improvement_2__a_log_line_is_one_json_object(output: Output) -> None:
    """Logs Insights queries fields: event, job, hop and request stand in every line."""
    telemetry = Telemetry("N", "presign", "request-1")
    telemetry.job("job-1", 3)
    telemetry.event("checkpoint", count=5)
    telemetry.presign_error("a.pdf", "ValueError")
    first, second = [json.loads(line) for line in output.getvalue().splitlines()]
    assert first["event"] == "checkpoint"
    assert (first["job_id"], first["hop"], first["request_id"], first["count"]) == ("job-1", 3, "request-1", 5)
    assert (second["event"], second["level"], second["key"], second["error"]) == (
        "presign_error",
        "ERROR",
        "a.pdf",
        "ValueError",
    )


def test_every_line_names_the_code_that_wrote_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator who has rolled back sees it in the log."""
    monkeypatch.setenv("RELEASE", "0.1.0 1a2b3c4d5e6f 2026-04-01")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    line = RedactingFormatter(**of_the_code()).format(logging.makeLogRecord({"msg": "said"}))
    assert {"release": "0.1.0 1a2b3c4d5e6f 2026-04-01", "function_version": "7"}.items() <= json.loads(line).items()
    monkeypatch.delenv("RELEASE")
    assert of_the_code() == {"function_version": "7"}


def test_improvement_3__metrics_are_one_emf_object() -> None:
    """The contract's names, units by name, one dimension."""
    written = json.loads(emf("Space", "presign", dict.fromkeys(METRICS, 1)))
    (directive,) = written["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == "Space"
    assert directive["Dimensions"] == [["Function"]]
    assert written["Function"] == "presign"
    units = {metric["Name"]: metric["Unit"] for metric in directive["Metrics"]}
    assert set(units) == set(METRICS)
    assert (units["ManifestBytes"], units["DurationMs"], units["Parked"]) == ("Bytes", "Milliseconds", "Count")
    assert units["HopBudgetPercent"] == "Percent"
    assert written["PDFsProcessed"] == [1.0]


@pytest.mark.parametrize(
    ("reasons", "told"),
    [
        (["max_hops"], "max_hops"),
        (["sibling_refused: TooManyRequestsException"], "sibling_refused"),
        (["stopped", "stopped"], "stopped"),
        (["stopped", "max_hops"], "several"),
    ],
)
def test_parked_has_its_reason_as_a_dimension(reasons: list[str], told: str, output: Output) -> None:
    """In the same object; an alarm on ``Parked`` alone needs none."""
    telemetry = Telemetry("Space", "presign", "request-1")
    for reason in reasons:
        telemetry.parked(reason)
    telemetry.flush()
    written = json.loads(output.getvalue())
    _, directive = written["_aws"]["CloudWatchMetrics"]
    assert (directive["Dimensions"], directive["Namespace"]) == ([["Function", "Reason"]], "Space")
    assert directive["Metrics"] == [{"Name": "Parked", "Unit": "Count"}]
    assert (written["Reason"], written["Parked"], written["Function"]) == (told, [len(reasons)], "presign")


@pytest.mark.parametrize(
    "written",
    [
        URL,
        {"nested": {"url": URL}},
        [json.dumps({"url": URL})],
        {"aws_secret_access_key": "SECRETKEY", "SessionToken": "SECRETTOKEN", "accessKeyId": "SECRETKEY"},
        json.dumps({"SecretAccessKey": "SECRETKEY"}),
    ],
)
def test_a_credential_never_reaches_a_log_line(written: object, output: Output) -> None:
    """Whoever logs it: sosw's lines pass the same formatter."""
    logger.info(written)
    logger.info("x", extra={"field": written})
    line = output.getvalue()
    assert "redacted" in line
    assert "SECRET" not in line.replace("aws_secret_access_key", "").replace("SecretAccessKey", "")
    assert "5ec4e7" not in line
