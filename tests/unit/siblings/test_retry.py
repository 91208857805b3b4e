"""A guard's look-up is repeated where that may help, within the time left."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from processor.siblings.retry import TRIES, call
from tests.fakes import refuse


class Service:
    """Gives scripted answers, and repeats the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.answers, self.asked = list(answers), 0

    def __call__(self, **_: Any) -> Any:
        answer = self.answers[min(self.asked, len(self.answers) - 1)]
        self.asked += 1
        if isinstance(answer, Exception):
            raise answer
        return answer


BUSY = refuse("ThrottlingException")


@pytest.mark.parametrize(
    "trouble", [BUSY, refuse("InternalFailure", status=500), ReadTimeoutError(endpoint_url="https://events")]
)
def test_a_passing_fault_is_retried(trouble: Exception) -> None:
    """After a wait that doubles, from about a fifth of a second."""
    service, slept = Service(trouble, trouble, {"State": "ENABLED"}), list[float]()
    assert call(service, lambda: 60.0, slept.append, Name="r") == {"State": "ENABLED"}
    assert service.asked == 3
    assert all(0.5 * wait <= found <= 1.5 * wait for found, wait in zip(slept, (0.2, 0.4), strict=True))


def test_chains_throttled_together_wait_for_different_times() -> None:
    """All of a job's chains meet the same limit; with equal waits they would meet it five times."""
    slept = list[float]()
    for _ in range(20):
        call(Service(BUSY, {"State": "ENABLED"}), lambda: 60.0, slept.append)
    assert max(slept) - min(slept) > 0.05


def test_a_permanent_refusal_is_not_retried() -> None:
    """A missing right is still missing a second later."""
    service = Service(refuse("AccessDeniedException", status=400))
    with pytest.raises(ClientError):
        call(service, lambda: 60.0, lambda _: None)
    assert service.asked == 1


def test_a_busy_service_is_asked_five_times() -> None:
    """Then the guard decides without the answer."""
    service = Service(BUSY)
    with pytest.raises(ClientError):
        call(service, lambda: 60.0, lambda _: None)
    assert service.asked == TRIES == 5


def test_no_try_begins_that_could_not_end_in_time() -> None:
    """A hop that dies in its guards must be taken over; one that parks need not."""
    left = iter([10.0, 6.0, 3.1])
    service = Service(BUSY)
    with pytest.raises(ClientError):
        call(service, lambda: next(left), lambda _: None)
    assert service.asked == 3


def test_the_first_try_is_made_however_late_it_is() -> None:
    """It may be the only one, and may succeed."""
    service = Service({"State": "ENABLED"})
    assert call(service, lambda: -1.0) == {"State": "ENABLED"}
