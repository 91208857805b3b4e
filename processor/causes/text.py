"""Other programs' words, made fit for a message: no more of a URL than scheme, host and port."""

from __future__ import annotations

import errno
import re
from urllib.parse import urlsplit

MESSAGE_CHARACTERS = 300
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s\"'<>]+", re.IGNORECASE)
# It names the characters to replace: with those to keep, it would take twenty times as long to compile.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\xa0\U00010000-\U0010ffff]+")
# An equals sign; in a link that a mail program has put into one of its own, it is percent-encoded, once or more.
EQUALS = "(?:=|%(?:25)*3D)"
_NAMES = r"(?:X-Amz-[A-Za-z-]*|Signature|AWSAccessKeyId|token|secret|password)\s*"
_CREDENTIAL = re.compile(f"{_NAMES}(?:{EQUALS}|:)", re.IGNORECASE)
# In other programs' words, where "Error loading SSO Token: it does not exist" holds no credential.
_HOLDS_ONE = re.compile(rf"{_NAMES}(?:{EQUALS}|:(?!\s))", re.IGNORECASE)


def has_credential(text: str) -> bool:
    """Whether a text looks as if it held a credential."""
    return _CREDENTIAL.search(text) is not None


def of_file(error: OSError) -> str:
    """Return what an error of the operating system says, with its file, and without its number."""
    words = error.strerror or type(error).__name__
    words += "; lower concurrency, or raise ulimit -n" if error.errno == errno.EMFILE else ""
    return words if error.filename is None else f"{error.filename}: {words}"


def place(url: object) -> str:
    """Return scheme, host and port of a URL; the rest may be a credential, and all of what is not a URL."""
    try:
        parts = urlsplit(str(url))
        parts.port  # noqa: B018 - a slash in a password ends the host before its @: http://name:pass/word@host
    except ValueError:
        return "the endpoint"
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else "the endpoint"


def plain(text: str) -> str:
    """Return another program's words for a message: one line, shortened, URLs without what follows the host."""
    line = _UNPRINTABLE.sub(" ", _URL.sub(lambda found: place(found[0]), text)).strip().rstrip(".")
    if _HOLDS_ONE.search(line):
        return "its message is withheld: it looks like a credential"
    return line if len(line) <= MESSAGE_CHARACTERS else f"{line[:MESSAGE_CHARACTERS]}..."
