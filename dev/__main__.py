"""``python -m dev run`` and ``python -m dev tester``: what ``make`` starts. Ctrl-C prints no traceback."""

import sys

PROGRAMS = {"run": "dev.run", "tester": "dev.tester.server"}


def main() -> int:
    """Load the program that the first argument names, and run it with the others."""
    try:
        from importlib import import_module  # noqa: PLC0415 - the programs take half a second to load

        import_module("dev.own_settings").set_aside()
        program = import_module(PROGRAMS[sys.argv.pop(1)])
        ended: int = program.main()
    except KeyboardInterrupt:
        print("stopped; nothing is left running")
        return 130
    return ended


if __name__ == "__main__":
    sys.exit(main())
