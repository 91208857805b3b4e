"""
Several manifests, or one whose lines are in any order, as one: each key once, in S3's order, with flat memory.

A manifest that is not a file is copied into a temporary file first: a store closes a connection that is read for hours
while the objects are fetched.
"""

from __future__ import annotations

import heapq
import json
import os
import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from presign_siblings.errors import CommandError, NotFoundError
from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.location import STDIN, place, shown
from presign_siblings.manifests.open_files import allow
from presign_siblings.manifests.reader import Counted, lines, numbered, opened
from presign_siblings.manifests.sorted_runs import Placed, naming_temporary, of_key, sorted_runs, unnamed
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from types_boto3_s3 import S3Client

_GLANCE = re.compile(rb'\{"key": ("(?:[^"\\]|\\.)*"), (?:"size": (\d+), )?"')
_ALIAS = "-s3alias"  # ends the bucket's name that an access point has; it may lead to any bucket
_NEVER = datetime.min.replace(tzinfo=UTC)
COPIED = 1 << 20  # bytes at once
SHOWN = 20_000  # lines that are read in a tenth of a second


@dataclass(slots=True)
class Survey:
    """
    What manifests hold.

    :param count: Lines.
    :param size:  Bytes of their objects; ``None`` where a line gives no size.
    :param repeats: Whether a key may occur twice.
    """

    count: int = 0
    size: int | None = 0
    repeats: bool = False


@contextmanager
def joined(
    named: Sequence[str],
    s3: Callable[[], S3Client],
    choose: Callable[[str], bool] = lambda _: True,
    show: Callable[[str], None] = lambda _: None,
) -> Iterator[tuple[Survey, Iterator[Entry]]]:
    """
    Open manifests; of a key that occurs twice, the link that works longer counts.

    :param named:  Files, places in S3, URLs, or ``-`` for standard input.
    :param s3:     Makes a client, where a place is in S3.
    :param choose: Which keys to survey; those that are left out are yielded too, since names of files depend on them.
    :param show:   Called with how much has been read so far, until all manifests are open.
    :raises CommandError: A manifest cannot be read, or a line is malformed.
    """
    found = Survey()
    allow(2 * len(named))  # a file each, and another for one out of order
    with ExitStack() as stack:
        parts = []
        for each in named:
            file = stack.enter_context(seekable(each, s3, show))
            name = each if len(named) > 1 else None
            with _naming(name):
                in_order = _surveyed(file, found, choose, show)
            if in_order:
                parts.append(_entries(file, name, in_order=True))
            else:
                found.repeats = True  # perhaps: equal keys need not be next to each other
                for run in sorted_runs(_entries(file, name), stack.enter_context(unnamed())):
                    parts.append(run)
                    show(f"sorting, {plural(len(parts), 'run')}")
        alone = len(parts) == 1 and not found.repeats
        yield found, parts[0] if alone else _each_once(heapq.merge(*parts, key=of_key))


@contextmanager
def _naming(name: str | None) -> Iterator[None]:
    """Add the manifest's name to an error, if it is one of several."""
    try:
        yield
    except CommandError as error:
        if name is None:
            raise
        raise type(error)(f"{'standard input' if name == STDIN else shown(name)}: {error}") from None


@contextmanager
def seekable(named: str, s3: Callable[[], S3Client], show: Callable[[str], None]) -> Iterator[BinaryIO]:
    """
    Open a manifest as a file; any other place is copied into a temporary one.

    :param show: Called with how much has been copied so far.
    :raises CommandError: The manifest cannot be read.
    """
    where = place(named)
    if isinstance(where, Path):
        if where.is_file():
            with where.open("rb") as file:
                yield file
            return
        if not where.exists():
            raise NotFoundError(f"no file {str(where)!r}")
    with unnamed() as copy:
        with opened(where, s3) as stream, naming_temporary():
            while block := stream.read(COPIED):
                copy.write(block)
                show(f"{stream.seen / 1e6:,.0f} MB")
            copy.flush()
        yield copy


def counted(file: BinaryIO) -> Counted:
    """Return the bytes of a file from its beginning."""
    return Counted(Placed(file), os.fstat(file.fileno()).st_size)


def _entries(file: BinaryIO, name: str | None, *, in_order: bool = False) -> Iterator[Entry]:
    """
    Yield the entries of a manifest.

    :param in_order: The survey found the keys in order: names of files depend on it.
    """
    last = ""
    with _naming(name):
        for number, entry in numbered(counted(file)):
            if in_order and entry.key < last:
                raise CommandError(f"line {number:,} of the manifest names two keys")
            last = entry.key
            yield entry


def _surveyed(file: BinaryIO, found: Survey, choose: Callable[[str], bool], show: Callable[[str], None]) -> bool:
    """Count lines and bytes, reading only the beginning of a line; return whether the keys are in order."""
    last, ordered = "", True
    for number, line in enumerate(lines(counted(file)), 1):
        if number % SHOWN == 0:
            show(plural(number, "line"))
        try:
            key, size = _glance(line)
        except ValueError:
            continue  # reading the entries reports it
        found.repeats = found.repeats or key == last
        ordered, last = ordered and key >= last, key
        if not choose(key):
            continue
        found.count += 1
        found.size = None if found.size is None or size is None else found.size + size
    return ordered


def _glance(line: bytes) -> tuple[str, int | None]:
    """
    Return key and size of a line; ``None`` where it gives no size.

    :raises ValueError: The line is malformed.
    """
    match = _GLANCE.match(line)
    if match is None:  # perhaps JSON without blanks
        entry = Entry.parse(line)
        return entry.key, entry.size
    key = match[1][1:-1].decode() if b"\\" not in match[1] else str(json.loads(match[1]))
    return key, None if match[2] is None else int(match[2])


def _each_once(entries: Iterable[Entry]) -> Iterator[Entry]:
    held: Entry | None = None
    for entry in entries:
        if held is not None and held.key != entry.key:
            yield held
        elif held is not None:
            _refuse_two_buckets(held, entry)
            if (held.lifetime.ends_at or _NEVER) > (entry.lifetime.ends_at or _NEVER):
                continue
        held = entry
    if held is not None:
        yield held


def _refuse_two_buckets(one: Entry, other: Entry) -> None:
    """
    Refuse a key whose two links name different objects, of which only one would come.

    :raises CommandError: The links name two buckets.
    """
    buckets = {one.bucket, other.bucket}
    if len(buckets) > 1 and all(bucket is not None and not bucket.endswith(_ALIAS) for bucket in buckets):
        raise CommandError(
            f"key {one.key!r} is in the buckets {other.bucket!r} and {one.bucket!r}: manifests of several buckets need "
            "a folder for each"
        )
