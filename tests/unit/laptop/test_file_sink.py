"""A manifest in a file is the one that S3 would have, however its run was cut into ranges and hops."""

from __future__ import annotations

import asyncio
import errno
import gzip
import os
import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from presign_siblings.errors import WrongUseError
from presign_siblings.laptop.file_pieces import FilePieceStore, unfinished
from presign_siblings.laptop.file_sink import forget, is_finished, open_file_sink
from processor.errors import ManifestTakenError, PieceLostError
from processor.job import EncodedBytes, KeyRange, Piece, WrittenRange
from processor.manifest import RangeWriters
from tests.unit.manifest.ranges import put

if TYPE_CHECKING:
    from pathlib import Path

PART = 1000


def ranges(count: int) -> list[KeyRange]:
    """Return the given number of ranges in key order."""
    return [KeyRange(number, str(number), str(number + 1), str(number), None, done=False) for number in range(count)]


def write(path: Path, lines: list[list[bytes]], compression: str = "none") -> bytes:
    """Write each range's lines, one line a hop; return the file's bytes."""
    place = ranges(len(lines))
    before: tuple[WrittenRange, ...] = tuple(WrittenRange(found, EncodedBytes(), ()) for found in place)

    async def run() -> None:
        nonlocal before
        for hop in range(max(map(len, lines), default=0)):
            writers = RangeWriters(_store(path, f"hop{hop}"), compression, before)
            for number, some in enumerate(lines):
                if hop < len(some):
                    await writers.write(number, [some[hop]])
            before = await writers.suspend(place)
        sink = open_file_sink(path, "last")
        done = [replace(found, done=True) for found in place]
        whole = await RangeWriters(sink.pieces, compression, before).whole(done)
        await sink.composer.compose(whole, {}, None, lambda: 0.0)

    asyncio.run(run())
    forget(path)
    return path.read_bytes()


def _store(path: Path, holder: str) -> FilePieceStore:
    store = FilePieceStore(path, holder)
    store.part = PART
    return store


@settings(max_examples=30)  # each piece waits for the disk
@given(lines=st.lists(st.lists(st.binary(min_size=1, max_size=3000), max_size=3), min_size=1, max_size=4))
def test_any_ranges_and_cuts_give_the_same_bytes(tmp_path_factory: pytest.TempPathFactory, lines: Any) -> None:
    """Plain; with gzip, the same bytes after decompression, in one member."""
    folder, whole = tmp_path_factory.mktemp("cut"), b"".join(line for some in lines for line in some)
    assert write(folder / "a", lines) == whole
    assert gzip.decompress(write(folder / "a.gz", lines, "gzip")) == whole
    assert sorted(path.name for path in folder.iterdir()) == ["a", "a.gz"]


@pytest.mark.parametrize("without", ["copy_file_range", "link"])
def test_a_system_without_a_call_gives_the_same_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, without: str
) -> None:
    """Some systems cannot copy file ranges, and some file systems have no hard links."""

    def refused(*_: object) -> None:
        raise OSError(38, "not here")

    monkeypatch.setattr(os, without, refused)
    assert write(tmp_path / "a", [[b"x" * 2500, b"y\n"], [b"z\n"]]) == b"x" * 2500 + b"y\nz\n"


