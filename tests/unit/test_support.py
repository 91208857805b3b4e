"""Shared code of tests is in modules of its own: no test module imports another."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests import programs

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
    """A change of a test affects that test alone, and a test runs without another's module."""
    modules = {".".join(path.relative_to(TESTS.parent).with_suffix("").parts) for path in TESTS.rglob("test_*.py")}
    assert "tests.unit.test_support" in modules
    importers = {str(path.relative_to(TESTS)): imported(path) & modules for path in TESTS.rglob("*.py")}
    assert {path: names for path, names in importers.items() if names} == {}


def test_a_missing_program_skips_its_tests_and_is_reported_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """In CI it is a failure: nothing is skipped there in silence."""
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="chromedriver is not installed: apt-get install chromium-driver"):
        programs.program("chromedriver")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="CI must have it"):
        programs.program("chromedriver")


def test_every_program_that_a_machine_may_lack_is_called_in_one_way() -> None:
    """A test that calls one by its bare name fails on a machine without it, instead of being skipped."""
    programs_named = ("openssl", "curl", "node", "jq", "aria2c", "groff", "zcat", "chromium", "chromedriver")
    named = [f'{before}"{name}"' for name in programs_named for before in ("[", "which(")]
    others = [path for path in TESTS.rglob("*.py") if path not in {Path(__file__), TESTS / "programs.py"}]
    texts = {path.relative_to(TESTS).as_posix(): path.read_text(encoding="utf-8") for path in others}
    assert [path for path, text in texts.items() if any(name in text for name in named)] == []
