"""The checkpoint objects: each error in reading one says what Lambda should do next."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import ClientPayloadError
from botocore.exceptions import ResponseStreamingError

from processor.chain import CheckpointStore
from processor.errors import CheckpointLostError, RetryableError, SourceRefusedError
from tests.builders import begun
from tests.fakes import FakeS3, refuse


@pytest.mark.parametrize("error", [ClientPayloadError("broken off"), ResponseStreamingError(error="broken off")])
def test_a_truncated_body_is_a_fault_to_try_again(error: Exception) -> None:
    """Including errors that aiobotocore lets through from aiohttp (the simulation found it)."""

    async def read() -> bytes:
        raise error

    async def get_object(**_: Any) -> dict[str, Any]:
        return {"Body": SimpleNamespace(read=read)}

    client: Any = SimpleNamespace(get_object=get_object)
    with pytest.raises(RetryableError, match="cannot read the checkpoint"):
        asyncio.run(CheckpointStore(client, begun()).load())


def test_a_checkpoint_of_the_first_version_restarts_the_run_in_its_hop() -> None:
    """Its one upload into the manifest's own key cannot become pieces: it is aborted."""
    place = begun(start_after="a")
    first = {"job_key": place.job.job_key, "job_id": place.job_id, "hop": 1, "upload": {"upload_id": "u", "parts": []}}
    s3: Any = FakeS3(objects={str(place.checkpoint_key): json.dumps(first).encode() + b"\ntail"}, uploads={"u": {}})
    found = asyncio.run(CheckpointStore(s3, place).load())
    assert (found.hop, found.counts.count, found.front.place, found.front.cursor) == (1, 0, "a", None)
    assert s3.aborted == ["u"]


@pytest.mark.parametrize("may_read", [True, False])
def test_a_missing_checkpoint_is_not_mistaken_for_a_denied_one(
    may_read: bool,  # noqa: FBT001 - a parameter
) -> None:
    """S3 answers 403 to both if the role may not list: the first restarts the run; the second would do so for ever."""
    s3: Any = FakeS3(may_list=False)

    async def deny(operation: str, _: object) -> None:
        if operation == "get" and not may_read:
            raise refuse("AccessDenied", status=403)

    s3.before = deny
    with pytest.raises(CheckpointLostError if may_read else SourceRefusedError, match="the checkpoint of job"):
        asyncio.run(CheckpointStore(s3, begun()).load())
    assert s3.objects == {}


def test_a_damaged_checkpoint_counts_as_lost() -> None:
    """The run restarts at once."""
    place = begun()
    stored = place.begin().to_bytes()
    s3: Any = FakeS3(objects={str(place.checkpoint_key): stored[:-5] + b"1" + stored[-4:]})
    with pytest.raises(CheckpointLostError, match="damaged"):
        asyncio.run(CheckpointStore(s3, place).load())
