"""The page of stores and clients names existing tests."""

from __future__ import annotations

import ast
import re

from dev.checkout import REPOSITORY

PAGE = REPOSITORY / "docs" / "reference" / "compatibility.md"


def test_every_row_names_an_existing_test() -> None:
    """Every claim has a test; only rows tested by hand have none."""
    text, _, by_hand = PAGE.read_text(encoding="utf-8").partition("## By hand")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.rstrip(" |").endswith("test")]
    named = [re.search(r"`(tests/[a-z0-9_/]+\.py)::(test_\w+)` \|$", row) for row in rows]
    assert len(rows) > 20
    assert all(named), [row for row, name in zip(rows, named, strict=True) if name is None]
    for path, test in (name.groups() for name in named if name is not None):
        tree = ast.parse((REPOSITORY / path).read_text(encoding="utf-8"))
        assert test in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, f"{path}::{test}"
    assert "tests/" not in by_hand
