"""The tester's faults on the real stack: each shows, and nothing is lost by it."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from dev import proof
from dev.aws import stack
from dev.tester import objects
from dev.tester.controller import BusyError, Controller
from dev.tester.experiment import LAST_LINES_SECONDS
from dev.tester.faults import Faults
from dev.tester.services import Services
from processor.ledger import HANDED_OVER
from tests.e2e.jobs import pdf_keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dev.tester.experiment import Experiment
    from tests.e2e.conftest import Deployed

pytestmark = pytest.mark.e2e

# The settings that the stack has here already: one page per sibling.
FORM: dict[str, Any] = {"timeout": 10, "kept_free": 10, "page_size": 20, "seed": False, "every_page": False}
SECONDS = 180.0  # a killed runtime is followed by cold starts, on a busy machine too


@pytest.fixture
def stand(deployed: Deployed) -> Iterator[Controller]:
    """Return a tester of the stack, with its PDFs in the bucket; undo each fault afterwards."""
    services = Services.of(deployed.emulator, deployed.stack)
    made = Controller(services, Faults(services), held=objects.held(services.s3))
    yield made
    made.close()
    made.switch("rule", True)
    made.switch("throttle", False)
    made.take_lost()


def run_until(stand: Controller, until: Callable[[Experiment], bool]) -> Experiment:
    """Wait until a condition holds for the run."""
    deadline = time.monotonic() + SECONDS
    while (run := stand.run) is None or not until(run):
        state = (stand.fault, run and (run.phase, run.snapshot, run.timeline.to_dicts()))
        assert time.monotonic() < deadline, state
        # A run that is over does not change: what its last lines do not hold will never come.
        assert run is None or run.ended is None or time.time() < run.ended + LAST_LINES_SECONDS, state
        time.sleep(0.05)
    return run


def ended_as(stand: Controller, phase: str) -> Experiment:
    """Wait until the run has ended as expected, with the log lines of its last hop."""
    # A short chain may end between two looks, before any line of it was read.
    return run_until(
        stand, lambda run: run.phase == phase and [a.outcome for a in run.timeline.attempts()][-1:] == [phase]
    )


def prove(stand: Controller, deployed: Deployed) -> None:
    """Assert that the manifest holds each PDF once."""
    run = ended_as(stand, "complete")
    page = stand.manifest("", 0, 200)
    assert run.timeline.count() == page["total"] == len(pdf_keys(deployed)) == len(run.keys)
    status, body = proof.get(run.manifest_url())
    _, checks = proof.manifest(body, pdf_keys(deployed))
    assert (status, [check for check in checks if not check.passed]) == (200, [])


def test_a_killed_hop_is_taken_over_and_both_are_shown(stand: Controller, deployed: Deployed) -> None:
    """By SIGKILL of the process that holds the lease."""

    def outcomes(run: Experiment) -> list[tuple[int, str]]:
        return [(each.hop, each.outcome) for each in run.timeline.attempts()]

    with ExitStack() as slow:
        with deployed.emulator.holding("hop-1"):
            stand.start({**FORM, "kill_hops": "1"})
            run_until(stand, lambda run: run.phase == HANDED_OVER)
            slow.enter_context(deployed.emulator.holding("lists"))
        run_until(stand, lambda run: (1, "killed") in outcomes(run))
    prove(stand, deployed)
    assert stand.run is not None
    shown = outcomes(stand.run)
    assert [hop for hop, outcome in shown if outcome == "killed"] == [1]
    assert shown.index((1, "killed")) < shown.index((1, "handed over"))


def test_a_disabled_rule_parks_the_chain_until_it_is_resumed(stand: Controller, deployed: Deployed) -> None:
    """The kill switch; a resume with the rule disabled would park again."""
    with deployed.emulator.holding("hop-2"):
        stand.start({**FORM, "rule_off_at": "1"})
        run_until(stand, lambda _: not stand.rule_on)
    assert [rule.name for rule in stand.services.switches.rules] == [f"default/{deployed.stack.function}_schedule"]
    run = ended_as(stand, "parked")
    assert run.timeline.attempts()[-1].reason == "rules_disabled"
    assert run.timeline.attempts()[-1].hop >= 1
    assert stand.rule_on is False
    with pytest.raises(BusyError, match="no manifest yet"):
        stand.manifest("", 0, 10)
    stand.switch("rule", True)
    stand.resume()
    prove(stand, deployed)


def test_a_throttled_sibling_is_given_up_and_delivered_again_by_a_resume(stand: Controller, deployed: Deployed) -> None:
    """The on-failure queue holds its event."""
    with deployed.emulator.holding("hop-2"):
        stand.start({**FORM, "throttle_at": "1"})
        run_until(stand, lambda _: stand.throttled)
    run_until(stand, lambda run: run.lost == 1 and run.phase == "handed_over")
    with pytest.raises(BusyError, match="throttled"):
        stand.resume()
    stand.switch("throttle", False)
    stand.resume()
    prove(stand, deployed)


def test_a_stop_parks_the_chain_and_a_resume_continues_it(stand: Controller, deployed: Deployed) -> None:
    """Through the ledger; no second run may begin before the first has ended."""
    with deployed.emulator.holding("hop-1"):
        stand.start(FORM)
        run_until(stand, lambda run: run.snapshot is not None)
        with pytest.raises(BusyError, match="under way"):
            stand.start(FORM)
        stand.stop()
    assert ended_as(stand, "parked").timeline.attempts()[-1].reason == "stopped"
    stand.resume()
    prove(stand, deployed)


def test_each_run_has_a_place_of_its_own(stand: Controller, deployed: Deployed) -> None:
    """So none is answered from another run's record."""
    for number in (1, 2):
        assert stand.start({**FORM, "page_size": 100}) == number
        prove(stand, deployed)
        assert stand.run is not None
        assert str(stand.run.manifest_key()).startswith(f"{stack.MANIFEST_PREFIX}{stand.session}-{number}/")
