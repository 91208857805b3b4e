"""Pages of keys that are not listed but read: from a list of keys, an S3 Inventory report or an earlier manifest."""

from __future__ import annotations

import re
from bisect import bisect_left
from contextlib import aclosing
from typing import TYPE_CHECKING

from processor.errors import SourceRefusedError, shown
from processor.hindrances import ARCHIVE_CLASSES, UNPINNED
from processor.job import ACCESS_TIER, ARCHIVED_INCLUDE, REPORT, STORAGE_CLASS, VERSION_ID, split
from processor.listing.keys import inventory
from processor.listing.keys.columns import MalformedError
from processor.listing.keys.earlier import lost
from processor.listing.keys.files import Files
from processor.listing.keys.forms import CommaSeparated, JsonLines
from processor.listing.keys.object_lines import ObjectLines
from processor.listing.keys.parquet import ParquetRows
from processor.listing.keys.recognition import form_of
from processor.listing.listed import Listed, sorted_out
from processor.listing.page import Page

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence

    from processor.listing.facts import Row
    from processor.listing.keys.forms import Form, Found
    from processor.listing.lister import Lister


_PLACE = re.compile("s3[an]?://|arn:aws[a-z-]*:s3:::", re.IGNORECASE)  # s3a and s3n are Hadoop's
_ARCHIVE_TIERS = frozenset({"ARCHIVE", "DEEP_ARCHIVE", "ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"})  # both forms are seen
_URLS = ("https://", "http://", "gs://")


async def of_keys(lister: Lister, cursor: str | None) -> AsyncGenerator[Page]:
    """
    Yield pages of the keys that a job's source holds, in its order.

    :param cursor: Where an earlier hop stopped: ``file:offset:etag``, the offset in decompressed bytes, or in rows of
                   Parquet. ``+N`` after the offset: N of the keys from there on are done.
    :raises SourceRefusedError: The source is damaged, has changed, or holds a key that the deployment does not allow.
    """
    number, offset, etag = _place(cursor)
    bucket, key = split(str(lister.job.keys_place))
    form, files = await _opened(lister, ObjectLines(lister.client if bucket else Files(), bucket, key))
    for index in range(number, len(files)):
        file, (start, done) = files[index], offset if index == number else (0, 0)
        file.etag = etag if index == number else ""
        await file.open()
        brought = (
            _of_rows(lister, file, form, start)
            if isinstance(form, ParquetRows)
            else _of_file(lister, file, form, start)
        )
        async with aclosing(brought) as chunks:  # what is read ahead ends before its client
            async for found, end in chunks:
                for some, place in _parts(found, done, start, end):
                    yield _page(lister, file, some, f"{index}:{place}:{file.etag}")
                start, done = end, 0
    lister.requests.count += 1  # as the pipeline counts it: a page
    # A report may have no file at all, and the end of the last file is known only after it.
    yield Page([], 0, None, None, is_last=True)


async def _opened(lister: Lister, source: ObjectLines) -> tuple[Form | ParquetRows, list[ObjectLines]]:
    """Return the form of a source's lines, and the files that hold them."""
    await source.open()
    names, bucket = lister.maker.facts, lister.job.bucket
    if lister.job.refresh is not None:
        lister.lost = lost(await source.first_line(), lister.job)
        return JsonLines(names), [source]
    if not source.key.endswith(REPORT):
        try:
            form = form_of(source.key, await source.first_line(), names, bucket)
        except MalformedError as error:
            raise SourceRefusedError(f"{source} {error}") from None
        lister.lost = {UNPINNED: 1} if _names_versions(form) and not lister.job.version_ids else {}
        return form, [source]
    report = await inventory.read(source, names, bucket)
    _check_bucket(lister, report.bucket, source.bucket)
    return report.form, [ObjectLines(source.client, report.bucket, key, md5=md5) for key, md5 in report.files]


async def _of_file(
    lister: Lister, file: ObjectLines, form: Form, start: int
) -> AsyncGenerator[tuple[list[Found], int]]:
    bucket, number = None if _gives_keys_alone(lister, form) else lister.job.bucket, 1
    is_counted = start == 0
    async with aclosing(file.lines(start, lister.job.page_size, quoted=form.quoted)) as read:
        async for lines, end in read:
            is_first = start == 0
            try:
                found = _found(form, lines, bucket, is_first=is_first)
            except MalformedError as error:
                good = _well_formed(form, lines, bucket, is_first=is_first)
                number += sum(map(_ends, good))
                place = start + sum(len(line) + 1 for line in good)
                line = f"line {number:,} of {file}" if is_counted else f"the line of {file} at byte {place:,}"
                raise SourceRefusedError(f"{line} {error}") from None
            number += sum(map(_ends, lines)) if form.quoted else len(lines)
            start = end
            yield found, end


def _found(form: Form, lines: Sequence[bytes], bucket: str | None, *, is_first: bool) -> list[Found]:
    """
    Return the keys of some lines.

    :param bucket: The job's, which a key may begin with; ``None`` where ``s3://`` is part of a key.
    :raises MalformedError: A line does not have the form, or names another bucket.
    """
    found = list(form.read(lines, is_first=is_first))
    return found if bucket is None else [(_own(key, bucket), row) for key, row in found]


