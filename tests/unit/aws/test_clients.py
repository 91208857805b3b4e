"""How the clients connect."""

from __future__ import annotations

import asyncio
import ssl

import pytest

from processor.aws.clients import HttpSession


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
