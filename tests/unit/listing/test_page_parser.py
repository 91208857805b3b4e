"""Keys are taken out of a page exactly as botocore's modelled parser reads them, or left to it."""

from __future__ import annotations

import re
from functools import cache
from html import escape as escape_html
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus
from xml.sax.saxutils import escape

import botocore.handlers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.errors import SourceRefusedError
from processor.listing import listed
from processor.listing.page_parser import ARCHIVED, KEYS, is_page, page_of, take_keys
from tests.corpus import AWKWARD_KEYS
from tests.pages import DECLARATION, Reader, as_listed, aws_page, content, document, fields

if TYPE_CHECKING:
    from collections.abc import Callable

NO_ENCODING = fields(1, encoding="")
A = content("a.pdf")
TWO = A + content("b.pdf")


@cache
def reader(*, fast: bool) -> Reader:
    """Return the reader with or without ``take_keys``; making a client costs more than reading many pages."""
    return Reader(fast=fast)


def both(body: bytes) -> tuple[dict[str, Any] | str, bool]:
    """Read a page both ways, check that they agree, and return whether the fast reader took it."""
    modelled, ours = reader(fast=False).read(body), reader(fast=True).read(body)
    assert as_listed(ours) == as_listed(modelled)
    return ours, KEYS in ours


