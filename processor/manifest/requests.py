"""One request to S3 on behalf of the manifest: its refusal sorted into the product's errors, its answer checked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aiohttp import ClientPayloadError
from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import PieceLostError, RetryableError, cause_code, error_code, from_client_error

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Mapping

    from types_aiobotocore_s3 import S3Client

BLOCK = 512 << 10  # bytes that are read of a body at once
_GONE = frozenset({"404", "NoSuchKey"})
_NOT_THERE = frozenset({"403", "404"})  # S3 answers 403 where it may not say that nothing is there


class UploadGoneError(RetryableError):
    """The multipart upload no longer exists: it was aborted, or completed."""


class PartsRefusedError(Exception):
    """The store copies no parts, makes no object of these, or finds other bytes than were accounted for."""


async def answered(call: Awaitable[Any], doing: str) -> Any:  # noqa: ANN401 - each operation has its own answer
    """
    Await a request.

    :param doing: What is tried, e.g. ``write s3://bucket/key``.
    :raises PieceLostError: The object that it reads is gone.
    :raises UploadGoneError: The multipart upload is gone.
    :raises PresignSiblingsError: S3 refuses otherwise, or does not answer.
    """
    try:
        return await call
    except ClientError as error:
        if error_code(error) in _GONE:
            raise PieceLostError(f"cannot {doing}: S3 answered {error_code(error)}") from error
        if error_code(error) == "NoSuchUpload":
            raise UploadGoneError(f"cannot {doing}: the upload is gone") from error
        raise from_client_error(error, doing) from error
    except BotoCoreError as error:
        raise from_client_error(error, doing) from error


async def head_of(
    client: S3Client,
    place: Any,  # noqa: ANN401 - parameters
    doing: str,
    *,
    is_there: bool = False,
) -> dict[str, Any] | None:
    """
    Return S3's answer to HeadObject; ``None`` where there is no object.

    :param place: Bucket and key.
    :param doing: What is tried, e.g. ``see s3://bucket/key``.
    :param is_there: S3 has just said that the object is there, so 403 is a denial.
    :raises PresignSiblingsError: S3 does not say whether the object is there.
    """
    try:
        return dict(await client.head_object(**place))
    except (ClientError, BotoCoreError) as error:
        if cause_code(error) in (_GONE if is_there else _NOT_THERE):
            return None
        raise from_client_error(error, doing) from error


async def blocks_of(call: Awaitable[Any], size: int, doing: str) -> AsyncGenerator[bytes]:
    """
    Await a GetObject, and yield its body in blocks.

    :param size: Bytes that it must have.
    :raises PieceLostError: The object is gone.
    :raises RetryableError: The body broke off, or is of another size.
    """
    body, read = (await answered(call, doing))["Body"], 0
    try:
        async with body:
            while block := await body.read(BLOCK):
                read += len(block)
                yield block
    except (BotoCoreError, ClientPayloadError) as error:  # aiobotocore lets a body that breaks off through
        raise from_client_error(error, doing) from error
    if read != size:
        raise RetryableError(f"cannot {doing}: S3 sent {read} bytes instead of {size}")


async def body_of(call: Awaitable[Any], size: int, doing: str) -> bytes:
    """Await a GetObject and its whole body, as ``blocks_of`` does."""
    return b"".join([block async for block in blocks_of(call, size, doing)])


def stated(answer: Mapping[str, Any], name: str, doing: str) -> str:
    """
    Return a field that an answer must have; proxies and other stores leave some out.

    :raises RetryableError: The answer lacks it.
    """
    value = answer.get(name)
    if not isinstance(value, str) or not value:
        raise RetryableError(f"cannot {doing}: S3's answer has no {name}")
    return value
