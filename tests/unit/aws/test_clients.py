"""The clients' user agent, and their endpoint of S3."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import botocore
import pytest
from botocore.exceptions import ClientError

from processor.aws.clients import open_dynamodb, open_events, open_s3, open_states
from processor.causes import why
from processor.errors import InvalidEventError
from processor.ledger.record import LEASE
from tests.web import Answer, serving

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


async def _sent() -> str:
    """Return the user agent of a request, which is never sent."""
    found: list[str] = []

    def stop(request: Any, **_: Any) -> None:
        found.append(request.headers["User-Agent"].decode())
        raise ConnectionRefusedError

    async with open_s3("http://127.0.0.1:9", 1) as (client, _):
        client.meta.events.register_first("before-send.s3.ListObjectsV2", stop)
        with pytest.raises(ConnectionRefusedError):
            await client.list_objects_v2(Bucket="reports")
    return found[0]


@pytest.mark.parametrize(("app", "named"), [(None, ""), ("handover", " app/handover")])
def test_requests_name_presign_siblings_and_the_application(
    app: str | None, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So access logs distinguish it from other programs; ``AWS_SDK_UA_APP_ID`` is the SDK's own."""
    if app is not None:
        monkeypatch.setenv("AWS_SDK_UA_APP_ID", app)
    assert asyncio.run(_sent()).startswith(
        f"presign-siblings{named} botocore/{botocore.__version__}"
    )  # Powertools adds itself


def test_an_error_names_the_host_that_has_answered() -> None:
    """A hop's log is all that shows whether it was S3, another store, or a proxy."""
    body = b"<Error><Code>AccessDenied</Code><Message>No</Message></Error>"

    async def ask(endpoint: str) -> None:
        async with open_s3(endpoint, 1) as (client, _):
            await client.list_objects_v2(Bucket="reports")

    with serving() as web:
        web.serve("/reports", Answer(body, status=403))
        with pytest.raises(ClientError) as refused:
            asyncio.run(ask(web.address))
    assert why(refused.value).startswith(f"{web.address} answered AccessDenied: No")


@pytest.mark.parametrize("opened", [open_dynamodb, open_events, open_states])
def test_a_service_that_does_not_answer_is_given_up_before_a_lease_ends(opened: Callable[[], Any]) -> None:
    """The holder stops by itself then; one that waited longer would be replaced while it still works."""

    async def seconds() -> float:
        async with opened() as client:
            config = client.meta.config
            tries = int(config.retries["total_max_attempts"])
            pauses = sum(2.0**number for number in range(tries - 1))  # botocore's, at most
            return pauses + tries * float(config.connect_timeout + config.read_timeout)

    assert asyncio.run(seconds()) < LEASE.total_seconds()


@pytest.mark.parametrize("config", ["endpoint_url = {0}", "services = own\n[services own]\ns3 =\n  endpoint_url = {0}"])
@pytest.mark.parametrize("is_ignored", [False, True])
def test_an_endpoint_in_a_config_file_is_a_custom_one(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_ignored: bool
) -> None:
    """The bucket is in the path, and the region's name is the store's own."""
    (tmp_path / "config").write_text("[default]\n" + config.format("http://store.example:9000"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", str(is_ignored))

    async def url() -> str:
        async with open_s3(None, 1) as (client, _):
            return await client.generate_presigned_url("get_object", Params={"Bucket": "reports", "Key": "a.pdf"})

    assert asyncio.run(url()).startswith("http://store.example:9000/reports/a.pdf?") is not is_ignored


def test_an_endpoint_in_a_config_file_is_normalised_like_an_option(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Browsers leave the scheme's own port out of Host, so a link that signs it would be refused."""
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    async def endpoint() -> str:
        async with open_s3(None, 1) as (client, _):
            return client.meta.endpoint_url

    (tmp_path / "config").write_text("[default]\nendpoint_url = HTTPS://Store.example:443/\n")
    assert asyncio.run(endpoint()) == "https://store.example"
    (tmp_path / "config").write_text("[default]\nendpoint_url = store.example\n")
    with pytest.raises(InvalidEventError, match=r"endpoint_url.*'store\.example'"):
        asyncio.run(endpoint())