TAKEN = {
    "as S3 writes it": aws_page(AWKWARD_KEYS),
    "a page that is followed by others": aws_page(AWKWARD_KEYS, token="1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM="),
    "one key": aws_page(["a.pdf"]),
    "no key": aws_page([]),
    "plus and percent": document(fields(1) + content("a+b%2Bc%20d%25%zz%")),
    "bytes that are no UTF-8": document(fields(1) + content("a%ff%c3b")),
    "plus and percent, not encoded": document(NO_ENCODING + content("a+b%2Bc")),
    "entities": document(NO_ENCODING + content("&lt;&gt;&amp;&quot;&apos;&amp;amp;")),
    "character references": document(NO_ENCODING + content("&#65;&#x42;&#13;&#10;&#9;&#x1F469;&#133;")),
    "entities below percent": document(fields(1) + content("a&amp;b%26amp%3B+&#37;41")),
    "a plus that is a character reference": document(fields(1) + content("a&#43;b")),
    "raw unicode": document(NO_ENCODING + content("日本語/👩\u200d👧/e\u0301\u2028\u0085.pdf")),
    "spaces kept": document(NO_ENCODING + content("  a  b\t ")),
    "a line's end in a key": document(NO_ENCODING + content("a\nb")),
    "fields after": document(TWO + fields(2)),
    "fields around": document("<KeyCount>2</KeyCount>" + TWO + "<IsTruncated>false</IsTruncated>"),
    "pretty-printed": document((fields(2) + TWO).replace("><", ">\n    <")),
    "no declaration": document(fields(1) + A, declaration=""),
    "declared alone": document(fields(1) + A, declaration='<?xml version="1.0" encoding="utf-8" standalone="yes"?>'),
    "no namespace": f"<ListBucketResult>{fields(1)}{A}</ListBucketResult>".encode(),
}
LEFT = {
    "CDATA": document(NO_ENCODING + content("<![CDATA[a<b&amp;.pdf]]>")),
    "a comment": document(fields(1) + "<!-- <Contents><Key>no</Key></Contents> -->" + A),
    "a document type": document(NO_ENCODING + content("&e;"), declaration='<!DOCTYPE d [<!ENTITY e "a.pdf">]>'),
    "CRLF": document((fields(1) + A).replace("><", ">\r\n<")),
    "a byte order mark": b"\xef\xbb\xbf" + aws_page(["a.pdf"]),
    "UTF-16": aws_page(["a.pdf"]).decode().replace("UTF-8", "UTF-16").encode("utf-16"),
    "ISO 8859-1": document(NO_ENCODING + content("é"), declaration='<?xml version="1.0" encoding="ISO-8859-1"?>'),
    "declared otherwise": document(fields(1) + A, declaration="<?xml version='1.0' encoding='utf-8'?>"),
    "XML 1.1": document(fields(1) + A, declaration='<?xml version="1.1" encoding="UTF-8"?>'),
    "a prefix": aws_page(["a.pdf"]).replace(b"</", b"</s3:").replace(b"<L", b"<s3:L").replace(b"xmlns=", b"xmlns:s3="),
    "a prefix throughout": f'<s:ListBucketResult xmlns:s="u">{fields(1)}{A}</s:ListBucketResult>'.encode(),
    "a prefix within": document(fields(1) + A.replace("Contents>", "s:Contents>")).replace(
        b"xmlns", b'xmlns:s="u" xmlns'
    ),
    "attributes on a key": document(fields(1) + A.replace("<Key>", '<Key id="1">')),
    "attributes on one object": document(fields(2) + A.replace("<Contents>", '<Contents id="1">') + A),
    "attributes and a wrong count": document(fields(1) + A.replace("<Contents>", '<Contents id="1">') + A),
    "attributes, fields, and a wrong count": document(A.replace("<Contents>", '<Contents id="1">') + fields(1) + A),
    "a key in a comment": document(
        NO_ENCODING + A.replace("<Key>a.pdf", "<!-- <Key>no</Key> --><Key><![CDATA[a.pdf]]>")
    ),
    "an instruction in a key": document(NO_ENCODING + content("a<?b?>c")),
    "no count": document(fields(1).replace("<KeyCount>1</KeyCount>", "") + A),
    "too low a count": document(fields(1) + TWO),
    "too low a count, and a field between objects": document(fields(1) + A + "<Owner/>" + A),
    "too high a count": document(fields(3) + TWO),
    "a count and no key": document(fields(1)),
    "an empty key": document(fields(1) + content("")),
    "common prefixes": document(fields(1) + A + "<CommonPrefixes><Prefix>p/</Prefix></CommonPrefixes>"),
    "truncated without a token": document(fields(1).replace(">false<", ">true<") + A),
    "spaces in a field": document(fields(1).replace(">false<", "> false <") + A),
    "nothing says where it ends": document("<KeyCount>1</KeyCount>" + A),
    "the encoding between objects": document(
        fields(2, encoding="") + content("a+%2B") + "<EncodingType>url</EncodingType>" + A
    ),
    "the end between objects": document(
        f"<KeyCount>2</KeyCount><NextContinuationToken>t</NextContinuationToken>{A}<IsTruncated>true</IsTruncated>{A}"
    ),
    "the token between objects": document(
        f"<KeyCount>2</KeyCount><IsTruncated>true</IsTruncated>{A}<NextContinuationToken>t</NextContinuationToken>{A}"
    ),
    "an undeclared entity": document(NO_ENCODING + content("&nbsp;")),
    "another document": b"<ListAllMyBucketsResult><Owner/></ListAllMyBucketsResult>",
    "an error": b"<Error><Code>InternalError</Code><Message>We encountered an internal error.</Message></Error>",
    "nothing": b"",
    "no XML": b"upstream timed out",
}
BROKEN = {
    "cut in a key": aws_page(AWKWARD_KEYS)[:-3000],
    "cut between objects": aws_page(["a", "b"]).partition(b"<Contents><Key>b")[0],
    "cut at the end": aws_page(["a", "b"])[:-5],
    "cut in the fields": document(TWO + fields(2))[:-60],
}


@pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN.keys())
def test_pages_as_servers_write_them_are_read_fast(body: bytes) -> None:
    """The result is that of the modelled parser."""
    assert both(body)[1]


@pytest.mark.parametrize("body", TAKEN.values(), ids=TAKEN.keys())
def test_a_page_read_without_botocore_is_the_same(body: bytes) -> None:
    """In all that a listing needs of it."""
    modelled, ours = reader(fast=True).read(body), page_of({"status_code": 200, "body": body})
    assert isinstance(modelled, dict)
    assert ours is not None
    names = ("KeyCount", "IsTruncated", "NextContinuationToken", "CommonPrefixes", "Error")
    assert listed.read(ours) == listed.read(modelled)
    assert [ours.get(name) for name in names] == [modelled.get(name) for name in names]


