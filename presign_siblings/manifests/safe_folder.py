"""A folder that files are written into, and never outside of it: no link inside it is followed."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Self

from presign_siblings.errors import UnfinishedError, WrongUseError
from processor.page import NAME_BYTES

if TYPE_CHECKING:
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_PART = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_READ_ONLY = frozenset({errno.EACCES, errno.EROFS})
NOTE_BYTES = 1 << 12
_BELIEVED = range(100, NAME_BYTES)  # as the length of a name: a share may say 0, and FAT counts otherwise
SLOW_SECONDS = 0.003  # to make, look up and remove a file: 0.1 ms on a disk, a few ms on a network share


class StrangerError(Exception):
    """Something else is where a plain file or a folder must be."""


class Place:
    """
    The place of one file.

    :param opened: The folder that holds the file.
    :param name:   Name in that folder.
    """

    def __init__(self, opened: _Opened, name: str) -> None:
        self._opened, self._parent, self._name = opened, opened.descriptor, _bytes(name)
        # No key gets such a name: in the name of a key, digits or a mark follow each percent sign.
        self._part = f"{hashlib.sha256(name.encode()).hexdigest()[:32]}%part"
        self._note = f"{self._part}.etag"

    def size(self) -> int | None:
        """
        Return the size of the file that exists already, or ``None``.

        :raises StrangerError: The place holds a link, a folder, or another kind of file.
        """
        try:
            found = os.stat(self._name, dir_fd=self._parent, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise StrangerError("a link or a folder is where the file must be")
        return found.st_size

    def md5(self) -> str:
        """Return the MD5 of the file that exists already."""
        with os.fdopen(os.open(self._name, _FILE, dir_fd=self._parent), "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

    def open(self) -> tuple[int, int | None]:
        """
        Begin to write; ``appear`` gives the file its name.

        :return: A descriptor, and how many bytes an earlier try has left; ``None`` where there was none.
        """
        try:
            return os.open(self._part, _PART | os.O_EXCL, 0o666, dir_fd=self._parent), None
        except FileExistsError:
            descriptor = os.open(self._part, _PART, 0o666, dir_fd=self._parent)
            return descriptor, os.fstat(descriptor).st_size
        except FileNotFoundError:
            self._opened.is_gone = True
            raise

    def noted(self) -> str:
        """Return the note about an earlier try's bytes; empty where there is none."""
        try:
            descriptor = os.open(self._note, _FILE, dir_fd=self._parent)
        except OSError:
            return ""
        with os.fdopen(descriptor, "rb") as file:
            return file.read(NOTE_BYTES).decode(errors="replace")

    def note(self, text: str) -> None:
        """Note what a later try needs to know about the bytes so far; the note is replaced at once or not at all."""
        new = f"{self._note}.new"
        descriptor = os.open(new, _PART | os.O_TRUNC, 0o666, dir_fd=self._parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
        os.rename(new, self._note, src_dir_fd=self._parent, dst_dir_fd=self._parent)

    def unnote(self) -> None:
        """Remove the note, and what a kill has left of one."""
        self._remove(self._note)
        self._remove(f"{self._note}.new")

    def appear(self) -> None:
        """Give the written bytes their name."""
        os.rename(self._part, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)

    def forget(self) -> None:
        """Remove the bytes written so far."""
        self.unnote()
        self._remove(self._part)

    def _remove(self, name: str) -> None:
        try:
            os.unlink(name, dir_fd=self._parent)
        except OSError as error:
            if error.errno not in {errno.ENOENT, errno.EROFS}:  # a read-only disk says so before it looks
                raise


def longest_name(folder: Path) -> int:
    """Return how many bytes a name may have in a folder: 143 under eCryptfs, as on an encrypted share of Synology."""
    try:
        found = os.pathconf(folder, "PC_NAME_MAX")
    except OSError:  # it may not exist yet
        found = 0
    return found if found in _BELIEVED else NAME_BYTES


class _Opened:
    """
    A folder that stays open while an object refers to it.

    :param is_gone: Whether the folder was removed since.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.is_gone = False

    def __del__(self) -> None:
        os.close(self.descriptor)


class Folder:
    """
    The folder itself, which may be a link, since the caller has named it.

    :param path:    The folder; created where it does not exist.
    :param is_slow: Whether files are made so slowly that many must be made at once; known once ``folds`` is.
    :param refusal: Why no file can be made, which matters only where one is missing; known once ``folds`` is.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._root = -1
        self._last: tuple[tuple[str, ...], _Opened] | None = None
        self.is_slow = False
        self.refusal: OSError | None = None

    def __enter__(self) -> Self:
        """
        Open the folder, for one download at a time: two would write into each other's unfinished files.

        :raises WrongUseError: The path is not a folder.
        :raises UnfinishedError: Another download works in it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise WrongUseError(f"{self.path} is not a folder") from error
        self._root = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._root, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._root)
            raise UnfinishedError(f"another download works in {self.path}: try again when it has ended") from error
        except OSError:
            pass  # a network file system may lack locks
        return self

    def __exit__(self, *_: object) -> None:
        """Close the folder."""
        self._last = None
        os.close(self._root)

    @property
    def is_gone(self) -> bool:
        """Whether the folder was removed since."""
        return os.fstat(self._root).st_nlink == 0

    def place(self, segments: tuple[str, ...]) -> Place:
        """
        Open the place of a file; create the folders that lead to it.

        :param segments: Folders and name, each safe as ``Names`` makes them.
        :raises StrangerError: A link or a file is where a folder must be.
        """
        folders, last = segments[:-1], self._last
        if last is None or last[0] != folders or last[1].is_gone:
            self._last = last = folders, self._open(folders)
        return Place(last[1], segments[-1])

    def _open(self, folders: tuple[str, ...]) -> _Opened:
        # Opened again: a duplicate would hold the lock, too, for as long as an error's traceback keeps a place.
        opened = _Opened(os.open(b".", _FOLDER, dir_fd=self._root))
        for folder in folders:
            opened = _Opened(_below(opened.descriptor, folder))
        return opened

    @cached_property
    def folds(self) -> bool:
        """Whether the file system ignores case, or the composition of Unicode; tried once."""
        probe, begun = "%probe-a\u00e9", time.monotonic()
        try:
            os.close(os.open(_bytes(probe), _PART, 0o600, dir_fd=self._root))
        except OSError as error:
            refusal = OSError(error.errno, error.strerror, str(self.path))
            if error.errno not in _READ_ONLY:
                raise refusal from error
            self.refusal = refusal
            return False
        try:
            return any(self._is_there(other) for other in (probe.upper(), "%probe-ae\u0301"))
        finally:
            os.unlink(_bytes(probe), dir_fd=self._root)
            self.is_slow = time.monotonic() - begun > SLOW_SECONDS

    def _is_there(self, name: str) -> bool:
        try:
            os.stat(_bytes(name), dir_fd=self._root, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True


def _bytes(name: str) -> bytes:
    """Return a name in UTF-8, whatever the locale: an ISO 8859 locale lacks characters of keys."""
    return name.encode(errors="surrogateescape")


def _below(parent: int, name: str) -> int:
    folder = _bytes(name)
    try:
        return os.open(folder, _FOLDER, dir_fd=parent)
    except FileNotFoundError:
        with suppress(FileExistsError):
            os.mkdir(folder, dir_fd=parent)
        return os.open(folder, _FOLDER, dir_fd=parent)
    except (NotADirectoryError, OSError) as error:
        if not isinstance(error, NotADirectoryError) and error.errno != errno.ELOOP:
            raise
        raise StrangerError("a link or a file is where a folder must be") from error
