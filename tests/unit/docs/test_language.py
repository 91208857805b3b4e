"""Documents, command line and tools avoid phrases that readers stumble over."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from dev.checkout import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Phrases that made readers stumble, and their replacements.
REPLACED = {
    r"\ba person\b": "an operator, a user, a recipient",
    r"\bso many\b": "a number, as many as",
    r"\bgo(es)? on\b": "continue",
    r"\bwent on\b": "continued",
    r"\banew\b": "again",
    r"(?<!there )\bis no (JSON|PDF|folder|URL|key|manifest|duration)\b": "is not a",
    r"\bstands? (t?here)\b": "is there",
    r"\botherwise than\b": "not as",
    r"\bnobody knows\b": "is unknown",
}


def texts() -> Iterator[Path]:
    """Yield the files with texts for users."""
    yield from (REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"))
    yield from (REPOSITORY / "docs").rglob("*.md")
    for package in ("processor", "presign_siblings", "dev"):
        yield from (REPOSITORY / package).rglob("*.py")


@pytest.mark.parametrize("phrase", REPLACED)
def test_a_phrase_that_readers_stumble_over_is_replaced(phrase: str) -> None:
    """The message of a failure names the lines; the table above has the replacement."""
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for path in texts()
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(phrase, line, re.IGNORECASE)
    ]
    assert found == [], f"write {REPLACED[phrase]!r}"
