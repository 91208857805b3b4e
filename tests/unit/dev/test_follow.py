"""Following a chain by its log lines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from dev import follow
from tests.conftest import NOW
from tests.log_group import Event, Group, event, line, tail


class Growing(Group):
    """A log group with more lines at each request."""

    def __init__(self, *looks: list[Event]) -> None:
        super().__init__()
        self.looks = list(looks)

    def paginate(self, **request: Any) -> list[dict[str, Any]]:
        if self.looks:
            self.events += self.looks.pop(0)
        return super().paginate(**request)


def _line(name: str, **fields: Any) -> str:
    return json.dumps({"event": name, **fields})


def _follow(group: Group, seconds: float = 5) -> list[str]:
    return [line["event"] for line in follow.lines(tail(group), NOW, seconds)]


def test_each_structured_line_comes_once_until_the_end() -> None:
    """The last minute is read again each time; lines of others are skipped."""
    first = [event(1, "START RequestId"), event(1, _line("start")), event(2, _line("handover")), event(2, "{}")]
    second = [event(3, _line("start"), "b"), event(3, _line("start"), "b"), event(4, _line("complete"), "b")]
    group = Growing(first, [*second, event(5, _line("start"), "b")])
    assert _follow(group) == ["start", "handover", "start", "start", "complete"]


def test_lines_of_an_earlier_job_are_skipped() -> None:
    """Its end would be taken for this one's."""
    assert _follow(Group(event(-1, _line("complete")), event(1, _line("parked")))) == ["parked"]


def test_late_lines_of_an_earlier_job_are_skipped() -> None:
    """The emulator writes them when the sibling ends, which may be after this job's start."""
    late = [event(1, line("start", -0.2, job_id="old")), event(1, line("complete", -0.1, job_id="old"))]
    mine = [event(2, line("start", 1, job_id="mine")), event(4, line("complete", 4, job_id="mine"))]
    other = event(3, line("complete", 3, job_id="other"))
    assert [each.get("job_id") for each in follow.lines(tail(Group(*late, *mine, other)), NOW, 5)] == ["mine", "mine"]


def test_a_failure_that_lambda_retries_is_not_the_end() -> None:
    """The retry may complete the job."""
    failed = [event(1, _line("failed", terminal=False)), event(2, _line("failed", terminal=True))]
    assert _follow(Group(*failed)) == ["failed", "failed"]


def test_a_chain_without_an_end_raises_with_the_last_other_lines() -> None:
    """A traceback or a timeout is not JSON, and the reader needs it."""
    group = Group(event(1, _line("start")), event(2, "Task timed out after 8.00 seconds\n"))
    with pytest.raises(follow.ChainError, match="Task timed out after 8"):
        _follow(group, seconds=0.3)


def test_a_job_that_never_starts_is_reported_soon_with_the_emulators_own_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that cannot load its code, as under a TMPDIR without execution, writes no line of its own."""
    monkeypatch.setattr(follow, "START_SECONDS", 0.3)
    tried = Group(event(1, "START RequestId: 1\n"), event(1, "END RequestId: 1\n"))
    with pytest.raises(follow.ChainError, match="did not start:\nfailed to map segment"):
        list(follow.lines(tail(tried), NOW, 60, why=lambda: "failed to map segment"))
