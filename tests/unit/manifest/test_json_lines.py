"""A manifest's lines are as JSON writes them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.manifest import lines
from processor.manifest.json_lines import BLOCK
from processor.urls import Urls
from tests.corpus import AWKWARD_KEYS


@pytest.mark.parametrize("size", [10, 1500, BLOCK + 1])
def test_lines_are_as_json_writes_them(size: int) -> None:
    """One object a line, in ASCII, key first: as ``json.dumps`` writes it, as many at once as fill a block."""
    keys = [*AWKWARD_KEYS, *(f"many/{number}.pdf" for number in range(200))]
    urls = [f"https://s3/{number}?{'x' * size}" for number in range(len(keys))]
    blocks = list(lines(keys, Urls.of(urls)))
    expected = [json.dumps({"key": key, "url": url}) + "\n" for key, url in zip(keys, urls, strict=True)]
    assert b"".join(blocks).decode("ascii") == "".join(expected)
    assert all(block.endswith(b"\n") for block in blocks)
    at_once = max(1, BLOCK // len(json.dumps(keys[0]) + urls[0]))
    assert max(block.count(b"\n") for block in blocks) == min(len(keys), at_once)
    assert list(lines([], Urls.of([]))) == []


def test_urls_in_parts_are_written_whole() -> None:
    """What they share, and what each has of its own, in turn."""
    urls = Urls(("https://s3/", "?version=", "&signature="), (["a", "b"], ["1", "2"], ["x", "y"]))
    written = b"".join(lines(["a", "b"], urls)).decode("ascii").splitlines()
    assert [json.loads(line)["url"] for line in written] == [
        "https://s3/a?version=1&signature=x",
        "https://s3/b?version=2&signature=y",
    ]


@pytest.mark.parametrize("character", [chr(code) for code in (*range(0x100), 0x2028, 0x1F4C4)])
def test_one_odd_key_among_plain_ones_is_written_as_json_writes_it(character: str) -> None:
    """Plain keys are copied unescaped, and one test of the whole block finds whether all are plain."""
    keys = ["2026/04/report 1.pdf", f"2026/04/{character}.pdf", "2026/04/report~2.pdf"]
    written = b"".join(lines(keys, Urls.of(["https://s3/"] * 3))).decode("ascii")
    assert written == "".join(json.dumps({"key": key, "url": "https://s3/"}) + "\n" for key in keys)


@settings(max_examples=200)
@given(keys=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=5))
def test_any_key_comes_back_from_its_line(keys: list[str]) -> None:
    """Whatever the key, its line is one line, and JSON gives the key back."""
    written = b"".join(lines(keys, Urls.of(["https://s3/"] * len(keys))))
    assert [json.loads(line) for line in written.split(b"\n")[:-1]] == [{"key": k, "url": "https://s3/"} for k in keys]


def test_facts_are_between_key_and_url_in_the_order_asked() -> None:
    """As ``json.dumps`` writes them; the size is a number, and a missing fact is null."""
    row = ("12", '"0123-2"', None, "STANDARD", "of no interest")
    names = ("size", "etag", "last_modified", "storage_class")
    written = b"".join(lines(["a", "b"], Urls.of(["https://s3/"] * 2), names, {"a": row, "b": (None, *row[1:])}))
    facts = {"size": 12, "etag": '"0123-2"', "last_modified": None, "storage_class": "STANDARD"}
    expected = [{"key": "a", **facts, "url": "https://s3/"}, {"key": "b", **facts, "size": None, "url": "https://s3/"}]
    assert written.decode() == "".join(json.dumps(line) + "\n" for line in expected)


@settings(max_examples=200)
@given(values=st.lists(st.none() | st.text('a"\\\n/\u00e9n%s{', max_size=4), min_size=1, max_size=5))
def test_any_fact_comes_back_from_its_line(values: list[str | None]) -> None:
    """Whatever a store writes, including the separator between texts that are escaped together."""
    keys = [str(number) for number in range(len(values))]
    facts = {key: ("1", value) for key, value in zip(keys, values, strict=True)}
    written = b"".join(lines(keys, Urls.of(["https://s3/"] * len(keys)), ("size", "etag"), facts))
    found = [json.loads(line) for line in written.split(b"\n")[:-1]]
    assert [(line["key"], line["size"], line["etag"]) for line in found] == [(k, 1, facts[k][1]) for k in keys]
