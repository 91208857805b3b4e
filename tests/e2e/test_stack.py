"""The deployed stack, end to end: real siblings, real signatures, enforced IAM."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.exceptions import ClientError

from dev import chain, proof
from dev.aws import stack
from presign_siblings.deploy import deploy
from presign_siblings.remote.logs import Tail
from tests.e2e.jobs import eventually, given_up
from tests.e2e.roles import as_role

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.e2e.conftest import Deployed

pytestmark = pytest.mark.e2e


def _fetch(deployed: Deployed, key: str) -> bytes:
    s3 = boto3.client("s3", **deployed.emulator.options)
    status, body = proof.get(s3.generate_presigned_url("get_object", Params={"Bucket": stack.BUCKET, "Key": key}))
    assert status == 200
    return body


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_chain_of_siblings_writes_one_exact_manifest(deployed: Deployed, compression: str) -> None:
    """Each PDF is in it once, in S3's order, with a URL that gives its bytes, though each page had a sibling."""
    job = chain.run(deployed.emulator, deployed.stack, event={"compression": compression, "fresh": True})

    body = _fetch(deployed, job.manifest_key)
    pdfs = [item for item in deployed.items if item.is_pdf]
    urls, checks = proof.manifest(gzip.decompress(body) if compression == "gzip" else body, [each.key for each in pdfs])
    checks += [proof.downloads(urls, proof.sample(pdfs)), *proof.tampered(urls)]
    assert [check for check in checks if not check.passed] == []
    assert job.count == len(pdfs)
    assert job.handovers >= 3
    assert job.manifest_key.startswith(stack.MANIFEST_PREFIX)


def test_a_chain_continues_past_sixteen_siblings(deployed: Deployed) -> None:
    """Lambda's recursion guard, which the emulator has too, would drop the seventeenth without RecursiveLoop: Allow."""
    job = chain.run(deployed.emulator, deployed.stack, event={"page_size": 5, "fresh": True})
    assert job.handovers > 16
    assert job.count == sum(item.is_pdf for item in deployed.items)


def test_a_disabled_rule_parks_the_chain_and_its_resume_payload_finishes_it(deployed: Deployed) -> None:
    """The kill switch stops a chain at its next hand-over; none of its work is lost."""
    events = boto3.client("events", **deployed.emulator.options)
    rule = f"{deployed.stack.function}_schedule"
    events.disable_rule(Name=rule)
    try:
        parked = _invoke(deployed, {"fresh": True})
    finally:
        events.enable_rule(Name=rule)
    assert parked["statusCode"] == 409
    body = json.loads(parked["body"])
    assert body["status"] == "parked"

    job = chain.run(deployed.emulator, deployed.stack, event=body["resume"])

    urls, checks = proof.manifest(
        _fetch(deployed, job.manifest_key), [item.key for item in deployed.items if item.is_pdf]
    )
    assert [check for check in checks if not check.passed] == []
    assert job.job_id == body["job_id"]
    assert len(urls) == job.count


def _invoke(deployed: Deployed, event: dict[str, Any]) -> dict[str, Any]:
    functions = boto3.client("lambda", **deployed.emulator.options)
    answer = functions.invoke(FunctionName=deployed.stack.function, Payload=json.dumps(event))
    assert "FunctionError" not in answer
    payload: dict[str, Any] = json.loads(answer["Payload"].read())
    return payload


