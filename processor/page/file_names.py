"""
Turn keys into file names: each key has its own name, safe in any folder, and always the same.

Characters that a file system could misread are percent-encoded, and so is the percent sign itself, so that no two keys
share a file. A percent sign without two upper-case digits after it is a mark of ours: ``%`` alone is an empty name,
``%d`` at the end marks a folder beside a file of the same name, and ``%~`` with a hash marks a name that was too long,
or that differs from another name in case alone.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from pathlib import PurePosixPath

NAME_BYTES = 255  # of a name, in most file systems
SPARE_BYTES = 15  # one of our marks may follow
KEPT_BYTES = 150
MAX_SUFFIX = 16
HASH_BYTES = 34  # with its mark
_UNSAFE = re.compile(r'[\x00-\x1f\x7f-\x9f\\:*?"<>|%\ud800-\udfff\u2028\u2029\u202a-\u202e\u2066-\u2069\ufffe\uffff]')
# Windows' own, with any ending, also after blanks; it takes a raised digit for a digit.
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9\xb9\xb2\xb3]) *(\.|$)", re.IGNORECASE)
CONTROL = ".aria2"
EMPTY, FOLDER, HASHED = "%", "%d", "%~"


class Names:
    """
    Names for the keys of one manifest, in its order.

    :param folds:   Whether the file system ignores case, or the composition of Unicode.
    :param longest: Bytes that a name may have in the file system.
    """

    def __init__(self, *, folds: bool = False, longest: int = NAME_BYTES) -> None:
        self._folds = folds
        self._longest = longest - SPARE_BYTES
        self._beginnings: list[
            str
        ] = []  # earlier keys that the present key begins with: only these can conflict with it
        self._last: tuple[str, tuple[str, ...]] = "", ()  # folders of the last key, as written and as named

    def path(self, key: str) -> tuple[str, ...]:
        """Return folders and name for a key; keys must come in S3's order."""
        return self.named(key, self.files(key))

    def files(self, key: str) -> set[str]:
        """Note a key; return the earlier ones, files, that are folders of this one too."""
        while self._beginnings and not key.startswith(self._beginnings[-1]):
            self._beginnings.pop()
        files = {earlier for earlier in self._beginnings if key.startswith(f"{earlier}/")}
        self._beginnings.append(key)
        return files

    def named(self, key: str, files: set[str]) -> tuple[str, ...]:
        """
        Return folders and name for a key that was noted.

        A file and a folder cannot share a name: the folder, which comes later, is marked.
        """
        at = key.rfind("/") + 1
        last = self._last
        if key[:at] != last[0] or files:
            last = self._last = key[:at], self._folders(key[:at], files)
        return (*last[1], self.segment(key[at:]))

    def _folders(self, folders: str, files: set[str]) -> tuple[str, ...]:
        written = folders.split("/")[:-1]
        marks = (FOLDER if "/".join(written[: depth + 1]) in files else "" for depth in range(len(written)))
        return tuple(self.segment(each) + mark for each, mark in zip(written, marks, strict=True))

    def segment(self, written: str) -> str:
        """Return the name for the part of a key between two slashes."""
        name = _UNSAFE.sub(_encoded, written)
        if not name.strip("."):
            name = "%2E" * len(name)
        elif name[-1] in ". ":
            name = name[:-1] + _percent(name[-1])
        elif name.lower().endswith(CONTROL):  # aria2 keeps such a file beside the one that it fetches
            name = f"{name[: -len(CONTROL)]}%2E{name[1 - len(CONTROL) :]}"
        if name.startswith(" "):  # aria2 and spreadsheets drop a leading blank
            name = _percent(" ") + name[1:]
        if _DEVICE.match(name):
            name = _percent(name[0]) + name[1:]
        ambiguous = self._folds and unicodedata.normalize("NFC", written).casefold() != written
        return self._hashed(name, written) if ambiguous or len(name.encode()) > self._longest else name or EMPTY

    def _hashed(self, name: str, written: str) -> str:
        """Shorten a name, and put a hash of the whole before its ending."""
        suffix = PurePosixPath(name).suffix
        suffix = suffix if len(suffix.encode()) <= MAX_SUFFIX else ""
        kept = min(KEPT_BYTES, self._longest - HASH_BYTES - MAX_SUFFIX)
        stem = name.removesuffix(suffix).encode()[:kept].decode(errors="ignore")
        stem = re.sub(r"%[0-9A-F]?$", "", stem)  # an encoded byte that was cut
        digest = hashlib.sha256(written.encode(errors="surrogatepass")).hexdigest()[:32]
        return f"{stem}{HASHED}{digest}{suffix}"


def _encoded(match: re.Match[str]) -> str:
    return _percent(match[0])


def _percent(character: str) -> str:
    return "".join(f"%{byte:02X}" for byte in character.encode(errors="surrogatepass"))
