"""The targets that a developer can call."""

from __future__ import annotations

import re
import subprocess
from typing import TYPE_CHECKING

from dev.checkout import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


def test_make_help_lists_every_target_with_a_description() -> None:
    """One of them has a digit in its name."""
    written = (REPOSITORY / "Makefile").read_text(encoding="utf-8")
    described = re.findall(r"^(\S+):.*## (.+)$", written, re.MULTILINE)
    command: list[str | Path] = ["/usr/bin/env", "make", "--no-print-directory", "-C", REPOSITORY, "help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [line.split(maxsplit=1) for line in done.stdout.splitlines()]
    assert [tuple(line) for line in lines] == described
