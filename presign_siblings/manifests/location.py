"""Places that an argument can name: ``s3://bucket/key``, an https URL, a path."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from presign_siblings.errors import WrongUseError
from processor.causes import EQUALS

S3, STDIN = "s3://", "-"
_ACCESS_POINT = re.compile(
    r"s3://(arn:aws[a-z-]*:s3:[a-z0-9-]+:[0-9]{12}:accesspoint[/:][a-z0-9-]+)(?:/(.*))?\Z", re.DOTALL
)
WEB = ("https://", "http://")
# In the query of every presigned URL; encoded where a mail program has put the URL into a link of its own.
_SIGNED = re.compile(f"Signature{EQUALS}", re.IGNORECASE)
_QUERY = re.compile(r"\?|%(?:25)*3F", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket, and a key or prefix in it."""

    bucket: str
    key: str

    def __str__(self) -> str:
        """Return the place as it is written."""
        return f"{S3}{self.bucket}/{self.key}"

    @classmethod
    def parse(cls, written: str) -> S3Place:
        """
        Read ``s3://bucket/key``; the key is taken as it is, without decoding.

        :raises WrongUseError: The text is not such a place.
        """
        named = _ACCESS_POINT.match(written)  # an access point's ARN, which holds a slash, in the bucket's place
        bucket, _, key = written.removeprefix(S3).partition("/")
        if named is not None:
            bucket, key = named[1], named[2] or ""
        if not written.startswith(S3) or not bucket:
            raise WrongUseError(f"{shown(written)!r} is not s3://bucket/prefix")
        return cls(bucket, key)


Place = S3Place | Path | str
"""Where a manifest is: in S3, in a file, at an http(s) URL, or ``STDIN``."""


def place(written: str) -> Place:
    """
    Read a place of any of the four kinds.

    :raises WrongUseError: The text is no place: ``s3://`` without a bucket, or a link that was not copied whole.
    """
    if written.startswith(S3):
        return S3Place.parse(written)
    if written.startswith(WEB) or written == STDIN:
        return written
    if _SIGNED.search(written) and not os.path.lexists(written):  # wget names files so
        raise WrongUseError(f"{shown(written)!r} is not a file, and a URL begins with https:// or http://")
    return Path(written)


def shown(written: str) -> str:
    """Return a place for a message: a presigned URL without its query, which is the credential."""
    if not written.startswith(WEB) and not _SIGNED.search(written):
        return written
    scheme, mark, rest = _QUERY.split(written, maxsplit=1)[0].rpartition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{mark}{host.rpartition('@')[2]}{slash}{path}"
