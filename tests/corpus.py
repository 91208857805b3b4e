"""Keys that S3 allows and that signers, parsers and servers get wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

MAX_KEY_BYTES = 1024

AWKWARD_KEYS: tuple[str, ...] = (
    "plain.pdf",
    "a/b/c/deep.pdf",
    "UPPER/lower/MiXed.PDF",
    "with space.pdf",
    " leading space.pdf",
    "trailing space.pdf ",
    "two  spaces.pdf",
    "plus+plus.pdf",
    "plus+and space.pdf",
    "percent%.pdf",
    "percent%2Fencoded.pdf",
    "percent%25twice.pdf",
    "percent%zz%.pdf",
    "~tilde~.pdf",
    "dot.dot..pdf",
    "hyphen-under_score.pdf",
    "bang!star*paren().pdf",
    "quote's.pdf",
    'double"quote.pdf',
    "back\\slash.pdf",
    "back`tick^caret|pipe.pdf",
    "less<more>and&.pdf",
    "entity&amp;&#38;&lt;.pdf",
    "]]>cdata<![CDATA[.pdf",
    "question?mark=1&x=2.pdf",
    "hash#fragment.pdf",
    "semi;colon:at@.pdf",
    "comma,equals=dollar$.pdf",
    "brace{s}[brackets].pdf",
    "?X-Amz-Signature=0.pdf",
    "double//slash.pdf",
    "triple///slash.pdf",
    "trailing/slash.pdf/",
    "trailing/slashes.pdf//",
    "/leading/slash.pdf",
    "//leading/slashes.pdf",
    "a/./dot.pdf",
    "a/../dotdot.pdf",
    "./dot-first.pdf",
    "../dotdot-first.pdf",
    "a/..",
    "a/.",
    "tab\there.pdf",
    "newline\nhere.pdf",
    "carriage\rreturn.pdf",
    "bell\x07escape\x1b.pdf",
    "delete\x7f.pdf",
    "c1\x85next-line.pdf",
    "no\u00a0break.pdf",
    "line\u2028separator.pdf",
    "bom\ufeff.pdf",
    "Grüße.pdf",
    "cafe\u0301 combining.pdf",
    "caf\u00e9 composed.pdf",
    "日本語/報告書.pdf",
    "عربى.pdf",
    "e\u0301\u0323\u0302 stacked.pdf",
    "👩\u200d👩\u200d👧\u200d👦 family.pdf",
    "\U0001d51e\U0001d530\U0001d531 astral.pdf",
    "last code point \U0010ffff.pdf",
    "ascii-" + "a" * (MAX_KEY_BYTES - 10) + ".pdf",
    "é" * ((MAX_KEY_BYTES - 4) // 2) + ".pdf",
)

FRAGMENTS: tuple[str, ...] = (
    *"/~+%.-_ '\"&=?#\\\t\n\r\0\x7f",
    "//",
    "..",
    "/../",
    "/./",
    "%2F",
    "%2f",
    "%",
    "+",
    "é",
    "e\u0301",
    "日",
    "\U0001d51e",
    "👩\u200d👧",
)


def cut_to_bytes(key: str, size: int) -> str:
    """Shorten a key to a number of UTF-8 bytes, but never to nothing."""
    return key.encode()[:size].decode(errors="ignore") or "k"


def any_key(chance: random.Random) -> str:
    """Return any key that S3 allows, one in forty as long as a key can be."""
    scale = (0x20, 0x80, 0x100, 0x800, 0xD800, 0x110000)

    def piece() -> str:
        if chance.random() < 0.5:
            return chance.choice(FRAGMENTS)
        code = chance.randrange(chance.choice(scale))
        return "x" if 0xD800 <= code < 0xE000 else chr(code)

    key = "".join(piece() for _ in range(chance.randrange(1, 24)))
    if chance.random() < 1 / 40:
        key = cut_to_bytes(key * MAX_KEY_BYTES, MAX_KEY_BYTES)
        key += "z" * (MAX_KEY_BYTES - len(key.encode()))
    return key
