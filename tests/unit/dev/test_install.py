"""The message of ``make run`` about an unsuitable Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
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
    command: list[str | Path] = [
        folder / "install",
        "--anew",
        venv,
        folder / "run.txt",
        python,
        "a test",
        venv / "made",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.splitlines()) == 1
    assert "Python 3.11, 3.12 or 3.13 is needed" in done.stderr
    assert why in done.stderr
    assert venv.is_dir()


@pytest.mark.parametrize("setting", ["environment", "file"])
def test_pips_setting_to_install_for_the_user_is_overruled(setting: str, tmp_path: Path) -> None:
    """``user = true``, which many set for their system's pip, is an error in a virtual environment."""
    lock, config = tmp_path / "lock.txt", tmp_path / "pip.conf"
    lock.write_text("# nothing==0\n")
    config.write_text("[install]\nuser = true\n" if setting == "file" else "")
    theirs = {"PIP_CONFIG_FILE": str(config)} | ({"PIP_USER": "1"} if setting == "environment" else {})
    command: list[str | Path] = [REPOSITORY / "requirements" / "install", "--anew", tmp_path / "venv", lock]
    command += [sys.executable, "a test", tmp_path / "venv" / "made"]
    done = subprocess.run(command, env=os.environ | theirs, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("flock") is None, reason="macOS has no flock")
def test_two_calls_at_once_make_one_environment(tmp_path: Path) -> None:
    """Each removed what the other had made, and both failed."""
    lock = tmp_path / "lock.txt"
    lock.write_text("# nothing==0\n")
    command: list[str | Path] = [REPOSITORY / "requirements" / "install", "--anew", tmp_path / "venv", lock]
    command += [sys.executable, "a test", tmp_path / "venv" / "made"]
    both = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [each.communicate(timeout=100) for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    assert "".join(out for out, _ in said).count("installing") == 1


def test_an_environment_is_made_where_the_file_system_has_no_locks(tmp_path: Path) -> None:
    """Lustre has none unless it is mounted with them: make said that it waits for another make, and failed."""
    lock, flock = tmp_path / "lock.txt", tmp_path / "bin" / "flock"
    lock.write_text("# nothing==0\n")
    flock.parent.mkdir()
    flock.write_text('#!/bin/sh\necho "flock: 9: Function not implemented" >&2\nexit 71\n')
    flock.chmod(0o755)
    command: list[str | Path] = [REPOSITORY / "requirements" / "install", "--anew", tmp_path / "venv", lock]
    command += [sys.executable, "a test", tmp_path / "venv" / "made"]
    path = {"PATH": f"{flock.parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(command, env=os.environ | path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr, "waiting" in done.stdout) == (0, "", False)
