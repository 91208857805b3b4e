"""Files that wait for their answers need no thread, and no file waits for another."""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from presign_siblings.manifests.turns import Turns, at_once
from presign_siblings.manifests.workers import Away, for_each_concurrently

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from presign_siblings.manifests.turns import Steps

PATIENCE = 60.0  # seconds within which all must finish, even on a busy machine


class Pair:
    """Two ends of a connection; the test waits for bytes at our end."""

    def __init__(self, seconds: float = PATIENCE) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.ours.setblocking(False)
        self.due, self.came = time.monotonic() + seconds, b""

    def fileno(self) -> int:
        return self.ours.fileno()

    def has_come(self) -> bool:
        try:
            self.came += self.ours.recv(1)
        except BlockingIOError:
            return False
        return self.came.endswith(b".")


@pytest.fixture
def paired() -> Iterator[Callable[..., Pair]]:
    """Make pairs, and close them at the end."""
    made = list[Pair]()

    def make(seconds: float = PATIENCE) -> Pair:
        made.append(Pair(seconds))
        return made[-1]

    yield make
    for each in made:
        each.ours.close()
        each.theirs.close()


def work(
    pairs: list[Pair], done: list[int], then: Callable[[int], None] = lambda _: None
) -> Callable[[int], Steps[None]]:
    """Return work that waits for its pair."""

    def one(number: int) -> Steps[None]:
        yield pairs[number]
        then(number)
        done.append(number)

    return one


def test_the_first_answer_is_processed_first(paired: Callable[..., Pair]) -> None:
    """In two threads, eight at once; a partial answer does not count."""
    pairs, done = [paired() for _ in range(8)], list[int]()

    def answer() -> None:
        for number in (5, 3, 7):
            pairs[number].theirs.send(b"x")
        for number in (6, 4, 2, 0, 1, 3, 5, 7):
            pairs[number].theirs.send(b".")
            while number not in done:
                time.sleep(0.001)

    thread = threading.Thread(target=answer)
    thread.start()
    Turns(iter(range(8)), work(pairs, done), 8).run(lambda: None)
    thread.join()
    assert done == [6, 4, 2, 0, 1, 3, 5, 7]


def test_a_thread_with_long_work_holds_up_no_other(paired: Callable[..., Pair]) -> None:
    """As with the bytes of a large file: another thread continues with the small files."""
    pairs, done, rest_is_done = [paired() for _ in range(6)], list[int](), threading.Event()
    for each in pairs:
        each.theirs.send(b".")

    def then(number: int) -> None:
        if number == 0:
            with Away():
                assert rest_is_done.wait(PATIENCE)
        elif len(done) == len(pairs) - 2:
            rest_is_done.set()

    Turns(iter(range(6)), work(pairs, done, then), 2).run(lambda: None)
    assert sorted(done) == list(range(6))
    assert done[-1] == 0


def test_an_item_whose_time_is_over_continues_while_others_are_answered(paired: Callable[..., Pair]) -> None:
    """It then finds by itself that nothing arrived."""
    pairs, done = [paired(0.05), *(paired() for _ in range(3))], list[int]()

    def answer_in_drops() -> None:
        end = time.monotonic() + PATIENCE
        while 0 not in done and time.monotonic() < end:
            pairs[1].theirs.send(b"x")
            time.sleep(0.001)
        for each in pairs[1:]:
            each.theirs.send(b".")

    thread = threading.Thread(target=answer_in_drops)
    thread.start()
    Turns(iter(range(4)), work(pairs, done), 4).run(lambda: None)
    thread.join()
    assert done[0] == 0
    assert sorted(done) == list(range(4))


@pytest.mark.parametrize("most", [2, 1, 0])
def test_all_items_are_processed_by_as_many_threads_as_the_system_allows(
    most: int, paired: Callable[..., Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Containers and memory limit them; without any new thread, the calling one does all the work."""
    pairs, done, looked, begun = [paired() for _ in range(4)], list[int](), list[int](), list[None]()
    start = threading.Thread.start

    def limited(thread: threading.Thread) -> None:
        if len(begun) >= most:
            raise RuntimeError("can't start new thread")
        begun.append(None)
        start(thread)

    for each in pairs:
        each.theirs.send(b".")
    monkeypatch.setattr(threading.Thread, "start", limited)
    Turns(iter(range(4)), work(pairs, done), 4).run(lambda: None)
    begun.clear()
    for_each_concurrently(iter(range(4)), looked.append, 4)
    assert sorted(done) == sorted(looked) == list(range(4))


@pytest.mark.parametrize("concurrency", [1, 3])
def test_an_error_ends_all_threads(concurrency: int, paired: Callable[..., Pair]) -> None:
    """``stop`` wakes the waiting ones; nothing new begins."""
    pairs, done = [paired() for _ in range(20)], list[int]()
    for each in pairs[:3]:
        each.theirs.send(b".")

    def stop() -> None:
        for each in pairs:
            each.theirs.send(b".")

    def then(number: int) -> None:
        if number == 2:
            raise ValueError("full")

    with pytest.raises(ValueError, match="full"):
        Turns(iter(range(20)), work(pairs, done, then), concurrency).run(stop)
    assert len(done) < 2 * concurrency + 2


def test_steps_run_at_once_where_nothing_waits(paired: Callable[..., Pair]) -> None:
    """Their return value is the result."""

    def steps() -> Steps[int]:
        yield paired()
        return 3

    assert at_once(steps()) == 3
