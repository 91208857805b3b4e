"""Cells of CSV that a spreadsheet would take for formulas: an apostrophe before them makes them text."""

from __future__ import annotations

import re

# Also after an apostrophe of the cell's own, so that no two cells become equal.
_FORMULA = re.compile(r"[\s']*[=+\-@\uff1d\uff0b\uff0d\uff20]|'*[\t\r\n]")


def guarded(cell: str) -> str:
    """Return a cell as a spreadsheet may open it."""
    return f"'{cell}" if _FORMULA.match(cell) else cell


def unguarded(cell: str) -> str:
    """Return the cell that ``guarded`` was given."""
    return cell[1:] if cell.startswith("'") and _FORMULA.match(cell) else cell
