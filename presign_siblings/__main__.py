"""``presign-siblings``, and ``python -m presign_siblings``."""

from __future__ import annotations

import sys


def main() -> None:
    """Load the command line, and run it; a Ctrl-C during loading exits as a later one does."""
    try:
        from presign_siblings.cli.main import main as command  # noqa: PLC0415
        from presign_siblings.cli.program import PROGRAM  # noqa: PLC0415

        command(prog_name=PROGRAM)
    except KeyboardInterrupt:
        sys.exit(130)  # errors.STOPPED, which may not be loaded yet


if __name__ == "__main__":
    main()
