"""A release and its notes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dev.checkout import REPOSITORY
from dev.release.__main__ import ReleaseError, changes, release
from presign_siblings.version import VERSION

if TYPE_CHECKING:
    from pathlib import Path


def test_a_release_of_a_folder_without_git_is_refused_in_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of an unpacked archive; the message was git's own, and in a folder inside another clone there was none."""
    monkeypatch.setattr("dev.release.__main__.REPOSITORY", tmp_path)
    with pytest.raises(ReleaseError, match="this folder is no clone"):
        release(tmp_path / "dist")


def test_release_notes_are_the_section_of_the_version_or_else_the_unreleased_one() -> None:
    """Without the sections of other versions."""
    changelog = "# Changelog\n\n## [Unreleased]\n\n- new\n\n## [0.1.0] - 2026-01-01\n\n- first\n\n## [0.0.9]\n\n- old\n"
    assert changes(changelog, "0.1.0") == "## [0.1.0] - 2026-01-01\n\n- first\n"
    assert changes(changelog, "0.2.0") == "## [0.2.0]\n\n- new\n"
    with pytest.raises(ReleaseError, match="no section of 1"):
        changes("# Changelog\n", "1.0.0")
    assert changes((REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8")).startswith(f"## [{VERSION}]")
