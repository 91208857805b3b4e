"""ListObjectsV2 responses as servers write them, and botocore's reading of them with and without ``take_keys``."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

from processor.errors import RetryableError
from processor.job import FACTS
from processor.listing.listed import read
from processor.listing.page_parser import EVENT, take_keys
from tests.oracle import make_client

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
REST = (
    "<LastModified>2026-04-01T06:30:15.000Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>"
    "<ChecksumAlgorithm>CRC64NVME</ChecksumAlgorithm><ChecksumType>FULL_OBJECT</ChecksumType>"
    "<Size>434234</Size><Owner><ID>75aa57f09aa0c8ca</ID><DisplayName>main</DisplayName></Owner>"
    "<StorageClass>STANDARD</StorageClass>"
)


def content(written: str) -> str:
    """Return the element of one object; ``written`` is its key as the XML has it."""
    return f"<Contents><Key>{written}</Key>{REST}</Contents>"


def fields(count: int, token: str | None = None, encoding: str = "<EncodingType>url</EncodingType>") -> str:
    """Return a page's other elements; with a token the listing continues."""
    continued = f"<IsTruncated>true</IsTruncated><NextContinuationToken>{token}</NextContinuationToken>"
    end = "<IsTruncated>false</IsTruncated>" if token is None else continued
    return f"<Name>reports</Name><Prefix/><KeyCount>{count}</KeyCount><MaxKeys>1000</MaxKeys>{encoding}{end}"


def document(inner: str, *, declaration: str = DECLARATION) -> bytes:
    """Return a page's body."""
    return f"{declaration}<ListBucketResult {NAMESPACE}>{inner}</ListBucketResult>".encode()


def aws_page(keys: Sequence[str], token: str | None = None) -> bytes:
    """Return the page as S3 writes it: on one line, keys percent-encoded, fields first."""
    return document(fields(len(keys), token) + "".join(content(escape(quote_plus(key, safe="/"))) for key in keys))


class _Raw(io.BytesIO):
    def stream(self) -> Iterator[bytes]:
        yield self.read()


class Reader:
    """
    A client that reads one page after another from memory.

    :param fast: Whether ``take_keys`` is registered on it, as the lister does.
    """

    def __init__(self, *, fast: bool) -> None:
        self._client = make_client()
        self._body = b""
        events = self._client.meta.events
        events.register("before-send.s3.ListObjectsV2", self._answer)
        if fast:
            events.register(EVENT, take_keys)
        events.register_last("before-parse.s3.ListObjectsV2", self._see)
        self.seen = b""

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        return AWSResponse(request.url, 200, HTTPHeaders(), _Raw(self._body))

    def _see(self, response_dict: dict[str, Any], **_: Any) -> None:
        self.seen = response_dict["body"]

    def read(self, body: bytes) -> dict[str, Any] | str:
        """
        Return the parsed page, without metadata, or the kind of error that botocore raises.

        The modelled parser's input is in ``seen`` afterwards.
        """
        self._body = body
        try:
            parsed: dict[str, Any] = self._client.list_objects_v2(Bucket="reports", EncodingType="url")
        except (ClientError, ResponseParserError) as error:
            return type(error).__name__
        del parsed["ResponseMetadata"]
        return parsed


def as_listed(parsed: dict[str, Any] | str) -> Any:
    """Return what the lister takes from a parsed page."""
    if isinstance(parsed, str):
        return parsed
    try:
        return read(parsed, FACTS)
    except RetryableError as error:
        return str(error)
