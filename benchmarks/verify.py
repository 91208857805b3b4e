"""Checks of a run's work: the right number of lines, the right keys, botocore's signatures."""

from __future__ import annotations

import json
import sys
import zlib
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from unittest.mock import patch
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.config import Config

from benchmarks.dataset import REGION, wanted, wanted_count
from benchmarks.work import ACCESS_KEY, SECRET_KEY, TOKEN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.launch import Server
    from benchmarks.work import Work

KEY_MAPS = "/.keymaps/"  # objects that a job leaves besides its manifest, for the next one
KEEP_ALL = sys.maxsize
_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31
_PIECE = 1 << 16
_MIB = 1 << 20


class WrongWorkError(Exception):
    """A peer did not do the work that it was given."""


def manifest_name(server: Server, work: Work) -> str:
    """
    Find the one object that a run must have written.

    :raises WrongWorkError: There is none, or more than one, or an upload or a piece was left.
    """
    report = server.report()
    names = [name for name in report["objects"] if name.startswith(f"{work.bucket}/") and KEY_MAPS not in name]
    if len(names) != 1 or report["uploads"]:
        raise WrongWorkError(f"wrote {names}, and left {report['uploads']} uploads unfinished")
    return str(names[0])


def _inflated(content: bytes) -> Iterator[bytes]:
    """Decompress a gzip of one member, a piece at a time."""
    start, inflate, whole = 0, zlib.decompressobj(_GZIP_WINDOW), memoryview(content)
    for start in range(0, len(whole), _PIECE):  # the rest of a piece is copied each time
        piece: bytes | memoryview = whole[start : start + _PIECE]
        while piece and not inflate.eof:
            yield inflate.decompress(piece, _MIB)
            piece = inflate.unconsumed_tail
        if inflate.eof:
            break
    yield inflate.flush()
    if not inflate.eof or inflate.unused_data or start + _PIECE < len(whole):
        raise WrongWorkError("the gzip is not one whole member")


def check_count(server: Server, work: Work) -> int:
    """
    Check the number of the manifest's lines; a compressed one must have been kept whole.

    :return: The manifest's size in bytes, as stored.
    :raises WrongWorkError: Another number of keys was signed.
    """
    name = manifest_name(server, work)
    written = server.report()["objects"][name]
    count = int(written["lines"])
    if work.compression == "gzip":
        count = sum(piece.count(b"\n") for piece in _inflated(server.read(name)))
    if count != wanted_count(work.count):
        raise WrongWorkError(f"signed {count} keys of {wanted_count(work.count)}")
    return int(written["bytes"])


def check_content(server: Server, work: Work, *, in_order: bool = True, every: int = 10) -> None:
    """
    Check each key, and each tenth URL's signature, of a manifest that was kept whole.

    :param in_order: Whether the keys must be in S3's order.
    :param every: Interval of the URLs to check: botocore takes half a millisecond for one.
    :raises WrongWorkError: A key or a signature differs.
    """
    content = server.read(manifest_name(server, work))
    plain = b"".join(_inflated(content)) if content.startswith(_GZIP_MAGIC) else content
    lines: list[dict[str, str]] = [json.loads(line) for line in plain.splitlines()]
    keys = [line["key"] for line in lines]
    if (keys if in_order else sorted(keys)) != wanted(work.prefix):
        raise WrongWorkError(f"the {len(keys)} keys are not those of the listing")
    oracle = Oracle(work)
    wrong = [line["key"] for line in lines[::every] if not oracle.agrees(line["key"], line["url"])]
    if wrong:
        raise WrongWorkError(f"{len(wrong)} signatures differ from botocore's, the first of {wrong[0]!r}")


class Oracle:
    """Presigns with botocore at the instant that another signer chose."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._s3: Any = boto3.client(
            "s3",
            region_name=REGION,
            endpoint_url=work.endpoint,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            aws_session_token=TOKEN,
            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
        )

    def agrees(self, key: str, url: str) -> bool:
        """Return whether botocore signs the same key at the same instant with the same parameters."""
        given = parse_qs(urlsplit(url).query)
        at = datetime.strptime(given["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        params = {"Bucket": self._work.bucket, "Key": key}
        with patch("botocore.auth.get_current_datetime", return_value=at):
            own = self._s3.generate_presigned_url("get_object", Params=params, ExpiresIn=self._work.expiry_seconds)
        return parse_qs(urlsplit(own).query) == given
