"""A guard's look-up is tried again where that may help, and not beyond the time that is left."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from processor.siblings.retry import TRIES, call
from tests.fakes import refuse


class Service:
    """Answers with what is scripted; the last for ever."""

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
def test_what_passes_is_asked_again(trouble: Exception) -> None:
    """With a wait that doubles, from about a fifth of a second on."""
    service, slept = Service(trouble, trouble, {"State": "ENABLED"}), list[float]()
    assert call(service, lambda: 60.0, slept.append, Name="r") == {"State": "ENABLED"}
    assert service.asked == 3
    assert all(0.5 * wait <= found <= 1.5 * wait for found, wait in zip(slept, (0.2, 0.4), strict=True))


def test_chains_that_ask_together_do_not_ask_together_again() -> None:
    """All of a job's chains meet the same limit; with the same waits they meet it five times."""
    slept = list[float]()
    for _ in range(20):
        call(Service(BUSY, {"State": "ENABLED"}), lambda: 60.0, slept.append)
    assert max(slept) - min(slept) > 0.05


def test_what_is_refused_for_good_is_asked_once() -> None:
    """No right to ask is no right a second later."""
    service = Service(refuse("AccessDeniedException", status=400))
    with pytest.raises(ClientError):
        call(service, lambda: 60.0, lambda _: None)
    assert service.asked == 1


def test_what_stays_busy_is_asked_five_times() -> None:
    """Then the guard decides without the answer."""
    service = Service(BUSY)
    with pytest.raises(ClientError):
        call(service, lambda: 60.0, lambda _: None)
    assert service.asked == TRIES == 5


def test_no_try_begins_that_could_not_end_in_time() -> None:
    """A hop that dies in its guards is a hop to be taken over; one that parks is not."""
    left = iter([10.0, 6.0, 3.1])
    service = Service(BUSY)
    with pytest.raises(ClientError):
        call(service, lambda: next(left), lambda _: None)
    assert service.asked == 3


def test_the_first_try_is_made_however_late() -> None:
    """It may be the only one, and it may answer."""
    service = Service({"State": "ENABLED"})
    assert call(service, lambda: -1.0) == {"State": "ENABLED"}
