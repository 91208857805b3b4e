"""
``python -m dev run`` and ``python -m dev tester``: what ``make`` starts. Ctrl-C prints no traceback.

A program has ``main``, and names the errors that are printed in one line in ``EXPECTED_ERRORS``.
"""

import sys

PROGRAMS = {"run": "dev.run", "tester": "dev.tester.server"}


def main() -> int:
    """Load the program that the first argument names, and run it with the others."""
    try:
        return _ended()
    except KeyboardInterrupt as stopped:
        print("stopped; nothing is left running")
        return getattr(stopped, "code", 130)


def _ended() -> int:
    from importlib import import_module  # noqa: PLC0415 - the programs take half a second to load

    from presign_siblings.cli.interrupt import ending  # noqa: PLC0415 - likewise

    with ending():
        import_module("dev.own_settings").set_aside()
        program = import_module(PROGRAMS[sys.argv.pop(1)])
        try:
            ended: int = program.main()
        except program.EXPECTED_ERRORS as error:
            print(f"failed: {error}", file=sys.stderr)
            return 1
        return ended


if __name__ == "__main__":
    sys.exit(main())
