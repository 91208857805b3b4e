"""How the clients connect."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, Any

import botocore
import pytest
from botocore.exceptions import ClientError

from processor.aws.clients import HttpSession, open_s3
from tests.web import Answer, serving

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("bundle", [True, ""])
@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:3128"])
def test_certificates_are_verified_whatever_the_environment_says(proxy: str | None, bundle: Any) -> None:
    """
    Whoever stands between could read and write.

    Aiobotocore 2.25 switches verification off behind a proxy, and botocore where ``AWS_CA_BUNDLE`` is empty.
    """

    async def verifies() -> ssl.VerifyMode:
        connector = HttpSession(verify=bundle)._create_connector(proxy)
        try:
            context: ssl.SSLContext = connector._ssl
            assert isinstance(context, ssl.SSLContext)
            return context.verify_mode
        finally:
            await connector.close()

    assert asyncio.run(verifies()) is ssl.CERT_REQUIRED


def test_a_redirect_is_an_answer_and_is_not_followed() -> None:
    """Aiohttp alone would send the session's token to wherever the answer points, and a PUT as a GET."""
    with serving() as web:
        web.serve("/reports/a.pdf", Answer(status=301, headers={"Location": f"{web.address}/elsewhere"}))
        web.serve("/elsewhere", Answer(b"Sign in"))

        async def get() -> None:
            async with open_s3(web.address, 1) as (client, _):
                await client.get_object(Bucket="reports", Key="a.pdf")

        with pytest.raises(ClientError, match="301"):
            asyncio.run(get())
    assert [path for path, _ in web.asked] == ["/reports/a.pdf"]


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
def test_requests_name_this_tool_and_the_application(
    app: str | None, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So an access log tells them from other programs; ``AWS_SDK_UA_APP_ID`` is the SDK's own."""
    if app is not None:
        monkeypatch.setenv("AWS_SDK_UA_APP_ID", app)
    assert asyncio.run(_sent()).startswith(
        f"presign-siblings{named} botocore/{botocore.__version__}"
    )  # Powertools adds itself


@pytest.mark.parametrize("config", ["endpoint_url = {0}", "services = own\n[services own]\ns3 =\n  endpoint_url = {0}"])
@pytest.mark.parametrize("is_ignored", [False, True])
def test_an_endpoint_of_a_config_file_is_a_custom_one(
    config: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_ignored: bool
) -> None:
    """The bucket is in its path, and it may name its region as it likes."""
    (tmp_path / "config").write_text("[default]\n" + config.format("http://store.example:9000"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", str(is_ignored))

    async def url() -> str:
        async with open_s3(None, 1) as (client, _):
            return await client.generate_presigned_url("get_object", Params={"Bucket": "reports", "Key": "a.pdf"})

    assert asyncio.run(url()).startswith("http://store.example:9000/reports/a.pdf?") is not is_ignored
