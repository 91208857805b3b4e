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


def commit(package: Path = PACKAGE) -> str:
    """
    Return the commit that the package was made from, or ``unknown``.

    :param package: Its folder: installed from a wheel, or in a checkout.
    """
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
            ["git", "-C", str(package), "rev-parse", "HEAD"],  # noqa: S607 - the user's own git
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError:
        return UNKNOWN
    return done.stdout.strip() or UNKNOWN
