"""
Names that S3 allows, of buckets and keys: each rule returns the checked name or raises ``InvalidEventError``.

Limits are S3's: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html (bucket names), and
object-keys.html (1,024 UTF-8 bytes).
"""

from __future__ import annotations

import re

from processor.errors import InvalidEventError
from processor.hindrances import has_dots
from processor.job.validation import not_empty, text

MAX_KEY_BYTES = 1024
MAX_PLACE_BYTES = 900  # the longest key under it, that of a piece, takes about 100 bytes more
DIRECTORY = ("--x-s3", "--xa-s3")  # how the names of S3 Express directory buckets, and of their access points, end
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ACCESS_POINT = re.compile(r"arn:aws[a-z-]*:s3:[a-z0-9-]+:[0-9]{12}:accesspoint[/:][a-z0-9][a-z0-9-]{1,48}[a-z0-9]")
_ADDRESS = re.compile(r"\d+\.\d+\.\d+\.\d+")


def bucket(field: str, value: object) -> str:
    """Return a bucket name that S3 allows."""
    name = text(field, value)
    if not _BUCKET.fullmatch(name) or ".." in name or _ADDRESS.fullmatch(name):
        raise InvalidEventError(
            field, value, "must be an S3 bucket name: 3 to 63 lower-case letters, digits, dots and hyphens"
        )
    if name.endswith(DIRECTORY):
        raise InvalidEventError(
            field,
            value,
            "must not be a directory bucket: it lists keys in no order, and its URLs expire within five minutes",
        )
    return name


def source_bucket(field: str, value: object) -> str:
    """Return a bucket name, or the ARN of an access point in its place; an alias is a bucket name, too."""
    name = text(field, value)
    if is_access_point(name):
        return name
    if name.startswith("arn:"):
        arn = "arn:aws:s3:<region>:<account>:accesspoint/<name>"
        raise InvalidEventError(
            field, value, f"must be a bucket's name, or the ARN of an access point in a region: {arn}"
        )
    return bucket(field, name)


def is_access_point(bucket: object) -> bool:
    """Whether a bucket is an access point's ARN."""
    return isinstance(bucket, str) and _ACCESS_POINT.fullmatch(bucket) is not None


def key(field: str, value: object) -> str:
    """Return a key, or the beginning of one: at most 1,024 UTF-8 bytes."""
    name = text(field, value)
    if len(name.encode()) > MAX_KEY_BYTES:
        raise InvalidEventError(field, value, f"must be at most {MAX_KEY_BYTES} UTF-8 bytes")
    return name


def manifest_place(field: str, value: object) -> str:
    """
    Return the prefix of manifests' keys.

    :raises InvalidEventError: It is empty, leaves no room for the keys under it, or clients would change these.
    """
    name = not_empty(field, text(field, value))
    if len(name.encode()) > MAX_PLACE_BYTES:
        rule = f"must be at most {MAX_PLACE_BYTES} UTF-8 bytes, so that keys of checkpoints under it have at most"
        raise InvalidEventError(field, value, f"{rule} {MAX_KEY_BYTES}")
    if has_dots(f"{name}manifest"):
        raise InvalidEventError(
            field, value, "must not have . or .. as a path segment: a browser would ask for another manifest"
        )
    return name
