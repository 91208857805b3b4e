"""How the clients connect."""

from __future__ import annotations

import asyncio
import ssl

import pytest
from botocore.exceptions import ClientError

from processor.aws import open_s3
from processor.aws.http_session import HttpSession
from tests.web import Answer, serving


@pytest.mark.parametrize("proxy", [None, "http://127.0.0.1:3128"])
def test_certificates_are_verified_behind_a_proxy_too(proxy: str | None) -> None:
    """Aiobotocore 2.25 switches verification off there, so that whoever stands between could read and write."""

    async def verifies() -> ssl.VerifyMode:
        connector = HttpSession(verify=True)._create_connector(proxy)
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
