"""The command line reads each line of the function once, however late."""

from __future__ import annotations

from presign_siblings.remote import logs
from tests.log_group import Group, event, line, tail


def names(lines: list[logs.Line]) -> list[str]:
    """Return the events' names."""
    return [each["event"] for each in lines]


def test_each_event_line_comes_once_and_no_other_line() -> None:
    """START, END and sosw's own lines are not events."""
    group = Group(event(1, "START"), event(2, line("start")), event(3, '{"level": "INFO"}'))
    reading = tail(group)
    assert names(reading.new()) == ["start"]
    group.events.append(event(4, line("complete")))
    assert names(reading.new()) == ["complete"]
    assert reading.new() == []


def test_a_late_line_is_not_missed() -> None:
    """CloudWatch may show a stream's lines seconds after later lines of another stream."""
    group = Group(event(50, line("handover")))
    reading = tail(group)
    assert names(reading.new()) == ["handover"]
    group.events.insert(0, event(20, line("start"), stream="late"))
    assert names(reading.new()) == ["start"]


def test_two_identical_lines_are_two() -> None:
    """Two events of one millisecond, without AWS's ids."""
    same = event(1, line("presign_error"))
    assert names(tail(Group(same, dict(same))).new()) == ["presign_error"] * 2


def test_old_lines_are_not_read_again_and_again() -> None:
    """A chain of a day has many: each request reads a minute."""
    group = Group(*[event(seconds, line("page")) for seconds in range(0, 600, 10)])
    reading = tail(group)
    assert len(reading.new()) == 60
    assert reading.new() == []
    assert group.starts[1] - group.starts[0] == 530_000
    assert len(reading._known) < 20


def test_a_function_that_was_never_invoked_has_no_lines() -> None:
    """Its log group may not exist yet."""
    group = Group()
    group.missing = True
    assert tail(group).new() == []


def test_the_lines_of_a_job_are_those_of_all_its_runs() -> None:
    """A run's id begins with half of the job's key."""
    lines = [{"event": "start", "job_id": "0123456789abcdef-x"}, {"event": "start", "job_id": "0123456789abcdee-x"}]
    assert logs.of_job(lines, "0123456789abcdef" + "f" * 16) == lines[:1]


def test_a_line_with_an_unreadable_time_has_none() -> None:
    """It is still shown."""
    assert logs.instant({"timestamp": "yesterday"}) is None
    assert logs.instant({}) is None
