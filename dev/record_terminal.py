"""Record a real `make run` in a terminal as a picture: the last screen, with the time of each line."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import time
from dataclasses import dataclass, field

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

from dev.checkout import REPOSITORY

COLUMNS, ROWS = 100, 40
PLAYED_SECONDS = 8.0  # at most; a longer run is played faster
PICTURE = REPOSITORY / "docs" / "images" / "run.svg"
COMMAND = (sys.executable, "-m", "dev", "run")
NAME = "run"
PROMPT = "\x1b[1;32m$\x1b[0m make run"
# What rich's live display writes: the end of a line, its beginning, the line above, an erased line, and other
# sequences; those for colours stay in the text.
_TOKEN = re.compile(r"(?P<end>\r?\n)|(?P<begin>\r)|\x1b\[(?P<up>\d*)A|(?P<erase>\x1b\[2K)|\x1b\[\?[0-9;]*[a-zA-Z]")


@dataclass(slots=True)
class Screen:
    """
    A terminal with the functions that rich's live display needs.

    :param lines: Lines with their colours.
    """

    lines: list[str] = field(default_factory=lambda: [PROMPT, ""])
    changed: list[float] = field(default_factory=lambda: [0.0, 0.0])
    row: int = 1

    def write(self, text: str, at: float) -> None:
        """Take output."""
        position = 0
        for token in _TOKEN.finditer(text):
            self._put(text[position : token.start()], at)
            position = token.end()
            if token["end"]:
                self._move(1)
            elif token["up"] is not None:
                self._move(-int(token["up"] or 1))
            elif token["erase"]:
                self._set("", at)
        self._put(text[position:], at)

    def _put(self, text: str, at: float) -> None:
        if text:
            self._set(self.lines[self.row] + text, at)

    def _set(self, line: str, at: float) -> None:
        self.lines[self.row], self.changed[self.row] = line, at

    def _move(self, by: int) -> None:
        self.row = max(0, self.row + by)
        while self.row >= len(self.lines):
            self.lines.append("")
            self.changed.append(0.0)


def record(command: tuple[str, ...]) -> Screen:
    """
    Run a command in a terminal.

    :raises subprocess.CalledProcessError: The command failed.
    """
    ours, theirs = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm-256color"}
    screen, began, rest = Screen(), time.monotonic(), b""
    with subprocess.Popen(command, stdout=theirs, stderr=theirs, env=environment) as process:
        os.close(theirs)
        while more := _read(ours):
            *whole, rest = (rest + more).split(b"\n")
            for line in whole:
                screen.write(f"{line.decode()}\n", time.monotonic() - began)
    os.close(ours)
    screen.write(rest.decode(), time.monotonic() - began)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command, output="\n".join(screen.lines))
    return screen


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux: the other end was closed
        return b""


def svg(screen: Screen) -> str:
    """Draw a screen; its lines appear one after the other, unless the viewer wants no motion."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    last = max(row for row, line in enumerate(screen.lines) if line.strip())
    for line in screen.lines[: last + 1]:
        console.print(Text.from_ansi(line), soft_wrap=True)
    pace = min(1.0, PLAYED_SECONDS / max(screen.changed))
    times = "".join(
        f'[clip-path="url(#{NAME}-line-{row})"]{{animation-delay:{at * pace:.2f}s}}'
        for row, at in enumerate(screen.changed[: last + 1])
    )
    motion = f"@media (prefers-reduced-motion: no-preference){{text[clip-path]{{animation:come 1ms backwards}}{times}}}"
    # Braces are doubled, because rich formats this text; the fonts of rich's own format would come from the network.
    style = f"@keyframes come{{from{{opacity:0}}}}{motion}".replace("{", "{{").replace("}", "}}")
    form = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    form = form.replace("Fira Code, monospace", "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace")
    form = form.replace("</style>", f"{style}</style>").replace(
        "<!-- Generated with Rich https://www.textualize.io -->", ""
    )
    return console.export_svg(title="make run", code_format=form, unique_id=NAME)


def main() -> None:
    """Record, and write the picture."""
    PICTURE.write_text(svg(record(COMMAND)), encoding="utf-8")
    print(f"{PICTURE.relative_to(REPOSITORY)}  {PICTURE.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
