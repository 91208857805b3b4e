"""``presign-siblings``, and ``python -m presign_siblings``."""

from __future__ import annotations

import sys

from presign_siblings.errors import STOPPED


def main() -> None:
    """Load the command line, and run it; a Ctrl-C during loading exits as a later one does."""
    try:
        from presign_siblings.cli.main import main as command  # noqa: PLC0415
        from presign_siblings.cli.program import PROGRAM  # noqa: PLC0415
    except KeyboardInterrupt:
        sys.exit(STOPPED)
    command(prog_name=PROGRAM)


if __name__ == "__main__":
    main()
