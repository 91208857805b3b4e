"""One line of a manifest, which may come from anyone: nothing in it is trusted."""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from presign_siblings.manifests.location import WEB
from processor.page import FACTS, Line

MAX_LINE = 1 << 16  # bytes; a key of 1,024 bytes, escaped, and its URL with a session token take a quarter of it
_BARE = ["key", "url"]
_OF_URLS = (string.ascii_letters + string.digits + "-._~:/?#[]@!$&'()*+,;=%").encode()  # RFC 3986
_SIGNATURES = ("X-Amz-Signature=", "Signature=")


@dataclass(frozen=True, slots=True)
class Entry(Line):
    """Key, facts and URL of a line."""

    @classmethod
    def parse(cls, line: bytes) -> Entry:
        """
        Read a line; the last one of a manifest that was edited or pasted may lack its line break.

        A line that is not whole JSON counts as cut off. A manifest that is cut right before or after a line break looks
        like a whole one.

        :raises ValueError: The line is malformed; the message says why, without the line's content.
        """
        if b"\0" in line or len(line) > MAX_LINE:  # json would read UTF-16, too
            raise ValueError(_fault(line))
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            raise ValueError(_fault(line)) from None
        if isinstance(entry, dict) and list(entry) == _BARE and entry["key"]:
            key, url = entry["key"], entry["url"]
            if isinstance(key, str) and isinstance(url, str) and _is_url(url):
                return cls(key, url)  # most lines; the checks below take as long as all above
        _refuse(entry)
        etag = entry.get("etag")
        return cls(**entry | ({} if etag is None else {"etag": etag.strip('"')}))

    @property
    def before_key(self) -> str | None:
        """
        The part of the URL's path before the key: nothing, the bucket, or the endpoint's own path and the bucket.

        ``None`` where the path does not end with the key, or no signature follows.
        """
        address, _, query = self.url.partition("?")
        path = unquote(address.partition("://")[2].partition("/")[2], errors="surrogateescape")
        before = path.removesuffix(self.key)
        of_key = path.endswith(self.key) and (not before or before.endswith("/"))
        return before if of_key and is_signed(query) else None

    @property
    def bucket(self) -> str | None:
        """
        The bucket that the URL names: in its host, or right before the key; ``None`` where neither does.

        The host of an access point names none, but its alias is as good as a bucket's name.
        """
        host, _, path = self.url.partition("?")[0].partition("://")[2].partition("/")
        path = unquote(path)
        if path != self.key:
            before = path.removesuffix(f"/{self.key}")
            return None if before == path else before.rpartition("/")[2]
        name, mark, rest = host.partition(".s3")
        return name if mark and not rest.startswith("-accesspoint") else None

    def differs(self, size: int, etag: str) -> bool:
        """Whether an object has another size or ETag than the line, as far as the line has them."""
        other_etag = self.etag is not None and etag != "" and etag != self.etag.lower()
        return (self.size is not None and size != self.size) or other_etag


def is_signed(query: str) -> bool:
    """Whether a URL's query holds a signature."""
    return any(f"&{name}" in f"&{query}" for name in _SIGNATURES)


def _is_url(text: str) -> bool:
    """Whether a text is a URL and nothing else for every reader of an export: a browser, curl, aria2, a spreadsheet."""
    return text.startswith(WEB) and not text.encode(errors="surrogatepass").translate(None, _OF_URLS)


def _refuse(entry: Any) -> None:  # noqa: ANN401 - any JSON
    """
    Refuse JSON that is not the content of a line.

    :raises ValueError: The JSON is not a line's; the message says why.
    """
    if not isinstance(entry, dict) or list(entry) != ["key", *(name for name in FACTS if name in entry), "url"]:
        raise ValueError(
            f"must have the fields key and url, with any of {', '.join(FACTS)} between them, and no others"
        )
    size = entry.get("size")
    texts = [value for name, value in entry.items() if name != "size" and (value is not None or name == "url")]
    if not entry["key"] or not all(isinstance(text, str) for text in texts):
        raise ValueError("has a key, url or fact that is not text")
    if size is not None and (isinstance(size, bool) or not isinstance(size, int) or size < 0):
        raise ValueError("has a size that is not a number of bytes")
    if not _is_url(entry["url"]):
        raise ValueError("has a url that is not http or https, or holds a character that no URL has")


def _fault(line: bytes) -> str:
    """Say why a line is not JSON, without its content."""
    if b"\0" in line:
        return "holds zero bytes: the file is UTF-16, as Windows saves it, packed (only gzip is read), or damaged"
    if line.startswith(b"<"):
        return "is XML or HTML: an error, or a sign-in page, was stored in the manifest's place"
    if len(line) > MAX_LINE:
        return f"is longer than {MAX_LINE} bytes"
    is_cut = line.startswith(b"{") and not line.endswith(b"\n")
    return "is cut off" if is_cut else "is not JSON"
