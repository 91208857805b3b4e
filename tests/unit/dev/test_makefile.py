"""The targets that a developer can call."""

from __future__ import annotations

import os
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


def test_a_target_runs_without_the_python_packages_of_its_caller(tmp_path: Path) -> None:
    """A PYTHONPATH with another boto3, as robots and notebooks have, ended ``make run`` with an ImportError."""
    makefile = tmp_path / "Makefile"
    makefile.write_text(f"include {REPOSITORY}/Makefile\nshow:\n\t@env\n")
    theirs = {"PYTHONPATH": "/opt/ros", "PYTHONHOME": "/opt/conda", "PYTHONSAFEPATH": "1"}
    command: list[str | Path] = [
        "/usr/bin/env",
        "make",
        "--no-print-directory",
        "-C",
        REPOSITORY,
        "-f",
        makefile,
        "show",
    ]
    done = subprocess.run(command, env=os.environ | theirs, capture_output=True, text=True, check=True)
    assert not [line for line in done.stdout.splitlines() if line.startswith(tuple(theirs))]
