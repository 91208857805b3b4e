"""A manifest as one HTML page for its recipient: it loads nothing from anywhere, and opens 50,000 files at once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from processor.page.file_names import Names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from processor.page.line import Line

TITLE = "Files"
MOST_FILES = 50_000  # what a browser opens in two seconds; a page of more is 15 MB and more
CHUNK = 2000  # files in one script element: a browser parses the next while it shows none yet
_TEMPLATE = Path(__file__).with_name("page.html")
_OWN = ("X-Amz-Signature=", "Signature=", "response-content-disposition=", "versionId=")  # differs from URL to URL
_SAFE = "/-_.~"  # JavaScript's encodeURIComponent leaves these and !'()*, which the page encodes


@dataclass(slots=True)
class _Table:
    """Texts that recur, each sent once."""

    known: dict[str, int] = field(default_factory=dict)
    new: list[str] = field(default_factory=list)

    def number(self, text: str) -> int:
        """Return the text's number."""
        if text not in self.known:
            self.known[text] = len(self.known)
            self.new.append(text)
        return self.known[text]

    def take(self) -> list[str]:
        """Return what was not sent yet."""
        new, self.new = self.new, []
        return new


def page(entries: Iterator[Line], title: str = TITLE, contact: str = "") -> Iterator[str]:
    """
    Yield the page, piece by piece.

    :param title:   What the files are; the page's heading.
    :param contact: Whom the recipient asks; shown under the title, and in the place of dead links.
    """
    from html import escape  # noqa: PLC0415 - loads all the names of HTML, for a page alone

    packer, session = _Packer(), False
    head, _, foot = _TEMPLATE.read_text(encoding="utf-8").partition("@chunks@")
    words = {
        "@title@": escape(title),
        "@contact@": f'<p class="soft">Contact: <bdi>{escape(contact)}</bdi></p>\n' if contact else "",
        "@contact_json@": _script(contact),
    }
    for mark, word in words.items():
        head = head.replace(mark, word)
    yield head
    while some := list(islice(entries, CHUNK)):
        session = session or any(entry.lifetime.of_session for entry in some)
        yield f"<script>add({_script(packer.pack(some))});</script>\n"
    note = " They end earlier if the session that signed them does." if session else ""
    yield foot.replace("@session_json@", _script(note))


class _Packer:
    """Packs entries: what URLs have in common is sent once, and a path that says no more than its key not at all."""

    def __init__(self) -> None:
        self._bases, self._parts, self._names = _Table(), _Table(), Names()

    def pack(self, entries: Iterable[Line]) -> dict[str, Any]:
        """Return a chunk of the page's data."""
        files = [self._file(entry) for entry in entries]
        ends = [at for entry in entries if (at := entry.lifetime.ends_at) is not None]
        return {
            "bases": self._bases.take(),
            "parts": self._parts.take(),
            "files": files,
            "ends": int(min(ends).timestamp() * 1000) if ends else None,
        }

    def _file(self, entry: Line) -> list[Any]:
        place, _, query = entry.url.partition("?")
        path = quote(entry.key, safe=_SAFE)
        base: int | str = place
        if place.endswith(path):
            base = self._bases.number(place[: len(place) - len(path)])
        pieces = query.split("&") if query else []
        packed = [piece if piece.startswith(_OWN) else self._parts.number(piece) for piece in pieces]
        changed = entry.last_modified and _epoch(entry.last_modified)
        name = "/".join(self._names.path(entry.key))
        facts = [entry.size, changed, None if name == entry.key else name, 1 if entry.is_archived else None]
        while facts and facts[-1] is None:
            facts.pop()
        return [entry.key, base, packed, *facts]


def _epoch(iso: str) -> int | None:
    """Return seconds since 1970 of what S3 calls ``LastModified``."""
    try:
        parsed = datetime.fromisoformat(iso)
    except ValueError:
        return None
    return int((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp())


def _script(value: object) -> str:
    """Return JSON that a script element may hold."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")
