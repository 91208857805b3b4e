"""The order of the guards, and the reason for which each parks."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from processor.job import DeploymentSettings, Job, SiblingPayload
from processor.siblings import Guards
from tests.conftest import NOW
from tests.fakes import LambdaContext, refuse
from tests.mutants import assert_the_test_misses_it, wrapped


class Asked:
    """A SiblingsManager that gives scripted answers, and records the questions."""

    def __init__(self) -> None:
        self.rules: Any = ("default/daily",)
        self.enabled: Any = True
        self.running: int | None = None
        self.asked: list[str] = []

    def events_rules(self, _: Any) -> Any:
        self.asked.append("rules")
        return self._answer(self.rules)

    def any_events_rules_enabled(self, _: Any, names: Any) -> Any:
        self.asked.append(f"enabled {names}")
        return self._answer(self.enabled)

    def get_approximate_concurrent_executions(self) -> int | None:
        self.asked.append("concurrency")
        return self.running

    @staticmethod
    def _answer(value: Any) -> Any:
        if isinstance(value, Exception):
            raise value
        return value


def place(**fields: Any) -> SiblingPayload:
    """Return the place after a second hop that knows its rules."""
    deployment = DeploymentSettings.from_environment({}, {})
    job = Job.from_event({"bucket": "reports", **fields}, config={}, environment={}, deployment=deployment, now=NOW)
    return replace(SiblingPayload.first(job, "run", NOW), hop=2, event_rules=("default/daily",))


def check(asked: Asked, to: SiblingPayload | None = None, pages: int = 1, age: float = 0, **more: Any) -> str | None:
    """Return the reason of the guards."""
    siblings: Any = asked
    guards = Guards(siblings, max_hops=5, max_job_seconds=100, max_concurrent_siblings=3)
    to, now = to or place(), NOW + timedelta(seconds=age)
    asked_for = {"stop": False, "hops": to.hop - to.budget_hop, **more}
    return guards.check(LambdaContext(), to, pages, now, **asked_for)[1]


def test_a_chain_whose_guards_all_agree_continues() -> None:
    """One enabled rule and a known low concurrency: two look-ups."""
    asked = Asked()
    asked.running = 3
    assert check(asked) is None
    assert asked.asked == ["enabled ('default/daily',)", "concurrency"]


def test_the_first_guard_that_fails_gives_the_reason() -> None:
    """Progress, hops, age, the operator's stop, the kill switch, the ceiling; ``force`` does not lift a budget."""
    asked = Asked()
    asked.enabled, asked.running = False, 4
    wrong: dict[str, Any] = {"pages": 0, "hops": 5, "age": 100, "stop": True}
    reasons = list[str | None]()
    for guard in ("pages", "hops", "age", "stop"):
        reasons.append(check(asked, **wrong))
        assert check(asked, place(force=True), **wrong) == reasons[-1]
        del wrong[guard]
    reasons.append(check(asked))
    asked.enabled = True
    reasons.append(check(asked))
    assert reasons == [
        "no_progress",
        "max_hops",
        "max_job_seconds",
        "stopped",
        "rules_disabled",
        "max_concurrent_siblings",
    ]


def test_no_progress_parks_before_any_look_up() -> None:
    """A chain without progress would run for ever."""
    asked = Asked()
    assert check(asked, pages=0) == "no_progress"
    assert not asked.asked


def test_budgets_park_before_any_look_up() -> None:
    """Hops and age of one budget."""
    asked = Asked()
    assert check(asked, replace(place(), hop=4)) is None
    asked.asked.clear()
    assert check(asked, replace(place(), hop=5)) == "max_hops"
    assert check(asked, replace(place(), hop=50, budget_hop=46)) is None
    asked.asked.clear()
    assert check(asked, age=100) == "max_job_seconds"
    assert not asked.asked


def test_kill_switch__parks_when_all_rules_are_disabled() -> None:
    """Disabling the schedule stops the chain."""
    asked = Asked()
    asked.enabled = False
    assert check(asked) == "rules_disabled"


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (refuse("AccessDeniedException"), "AccessDeniedException"),
        (EndpointConnectionError(endpoint_url="https://x"), "EndpointConnectionError"),
    ],
)
def test_kill_switch__a_failed_look_up_parks_and_gives_its_cause(error: Exception, cause: str) -> None:
    """Unknown is not enabled; the work is kept, and the operator reads which right or endpoint is missing."""
    asked = Asked()
    asked.enabled = error
    assert check(asked) == f"rules_unknown: {cause}"
    asked.rules = error
    assert check(asked, replace(place(), event_rules=None)) == f"rules_unknown: {cause}"


def test_force__lifts_the_kill_switch_and_nothing_else() -> None:
    """Hop, age and progress guards hold all the same."""
    asked = Asked()
    asked.enabled = False
    assert check(asked, place(force=True)) is None
    assert check(asked, place(force=True), pages=0) == "no_progress"
    assert check(asked, replace(place(force=True), hop=5)) == "max_hops"
    assert check(asked, place(force=True), age=101) == "max_job_seconds"
    asked.running, asked.enabled, asked.rules = 4, refuse("ThrottlingException"), refuse("ThrottlingException")
    assert check(asked, place(force=True)) == "max_concurrent_siblings"
    assert check(asked, replace(place(force=True), event_rules=None)) == "max_concurrent_siblings"


def test_concurrency__above_the_ceiling_parks_and_unknown_continues() -> None:
    """Reserved concurrency is the hard ceiling."""
    asked = Asked()
    asked.running = 4
    assert check(asked) == "max_concurrent_siblings"
    asked.running = None
    assert check(asked) is None


def test_concurrency__each_chain_of_the_job_counts_twice_during_a_hand_over() -> None:
    """Chains that began together hand over together, and a parent ends after its sibling has begun."""
    asked, alone = Asked(), place()
    shared = replace(alone, job=replace(alone.job, chains=4))
    asked.running = 9
    assert check(asked, shared) is None
    asked.running = 10
    assert check(asked, shared) == "max_concurrent_siblings"


def test_rules_are_looked_up_once_and_travel_in_the_payload() -> None:
    """So a hand-over costs one DescribeRule, however many rules the account has."""
    asked = Asked()
    siblings: Any = asked
    guards = Guards(siblings, max_hops=5, max_job_seconds=100, max_concurrent_siblings=3)
    first = replace(place(), event_rules=None)
    found, reason = guards.check(LambdaContext(), first, 1, NOW, stop=False, hops=2)
    assert (found.event_rules, reason) == (("default/daily",), None)
    guards.check(LambdaContext(), found, 1, NOW, stop=False, hops=2)
    assert asked.asked.count("rules") == 1


def _always_progress(real: Any, self: Any, context: Any, to: Any, _: int, *args: Any, **kwargs: Any) -> Any:
    """Count every hop as one that wrote a page."""
    return real(self, context, to, 1, *args, **kwargs)


def test_the_progress_guard_is_needed() -> None:
    """A chain of hops that write nothing would continue."""
    without = wrapped(Guards, "check", _always_progress)
    assert_the_test_misses_it(without, test_no_progress_parks_before_any_look_up)
