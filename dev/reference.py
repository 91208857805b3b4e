"""The tables of the reference pages, made from the code: ``python -m dev.reference`` writes them anew."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dev.checkout import REPOSITORY
from processor.job import FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from processor.job import Field

EVENT = REPOSITORY / "docs" / "reference" / "event.md"
BEGIN, END = "<!-- fields -->\n", "<!-- end of fields -->"


def fields_table() -> str:
    """Return the table of a job's fields in Markdown."""
    head = ("field", "environment", "default", "rule", "meaning", "another job")
    return "".join(map(_row, (head, ["---"] * len(head), *map(_cells, FIELDS.values()))))


def _row(cells: Iterable[str]) -> str:
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in cells) + "\n"


def _cells(field: Field) -> tuple[str, ...]:
    default = field.absent if field.default is None else _code(json.dumps(field.default))
    return f"`{field.name}`", _code(field.env), default, field.rule.says, field.help, "✓" if field.identity else ""


def _code(text: str | None) -> str:
    return "" if text is None else f"`{text}`"


def with_tables(page: str) -> str:
    """Return a page with its table made anew."""
    before, _, rest = page.partition(BEGIN)
    return f"{before}{BEGIN}{fields_table()}{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    EVENT.write_text(with_tables(EVENT.read_text(encoding="utf-8")), encoding="utf-8")
