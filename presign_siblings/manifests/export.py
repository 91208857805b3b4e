"""A manifest in other forms: URLs, input of aria2, curl and Metalink, CSV, a page, a script. Each holds live URLs."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from processor.instant import ISO
from processor.page import FACTS, SESSION, Names, page
from processor.spreadsheet import guarded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from presign_siblings.manifests.entry import Entry

_HEAD = 1000  # entries that show which facts the lines have


def urls(entries: Iterator[Entry]) -> Iterator[str]:
    """Yield one URL a line."""
    for entry in entries:
        yield f"{entry.url}\n"


def base_name(entry: Entry) -> str:
    """Return the name that programs give the file of a bare URL: the path after its last slash."""
    return entry.url.partition("?")[0].rpartition("/")[2]


def folded(entry: Entry) -> str:
    """Return a key as a file system reads it that ignores case and the composition of accents: Windows, macOS."""
    return entry.key.lower() if entry.key.isascii() else unicodedata.normalize("NFC", entry.key).casefold()


@dataclass(slots=True)
class SharedNames:
    """
    Looks for files of a manifest that a program would write over one another.

    :param name:   Returns the name of an entry's file.
    :param shared: How many entries have the name of an earlier one, or no name.
    """

    name: Callable[[Entry], str]
    shared: int = 0
    first: str | None = None
    _hashes: set[int] = field(default_factory=set)

    COMPARED = 4_000_000  # names that are remembered

    def watched(self, entries: Iterator[Entry]) -> Iterator[Entry]:
        """Yield the entries, and look at their names."""
        for entry in entries:
            name = self.name(entry)
            number = hash(name)
            if not name or number in self._hashes:
                self.shared += 1
                self.first = self.first or entry.key
            elif len(self._hashes) < self.COMPARED:
                self._hashes.add(number)
            yield entry


_ARIA2 = ("continue=true", "retry-wait=2", "follow-torrent=false", "follow-metalink=false")


def aria2(entries: Iterator[Entry]) -> Iterator[str]:
    """
    Yield what ``aria2c --input-file`` reads: each URL, and under it the name that ``download`` would give.

    ``continue`` lets a second call continue, where aria2 would otherwise write the file again under another name; with
    ``retry-wait``, aria2 tries again after a 503. Of a torrent and a Metalink file, aria2 would fetch what they name.
    """
    names = Names()
    options = "".join(f"  {option}\n" for option in _ARIA2)
    for entry in entries:
        yield f"{entry.url}\n  out={'/'.join(names.path(entry.key))}\n{options}"


def curl(entries: Iterator[Entry]) -> Iterator[str]:
    """
    Yield what ``curl --config`` reads: each URL with the name that ``download`` would give.

    The first lines apply to all URLs: make folders, fetch many files at once, write no file for an error, try again
    after a 503, keep dots in a key as they were signed, and name the file of an error.
    """
    yield "create-dirs\nfail\ngloboff\nparallel\npath-as-is\nremote-time\nretry = 4\n"
    yield 'write-out = "%{onerror}%{stderr}%{filename_effective}: %{errormsg}\\n"\n'  # onerror: since curl 7.75
    names = Names()
    for entry in entries:
        name = "/".join(names.path(entry.key)).replace("\\", "\\\\").replace('"', '\\"')
        yield f'url = "{entry.url}"\noutput = "./{name}"\n'  # "-" alone is standard output


def metalink(entries: Iterator[Entry]) -> Iterator[str]:
    """Yield Metalink 4 (RFC 5854), for download managers: each URL, the name of its file, and its size where known."""
    from html import escape  # noqa: PLC0415 - loads all names of HTML, for this form alone

    yield '<?xml version="1.0" encoding="UTF-8"?>\n<metalink xmlns="urn:ietf:params:xml:ns:metalink">\n'
    names = Names()
    for entry in entries:
        name = escape("/".join(names.path(entry.key)))
        size = "" if entry.size is None else f"<size>{entry.size}</size>"
        yield f'<file name="{name}">{size}<url>{escape(entry.url)}</url></file>\n'
    yield "</metalink>\n"


def comma_separated(entries: Iterator[Entry]) -> Iterator[str]:
    """
    Yield CSV (RFC 4180) with a header line, for programs and for spreadsheets.

    A byte order mark lets Excel read the accents; every cell is quoted, so that no other separator splits it; and an
    apostrophe goes before a cell that a spreadsheet would take for a formula. The facts that the lines have are columns
    of their own. ``keys_from`` recognises this CSV by its last columns, and takes the apostrophe away.
    """
    head = list(islice(entries, _HEAD))
    facts = [name for name in FACTS if any(getattr(entry, name) is not None for entry in head)]
    yield "\ufeff" + _row(["key", *facts, "url", "expires_at", "note"])
    for entry in chain(head, entries):
        _, ends, of_session = entry.lifetime
        note = SESSION if of_session else ""
        values = [getattr(entry, name) for name in facts]
        cells = ["" if value is None else guarded(str(value)) for value in values]
        yield _row([guarded(entry.key), *cells, entry.url, ends.strftime(ISO) if ends else "", note])


def _row(values: list[str]) -> str:
    """Return a line of CSV. Python's writer looks at each character of a URL, and takes longer than all else."""
    return '"' + '","'.join(value.replace('"', '""') for value in values) + '"\r\n'


def script(entries: Iterator[Entry]) -> Iterator[str]:
    """Yield a Python script that downloads the files of the list at its end with the standard library alone."""
    from presign_siblings.manifests import download_script  # noqa: PLC0415 - urllib, which no other form needs

    yield Path(download_script.__file__).read_text(encoding="utf-8")
    yield "\n# The list: a file a line.\n"
    names = Names()
    for entry in entries:
        item = {"key": entry.key, "name": "/".join(names.path(entry.key)), "size": entry.size, "url": entry.url}
        yield f"{download_script.MARK}{json.dumps(item)}\n"
    yield f"{download_script.END}The end of the list.\n"


NAMES = {"urls": base_name} | dict.fromkeys(("aria2", "curl", "metalink"), folded)  # of forms whose files may clash
AS_SIGNED = frozenset({"aria2", "curl", "script"})  # read by programs that send each path as it is
FORMS: dict[str, Callable[[Iterator[Entry]], Iterator[str]]] = {
    "urls": urls,
    "aria2": aria2,
    "curl": curl,
    "metalink": metalink,
    "csv": comma_separated,
    "html": page,
    "script": script,
}
