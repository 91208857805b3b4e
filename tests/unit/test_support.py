"""What tests stand on lies in modules of its own: no test module is imported by another."""

from __future__ import annotations

import ast
from pathlib import Path

TESTS = Path(__file__).parents[1]


def imported(path: Path) -> set[str]:
    """Return the modules that a module imports, and the names that it takes out of packages."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    found = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found


def test_no_test_module_is_imported() -> None:
    """Whoever changes a test changes that test alone, and a test runs without another's module."""
    modules = {".".join(path.relative_to(TESTS.parent).with_suffix("").parts) for path in TESTS.rglob("test_*.py")}
    assert "tests.unit.test_support" in modules
    importers = {str(path.relative_to(TESTS)): imported(path) & modules for path in TESTS.rglob("*.py")}
    assert {path: names for path, names in importers.items() if names} == {}
