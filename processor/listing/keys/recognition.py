"""The form of a list of keys, recognised by the list's name and by its first line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from processor.job import VERSION_ID
from processor.listing.keys.columns import MalformedError, columns
from processor.listing.keys.forms import BOM, PLAIN, CommaSeparated, JsonLines, Lines, rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from processor.listing.keys.forms import Form

# What aws s3 ls, s3cmd, s5cmd, mc, rclone ls and lsl print for people: a date or a size before each key.
_PRINTED = re.compile(
    rb"\s*\[?\d{4}[-/]\d\d[-/]\d\d \d\d:\d\d(:\d\d)?( [A-Z]+\])? +[\d.]+\w* +"
    rb"|\s*\d+ \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.| +(PRE|\d+) "
)
# How what is no list begins, and what to do about it.
_REFUSED = (
    (re.compile(rb"\xff\xfe|\xfe\xff"), f"is UTF-16: {PLAIN}"),
    (re.compile(rb".*\0", re.DOTALL), f"contains a NUL byte: {PLAIN}"),
    (
        re.compile(rb"\s*<(\?xml|!doctype|html)", re.IGNORECASE),
        "is XML or HTML: an error, a listing, or a sign-in page, instead of a list of keys",
    ),
    (re.compile(rb"\s*\{\s*\Z"), "is one JSON document: write one object a line (jq -c '.Contents[]')"),
    (re.compile(rb'\s*\[(\s*\Z|\{"|")'), "is one JSON array: write one element a line (jq -c '.[]')"),
    (re.compile(rb'"?sep=.[",;\s]*\Z', re.IGNORECASE), "begins with the line sep=, which only Excel reads: remove it"),
    (
        re.compile(rb"#TYPE [\w.`]+\s*\Z"),
        "begins with #TYPE, as Export-Csv of PowerShell writes it: add -NoTypeInformation",
    ),
)
# The header of one column; in a database, and in a spreadsheet, each column has one.
_HEADER = re.compile(rb'"?(keys?|\$?path|name|file_?name|object_?key|s3_?key|ur[il])"?\s*\Z', re.IGNORECASE)
_COMMENT = re.compile(rb"#+(\s|\Z)")
_IF_KEY = 'if it is a key, write each line as {"key": "..."}'
_TEXT = re.compile(rb'\s*"([^"\\]|\\.)*"\s*')  # a JSON string, as jq prints it without -r
_VERSION = re.compile("null|(?![0-9a-f]{32}$)[0-9A-Za-z._-]{32}")  # as S3 makes them; an MD5 is as long
_OF_ALL_VERSIONS = ("bucket", "key", VERSION_ID, "is_latest", "is_delete_marker")  # how such an inventory's rows begin
_DELIMITERS = (",", ";", "\t", "|")  # a spreadsheet writes the delimiter of its language, Redshift the last one


def form_of(key: str, first: bytes, names: Sequence[str], bucket: str) -> Form:
    """
    Recognise the form of a list of keys by its name, and by its first line where the name says nothing.

    :param key:    S3 key of the list.
    :param names:  Facts that are wanted of each key.
    :param bucket: The job's.
    :raises MalformedError: It has none of these forms.
    """
    name, first = key.lower().removesuffix(".gz"), first.removeprefix(BOM)
    for beginning, reason in _REFUSED:
        if beginning.match(first):
            raise MalformedError(reason)
    is_table = name.endswith((".csv", ".tsv"))
    if name.endswith((".jsonl", ".ndjson", ".json")) or first.lstrip().startswith(b'{"'):
        return JsonLines(names, bucket)
    for delimiter in _DELIMITERS:
        is_spaced = f"{delimiter} ".encode() in first
        found = columns(next(rows([first], delimiter, is_spaced=is_spaced), []))
        known = set(found) - {None}
        # A key may be called key, but hardly key,size.
        if "key" in found and (is_table or len(known) > 1):
            return CommaSeparated(names, found, has_head=True, bucket=bucket, delimiter=delimiter, is_spaced=is_spaced)
        if known and is_table:
            raise MalformedError("has a header without a column key")
    return _without_head(first, names, bucket) if is_table else _lines(name, first, names)


def _lines(name: str, first: bytes, names: Sequence[str]) -> Form:
    if name.endswith("/symlink.txt"):  # for Hive
        raise MalformedError("names the data files of an S3 Inventory report: name the report's manifest.json")
    if _HEADER.match(first):
        raise MalformedError(f"begins with a header: leave it out; {_IF_KEY}")
    if _COMMENT.match(first):
        raise MalformedError(f"begins with a comment, and each line is a key: leave it out; {_IF_KEY}")
    if _TEXT.fullmatch(first):
        return JsonLines(names)
    if _PRINTED.match(first):
        raise MalformedError("begins with a date or a size, as ls prints it: write only the keys, one a line")
    if first.strip() == b"None":
        raise MalformedError("begins with None, which --output text of the AWS CLI writes where there is no key")
    if b"\t" in first:
        raise MalformedError("contains tabs, as --output text of the AWS CLI writes them: write one key a line")
    return Lines(names)


def _without_head(first: bytes, names: Sequence[str], bucket: str) -> CommaSeparated:
    """S3 itself writes (inventories) and wants (Batch Operations) bucket and URL-encoded key, without a header."""
    delimiter = "\t" if b"\t" in first else ","
    cells = next(rows([first], delimiter), [])
    of_s3 = len(cells) > 1 and cells[0] == bucket
    if cells and _HEADER.match(cells[0].encode(errors="surrogateescape")):
        raise MalformedError("has a header without a column key")
    found: list[str | None] = ["bucket", "key"] if of_s3 else ["key"]
    if of_s3 and _VERSION.fullmatch(",".join(cells[2:])):  # for Batch Operations; an inventory has other facts there
        found.append(VERSION_ID)
    elif of_s3 and len(cells) > len(_OF_ALL_VERSIONS) and {*cells[3:5]} <= {"true", "false"}:
        found = [*_OF_ALL_VERSIONS]
    return CommaSeparated(names, found, has_head=False, is_encoded=of_s3, bucket=bucket, delimiter=delimiter)
