"""``export``: a manifest in another form."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from presign_siblings.cli.new_file import counted_for, written_to
from presign_siblings.cli.program import printable
from presign_siblings.cli.reading import opening, reading, refuse_none
from presign_siblings.cli.usage.export import STDOUT
from presign_siblings.defaults import STREAMS
from presign_siblings.errors import naming
from presign_siblings.manifests.export import AS_SIGNED, FORMS, NAMES, SharedNames, folded
from presign_siblings.manifests.joined import joined
from processor.hindrances import DOTS, describe, hindered
from processor.instant import ISO
from processor.page import MOST_FILES, TITLE, page
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from presign_siblings.cli.console import Terminal
    from presign_siblings.manifests.entry import Entry
    from presign_siblings.manifests.joined import Survey

MOST_ROWS = (1 << 20) - 1  # of an Excel sheet, below the heading


class _Watched:
    """
    The entries of a manifest, counted and shown as they are written.

    :ivar ends_at: When the first link dies at the latest; of one manifest, about when all do.
    """

    def __init__(self, entries: Iterator[Entry], found: Survey, show: Callable[..., None]) -> None:
        self._entries, self._found, self._show, self.count = entries, found, show, 0
        self.hindered = Counter[str]()
        self.ends_at: datetime | None = None

    def __iter__(self) -> Iterator[Entry]:
        """Yield the entries."""
        for entry in self._entries:
            self.count += 1
            self.ends_at = entry.lifetime.ends_at if self.count == 1 else self.ends_at
            if found := hindered([entry.key], [entry.url]):
                self.hindered.update(found)
            if self.count % 1000 == 0:
                self._show(f"{self.count:,} of {plural(self._found.count, 'line')}")
            yield entry


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
    written, output = FORMS[form], STDOUT if output in STREAMS else output
    names = SharedNames(NAMES[form]) if form in NAMES else None
    if title is not None or contact is not None:
        written = partial(page, title=title or TITLE, contact=contact or "")
    place, client = "standard output" if output == STDOUT else output, partial(terminal.client, "s3")
    with (
        naming(place),
        counted_for(output) if dry_run else written_to(output) as file,
        opening(terminal, lambda show: joined([manifest_place], client, show=show)) as (found, entries),
        reading(terminal, None) as show,
    ):
        watched = _Watched(entries, found, show)
        file.writelines(written(iter(watched) if names is None else names.watched(iter(watched))))
        refuse_none(watched.count, allow_empty=allow_empty)
    if names is not None and names.shared:
        _note_shared(terminal, names)
    if watched.ends_at is not None and watched.ends_at < datetime.now(UTC):
        terminal.note(f"the first link died at {watched.ends_at.strftime(ISO)}: refresh signs the keys again")
    _note_length(terminal, form, watched.count)
    for reason, text in describe(watched.hindered).items():
        if reason != DOTS or form not in AS_SIGNED:
            terminal.note(text)
    if output == STDOUT and not dry_run:
        return
    result = {"count": watched.count, "form": form, "output": output}
    would = ""
    if dry_run:
        result |= {"dry_run": True, "bytes": file.tell()}
        would = f" would be written ({plural(file.tell(), 'byte')})"
    if terminal.json:
        terminal.result(result)
    else:
        terminal.say(f"{place}: {plural(watched.count, 'URL')}{would}")


def _note_length(terminal: Terminal, form: str, count: int) -> None:
    """Note that a browser or a spreadsheet may not show all of a long file, if so."""
    if form == "html" and count > MOST_FILES:
        terminal.note(
            f"a page of more than {MOST_FILES:,} files may be too large for a browser: --as script fetches all files, "
            "or make a page of some lines, with grep or head before export -"
        )
    elif form == "csv" and count > MOST_ROWS:
        terminal.note(
            f"Excel shows no more than {MOST_ROWS:,} of these files: --as script fetches all, or make a list of some "
            "lines, with grep or head before export -"
        )


def _note_shared(terminal: Terminal, names: SharedNames) -> None:
    """Note that programs would mix up files."""
    first = printable(names.first or "")
    if names.name is folded:
        alike = plural(names.shared, "key differs from another", "keys differ from others")
        terminal.note(
            f"{alike} in case alone, or in how an accent is written, first {first}: Windows and macOS keep one file of "
            "each; --as script keeps both"
        )
        return
    shared = plural(names.shared, "URL has no file name of its own", "URLs have no file name of their own")
    terminal.note(
        f"{shared} after the last slash, first {first}: wget and curl -O would mix them up; --as aria2 and --as script "
        "do not"
    )
