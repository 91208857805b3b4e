"""The facts of a page's objects are those that S3 writes, even where some objects lack a fact."""

from __future__ import annotations

from datetime import UTC, datetime

from processor.job import FACTS, SIZE, STORAGE_CLASS
from processor.listing.facts import of_objects, of_page
from tests.pages import aws_page, document, fields

ETAG = '"d41d8cd98f00b204e9800998ecf8427e"'


def test_every_fact_is_read_as_s3_writes_it() -> None:
    """With the quotes of the ETag, which are part of it."""
    found = of_page(aws_page(["a.pdf", "b.pdf"]), ["a.pdf", "b.pdf"], FACTS)
    row = ("434234", ETAG, "2026-04-01T06:30:15.000Z", "STANDARD", "FULL_OBJECT")
    assert found == {"a.pdf": row, "b.pdf": row}


def test_an_object_that_lacks_a_fact_takes_none_from_its_neighbour() -> None:
    """Objects from before checksums have no checksum type; and a size that is no number is no size."""
    objects = [
        "<Contents><Key>a</Key><Size>1</Size></Contents>",
        "<Contents><Key>b</Key><Size>x</Size><StorageClass>GLACIER_IR</StorageClass></Contents>",
        "<Contents><Key>c</Key><Size></Size><StorageClass>A&amp;quot;B</StorageClass></Contents>",
    ]
    found = of_page(document(fields(3) + "".join(objects)), ["a", "b", "c"], (SIZE, STORAGE_CLASS))
    assert found == {"a": ("1", None), "b": (None, "GLACIER_IR"), "c": (None, "A&quot;B")}


def test_facts_that_botocore_has_parsed_are_written_as_s3_writes_them() -> None:
    """For pages that the fast reader leaves to botocore, too."""
    entry = {"Size": 7, "ETag": ETAG, "LastModified": datetime(2026, 4, 1, 6, 30, 15, 250_000, UTC)}
    assert of_objects([entry], ["a"], FACTS) == {"a": ("7", ETAG, "2026-04-01T06:30:15.250Z", None, None)}


def test_an_empty_page_has_no_facts() -> None:
    """And a search in it finds nothing."""
    assert of_page(aws_page([]), [], FACTS) == {}
