"""One presigned URL, by boto3's client: the asynchronous ones take longer to load than all the rest."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import HTTPError

from presign_siblings.errors import CommandError
from presign_siblings.laptop.cloudfront import distribution
from presign_siblings.laptop.inquiry import job_of
from presign_siblings.session import credentials, no_credentials
from processor.aws import credentials_end, frozen
from processor.causes import READ_BYTES
from processor.chain import open_job_signer
from processor.errors import TerminalError
from processor.page import lifetime_of
from processor.signing import CAME, FirstByte, asking, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from types_boto3_s3 import S3Client


@dataclass(frozen=True, slots=True)
class Link:
    """
    One presigned URL.

    :param url:     A credential.
    :param ends_at: When it dies at the latest, as far as it is known.
    :param of_session: Whether it dies with the session that signed it.
    :param refused: Why it gives nothing, in S3's words; ``None`` where its object came.
    """

    url: str = field(repr=False)
    ends_at: datetime | None
    of_session: bool
    refused: str | None


class _Awaited:
    """
    boto3's client, with the awaitable method that a signer calls.

    :param client: Signs.
    """

    def __init__(self, client: S3Client) -> None:
        self._client = client

    async def generate_presigned_url(self, *arguments: Any, **named: Any) -> str:  # noqa: ANN401 - passed on
        """Sign a URL."""
        return self._client.generate_presigned_url(*arguments, **named)


async def link(
    s3: Any,  # noqa: ANN401 - boto3's S3 client; its connections are in no stubs
    event: Mapping[str, Any],
    key: str,
    *,
    probe: bool,
    key_file: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> Link:
    """
    Presign one key, as a run would.

    :param event: The fields of a job that concern its URLs, and the bucket.
    :param probe: Whether to fetch the first byte of its object.
    :param key_file: Private key that signs for CloudFront.
    :param variables: Variables of the function that options name.
    :raises CommandError: There are no credentials.
    :raises PresignSiblingsError: A field breaks its rule, or the key cannot be signed.
    """
    job, settings = job_of(s3, {**event, "prefix": "", "concurrency": 1}, variables)
    job = replace(job, prefix=key)  # a prefix policy then opens only keys that begin with it
    found = credentials()
    if found is None:
        raise CommandError(no_credentials())
    secret, signs = frozen(found).secret_key, distribution(settings, job, key_file)
    awaited: Any = _Awaited(s3)
    signer = await open_job_signer(job, awaited, secret, lambda: datetime.now(UTC), signs)
    signed = await signer.sign([key])
    if signed.failures:
        raise TerminalError(f"{key!r} cannot be signed: {signed.failures[0][1]}")
    url = signed.urls[0]
    tries = probe and replace(job, probe=True).can_be_tried(datetime.now(UTC))
    refused = await refusal(lambda: _first_byte(s3, url)) if tries else None
    life = lifetime_of(url)
    ends = [life.ends_at, credentials_end(s3, None) if life.of_session else None]
    ends_at = min((at for at in ends if at is not None), default=None)
    return Link(url, ends_at, life.of_session, None if refused is None else refused[1])


async def _first_byte(s3: Any, url: str) -> FirstByte:  # noqa: ANN401 - as above
    """Ask for the first byte of a URL's object, over the client's own connections."""
    answer = s3._endpoint.http_session.send(asking(url))  # noqa: SLF001 - as above
    try:
        body = b"" if answer.status_code in CAME else answer.raw.read(READ_BYTES)
    except HTTPError:
        body = b""  # the status alone says enough
    finally:
        answer.raw.close()  # a store without ranges sends the whole object
    return FirstByte(answer.status_code, answer.headers, body)
