"""Response headers in a URL: the signature is botocore's, and the header has the name that the template makes."""

from __future__ import annotations

import asyncio
import random
import string
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from aiohttp.multipart import content_disposition_filename, parse_content_disposition
from hypothesis import given
from hypothesis import strategies as st

from processor.errors import InvalidEventError
from processor.job import ResponseHeaders
from processor.job.response_headers import filename_template, header_value
from processor.signing import content_disposition, open_signer
from processor.signing.signers import BatchSigner
from tests import examples
from tests.corpus import AWKWARD_KEYS, any_key
from tests.oracle import SECRET_KEY, Asynchronous, Clock, make_client

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processor.signing import Signer

INSTANT = datetime(2026, 4, 1, 6, 30, 15, tzinfo=UTC)
CHOICES = (
    ResponseHeaders(filename="{name}"),
    ResponseHeaders(disposition="inline", filename="{stem} ({n}).{ext}", content_type="application/pdf"),
    ResponseHeaders(filename="{path}", cache_control="private, max-age=60", content_type="text/plain; charset=utf-8"),
    ResponseHeaders(disposition="attachment"),
    ResponseHeaders(filename="Übersicht {{1}} {name}"),
)
KEYS, MANY_KEYS = 400, 4000


def by_botocore(headers: ResponseHeaders, keys: Sequence[str], versions: Mapping[str, str] | None = None) -> list[str]:
    """Return the URLs that botocore signs, each with the header's value by RFC 6266."""
    client = make_client()
    fixed = {
        "ResponseCacheControl": headers.cache_control,
        "ResponseContentType": headers.content_type,
        "ResponseContentDisposition": headers.disposition if headers.filename is None else None,
    }
    urls = []
    for number, key in enumerate(keys, 1):
        parameters = {name: value for name, value in fixed.items() if value is not None}
        if headers.filename is not None:
            (name,) = headers.file_names([key], number)
            kind = headers.disposition or "attachment"
            parameters["ResponseContentDisposition"] = content_disposition.value(kind, name)
        parameters |= {"Bucket": "reports", "Key": key} | ({} if versions is None else {"VersionId": versions[key]})
        urls.append(str(client.generate_presigned_url("get_object", Params=parameters, ExpiresIn=900)))
    return urls


async def signer_of(headers: ResponseHeaders, clock: Clock, *, pins: bool = False) -> Signer:
    """Open a signer with response headers."""
    return await open_signer(
        Asynchronous(make_client()),  # type: ignore[arg-type]
        SECRET_KEY,
        bucket="reports",
        expiry_seconds=900,
        clock=clock,
        headers=headers,
        pins=pins,
    )


async def by_ours(
    headers: ResponseHeaders, keys: Sequence[str], clock: Clock, versions: Mapping[str, str] | None = None
) -> list[str]:
    """Return the URLs that the batch signer gives, a hundred at a time."""
    signer = await signer_of(headers, clock, pins=versions is not None)
    assert isinstance(signer, BatchSigner), signer.fallback_reason
    urls: list[str] = []
    for start in range(0, len(keys), 100):
        urls += (await signer.sign(keys[start : start + 100], start + 1, versions)).urls
    return urls