def test_the_role_may_do_what_the_job_needs_and_nothing_else(deployed: Deployed) -> None:
    """IAM, enforced: no write outside the manifest prefix, no listing outside the prefix, no other function."""
    role = as_role(deployed.emulator, deployed.stack.role)
    s3, functions = boto3.client("s3", **role), boto3.client("lambda", **role)
    bucket, pdf = stack.BUCKET, deployed.items[0].key
    s3.list_objects_v2(Bucket=bucket, Prefix=stack.PREFIX, MaxKeys=1)
    s3.get_object(Bucket=bucket, Key=pdf)
    s3.put_object(Bucket=bucket, Key=f"{stack.MANIFEST_PREFIX}allowed", Body=b"")

    refusals: dict[str, Callable[[], object]] = {
        "a write beside the manifests": lambda: s3.put_object(Bucket=bucket, Key="elsewhere/x", Body=b""),
        "a write over a PDF": lambda: s3.put_object(Bucket=bucket, Key=pdf, Body=b""),
        "a write into another bucket": lambda: s3.put_object(Bucket=stack.CODE_BUCKET, Key="manifests/x", Body=b""),
        "a removal": lambda: s3.delete_object(Bucket=bucket, Key=f"{stack.MANIFEST_PREFIX}allowed"),
        "a listing of another bucket": lambda: s3.list_objects_v2(Bucket=stack.CODE_BUCKET),
        "a listing of the whole bucket": lambda: s3.list_objects_v2(Bucket=bucket),
        "a read outside the prefix": lambda: s3.get_object(Bucket=bucket, Key="private.pdf"),
        "another function": lambda: functions.invoke(FunctionName="another", Payload=b"{}"),
        "a change of itself": lambda: functions.delete_function_concurrency(FunctionName=deployed.stack.function),
    }
    for name, refused in refusals.items():
        with pytest.raises(ClientError, match=r"AccessDenied"):
            pytest.fail(f"{name} was allowed: {refused()}")


def test_the_function_itself_cannot_write_outside_the_manifest_prefix(deployed: Deployed) -> None:
    """An event may name another manifest prefix; IAM decides."""
    functions = boto3.client("lambda", **deployed.emulator.options)
    check = proof.write_outside(functions, boto3.client("s3", **deployed.emulator.options), deployed.stack.function)
    assert check.passed, check.seen


def test_the_same_deployment_again_changes_nothing(deployed: Deployed) -> None:
    """Parameters that are not named keep their values, and settings that the emulator had dropped stay restored."""
    cloudformation = boto3.client("cloudformation", **deployed.emulator.options)
    functions = boto3.client("lambda", **deployed.emulator.options)
    url = deploy.upload_template(boto3.client("s3", **deployed.emulator.options), stack.CODE_BUCKET)
    for _ in range(2):  # another test may have changed the function and changed it back: that makes a version
        changed, outputs = deploy.deploy(cloudformation, functions, stack.STACK, {}, poll=0.1, template_url=url)
    assert not changed
    assert outputs["FunctionName"] == deployed.stack.function
    recursion = functions.get_function_recursion_config(FunctionName=deployed.stack.function)
    concurrency = functions.get_function_concurrency(FunctionName=deployed.stack.function)
    assert (recursion["RecursiveLoop"], concurrency["ReservedConcurrentExecutions"]) == ("Allow", 5)


def test_an_event_that_fails_for_good_goes_to_the_on_failure_queue(deployed: Deployed) -> None:
    """After its retries; it can be sent again from there."""
    event = {"manifest_prefix": "elsewhere/", "prefix": f"{stack.PREFIX}nothing"}
    functions = boto3.client("lambda", **deployed.emulator.options)
    functions.invoke(FunctionName=deployed.stack.function, InvocationType="Event", Payload=json.dumps(event))
    assert eventually(lambda: [each for each in given_up(deployed) if each == event]) == [event]


def test_no_url_and_no_token_is_in_any_log_line(deployed: Deployed) -> None:
    """Reading the logs, sosw's own lines included, gives no access."""
    tail = Tail(boto3.client("logs", **deployed.emulator.options), deployed.stack.logs, datetime.now(UTC))
    chain.run(deployed.emulator, deployed.stack, event={"fresh": True})
    text = "\n".join(tail.messages())
    assert "handover" in text
    for secret in ("X-Amz-Signature=", "X-Amz-Security-Token=", "AWS_SESSION_TOKEN", "ASIA"):
        assert secret not in text.replace("=<redacted>", "")
