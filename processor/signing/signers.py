"""
The signers: they turn batches of keys into presigned GET URLs.

``generate_presigned_url`` builds endpoint, request and signing key again for each key. ``BatchSigner`` lets botocore
presign one probe, learns the form of the URL from the probe, and signs the probe too. If the two URLs differ, botocore
signs every key.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from processor.signing.response import NO_HEADERS, Response
from processor.signing.sigv4 import Dated, Template, quoted, quoted_versions
from processor.urls import Urls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

    from types_aiobotocore_s3 import S3Client

    from processor.job import ResponseHeaders

PROBE_VERSION = "probe-version/+="  # versions of other stores than S3 may need quoting
PROBE = "presign probe/~+%é\"'.pdf"


@dataclass(frozen=True, slots=True)
class Signed:
    """
    A signed batch.

    :param keys:     The keys that could be signed, in order.
    :param urls:     The URLs of these keys, one for each key.
    :param failures: The keys that could not be signed, each with the reason.
    """

    keys: Sequence[str]
    urls: Urls
    failures: list[tuple[str, str]]


def signed(urls: Callable[[Sequence[str], int], Urls], keys: Sequence[str], first: int) -> Signed:
    """
    Sign a batch at once, or each key alone, where the batch holds a key that is not Unicode.

    :param urls:  Signs keys; the second argument is the number of the first key in the manifest.
    :param first: Number of the first key in the manifest.
    """
    try:
        return Signed(keys, urls(keys, first), [])
    except UnicodeEncodeError:
        taken, made, failures = list[str](), list[str](), list[tuple[str, str]]()
    for key in keys:
        try:
            made += urls([key], first + len(taken))
        except UnicodeEncodeError as error:
            failures.append((key, type(error).__name__))
        else:
            taken.append(key)
    return Signed(taken, Urls.of(made), failures)


class Signer(Protocol):
    """Turns keys into presigned GET URLs."""

    @property
    def fallback_reason(self) -> str | None:
        """Why botocore signs every key, or ``None``."""

    async def sign(self, keys: Sequence[str], first: int = 1, versions: Mapping[str, str] | None = None) -> Signed:
        """
        Sign a batch; a key that cannot be signed never spoils the others.

        :param first:    Number of the first key in the manifest, where file names hold it.
        :param versions: The version of each key, where URLs name it.
        """


class BatchSigner:
    """
    Signs with everything computed beforehand except the key's path and the file's name.

    :param template:   The form of a URL, learned from the probe.
    :param secret_key: Secret key of the credentials that signed the probe.
    :param clock:      The signing clock, UTC, to the second; asked once for each batch.
    :param response:   The response headers that are signed.
    :param pins:       Each URL names a version.
    """

    fallback_reason: str | None = None

    def __init__(
        self,
        template: Template,
        secret_key: str,
        clock: Callable[[], datetime],
        response: Response = NO_HEADERS,
        *,
        pins: bool = False,
    ) -> None:
        self._template, self._secret_key, self._clock, self._response = template, secret_key, clock, response
        self._pins = pins
        self._dated = self._date(clock())

    async def sign(self, keys: Sequence[str], first: int = 1, versions: Mapping[str, str] | None = None) -> Signed:
        """Sign a batch at one instant."""
        now = self._clock().replace(microsecond=0)
        if now != self._dated.at:
            self._dated = self._date(now)
        return signed(lambda some, number: self._urls(some, number, versions or {}), keys, first)

    def _urls(self, keys: Sequence[str], first: int, versions: Mapping[str, str]) -> Urls:
        if not self._response.names_files and not self._pins:
            return self._dated.urls(quoted(keys))
        values: list[Sequence[str]] = [self._response.dispositions(keys, first)] if self._response.names_files else []
        if self._pins:
            values.append(quoted_versions([versions[key] for key in keys]))
        return self._dated.urls_with(quoted(keys), *values)

    def _date(self, at: datetime) -> Dated:
        return Dated(self._template, self._secret_key, at.replace(microsecond=0))


class BotocoreSigner:
    """
    Signs each key through botocore: slow, for URLs whose form the batch signer does not know.

    :param reason:   Why this signer is in use.
    :param response: The response headers that are signed.
    """

    def __init__(
        self,
        client: S3Client,
        parameters: dict[str, str],
        expiry_seconds: int,
        reason: str,
        response: Response = NO_HEADERS,
    ) -> None:
        self._client, self._parameters, self._expiry, self._response = client, parameters, expiry_seconds, response
        self.fallback_reason: str | None = reason

    async def sign(self, keys: Sequence[str], first: int = 1, versions: Mapping[str, str] | None = None) -> Signed:
        """Sign the keys, one after the other."""
        taken, made, failures = list[str](), list[str](), list[tuple[str, str]]()
        for key in keys:
            try:
                parameters = {**self._parameters, **self._response.parameters(key, first + len(taken)), "Key": key}
                if versions is not None:
                    parameters["VersionId"] = versions[key]
                url = await self._client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=self._expiry)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with one key, the others continue
                failures.append((key, type(error).__name__))
            else:
                taken.append(key)
                made.append(url)
        return Signed(taken, Urls.of(made), failures)


async def open_signer(  # noqa: PLR0913 - all that a URL depends on
    client: S3Client,
    secret_key: str,
    *,
    bucket: str,
    expiry_seconds: int,
    clock: Callable[[], datetime],
    headers: ResponseHeaders | None = None,
    pins: bool = False,
) -> Signer:
    """
    Create the signer for one invocation.

    :param client:         The S3 client whose endpoint, style and signature version the URLs follow.
    :param secret_key:     Secret key of the credentials that the client signs with now.
    :param expiry_seconds: Lifetime of each URL.
    :param clock:          The signing clock, UTC.
    :param headers:        Response headers to sign into each URL.
    :param pins:           Each URL names a version of its key.
    """
    parameters, response = {"Bucket": bucket}, NO_HEADERS if headers is None else Response(headers)
    of_probe: dict[str, str] = {**parameters, **response.parameters(PROBE, 1), "Key": PROBE}
    of_probe |= {"VersionId": PROBE_VERSION} if pins else {}
    probe = await client.generate_presigned_url("get_object", Params=of_probe, ExpiresIn=expiry_seconds)
    varying = [*(response.dispositions([PROBE], 1) if response.names_files else [])]
    varying += quoted_versions([PROBE_VERSION]) if pins else []
    template = Template.learn(probe, PROBE, *varying)
    if template is None:
        reason = "the probe is not a URL with a SigV4 query signature"
        return BotocoreSigner(client, parameters, expiry_seconds, reason, response)
    dated = Dated(template, secret_key, template.at)
    columns = [[value] for value in varying]
    own = (dated.urls_with(quoted([PROBE]), *columns) if varying else dated.urls(quoted([PROBE])))[0]
    if not hmac.compare_digest(own.encode(), probe.encode()):
        reason = "the probe's signature differs from botocore's"
        return BotocoreSigner(client, parameters, expiry_seconds, reason, response)
    return BatchSigner(template, secret_key, clock, response, pins=pins)
