"""A manifest in other forms: URLs, an input file of aria2, CSV, a page, a script. Each holds live URLs."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

from presign_siblings.manifests import download_script
from presign_siblings.manifests.file_names import Names
from presign_siblings.manifests.page import page

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from presign_siblings.manifests.reader import Entry

ISO = "%Y-%m-%dT%H:%M:%SZ"


def urls(entries: Iterator[Entry]) -> Iterator[str]:
    """Yield one URL a line."""
    for entry in entries:
        yield f"{entry.url}\n"


def aria2(entries: Iterator[Entry]) -> Iterator[str]:
    """Yield what ``aria2c --input-file`` reads: each URL, and under it the name that ``download`` would give."""
    names = Names()
    for entry in entries:
        yield f"{entry.url}\n  out={'/'.join(names.path(entry.key))}\n"


def comma_separated(entries: Iterator[Entry]) -> Iterator[str]:
    """Yield CSV (RFC 4180) with a head: key, URL, and when the URL dies."""
    yield _row(["key", "url", "expires_at"])
    for entry in entries:
        yield _row([entry.key, entry.url, entry.dies_at.strftime(ISO) if entry.dies_at else ""])


def _row(values: list[str]) -> str:
    written = io.StringIO()
    csv.writer(written).writerow(values)
    return written.getvalue()


def script(entries: Iterator[Entry]) -> Iterator[str]:
    """Yield a Python script that downloads what is listed at its end; it needs Python's standard library alone."""
    yield Path(download_script.__file__).read_text(encoding="utf-8")
    yield "\n# The list: a file a line.\n"
    names = Names()
    for entry in entries:
        item = {"key": entry.key, "name": "/".join(names.path(entry.key)), "url": entry.url}
        yield f"{download_script.MARK}{json.dumps(item)}\n"


FORMS: dict[str, Callable[[Iterator[Entry]], Iterator[str]]] = {
    "urls": urls,
    "aria2": aria2,
    "csv": comma_separated,
    "html": page,
    "script": script,
}
