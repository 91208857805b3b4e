"""The recorded terminal session of the documentation: what a terminal would show at the end, each line in its time."""

from __future__ import annotations

import re
import sys
from xml.etree import ElementTree as ET

from dev import record_terminal
from dev.record_terminal import PICTURE, PROMPT, Screen

REPAINT = "\r\x1b[2K\x1b[1A\x1b[2K"  # what rich's live display of two lines writes between two states


def shown(*written: str) -> list[str]:
    """Return the lines below the prompt, once all has been written."""
    screen = Screen()
    for at, text in enumerate(written, 1):
        screen.write(text, float(at))
    assert screen.lines[0] == PROMPT
    return screen.lines[1:]


def test_lines_follow_one_another() -> None:
    """Whether a terminal ends them with a carriage return or not."""
    assert shown("one\r\ntwo\n", "three") == ["one", "two", "three"]


def test_a_line_that_is_painted_again_is_there_once() -> None:
    """Only its last state is on the last screen."""
    assert shown("\x1b[?25lpresign 1/3\nhop 0", f"{REPAINT}presign 3/3\nhop 2\n\x1b[?25hdone") == [
        "presign 3/3",
        "hop 2",
        "done",
    ]


def test_what_is_printed_above_a_live_line_pushes_it_down() -> None:
    """As rich does it: erase, print, paint again."""
    assert shown("upload 1", "\r\x1b[2Kuploaded\nupload 2") == ["uploaded", "upload 2"]


def test_each_line_appears_when_it_was_written_and_colours_stay() -> None:
    """In seconds since the beginning, played faster where the run was long."""
    screen = Screen()
    screen.write("first\n", 1.0)
    screen.write("\x1b[32mok\x1b[0m last\n", 32.0)
    drawn = record_terminal.svg(screen)
    delays = dict(re.findall(r"run-line-(\d+)\)\"\]\{animation-delay:([\d.]+)s", drawn))
    assert delays == {"0": "0.00", "1": "0.25", "2": "8.00"}
    assert [colour for colour in re.findall(r"fill: (#[0-9a-f]{6})", drawn) if colour != "#c5c8c6"]


def test_a_command_runs_in_a_terminal_of_its_own() -> None:
    """It sees one, and its output is taken in."""
    screen = record_terminal.record((sys.executable, "-c", "import sys; print(sys.stdout.isatty()); print('é')"))
    assert [line for line in screen.lines if line] == [PROMPT, "True", "é"]


def test_the_picture_in_the_repository_is_whole_and_loads_nothing() -> None:
    """It shows the end of a run whose checks all passed."""
    text = PICTURE.read_text(encoding="utf-8")
    words = " ".join("".join(ET.fromstring(text).itertext()).split())  # noqa: S314 - our own file
    assert "every check passed" in words
    assert "FAILED" not in words
    assert "http" not in text.replace("http://www.w3.org/", "")
    assert "prefers-reduced-motion" in text