def _well_formed(form: Form, lines: Sequence[bytes], bucket: str | None, *, is_first: bool) -> Sequence[bytes]:
    """Return the lines before the first malformed one."""

    def is_malformed(count: int) -> bool:
        try:
            _found(form, lines[:count], bucket, is_first=is_first)
        except MalformedError:
            return True
        return False

    return lines[: bisect_left(range(1, len(lines)), x=True, key=is_malformed)]


def _ends(line: bytes) -> int:
    """Return how many lines of the file a line is: within quotes it may have ends."""
    return line.count(b"\n") + 1


async def _of_rows(
    lister: Lister, file: ObjectLines, form: ParquetRows, start: int
) -> AsyncGenerator[tuple[list[Found], int]]:
    try:
        async for found, end in form.rows(file, start, lister.job.page_size):
            yield found, end
    except MalformedError as error:
        raise SourceRefusedError(f"a row of {file} {error}") from None


def _parts(found: Sequence[Found], done: int, start: int, end: int) -> Iterator[tuple[dict[str, Row], str]]:
    """
    Yield keys with the place after them. A page knows facts by key, so a key that is named again begins a page.

    :param done: How many of the keys an earlier hop has written.
    """
    some: dict[str, Row] = {}
    for number, (key, row) in enumerate(found[done:], done):
        if key in some:
            yield some, f"{start}+{number}"
            some = {}
        some[key] = row
    yield some, str(end)


def _page(lister: Lister, file: ObjectLines, found: dict[str, Row], cursor: str) -> Page:
    """
    Make a page of keys that were read.

    :param cursor: The place after them.
    """
    keys = list(found)
    _check_allowed(lister, file, keys)
    lister.requests.count += 1
    listed = sorted_out(Listed(keys, None, None, facts=found))
    page = Page(listed.keys, len(keys), cursor, None, is_last=False, facts=found)
    return lister.maker.made(page, _archived(lister, file, listed.keys, found), listed.unsignable)


def _names_versions(form: Form) -> bool:
    """Whether a list names versions other than the latest, which a report of all versions marks."""
    return isinstance(form, CommaSeparated) and VERSION_ID in form.columns and "is_latest" not in form.columns


def _gives_keys_alone(lister: Lister, form: Form) -> bool:
    """Whether s3://... is a key: in an earlier manifest, and where the bucket has a column of its own."""
    return lister.job.refresh is not None or (isinstance(form, CommaSeparated) and "bucket" in form.columns)


def _own(key: str, bucket: str) -> str:
    """
    Return a key; some lists hold it with its bucket.

    :raises MalformedError: That is another bucket than the job's, no key (the URL would list the bucket), or a URL.
    """
    if key.startswith(_URLS):
        raise MalformedError("is a URL: write only the key; a key that looks so needs CSV with the header bucket,key")
    place = _PLACE.match(key)
    if place is None:
        return key
    named, _, own = key[place.end() :].partition("/")
    if named != bucket:
        raise MalformedError("names another bucket than the job")
    if not own:
        raise MalformedError("has no key")
    return own


def _archived(lister: Lister, file: ObjectLines, keys: Sequence[str], found: Mapping[str, Row]) -> frozenset[str]:
    """
    Return the keys whose storage class, or INTELLIGENT_TIERING's access tier, is an archive's.

    :raises SourceRefusedError: The job needs the class of a key that it takes by its name, and the source has none.
    """
    of_class, of_tier = map(lister.maker.facts.index, (STORAGE_CLASS, ACCESS_TIER))
    classes = {key: found[key][of_class] for key in keys}
    unknown = lister.maker.named([key for key, value in classes.items() if value is None])
    if unknown and lister.job.archived != ARCHIVED_INCLUDE:
        raise SourceRefusedError(
            f"{file} does not give the {STORAGE_CLASS} of {shown(unknown[0])}: archived: {lister.job.archived} cannot "
            "be decided there"
        )
    return frozenset(
        key for key, value in classes.items() if value in ARCHIVE_CLASSES or found[key][of_tier] in _ARCHIVE_TIERS
    )


def _check_allowed(lister: Lister, file: ObjectLines, keys: Sequence[str]) -> None:
    if lister.allowed is None:
        return
    stranger = next((key for key in keys if not key.startswith(lister.allowed)), None)
    if stranger is not None:
        raise SourceRefusedError(f"{file} contains {shown(stranger)}, which is under none of ALLOWED_PREFIXES")


def _check_bucket(lister: Lister, bucket: str, known: str) -> None:
    """Refuse a report whose files lie in another bucket than the report's own or the job's."""
    if bucket not in {known, lister.job.bucket, lister.job.manifest_bucket}:
        raise SourceRefusedError(
            f"the report's files are in bucket {shown(bucket)}, which is neither the report's own nor the job's"
        )


def _place(cursor: str | None) -> tuple[int, tuple[int, int], str]:
    """Read a place that an earlier hop has left."""
    if cursor is None:
        return 0, (0, 0), ""
    number, offset, etag = cursor.split(":", 2)
    start, _, done = offset.partition("+")
    return int(number), (int(start), int(done or 0)), etag
