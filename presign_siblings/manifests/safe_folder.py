"""A folder that files are written into, and never out of: no link inside it is followed."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

from presign_siblings.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
_PART = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class StrangerError(Exception):
    """Something that is no plain file or folder stands where one must be."""


class Place:
    """
    Where one file is to be.

    :param parent: Descriptor of the folder it lies in.
    :param name:   Its name there.
    """

    def __init__(self, parent: int, name: str) -> None:
        self._parent, self._name = parent, name
        # No key has such a name: a percent sign of an encoded one is followed by digits or a mark.
        self._part = f"{hashlib.sha256(name.encode()).hexdigest()[:32]}%part"

    def size(self) -> int | None:
        """
        Return the size of the file that is there already, or ``None``.

        :raises StrangerError: It is a link, a folder, or no plain file.
        """
        try:
            found = os.stat(self._name, dir_fd=self._parent, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(found.st_mode):
            raise StrangerError("a link or a folder stands where the file must be")
        return found.st_size

    def md5(self) -> str:
        """Return the MD5 of the file that is there already."""
        with os.fdopen(os.open(self._name, _FILE, dir_fd=self._parent), "rb") as file:
            return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()

    def open(self) -> int:
        """Begin to write; the file appears once ``appear`` is called."""
        return os.open(self._part, _PART, 0o666, dir_fd=self._parent)

    def appear(self) -> None:
        """Let what was written stand under its name."""
        os.rename(self._part, self._name, src_dir_fd=self._parent, dst_dir_fd=self._parent)

    def forget(self) -> None:
        """Remove what was written so far."""
        with suppress(FileNotFoundError):
            os.unlink(self._part, dir_fd=self._parent)


class Folder:
    """
    The folder itself, which may be a link: a person has named it.

    :param path: Made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._root = -1

    def __enter__(self) -> Self:
        """
        Open it.

        :raises WrongUseError: It is no folder.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise WrongUseError(f"{self.path} is no folder") from error
        self._root = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        os.close(self._root)

    @contextmanager
    def place(self, segments: Sequence[str]) -> Iterator[Place]:
        """
        Open the place of a file, with the folders to it, which are made.

        :param segments: Folders and name, each safe as ``Names`` makes them.
        :raises StrangerError: A link or a file stands where a folder must be.
        """
        parent = os.dup(self._root)
        try:
            for segment in segments[:-1]:
                below = _below(parent, segment)
                os.close(parent)
                parent = below
            yield Place(parent, segments[-1])
        finally:
            os.close(parent)

    def folds(self) -> bool:
        """Tell whether the file system takes names for the same that differ in case or in composition."""
        probe = "%probe-a\u00e9"
        descriptor = os.open(probe, _PART, 0o600, dir_fd=self._root)
        os.close(descriptor)
        try:
            return any(self._is_there(other) for other in (probe.upper(), "%probe-ae\u0301"))
        finally:
            os.unlink(probe, dir_fd=self._root)

    def _is_there(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self._root, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True


def _below(parent: int, name: str) -> int:
    with suppress(FileExistsError):
        os.mkdir(name, dir_fd=parent)
    try:
        return os.open(name, _FOLDER, dir_fd=parent)
    except (NotADirectoryError, OSError) as error:
        if not isinstance(error, NotADirectoryError) and error.errno != errno.ELOOP:
            raise
        raise StrangerError("a link or a file stands where a folder must be") from error