@pytest.mark.parametrize("archived", [[], ["a"], ["b"], ["c"], ["a", "c"]], ids="".join)
@pytest.mark.parametrize(
    "layout", [lambda page: page, lambda page: page.replace(b"><", b">\n<")], ids=["flat", "pretty"]
)
def test_archived_objects_are_found_at_any_place_in_a_page(
    archived: list[str], layout: Callable[[bytes], bytes]
) -> None:
    """Also where S3's first class precedes them, which the page is searched for first."""
    objects = "".join(
        content(key).replace("STANDARD", "DEEP_ARCHIVE" if key in archived else "STANDARD") for key in "abc"
    )
    found, page = dict[str, Any](), layout(document(fields(3) + objects))
    take_keys({"status_code": 200, "body": page}, found)
    assert (found[KEYS], found.get(ARCHIVED, [])) == (["a", "b", "c"], archived)


ODD = {
    "a token with an entity": document(fields(1, "a&amp;b") + A),
    "two tokens": document(fields(1, "a") + "<NextContinuationToken>b</NextContinuationToken>" + A),
    "a token with attributes": document(fields(1, "a").replace("Token>a", 'Token id="1">a') + A),
    "true in capitals, and a token": document(fields(1, "a").replace(">true<", ">TRUE<") + A),
    "two counts": document(fields(1) + "<KeyCount>1</KeyCount>" + A),
    "a field in another": document("<Page>" + fields(1) + "</Page>" + A),
    "a text between fields": document(fields(1) + "text" + A),
    "a root that does not end": document(A + fields(1)).replace(b"</ListBucketResult>", b""),
    "something after the root": document(A + fields(1)) + b"<more/>",
}


@pytest.mark.parametrize("body", [*LEFT.values(), *BROKEN.values(), *ODD.values()], ids=[*LEFT, *BROKEN, *ODD])
def test_a_page_that_s3_would_not_write_is_left_to_botocore(body: bytes) -> None:
    """Whatever an XML parser makes of it."""
    assert page_of({"status_code": 200, "body": body}) is None


@pytest.mark.parametrize(("body", "is_one"), [(ODD["two counts"], True), (LEFT["an error"], False), (b"", False)])
def test_an_answer_is_recognised_as_a_page_or_not(body: bytes, is_one: bool) -> None:  # noqa: FBT001 - a parameter
    """An error in its place passes."""
    assert is_page(body) is is_one


@pytest.mark.parametrize("body", LEFT.values(), ids=LEFT.keys())
def test_an_unexpected_page_is_left_to_the_modelled_parser(body: bytes) -> None:
    """The modelled parser alone reads it, error or not."""
    assert not both(body)[1]


@pytest.mark.parametrize(
    ("written", "key"),
    [(b"&#1;", "\x01"), (b"&#x1F;.pdf", "\x1f.pdf"), (b"a\xff.pdf", "a\udcff.pdf"), (b"\xc3(", "\udcc3(")],
)
def test_a_key_that_xml_cannot_carry_stops_no_other(written: bytes, key: str) -> None:
    """Botocore refuses such a page whole; a byte that is not UTF-8 becomes a lone surrogate, and no other character."""
    body = document(fields(2, encoding="") + content("KEY") + content("b.pdf")).replace(b"KEY", written)
    page = reader(fast=True).read(body)
    assert isinstance(page, dict)
    assert page[KEYS] == [key, "b.pdf"]


@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN.keys())
def test_a_truncated_body_is_an_error_that_botocore_retries(body: bytes) -> None:
    """A torn page never becomes a short one: both readers make a server error of it."""
    assert both(body)[0] == "ClientError"


def test_an_error_status_is_never_read_as_a_page() -> None:
    """The body of a 503 stays whole, whatever it looks like, for botocore to find the error in it."""
    answer, taken = {"status_code": 503, "body": aws_page(["a.pdf"])}, dict[str, Any]()
    take_keys(answer, taken)
    assert (answer["body"], taken) == (aws_page(["a.pdf"]), {})


