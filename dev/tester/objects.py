"""The PDFs in the bucket: made under awkward names, uploaded by the user, counted, removed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dev import sample_objects
from dev.aws import stack
from processor.errors import InvalidEventError
from processor.job import s3_names, validation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_s3 import S3Client

    from dev.sample_objects import Item

UPLOADS = 8
MAX_UPLOAD_BYTES = 32 * 1024 * 1024
SHOWN = 200
_HEAD_BYTES = 1024  # readers look for a PDF's header within this many bytes


@dataclass(frozen=True, slots=True)
class Held:
    """
    The objects under the prefix.

    :param keys:  The first keys, in S3's order.
    :param count: Number of all objects.
    :param size:  Bytes of all objects.
    """

    keys: tuple[str, ...] = ()
    count: int = 0
    size: int = 0


def held(s3: S3Client) -> Held:
    """Count the objects in the bucket, without manifests."""
    keys: list[str] = []
    count = size = 0
    for each in _listed(s3, stack.PREFIX):
        count, size = count + 1, size + each["Size"]
        if count <= SHOWN:
            keys.append(each["Key"])
    return Held(tuple(keys), count, size)


def matching(s3: S3Client, prefix: str, suffixes: tuple[str, ...]) -> list[str]:
    """Return the keys that a job must find, sorted."""
    return sorted(each["Key"] for each in _listed(s3, prefix) if each["Key"].lower().endswith(suffixes or ""))


def make(s3: S3Client, count: int, progress: Callable[[int, int], bool]) -> None:
    """
    Make PDFs, the first under awkward names, and a few objects that are not PDFs.

    :param progress: Called with the number of objects done, and the number of all; ``False`` ends the work.
    """
    items = list(sample_objects.made(count, stack.PREFIX))

    def put(item: Item) -> None:
        s3.put_object(Bucket=stack.BUCKET, Key=item.key, Body=item.body, ContentType="application/pdf")

    with ThreadPoolExecutor(UPLOADS) as uploads:
        for done, _ in enumerate(uploads.map(put, items), 1):
            if not progress(done, len(items)):
                uploads.shutdown(wait=False, cancel_futures=True)
                return


def key_of(name: object) -> str:
    """
    Return the key of a file that is to be uploaded.

    :param name: Its name, with the folders that it was dropped in.
    :raises InvalidEventError: The name gives no valid key.
    """
    validation.not_empty("name", validation.text("name", name))
    return s3_names.key("name", f"{stack.PREFIX}{name}")


def put(s3: S3Client, name: str, body: bytes) -> None:
    """
    Upload one file.

    :raises InvalidEventError: The file is not a PDF.
    """
    if b"%PDF-" not in body[:_HEAD_BYTES]:
        raise InvalidEventError("file", name, "must be a PDF: its header is missing")
    s3.put_object(Bucket=stack.BUCKET, Key=key_of(name), Body=body, ContentType="application/pdf")


def clear(s3: S3Client, progress: Callable[[int, int], bool]) -> None:
    """
    Remove every object under the prefix.

    :param progress: As in ``make``.
    """
    keys: list[Any] = [{"Key": each["Key"]} for each in _listed(s3, stack.PREFIX)]
    for at in range(0, len(keys), 1000):
        s3.delete_objects(Bucket=stack.BUCKET, Delete={"Objects": keys[at : at + 1000], "Quiet": True})
        if not progress(min(at + 1000, len(keys)), len(keys)):
            return


def _listed(s3: S3Client, prefix: str) -> Iterator[Any]:
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=stack.BUCKET, Prefix=prefix):
        yield from page.get("Contents", [])
