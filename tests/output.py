"""The output of a run, and the log lines and metrics in it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest


class Output:
    """All output of a run: logs (ours and sosw's), metrics, prints."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured, self._text, self.errors = captured, "", ""

    def getvalue(self) -> str:
        """Return the text so far; ``errors`` then holds standard error."""
        written = self._captured.readouterr()
        self._text += written.out
        self.errors += written.err
        return self._text


def logged(output: Output, event: str) -> list[dict[str, Any]]:
    """Return the log lines of an event."""
    lines = [json.loads(line) for line in output.getvalue().splitlines()]
    return [line for line in lines if line.get("event") == event]


def metrics(output: Output) -> list[dict[str, float]]:
    """Return the EMF objects."""
    lines = [json.loads(line) for line in output.getvalue().splitlines() if '"_aws"' in line]
    return [{k: v[0] for k, v in line.items() if isinstance(v, list)} for line in lines]
