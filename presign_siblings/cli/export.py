"""``export``: a manifest in another form."""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import partial
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, cast

import click

from presign_siblings.cli.console import Terminal, printable
from presign_siblings.cli.reading import reading, refuse_none
from presign_siblings.cli.usage.export import STDOUT
from presign_siblings.defaults import PRIVATE
from presign_siblings.errors import WrongUseError, naming
from presign_siblings.manifests.export import FORMS, BaseNames
from presign_siblings.manifests.joined import joined
from processor.page import TITLE, page
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Iterator

    from presign_siblings.manifests.reader import Entry


def export(  # noqa: PLR0913 - an option each
    terminal: Terminal,
    manifest_place: str,
    form: str,
    output: str,
    title: str | None,
    contact: str | None,
    *,
    allow_empty: bool,
    dry_run: bool,
) -> None:
    """Write a manifest in another form."""
    written, names = FORMS[form], BaseNames()
    if title is not None or contact is not None:
        written = partial(page, title=title or TITLE, contact=contact or "")
    count, place = 0, "standard output" if output == STDOUT else output
    with (
        naming(place),
        joined([manifest_place], lambda: terminal.client("s3")) as (found, entries),
        counted_for(output) if dry_run else written_to(output) as file,
        reading(terminal, None) as show,
    ):

        def counted() -> Iterator[Entry]:
            nonlocal count
            for entry in entries:
                count += 1
                if count % 1000 == 0:
                    show(f"{count:,} of {plural(found.count, 'line')}")
                yield entry

        file.writelines(written(names.watched(counted()) if form == "urls" else counted()))
        refuse_none(count, allow_empty=allow_empty)
    if names.shared:
        shared = plural(names.shared, "URL has no file name of its own", "URLs have no file name of their own")
        terminal.note(
            f"{shared} behind the last slash, first "
            f"{printable(names.first or '')}: wget and curl -O would mix them up; --as aria2 and --as script do not"
        )
    told = {"count": count, "form": form, "output": output}
    if dry_run:
        told |= {"dry_run": True, "bytes": file.tell()}
    elif output == STDOUT:
        return
    if terminal.json:
        terminal.result(told)
    else:
        would = f" would be written ({plural(file.tell(), 'byte')})" if dry_run else ""
        terminal.say(f"{place}: {plural(count, 'URL')}{would}")


@contextmanager
def written_to(output: str) -> Iterator[TextIO]:
    """
    Open the output; an incomplete file is removed.

    :raises WrongUseError: The file exists already.
    """
    if output == STDOUT:
        with click.open_file(STDOUT, "w", encoding="utf-8", errors="surrogateescape") as stream:
            yield cast("TextIO", stream)
        return
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE)
    except FileExistsError as error:
        raise _taken(output) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file
    except BaseException:
        Path(output).unlink(missing_ok=True)
        raise


class _Counter(StringIO):
    """A file that keeps nothing; its place is the number of bytes that were written to it."""

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
    Refuse a file that exists already.

    :raises WrongUseError: It does.
    """
    if os.path.lexists(output):
        raise _taken(output)


def _taken(output: str) -> WrongUseError:
    return WrongUseError(f"{output} exists already")
