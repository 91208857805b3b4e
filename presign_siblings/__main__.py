"""``python -m presign_siblings``: the same as the installed ``presign-siblings``."""

from __future__ import annotations

from presign_siblings.cli.main import main
from presign_siblings.cli.program import PROGRAM

if __name__ == "__main__":
    main(prog_name=PROGRAM)
