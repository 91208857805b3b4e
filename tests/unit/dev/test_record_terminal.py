"""The recorded terminal session of the documentation: the final screen, each line at its time."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree as ET

from dev import record_terminal
from dev.record_terminal import PICTURE, PROMPT, Screen

REPAINT = "\r\x1b[2K\x1b[1A\x1b[2K"  # as rich's live display of two lines writes between two states


def shown(*written: str) -> list[str]:
    """Return the lines below the prompt after all output."""
    screen = Screen()
    for at, text in enumerate(written, 1):
        screen.write(text, float(at))
    assert screen.lines[0] == PROMPT
    return screen.lines[1:]


def test_lines_follow_one_another() -> None:
    """With or without a carriage return at their ends."""
    assert shown("one\r\ntwo\n", "three") == ["one", "two", "three"]


def test_a_repainted_line_is_shown_once() -> None:
    """Only its last state is on the final screen."""
    assert shown("\x1b[?25lpresign 1/3\nhop 0", f"{REPAINT}presign 3/3\nhop 2\n\x1b[?25hdone") == [
        "presign 3/3",
        "hop 2",
        "done",
    ]


def test_output_above_a_live_line_pushes_it_down() -> None:
    """As rich writes it: erase, print, paint again."""
    assert shown("upload 1", "\r\x1b[2Kuploaded\nupload 2") == ["uploaded", "upload 2"]


def test_each_line_appears_at_its_time_with_its_colours() -> None:
    """In seconds since the start, replayed faster if the run was long."""
    screen = Screen()
    screen.write("first\n", 1.0)
    screen.write("\x1b[32mok\x1b[0m last\n", 32.0)
    drawn = record_terminal.svg(screen)
    delays = dict(re.findall(r"run-line-(\d+)\)\"\]\{animation-delay:([\d.]+)s", drawn))
    assert delays == {"0": "0.00", "1": "0.25", "2": "8.00"}
    assert [colour for colour in re.findall(r"fill: (#[0-9a-f]{6})", drawn) if colour != "#c5c8c6"]


def test_a_command_runs_in_a_terminal_of_its_own() -> None:
    """The command sees a terminal, and its output is recorded."""
    screen = record_terminal.record((sys.executable, "-c", "import sys; print(sys.stdout.isatty()); print('é')"))
    assert [line for line in screen.lines if line] == [PROMPT, "True", "é"]


def test_the_picture_in_the_repository_is_complete_and_loads_nothing() -> None:
    """It shows the end of a run whose checks all passed."""
    text = PICTURE.read_text(encoding="utf-8")
    words = " ".join("".join(ET.fromstring(text).itertext()).split())  # noqa: S314 - our own file
    assert "every check passed" in words
    assert "FAILED" not in words
    assert "http" not in text.replace("http://www.w3.org/", "")
    assert "prefers-reduced-motion" in text
