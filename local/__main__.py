"""``python -m local``: the same as the installed ``presign-siblings``."""

from __future__ import annotations

from local.commands.desk import PROGRAM
from local.commands.main import main

if __name__ == "__main__":
    main(prog_name=PROGRAM)
