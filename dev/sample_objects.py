"""Objects for the bucket: small valid PDFs under awkward names and a few other objects, or a folder of real PDFs."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from presign_siblings.cli.program import printable
from processor.job.s3_names import MAX_KEY_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MOST_BYTES, MOST_BYTES_IN_ALL = 256 << 20, 1 << 30  # of real PDFs: emulator and proof hold them in memory
SUFFIX = ".pdf"
_PLAIN = re.compile(r"([A-Za-z0-9_-]{1,64}/)*[A-Za-z0-9_-]{1,64}\.pdf")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")  # a tab is allowed
_MEMORY = "the emulated S3 keeps its objects in memory"
AWKWARD = (
    "annual report 2026.pdf",
    " leading and trailing .pdf",
    "a+b=c.pdf",
    "100%.pdf",
    "percent%20encoded.pdf",
    "slash%2Fencoded.pdf",
    "plus%2Bencoded.pdf",
    "résumé.pdf",
    "re\u0301sume\u0301 combining.pdf",  # looks like the previous name, but is another key
    "отчёт.pdf",
    "報告書.pdf",
    "تقرير.pdf",
    "chart \U0001f4c8.pdf",  # beyond 16 bits: UTF-8 order is not UTF-16 order
    "private \ue000 use.pdf",  # comes before the previous name in UTF-8, after it in UTF-16
    'it\'s "quoted".pdf',
    "a&b<c>d.pdf",
    "what?.pdf",
    "number #1.pdf",
    "~tilde~.pdf",
    "key=value;other,more.pdf",
    "(draft) [v2] {final}.pdf",
    "at@home:$5!*.pdf",
    "back\\slash.pdf",
    "tab\tstop.pdf",  # no line break: it does not match the emulator's IAM wildcards
    "double//slash.pdf",
    "dots/./here/..hidden.pdf",
    "SHOUTED.PDF",
    "Mixed.Pdf",
    ".pdf",
)
NO_PDFS = ("notes.txt", "report.pdf.bak", "pdf", "archive.pdf/readme.md", "folder/", "report.pdf ")


@dataclass(frozen=True, slots=True)
class Item:
    """One object to upload."""

    key: str
    body: bytes

    @property
    def is_awkward(self) -> bool:
        """Whether a careless client or server would get the name wrong."""
        return not _PLAIN.fullmatch(self.key)

    @property
    def is_pdf(self) -> bool:
        """Whether the manifest must hold it."""
        return self.key.lower().endswith(SUFFIX)


def made(count: int, prefix: str) -> Iterator[Item]:
    """
    Make PDFs, each with a content of its own, and the objects that must stay out of the manifest.

    :param count:  Number of PDFs; the awkward names come first.
    :param prefix: Prefix of every key.
    """
    longest = f"{prefix}long/".ljust(MAX_KEY_BYTES - len(SUFFIX), "n") + SUFFIX
    names = [prefix + name for name in AWKWARD] + [longest]
    names += [f"{prefix}{number % 97:02}/report-{number:06}.pdf" for number in range(count - len(names))]
    for number, key in enumerate(names[:count]):
        yield Item(key, pdf(f"Report number {number}"))
    for name in NO_PDFS:
        yield Item(prefix + name, b"" if name.endswith("/") else b"no PDF\n")


def found(folder: Path, prefix: str, refused: Callable[[str, str], None]) -> Iterator[Item]:
    """
    Read the PDFs of a folder and of all folders in it.

    :param prefix:  Prefix of every key; the path relative to ``folder`` follows.
    :param refused: Called with the name of each file that is not taken, and the reason.
    """

    def unreadable(error: OSError) -> None:
        refused(_shown(Path(error.filename), folder), f"the folder cannot be read: {error.strerror}")

    taken = 0
    for at, folders, files in os.walk(folder, onerror=unreadable):
        folders.sort()
        for name in [name for name in folders if Path(at, name).is_symlink()]:
            refused(_shown(Path(at, name), folder), "a link to a folder, which is not followed")
        for path in (Path(at, name) for name in sorted(files)):
            key, body = prefix + path.relative_to(folder).as_posix(), _body(path, MOST_BYTES_IN_ALL - taken)
            reason = body if isinstance(body, str) else _unfit(key)
            if isinstance(body, str) or reason is not None:
                refused(_shown(path, folder), str(reason))
            else:
                taken += len(body)
                yield Item(key, body)


def _body(path: Path, room: int) -> bytes | str:
    """
    Return the content of a PDF, or why it is not taken.

    :param room: Bytes that may still be taken.
    """
    if not path.name.lower().endswith(SUFFIX):
        return f"its name does not end in {SUFFIX}"
    try:
        if not path.is_file():
            return "a link to nothing" if path.is_symlink() and not path.exists() else "no regular file"
        if (size := path.stat().st_size) > MOST_BYTES:
            return f"it has {size:,} bytes, and {_MEMORY}: {MOST_BYTES:,} at most"
        if size > room:
            return f"{_MEMORY}, and what was taken before is enough: {MOST_BYTES_IN_ALL:,} bytes at most"
        body = path.read_bytes()
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    return body if body[:1024].find(b"%PDF-") >= 0 else "it does not begin with %PDF-, as a PDF does"


def _unfit(key: str) -> str | None:
    """Return why the emulated S3 cannot hold a key."""
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        return "its name is not UTF-8, and a key is"
    if size > MAX_KEY_BYTES:
        return f"its key has {size:,} bytes, and S3 takes {MAX_KEY_BYTES:,}"
    if _CONTROL.search(key):
        return "its name has a control character, such as a line break"
    return None


def _shown(path: Path, folder: Path) -> str:
    """Return a name for a terminal, with escapes for control characters."""
    return printable(os.fsencode(path.relative_to(folder)).decode(errors="backslashreplace"))


def pdf(text: str) -> bytes:
    """
    Make a PDF of one page that shows a line of text.

    :param text: ASCII, without parentheses and backslashes.
    """
    content = f"BT /F1 24 Tf 72 760 Td ({text}) Tj ET".encode("ascii")
    page = b"/Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< %s >>" % page,
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(content), content),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    written, offsets = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        offsets.append(len(written))
        written += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    # A line of the table is 20 bytes: ten digits, five digits, a letter, and two bytes of line end.
    table = b"0000000000 65535 f \n" + b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    size = len(objects) + 1
    trailer = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(written))
    return written + b"xref\n0 %d\n" % size + table + trailer
