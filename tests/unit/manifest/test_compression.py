"""A manifest's bytes: JSON lines, plain or as one gzip member, however the hops are cut."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processor.job import Checkpoint, DeploymentSettings, Job, Upload
from processor.manifest import Gzip, ManifestWriter, Plain, lines
from processor.manifest.compression import GZIP_HEADER, PIECE
from tests.conftest import NOW
from tests.corpus import AWKWARD_KEYS
from tests.fakes import FakeS3

if TYPE_CHECKING:
    from collections.abc import Sequence

JOB_ID = "0123456789abcdef-0123456789abcdef"
TWO_TO_32 = 1 << 32


def job_of(compression: str) -> Job:
    """Return a job with the given compression."""
    return Job.from_event(
        {"bucket": "reports", "compression": compression},
        config={},
        environment={},
        deployment=DeploymentSettings.from_environment({}, {}),
        now=NOW,
    )


def stored(hops: Sequence[Sequence[bytes]], compression: str, start: Upload | None = None) -> bytes:
    """Write data in hops, each of which knows of the others only what a stored checkpoint holds; return the object."""
    job, s3 = job_of(compression), FakeS3()

    async def run() -> None:
        kept = Checkpoint(job_key=job.job_key, job_id=JOB_ID, upload=start or Upload()).to_bytes()
        for number, pieces in enumerate(hops):
            upload = Checkpoint.from_bytes(kept).upload
            writer = ManifestWriter(s3, job, JOB_ID, upload)  # type: ignore[arg-type]
            for piece in pieces:
                await writer.write(piece)
            if number == len(hops) - 1:
                await writer.commit()
            else:
                kept = Checkpoint(job_key=job.job_key, job_id=JOB_ID, upload=await writer.suspend()).to_bytes()

    asyncio.run(run())
    return s3.objects[job.manifest_key(JOB_ID)]


def one_member(body: bytes) -> bytes:
    """Decompress a gzip object, and see that it is one member from its first byte to its last."""
    reader = zlib.decompressobj(wbits=31)
    data = reader.decompress(body) + reader.flush()
    assert reader.eof
    assert reader.unused_data == b""
    assert body[:10] == GZIP_HEADER
    assert body[-8:-4] == zlib.crc32(data).to_bytes(4, "little")
    assert body[-4:] == (len(data) % TWO_TO_32).to_bytes(4, "little")
    assert gzip.decompress(body) == data
    return data


HOPS = st.lists(st.lists(st.binary(max_size=200), max_size=4), min_size=1, max_size=6)


@settings(max_examples=150)
@given(hops=HOPS)
def test_any_cut_into_hops_is_one_gzip_member(hops: list[list[bytes]]) -> None:
    """Whatever each hop wrote, nothing at all included, the whole is one member that holds exactly that."""
    assert one_member(stored(hops, "gzip")) == b"".join(piece for hop in hops for piece in hop)


@settings(max_examples=50)
@given(hops=HOPS)
def test_any_cut_into_hops_is_the_same_plain_object(hops: list[list[bytes]]) -> None:
    """Without compression the object is the data, byte for byte, wherever it was cut."""
    assert stored(hops, "none") == b"".join(piece for hop in hops for piece in hop)


def test_hops_of_several_parts_are_one_gzip_member() -> None:
    """Data that does not compress, in parts of 5 MiB across three hops, is read back whole."""
    chance = random.Random(3)
    hops = [[chance.randbytes(1 << 20) for _ in range(count)] for count in (4, 7, 1)]
    assert one_member(stored(hops, "gzip")) == b"".join(piece for hop in hops for piece in hop)


def test_repetition_across_a_cut_is_never_referred_to() -> None:
    """A hop's bytes decompress without those of the hops before it: no window travels in the checkpoint."""
    text = b"".join(b'{"key": "%06d.pdf"}\n' % number for number in range(2000))
    first, second = Gzip(is_first=True), Gzip(is_first=False)
    head = first.encode(text) + first.cut()
    tail = second.encode(text) + second.finish(2 * len(text), zlib.crc32(text + text))
    assert one_member(head + tail) == text + text
    alone = zlib.decompressobj(wbits=-15)
    assert alone.decompress(tail) == text


@pytest.mark.parametrize("length", [0, 1, TWO_TO_32 - 1, TWO_TO_32, TWO_TO_32 + 5, 3 * TWO_TO_32 + 7])
def test_the_trailer_holds_the_length_modulo_two_to_32(length: int) -> None:
    """RFC 1952's ISIZE wraps; a manifest of more than 4 GiB is no error."""
    assert Gzip(is_first=True).finish(length, 0xDEADBEEF)[-8:] == b"\xef\xbe\xad\xde" + (length % TWO_TO_32).to_bytes(
        4, "little"
    )


def test_length_and_checksum_go_on_from_the_checkpoint() -> None:
    """A hop that begins behind 4 GiB ends with the sums of the whole, not with its own."""
    before, written = zlib.crc32(b"what earlier hops wrote"), b'{"key": "a.pdf"}\n'
    tail = Gzip(is_first=True).cut()
    start = Upload(tail=tail, size=len(tail), length=TWO_TO_32 - 3, crc32=before, checksum=None)
    body = stored([[written]], "gzip", start)
    assert body[-8:-4] == zlib.crc32(written, before).to_bytes(4, "little")
    assert body[-4:] == (len(written) - 3).to_bytes(4, "little")


def test_plain_lines_have_neither_state_nor_trailer() -> None:
    """A cut and the end add nothing."""
    plain = Plain()
    assert (plain.encode(b"a\n"), plain.cut(), plain.finish(2, 1)) == (b"a\n", b"", b"")


@pytest.mark.parametrize("size", [10, 1500, PIECE + 1])
def test_lines_are_what_json_would_write(size: int) -> None:
    """One object a line, in ASCII, key first: as ``json.dumps`` writes it, however many pieces it comes in."""
    keys = [*AWKWARD_KEYS, *(f"many/{number}.pdf" for number in range(200))]
    urls = [f"https://s3/{number}?{'x' * size}" for number in range(len(keys))]
    pieces = list(lines(keys, urls))
    expected = [json.dumps({"key": key, "url": url}) + "\n" for key, url in zip(keys, urls, strict=True)]
    assert b"".join(pieces).decode("ascii") == "".join(expected)
    assert all(piece.endswith(b"\n") for piece in pieces)
    assert list(lines([], [])) == []


@settings(max_examples=200)
@given(keys=st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), min_size=1, max_size=5))
def test_any_key_comes_back_from_its_line(keys: list[str]) -> None:
    """Whatever is in a key, its line is one line, and JSON gives the key back."""
    written = b"".join(lines(keys, ["https://s3/"] * len(keys)))
    assert [json.loads(line) for line in written.split(b"\n")[:-1]] == [{"key": k, "url": "https://s3/"} for k in keys]
