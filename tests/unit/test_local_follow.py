"""Following a chain by its log lines."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from local import follow


class Logs:
    """A log group whose content grows from look to look."""

    def __init__(self, *looks: list[tuple[str, str]]) -> None:
        self.looks = list(looks)

    def get_paginator(self, _name: str) -> Logs:
        return self

    def paginate(self, **_: Any) -> list[dict[str, Any]]:
        events = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return [{"events": [{"logStreamName": stream, "message": message}]} for stream, message in events]


def _line(event: str, **fields: Any) -> str:
    return json.dumps({"event": event, **fields})


def _follow(logs: Logs, seconds: float = 5, former: set[follow.Identity] | None = None) -> list[str]:
    lines = follow.lines(cast("Any", logs), "group", seconds, former or set())
    return [line["event"] for line in lines]


def test_each_structured_line_comes_once_until_the_end() -> None:
    """Streams are read again from their beginning at each look; lines of others are passed over."""
    first = [("a", "START RequestId"), ("a", _line("start")), ("a", _line("handover")), ("a", '{"level": "INFO"}')]
    second = [*first, ("b", _line("start")), ("b", _line("start")), ("b", _line("complete")), ("b", _line("start"))]
    assert _follow(Logs(first, second)) == ["start", "handover", "start", "start", "complete"]


def test_lines_of_a_former_job_are_passed_over() -> None:
    """Its end would be taken for this one's."""
    old = [("a", _line("start")), ("a", _line("complete"))]
    logs = Logs(old, [*old, ("b", _line("parked"))])
    former = follow.seen(cast("Any", logs), "group")
    assert _follow(logs, former=former) == ["parked"]


def test_a_failure_that_lambda_tries_again_is_not_the_end() -> None:
    """The retry may well complete the job."""
    lines = [("a", _line("failed", terminal=False)), ("a", _line("failed", terminal=True))]
    assert _follow(Logs(lines)) == ["failed", "failed"]


def test_a_chain_without_an_end_raises_with_the_last_other_lines() -> None:
    """A traceback or a timeout is no JSON, and is what the reader needs."""
    with pytest.raises(follow.ChainError, match="Task timed out after 8"):
        _follow(Logs([("a", _line("start")), ("a", "Task timed out after 8.00 seconds")]), seconds=0.3)
