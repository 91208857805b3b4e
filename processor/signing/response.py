"""The response headers of a job, as botocore's parameters and as query values of a batch of keys."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from processor.job import ATTACHMENT, ResponseHeaders
from processor.signing import content_disposition

if TYPE_CHECKING:
    from collections.abc import Sequence

_QUERY_NAMES = {
    "ResponseCacheControl": "response-cache-control",
    "ResponseContentDisposition": "response-content-disposition",
    "ResponseContentType": "response-content-type",
}


class Response:
    """
    The response headers that S3 answers with.

    :param headers: The job's choice.
    """

    __slots__ = ("_disposition", "_fixed", "_headers", "_query", "has_headers", "names_files")

    def __init__(self, headers: ResponseHeaders) -> None:
        self._headers = headers
        self._disposition = headers.disposition or ATTACHMENT
        self.names_files = headers.filename is not None
        chosen = {
            "ResponseCacheControl": headers.cache_control,
            "ResponseContentDisposition": None if self.names_files else headers.disposition,
            "ResponseContentType": headers.content_type,
        }
        self._fixed = {name: value for name, value in chosen.items() if value is not None}
        self.has_headers = self.names_files or bool(self._fixed)
        self._query = "&".join(f"{_QUERY_NAMES[name]}={quote(value, safe='')}" for name, value in self._fixed.items())

    def parameters(self, key: str, number: int) -> dict[str, str]:
        """
        Return the parameters of ``GetObject`` for one key.

        :param number: The key's number in the manifest, from 1.
        """
        if not self.names_files:
            return self._fixed
        (name,) = self._headers.file_names([key], number)
        return {**self._fixed, "ResponseContentDisposition": content_disposition.value(self._disposition, name)}

    def dispositions(self, keys: Sequence[str], first: int) -> list[str]:
        """
        Return ``response-content-disposition`` of several keys, encoded for the query.

        :param first: Number of the first key in the manifest, from 1.
        """
        return content_disposition.encoded(self._disposition, self._headers.file_names(keys, first))

    def queries(self, keys: Sequence[str], first: int) -> list[str]:
        """
        Return the query strings that ask for the headers, one for each key.

        :param first: Number of the first key in the manifest, from 1.
        """
        if not self.names_files:
            return [self._query] * len(keys)
        fixed = self._query and f"{self._query}&"
        return [f"{fixed}response-content-disposition={value}" for value in self.dispositions(keys, first)]


NO_HEADERS = Response(ResponseHeaders())
