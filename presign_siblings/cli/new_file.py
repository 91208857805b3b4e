"""A new file for URLs: readable by its owner alone, complete or absent, and never in place of another."""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import click

from presign_siblings.appearing import appear
from presign_siblings.cli.usage.export import STDOUT
from presign_siblings.errors import WrongUseError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_OF_NAME = 60  # characters of a file's name in the unfinished file's, which has at most 255 bytes


@contextmanager
def written_to(output: str) -> Iterator[TextIO]:
    """
    Open the output; it appears under its name once it is whole.

    :raises WrongUseError: The file exists already, or the output is not a file's name.
    """
    if output == STDOUT:
        with click.open_file(STDOUT, "w", encoding="utf-8", errors="surrogateescape") as stream:
            yield cast("TextIO", stream)
        return
    refuse_taken(output)
    descriptor, made = _begun(output)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file
        appear(made, Path(output))
    except FileExistsError as error:
        raise _taken(output) from error
    finally:
        made.unlink(missing_ok=True)


def _begun(output: str) -> tuple[int, Path]:
    """Open a new file beside the output, for its owner alone: a kill leaves no half of the output."""
    folder, name = os.path.split(output)
    beginning = name[:MOST_OF_NAME]
    try:
        descriptor, made = tempfile.mkstemp(".part", f"{beginning}.", folder or ".")
    except OSError as error:
        raise OSError(error.errno, error.strerror, output) from error
    return descriptor, Path(made)


class _Counter(StringIO):
    """A file that keeps nothing; its position is the number of bytes written."""

    size = 0

    def write(self, text: str) -> int:
        """Count."""
        self.size += len(text.encode(errors="surrogateescape"))
        return len(text)

    def tell(self) -> int:
        """Return the number of bytes."""
        return self.size


@contextmanager
def counted_for(output: str) -> Iterator[TextIO]:
    """
    Count what would be written to the output.

    :raises WrongUseError: The file exists already.
    """
    if output != STDOUT:
        refuse_taken(output)
    yield _Counter()


def refuse_taken(output: str) -> None:
    """
    Refuse an output that exists already, or is not a file's name.

    :raises WrongUseError: The output is refused.
    """
    if not os.path.split(output)[1]:
        raise WrongUseError(f"{output!r} names no file")
    if os.path.lexists(output):
        raise _taken(output)


def _taken(output: str) -> WrongUseError:
    path = Path(output)
    if path.exists() and not path.is_file():  # a folder, a device, or a pipe such as bash's >(...)
        return WrongUseError(f"{output} is not a new file; - is standard output")
    return WrongUseError(f"{output} exists already: name another file, or remove it")
