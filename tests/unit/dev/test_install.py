"""The message of ``make run`` about an unsuitable Python."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from dev.checkout import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("script", "why"), [("echo Python 3.8.18; [ $1 = -V ]", "is Python 3.8.18"), (None, "is not there")]
)
def test_an_unsuitable_python_is_reported_in_one_sentence(tmp_path: Path, script: str | None, why: str) -> None:
    """And the existing environment is kept."""
    python, venv = tmp_path / "python", tmp_path / "venv"
    venv.mkdir()
    if script is not None:
        python.write_text(f"#!/bin/sh\n{script}\n")
        python.chmod(0o755)
    folder = REPOSITORY / "requirements"
    command: list[str | Path] = [folder / "install", "--anew", venv, folder / "run.txt", python, "a test"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr
    assert why in done.stderr
    assert venv.is_dir()
