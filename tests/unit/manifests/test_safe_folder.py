"""Nothing is written outside the folder that an operator named."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from presign_siblings.errors import UnfinishedError, WrongUseError
from presign_siblings.manifests.safe_folder import Folder, StrangerError, longest_name

if TYPE_CHECKING:
    from pathlib import Path


def write(folder: Folder, *segments: str, body: bytes = b"%PDF") -> None:
    """Write a file as a download does."""
    place = folder.place(segments)
    place.size()
    descriptor, _ = place.open()
    with os.fdopen(descriptor, "wb") as file:
        file.write(body)
    place.appear()


def test_a_file_appears_with_its_parent_folders(tmp_path: Path) -> None:
    """Complete, and with nothing beside it."""
    with Folder(tmp_path / "new" / "pdfs") as folder:
        write(folder, "2026", "04", "a.pdf")
        assert folder.place(("2026", "04", "a.pdf")).size() == 4
        assert folder.place(("2026", "b.pdf")).size() is None
    assert [path.name for path in (tmp_path / "new" / "pdfs" / "2026" / "04").iterdir()] == ["a.pdf"]


def test_a_folder_removed_in_between_is_created_again(tmp_path: Path) -> None:
    """It stays open from file to file; the files about to be written into it fail."""
    with Folder(tmp_path) as folder:
        write(folder, "2026", "a.pdf")
        shutil.rmtree(tmp_path / "2026")
        with pytest.raises(FileNotFoundError):
            write(folder, "2026", "b.pdf")
        write(folder, "2026", "c.pdf")
    assert [path.name for path in (tmp_path / "2026").iterdir()] == ["c.pdf"]


def test_an_unfinished_file_is_removed(tmp_path: Path) -> None:
    """An interrupted download leaves nothing."""
    with Folder(tmp_path) as folder:
        place = folder.place(("a.pdf",))
        os.close(place.open()[0])
        assert len(list(tmp_path.iterdir())) == 1
        place.forget()
        place.forget()
    assert list(tmp_path.iterdir()) == []


def test_a_link_to_a_folder_is_not_followed(tmp_path: Path) -> None:
    """Whoever made it: it may lead elsewhere."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs" / "2026").symlink_to(outside)
    with Folder(tmp_path / "pdfs") as folder, pytest.raises(StrangerError, match="a link or a file"):
        write(folder, "2026", "a.pdf")
    assert list(outside.iterdir()) == []


def test_a_link_in_place_of_a_file_is_not_followed(tmp_path: Path) -> None:
    """Neither its target nor the link is changed; nor is a link under the name of the unfinished file."""
    target = tmp_path / "target"
    target.write_bytes(b"mine")
    (tmp_path / "pdfs").mkdir()
    (tmp_path / "pdfs" / "a.pdf").symlink_to(target)
    with Folder(tmp_path / "pdfs") as folder:
        with pytest.raises(StrangerError, match="a link or a folder"):
            write(folder, "a.pdf")
        place = folder.place(("b.pdf",))
        os.close(place.open()[0])
        (part,) = (path for path in (tmp_path / "pdfs").iterdir() if path.name.endswith("%part"))
        part.unlink()
        part.symlink_to(target)
        with pytest.raises(OSError, match="Too many levels of symbolic links"):
            place.open()
    assert target.read_bytes() == b"mine"


def test_a_file_in_place_of_a_folder_is_left_alone(tmp_path: Path) -> None:
    """It is not from this download."""
    (tmp_path / "2026").write_bytes(b"mine")
    with Folder(tmp_path) as folder, pytest.raises(StrangerError):
        write(folder, "2026", "a.pdf")
    assert (tmp_path / "2026").read_bytes() == b"mine"


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    """The operator has named it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "pdfs").symlink_to(tmp_path / "real")
    with Folder(tmp_path / "pdfs") as folder:
        write(folder, "a.pdf")
    assert (tmp_path / "real" / "a.pdf").read_bytes() == b"%PDF"


def test_a_file_as_destination_is_refused(tmp_path: Path) -> None:
    """A folder does not replace it."""
    (tmp_path / "pdfs").write_bytes(b"mine")
    with pytest.raises(WrongUseError, match="not a folder"), Folder(tmp_path / "pdfs"):
        pass


def test_a_file_system_with_case_is_recognised(tmp_path: Path) -> None:
    """The probe leaves no file."""
    (tmp_path / "x").touch()
    distinguishes = not (tmp_path / "X").exists()
    with Folder(tmp_path) as folder:
        assert folder.folds is not distinguishes
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_folder_takes_one_download_at_a_time(tmp_path: Path) -> None:
    """Two would write unfinished files of the same names: most failed, and one could appear with a hole."""
    with Folder(tmp_path), pytest.raises(UnfinishedError, match=f"works in {tmp_path}"), Folder(tmp_path):
        pass
    with Folder(tmp_path) as folder:
        write(folder, "a.pdf")


def test_a_place_that_outlives_its_download_does_not_keep_the_next_one_out(tmp_path: Path) -> None:
    """A traceback holds it: on Python 3.13, a download in the same process was refused after one with a failed file."""
    with Folder(tmp_path) as folder:
        place = folder.place(("a.pdf",))
    with Folder(tmp_path) as folder:
        assert folder.place(("a.pdf",)) is not place


def test_a_file_system_without_locks_accepts_a_download(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """NFS locks only files open for writing, and a folder never is."""

    def refuse(*_: int) -> None:
        raise OSError(errno.EBADF, "Bad file descriptor")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with Folder(tmp_path) as folder:
        write(folder, "a.pdf")


def test_a_folder_that_accepts_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not the probe file of the download, which means nothing to the operator."""
    open_ = os.open

    def refuse(path: str, *more: int, dir_fd: int | None = None) -> int:
        if dir_fd is not None:
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return open_(path, *more)

    monkeypatch.setattr(os, "open", refuse)
    with Folder(tmp_path) as folder:
        assert not folder.folds
        assert f"'{tmp_path}'" in str(folder.refusal)


def test_a_note_replaces_what_a_kill_has_left_of_a_longer_one(tmp_path: Path) -> None:
    """The end of the other one would be read as part of it."""
    with Folder(tmp_path) as folder:
        place = folder.place(("a.pdf",))
        place.note("1")
        (note,) = tmp_path.glob("*.etag")
        note.with_name(f"{note.name}.new").write_text("longer")
        place.note("2")
        assert place.noted() == "2"
        place.unnote()
        assert place.noted() == ""
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_note_is_read_as_text(tmp_path: Path) -> None:
    """It names no object, and the file is fetched from its beginning."""
    with Folder(tmp_path) as folder:
        place = folder.place(("a.pdf",))
        place.note("1")
        (note,) = tmp_path.glob("*.etag")
        note.write_bytes(b"\xff")
        assert place.noted() == "\ufffd"


@pytest.mark.parametrize(("told", "believed"), [(143, 143), (0, 255), (1530, 255), (12, 255)])
def test_a_length_of_names_that_no_file_system_has_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: int, believed: int
) -> None:
    """A share may say 0, and FAT counts otherwise."""
    monkeypatch.setattr(os, "pathconf", lambda *_: told)
    assert longest_name(tmp_path) == believed
