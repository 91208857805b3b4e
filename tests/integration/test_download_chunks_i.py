"""Responses in chunks, as virus scanners and other proxies send them: without a length."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from presign_siblings.manifests.http import CUT, Fetcher
from presign_siblings.manifests.part_file import CONTINUED, PartFile
from presign_siblings.manifests.requests import FetchError
from presign_siblings.manifests.safe_folder import Folder
from tests.web import raw

if TYPE_CHECKING:
    from pathlib import Path

HEAD = b'HTTP/1.1 200 OK\r\nETag: "abc-2"\r\nTransfer-Encoding: chunked\r\n\r\n'  # otherwise a loss shows
END = b"0\r\n\r\n"
LARGE = b"%PDF" * (CONTINUED // 4)


def chunk(data: bytes) -> bytes:
    """Return a chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize(
    "pieces",
    [
        (HEAD, chunk(b"%PDF"), chunk(b"-1.7"), END),
        (HEAD + b"4\r\n%PDF", b"\r\n" + chunk(b"-1.7"), END),
        (HEAD + b"4\r\n%PDF\r", b"\n4\r", b"\n-1", b".7", b"\r\n0", b"\r\n", b"\r\n"),
    ],
    ids=["one chunk a packet", "end with the next chunk", "cut anywhere"],
)
def test_each_chunk_is_read_however_the_network_divides_the_response(pieces: tuple[bytes, ...], tmp_path: Path) -> None:
    """The first ended with "a chunk of the answer has no size"; the second lost a chunk, and passed as whole."""
    with raw(pieces) as url, Fetcher() as fetcher, Folder(tmp_path) as folder:
        place = folder.place(("a",))
        with PartFile(place) as file:
            assert fetcher.get(url, file).size == 8
        place.appear()
    assert (tmp_path / "a").read_bytes() == b"%PDF-1.7"


def test_a_truncated_chunk_size_is_not_the_end_of_the_chunks() -> None:
    """Of a size with leading zeros, only the first zero had come: the part before it passed as the whole object."""
    with raw((HEAD, b"0004\r\n%PDF\r\n0")) as url, Fetcher() as fetcher:
        with pytest.raises(FetchError, match="closed in the middle") as raised:
            fetcher.get(url)
        assert raised.value.passing


@pytest.mark.parametrize("rest", [LARGE[:9], LARGE[1:] + b"more"], ids=["less", "more"])
def test_a_part_in_chunks_must_have_the_bytes_of_its_range(rest: bytes, tmp_path: Path) -> None:
    """A server may send less of a range than was asked for; without a length that passed as the rest of the object."""
    cut = HEAD.replace(b"Transfer-Encoding: chunked", b"Content-Length: %d" % len(LARGE)), LARGE[:1]
    status = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-%d/%d\r\n" % (len(LARGE) - 1, len(LARGE))
    part = HEAD.replace(b"HTTP/1.1 200 OK\r\n", status), chunk(rest), END
    with raw(cut, part) as url, Fetcher() as fetcher, Folder(tmp_path) as folder:
        for message in ("closed in the middle", f"of {len(LARGE):,} bytes came"):
            with PartFile(folder.place(("a",))) as file, pytest.raises(FetchError, match=message) as raised:
                fetcher.get(url, file)
        assert (raised.value.code, raised.value.passing) == (CUT, True)