def test_a_full_disk_keeps_the_pieces_and_no_partial_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A partial file would keep the disk full; --resume joins the pieces again."""
    made, fsync = unfinished(tmp_path / "a") / "whole", os.fsync

    def full(descriptor: int) -> None:
        if made.exists() and made.stat().st_ino == os.fstat(descriptor).st_ino:
            raise OSError(errno.ENOSPC, "full")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        write(tmp_path / "a", [[b"x" * 2500]])
    left = list(unfinished(tmp_path / "a").iterdir())
    assert sum(piece.stat().st_size for piece in left) == 2500
    monkeypatch.undo()
    assert write(tmp_path / "b", [[b"x" * 2500]]) == b"x" * 2500


def test_a_shortened_or_missing_piece_is_an_error(tmp_path: Path) -> None:
    """A manifest with a gap would look complete."""
    store = _store(tmp_path / "a", "hop")
    piece = asyncio.run(put(store, b"0123456789"))
    (unfinished(tmp_path / "a") / piece.key).write_bytes(b"012345")
    for lost in (piece, Piece("never", 3)):
        with pytest.raises(PieceLostError, match="gone, or not as long"):
            asyncio.run(store.read(lost, 0, 3))


def test_a_range_is_written_while_it_grows(tmp_path: Path) -> None:
    """Bytes held until its end are copied into new memory: 5 MiB of each reader cost a worker a tenth of its time."""
    store, folder = FilePieceStore(tmp_path / "a", "hop"), unfinished(tmp_path / "a")

    async def run() -> None:
        writers = RangeWriters(store, "none", [WrittenRange(found, EncodedBytes(), ()) for found in ranges(1)])
        for _ in range(3):
            await writers.write(0, [b"x" * (1 << 20)])
        assert sum(piece.stat().st_size for piece in folder.iterdir()) >= 2 << 20
        await writers.abort()

    asyncio.run(run())


def test_another_file_is_never_replaced(tmp_path: Path) -> None:
    """It may appear during the run; the run's work is kept, where the message says."""
    for name in ("a", "a.1"):
        (tmp_path / name).write_bytes(b"mine")
    with pytest.raises(ManifestTakenError, match=r"appeared during the run, and is not replaced: .*/a\.2$"):
        write(tmp_path / "a", [[b"ours\n"]])
    assert [(tmp_path / name).read_bytes() for name in ("a", "a.1", "a.2")] == [b"mine", b"mine", b"ours\n"]
    assert (tmp_path / "a.2").stat().st_mode & 0o777 == 0o600


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    """Folder, pieces and file have live URLs."""
    store = _store(tmp_path / "a", "hop")
    piece = asyncio.run(put(store, b"x\n"))
    assert unfinished(tmp_path / "a").stat().st_mode & 0o777 == 0o700
    assert store.path(piece).stat().st_mode & 0o777 == 0o600
    write(tmp_path / "b", [[b"x\n"]])
    assert (tmp_path / "b").stat().st_mode & 0o777 == 0o600


def test_a_symbolic_link_as_folder_is_refused(tmp_path: Path) -> None:
    """Whoever made it could read the links."""
    (tmp_path / "elsewhere").mkdir()
    unfinished(tmp_path / "a").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(WrongUseError, match="another user"):
        asyncio.run(put(_store(tmp_path / "a", "hop"), b"x"))


def test_a_network_share_may_give_every_file_another_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An EFS access point, NFS with root squashed, CIFS: the run's own new folder belonged to another user."""
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    assert write(tmp_path / "a", [[b"x\n"]]) == b"x\n"


def test_a_folder_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The user can create no file in it, or owns the files that it creates there."""
    theirs = unfinished(tmp_path / "a")
    theirs.mkdir()
    monkeypatch.setattr(os, "geteuid", lambda: theirs.stat().st_uid + 1)
    stat = os.fstat

    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    def of_this_user(file: int) -> os.stat_result:
        found = stat(file)
        return os.stat_result((*found[:4], os.geteuid(), *found[5:]))

    for patched, name, answer in ((tempfile, "TemporaryFile", refuse), (os, "fstat", of_this_user)):
        with monkeypatch.context() as patch:
            patch.setattr(patched, name, answer)
            with pytest.raises(WrongUseError, match="another user"):
                asyncio.run(put(_store(tmp_path / "a", "hop"), b"x"))


def test_the_leftovers_of_the_first_version_are_replaced(tmp_path: Path) -> None:
    """It kept the bytes in a file of the folder's name; its checkpoint restarts the run."""
    unfinished(tmp_path / "a").write_bytes(b"old")
    assert write(tmp_path / "a", [[b"x\n"]]) == b"x\n"


def test_a_run_killed_before_its_cleanup_counts_as_finished(tmp_path: Path) -> None:
    """The manifest and the joined file are the same file."""
    assert not is_finished(tmp_path / "a")
    write(tmp_path / "a", [[b"x\n"]])
    unfinished(tmp_path / "a").mkdir()
    (unfinished(tmp_path / "a") / "whole").hardlink_to(tmp_path / "a")
    assert is_finished(tmp_path / "a")


def test_another_file_at_the_target_does_not_make_a_run_finished(tmp_path: Path) -> None:
    """Its pieces and its checkpoint would be removed, and the manifest would be lost."""
    unfinished(tmp_path / "a").mkdir()
    (unfinished(tmp_path / "a") / "whole").write_bytes(b"ours\n")
    (tmp_path / "a").write_bytes(b"ours\n")
    assert not is_finished(tmp_path / "a")


def test_a_run_killed_while_joining_its_file_joins_it_again(tmp_path: Path) -> None:
    """How much of the partial file is valid is unknown."""
    unfinished(tmp_path / "a").mkdir()
    (unfinished(tmp_path / "a") / "whole").write_bytes(b"begun and longer than what is to come\n")
    assert write(tmp_path / "a", [[b"x\n"]]) == b"x\n"