@pytest.mark.no_cover
@pytest.mark.parametrize("headers", CHOICES, ids=lambda headers: headers.filename or headers.disposition)
def test_urls_with_response_headers_are_signed_as_botocore_signs_them(
    headers: ResponseHeaders, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Generated keys and awkward ones; most of them for the choice with every field, in `make soak` for each choice."""
    clock, chance = Clock(INSTANT).freeze(monkeypatch), random.Random(str(headers))
    number = MANY_KEYS if headers.disposition and headers.filename else KEYS * examples.TIMES
    keys = [*AWKWARD_KEYS, *(any_key(chance) for _ in range(number))]
    assert asyncio.run(by_ours(headers, keys, clock)) == by_botocore(headers, keys)


@pytest.mark.parametrize("headers", [*CHOICES, ResponseHeaders()], ids=lambda headers: headers.filename or "fixed")
def test_versions_are_signed_as_botocore_signs_them(headers: ResponseHeaders, monkeypatch: pytest.MonkeyPatch) -> None:
    """Version ids of S3, of other stores, and some that need quoting: alone, and beside a name for each key."""
    clock, chance = Clock(INSTANT).freeze(monkeypatch), random.Random(str(headers))
    letters = string.ascii_letters + string.digits + "._-"
    ids = ["null", "a/b+c=&~é", "8a3f2c1e-0000-4000-8000-00000000001f"]
    keys = [*AWKWARD_KEYS, *(any_key(chance) for _ in range(300))]
    versions = {key: chance.choice([*ids, "".join(chance.choices(letters, k=32))]) for key in keys}
    assert asyncio.run(by_ours(headers, keys, clock, versions)) == by_botocore(headers, keys, versions)


NAMES = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


@given(st.lists(NAMES, min_size=1, max_size=5))
def test_a_batch_of_names_is_encoded_as_each_name_by_itself(names: list[str]) -> None:
    """No name changes another's."""
    expected = [quote(content_disposition.value("attachment", name), safe="-._~") for name in names]
    assert content_disposition.encoded("attachment", names) == expected


@given(NAMES)
def test_a_header_parser_finds_the_name(name: str) -> None:
    """Aiohttp's parser of RFC 6266 reads it back; the header has no line break, and no quote of the name."""
    header = content_disposition.value("attachment", name)
    assert header.isascii()
    assert header.isprintable()
    assert header.count('"') == 2
    kind, parameters = parse_content_disposition(header)
    assert (kind, content_disposition_filename(parameters)) == ("attachment", name)


@pytest.mark.parametrize(
    ("template", "key", "name"),
    [
        ("{name}", "2026/a.b.pdf", "a.b.pdf"),
        ("{stem}-copy.{ext}", "2026/a.b.pdf", "a.b-copy.pdf"),
        ("{stem}|{ext}", "2026/.hidden", ".hidden|"),
        ("{path}", "2026/04/a.pdf", "2026_04_a.pdf"),
        ("{n}. {name}", "a.pdf", "7. a.pdf"),
        ("{{{n}}}", "a.pdf", "{7}"),
        ("{name}", "folder/", "folder"),
        ("{name}", "///", "file"),
        ("fixed.pdf", "a.pdf", "fixed.pdf"),
        ("{name}", "é" * 500 + ".pdf", "é" * 118 + ".pdf"),
        ("{name}", "a" * 236 + ".pdf", "a" * 236 + ".pdf"),
        ("{name}", "a." + "b" * 300, "a." + "b" * 238),
    ],
)
def test_filename__follows_the_template(template: str, key: str, name: str) -> None:
    """A key that ends with a slash gets the name of its last folder."""
    assert ResponseHeaders(filename=filename_template("filename", template)).file_names([key], 7) == [name]


@pytest.mark.parametrize("template", ["", "a/b", "a\\b", "{key}", "{", "a}", "line\nbreak", "x" * 256, 7])
def test_filename__that_is_no_valid_template_is_refused(template: Any) -> None:
    """Before anything was written."""
    with pytest.raises(InvalidEventError, match="filename"):
        filename_template("filename", template)


@pytest.mark.parametrize("value", ["", " application/pdf", "naïve", "a\r\nSet-Cookie: b", "x" * 256, 7])
def test_content_type__that_no_header_can_carry_is_refused(value: Any) -> None:
    """A line break would add a header of the sender's choice."""
    with pytest.raises(InvalidEventError, match="content_type"):
        header_value("content_type", value)


def test_a_name_that_cannot_be_encoded_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half of a surrogate pair is no Unicode."""
    clock = Clock(INSTANT).freeze(monkeypatch)

    async def sign() -> Any:
        signer = await signer_of(CHOICES[1], clock)
        return await signer.sign(["a.pdf", "\ud800.pdf", "b.pdf"])

    signed = asyncio.run(sign())
    assert list(signed.keys) == ["a.pdf", "b.pdf"]
    assert [key for key, _ in signed.failures] == ["\ud800.pdf"]
    queries = [parse_qs(urlsplit(url).query) for url in signed.urls]
    assert [query["response-content-disposition"][0] for query in queries] == [
        "inline; filename=\"a (1).pdf\"; filename*=UTF-8''a%20%281%29.pdf",
        "inline; filename=\"b (2).pdf\"; filename*=UTF-8''b%20%282%29.pdf",
    ]
