"""The checkpoint objects: what cannot be read is sorted by what Lambda should do next."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from botocore.exceptions import ResponseStreamingError

from processor.chain import CheckpointStore
from processor.errors import RetryableError
from tests.builders import begun


@pytest.mark.parametrize("error", [ClientPayloadError("broken off"), ResponseStreamingError(error="broken off")])
def test_a_body_that_breaks_off_is_a_fault_to_try_again(error: Exception) -> None:
    """Also what aiobotocore lets through from aiohttp (the simulation found it)."""

    async def read() -> bytes:
        raise error

    async def get_object(**_: Any) -> dict[str, Any]:
        return {"Body": SimpleNamespace(read=read)}

    client: Any = SimpleNamespace(get_object=get_object)
    with pytest.raises(RetryableError, match="cannot read the checkpoint"):
        asyncio.run(CheckpointStore(client, begun()).load())
