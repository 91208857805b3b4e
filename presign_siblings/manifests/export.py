"""A manifest in other forms: URLs, an input file of aria2, CSV, a page, a script. Each holds live URLs."""

from __future__ import annotations

import csv
import io
import json
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from presign_siblings.manifests import download_script
from presign_siblings.manifests.file_names import Names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from presign_siblings.manifests.reader import Entry

ISO = "%Y-%m-%dT%H:%M:%SZ"

_HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<meta name="robots" content="noindex">
<title>Files</title>
<style>
:root { color-scheme: light dark; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
ul { list-style: none; padding: 0; }
li { padding: .3rem 0; border-top: 1px solid color-mix(in srgb, currentColor 15%, transparent); }
a { overflow-wrap: anywhere; }
input { font: inherit; width: 100%; padding: .4rem .6rem; box-sizing: border-box; }
[hidden] { display: none; }
</style>
</head>
<body>
<h1>Files</h1>
<p><label>Show names with <input type="search" id="wanted" autocomplete="off"></label></p>
<ul id="files">
"""
_FOOT = """</ul>
<p>{count} files. {life}Whoever has this page can open them: pass it on as you would pass on the files.</p>
<script>
const items = [...document.querySelectorAll("#files li")];
document.getElementById("wanted").addEventListener("input", (event) => {{
  const wanted = event.target.value.toLowerCase();
  for (const item of items) item.hidden = !item.textContent.toLowerCase().includes(wanted);
}});
</script>
</body>
</html>
"""


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


def page(entries: Iterator[Entry]) -> Iterator[str]:
    """Yield an HTML page with a link a key, that loads nothing from anywhere."""
    yield _HEAD
    count, dies_at = 0, None
    for entry in entries:
        count += 1
        if entry.dies_at is not None:
            dies_at = min(dies_at or entry.dies_at, entry.dies_at)
        link = f'<a href="{escape(entry.url)}" target="_blank" rel="noopener noreferrer">{escape(entry.key)}</a>'
        yield f"<li>{link}</li>\n"
    life = f"The links work until {dies_at.strftime('%Y-%m-%d %H:%M')} UTC at most. " if dies_at else ""
    yield _FOOT.format(count=f"{count:,}", life=life)


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