def test_the_modelled_parsers_see_the_page_without_its_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither of botocore's two parses meets an object of a page of 1,000, so none is built."""
    looked: list[bytes] = []
    handlers: Any = botocore.handlers
    look = handlers._looks_like_special_case_error

    def record(status: int, body: bytes) -> bool:
        looked.append(body)
        return bool(look(status, body))

    monkeypatch.setattr(handlers, "_looks_like_special_case_error", record)
    keys = [f"{number:06}.pdf" for number in range(1000)]
    page = reader(fast=True).read(aws_page(keys, token="next"))
    assert isinstance(page, dict)
    assert page[KEYS] == keys
    assert "Contents" not in page
    assert looked == [reader(fast=True).seen]
    assert len(looked[0]) < 500
    assert b"<Key>" not in looked[0]


@pytest.mark.parametrize(
    ("written", "goes_on"),
    [("TRUE", True), (" true\n", True), ("1", True), ("False", False), ("0", False), ("perhaps", None), ("", None)],
)
@pytest.mark.parametrize("prefix", ["", "s3:"])
def test_is_truncated_is_read_in_any_notation(
    written: str,
    goes_on: bool | None,  # noqa: FBT001 - a parameter
    prefix: str,
) -> None:
    """Botocore takes whatever is not ``true`` for an end: the rest of the keys would be missing in silence."""
    body = document(fields(1) + A).replace(b"false", written.encode())
    if prefix:
        body = re.sub(rb"<(/?)(?=[A-Z])", rb"<\1s3:", body).replace(b"xmlns=", b"xmlns:s3=")
    answer = reader(fast=True).read(body)
    assert isinstance(answer, dict)
    assert answer.get("IsTruncated") is goes_on


@pytest.mark.parametrize("key", ["a b+c.pdf", "%41/\u00e9.pdf"])
def test_unencoded_keys_declared_as_encoded_are_refused(key: str) -> None:
    """They would be decoded into other objects' keys, or into keys of no object."""
    response = reader(fast=True).read(document(fields(1) + content(key)))
    assert isinstance(response, dict)
    with pytest.raises(SourceRefusedError, match="says that its keys are URL-encoded"):
        listed.read(response)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
XML_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff", include_characters="\t\n"),
    min_size=1,
    max_size=20,
)
WRITTEN: dict[str, Callable[[str], str]] = {
    "url": lambda key: escape(quote_plus(key, safe="/")),
    "url with %20": lambda key: escape(quote(key, safe="/+~*")),
    "named": escape,
    "quotes too": escape_html,
    "decimal": lambda key: "".join(f"&#{ord(c)};" for c in key),
    "hexadecimal": lambda key: "".join(f"&#x{ord(c):X};" if ord(c) > 126 or c in "<&>%+" else c for c in key),
    "CDATA": lambda key: f"<![CDATA[{key.replace(']]>', '')}]]>",
}


@settings(max_examples=200)
@given(data=st.data(), writing=st.sampled_from(sorted(WRITTEN)), token=st.none() | st.just("t/o+k="))
def test_any_page_in_any_notation_is_read_alike(data: st.DataObject, writing: str, token: str | None) -> None:
    """Generated keys, escapes, counts, order of fields and layout: read fast with the same result, or left alone."""
    encoded = writing.startswith("url")
    keys = data.draw(st.lists(TEXT if encoded else XML_TEXT, max_size=6))
    count = data.draw(st.sampled_from([len(keys)] * 4 + [len(keys) + 1, 0]))
    declared = ["<EncodingType>url</EncodingType>"] if encoded else []
    encoding = data.draw(st.sampled_from([*declared, "", "<EncodingType>other</EncodingType>"]))
    head = fields(count, token, encoding)
    objects = [content(WRITTEN[writing](key)) for key in keys]
    place = data.draw(st.sampled_from([0, 0, len(objects), len(objects) // 2]))
    inner = "".join([*objects[:place], head, *objects[place:]])
    gap = data.draw(st.sampled_from(["><", "><", ">\n  <", ">\r\n<", "><!-- x --><"]))
    body = document(inner.replace("><", gap), declaration=data.draw(st.sampled_from([DECLARATION, ""])))
    taken = both(body)[1]
    if count == len(keys) and gap in {"><", ">\n  <"} and place in {0, len(objects)} and writing != "CDATA":
        assert taken
