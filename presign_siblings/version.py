"""Version and commit: a wheel carries its commit as a file, and a checkout is asked."""

from __future__ import annotations

from pathlib import Path

VERSION = "0.1.0"  # setup.py reads it
PACKAGE = Path(__file__).parent
COMMIT = "commit.txt"  # setup.py writes it into the wheel
UNKNOWN = "unknown"


def version() -> str:
    """Return version and commit, as ``0.1.0 (commit 1a2b3c4d5e6f)``."""
    return f"{VERSION} (commit {commit()[:12]})"


def release() -> str:
    """Return version, commit and its date, as ``0.1.0 1a2b3c4d5e6f 2026-04-01``."""
    return " ".join([VERSION, *(word[:12] for word in _known(PACKAGE).split())])


def commit(package: Path = PACKAGE) -> str:
    """
    Return the commit that the package was made from, or ``unknown``.

    :param package: Its folder: installed from a wheel, or in a checkout.
    """
    return _known(package).partition(" ")[0]


def _known(package: Path) -> str:
    """Return commit and date."""
    try:
        return (package / COMMIT).read_text(encoding="ascii").strip()
    except FileNotFoundError:
        return _of_checkout(package)


def _of_checkout(package: Path) -> str:
    import subprocess  # noqa: PLC0415 - only --version waits for it

    if not (package.parent / ".git").exists():
        return UNKNOWN  # some other repository may hold the environment
    try:
        done = subprocess.run(
            ["git", "-C", str(package), "log", "-1", "--format=%H %cs"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return UNKNOWN
    return done.stdout.strip() or UNKNOWN
