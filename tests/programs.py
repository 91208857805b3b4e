"""Programs that some tests call: a machine without one skips these tests, with its name and how to install it."""

from __future__ import annotations

import os
import shutil

import pytest

# Debian's packages of programs that have another name.
PACKAGES = {
    "aria2c": "aria2",
    "chromedriver": "chromium-driver",
    "chromium": "chromium chromium-driver",
    "node": "nodejs",
    "zcat": "gzip",
}


def program(*names: str) -> str:
    """
    Return a program's path; on a machine without it the test is skipped, in CI it fails.

    :param names: What the program is called, on one system or another.
    """
    for name in names:
        if found := shutil.which(name):
            return found
    if os.environ.get("CI"):
        pytest.fail(f"{names[0]} is not installed, and CI must have it")
    pytest.skip(f"{names[0]} is not installed: apt-get install {PACKAGES.get(names[0], names[0])}")
