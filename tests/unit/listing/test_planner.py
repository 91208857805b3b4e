"""Many readers of one listing: every key once and in order, whatever they guess, at a bounded cost."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.keysets import EVEN, SKEWED
from processor.listing import RequestPlanner
from processor.listing.plan.listed_range import DisagreementError
from tests.listing_model import answer, listing

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

PAGES = 100
LETTERS = "ab0/\x7f\xff\ud7ff\ue000\U0010ffff"
KEYS = st.sets(
    st.text(LETTERS, min_size=1, max_size=6)
    | st.from_regex(r"\A[0-9]{1,5}\Z")
    | st.from_regex(r"\Ak/[0-9a-f]{3}\Z")
    | st.from_regex(r"\A2026/0[1-9]/[0-3][0-9]/[ab]\Z"),
    max_size=400,
)


@settings(max_examples=400)
@given(
    keys=KEYS,
    readers=st.integers(1, 20),
    page_size=st.integers(1, 40),
    window=st.integers(1, 400),
    start=st.sampled_from(["", "a", "k/7", "\U0010ffff\U0010ffff"]),
    seed=st.integers(0, 2**16),
)
def test_every_key_comes_once_and_in_order(
    keys: set[str], readers: int, page_size: int, window: int, start: str, seed: int
) -> None:
    """However the keys lie and however late answers come; one reader asks as often as the plain chain."""
    wanted = sorted(key for key in keys if key > start)
    listed = listing(sorted(keys), readers=readers, page_size=page_size, window=window, start=start, seed=seed)
    assert listed.keys == wanted
    plain = max(1, -(-len(wanted) // page_size))
    assert listed.requests <= (plain if readers == 1 else 2 * plain + 2)
    assert listed.held <= max(window, page_size)


@settings(max_examples=200)
@given(lasting=KEYS, passing=KEYS, readers=st.integers(2, 16), page_size=st.integers(2, 20), seed=st.integers(0, 2**16))
def test_what_exists_throughout_comes_once_while_the_bucket_changes(
    lasting: set[str], passing: set[str], readers: int, page_size: int, seed: int
) -> None:
    """Keys that come and go between the requests may or may not be there; nothing else is touched by them."""
    rng = random.Random(seed)
    passing -= lasting
    bucket = set(lasting)

    def serve(after: str, size: int) -> tuple[list[str], bool]:
        for key in rng.sample(sorted(passing), min(len(passing), 2)):
            bucket.symmetric_difference_update({key})
        return answer(sorted(bucket), after, size)

    try:
        listed = listing([], readers=readers, page_size=page_size, seed=seed, serve=serve)
    except DisagreementError:
        return  # the plain chain continues from the front; tests/unit/listing/test_parallel.py
    assert [key for key in listed.keys if key in lasting] == sorted(lasting)
    assert listed.keys == sorted(set(listed.keys))


@pytest.mark.parametrize("name", EVEN)
def test_even_keys_cost_at_most_half_as_much_again(name: str) -> None:
    """Requests cost money; 16 readers are then more than 6 times as fast, in a listing this short."""
    keys = EVEN[name](PAGES * 1000)
    listed = listing(keys, readers=16)
    assert listed.keys == keys
    assert listed.requests <= 1.5 * PAGES
    assert listed.rounds <= PAGES / 6


@pytest.mark.parametrize("name", SKEWED)
@pytest.mark.parametrize("readers", [4, 16, 64])
def test_keys_that_mislead_cost_at_most_twice_as_much(name: str, readers: int) -> None:
    """Whatever is guessed wrong; it is half as fast again all the same, even in a listing this short."""
    keys = SKEWED[name](PAGES * 1000)
    plain = -(-len(keys) // 1000)
    listed = listing(keys, readers=readers)
    assert listed.keys == keys
    assert listed.requests <= 2 * plain
    assert listed.rounds <= plain / 1.5


def test_a_folder_that_outlasts_all_others_is_read_from_many_places() -> None:
    """Each of its pages is thought to be its last; if that were believed, most of them would come one by one."""
    rng, keys = random.Random(3), list[str]()
    for folder in range(120):
        keys += [
            f"{folder:03d}/f{n:05d}.pdf" for n in range(60_000 if folder == 60 else rng.choice([40, 90, 160, 700]))
        ]
    runs = [listing(keys, readers=16, window=100_000, seed=seed) for seed in (1, 2, 3)]
    plain = -(-len(keys) // 1000)
    assert all(run.keys == keys and run.requests <= 2 * plain for run in runs)
    assert sum(run.rounds for run in runs) <= 0.65 * 3 * plain


def test_a_short_listing_costs_at_most_two_requests_more() -> None:
    """Most prefixes are small; nobody pays for readers that had nothing to do."""
    for pages in range(1, 10):
        keys = EVEN["numbered"](pages * 10)
        assert listing(keys, readers=64, page_size=10).requests <= 1.5 * pages + 2


def test_guesses_never_leave_the_prefix_nor_pass_the_end_of_the_job() -> None:
    """They are valid keys of this listing: under the prefix, before ``end_at``, of characters that keys have."""
    keys = [f"in/{n:05d}" for n in range(3000)] + [f"out/{n}" for n in range(50)]
    ranges, asked = RequestPlanner("in/", "", 10, 1000, "in/01500"), list[str]()
    while ranges.front < "in/01500":
        while (after := ranges.next_request(16, 0)) is not None:
            asked.append(after)
            page, truncated = answer([key for key in keys if key.startswith("in/")], after, 10)
            ranges.arrived(after, page, truncated=truncated)
        while ranges.take() is not None:
            pass
    assert all(after.startswith("in/") and after.isascii() for after in asked[1:])
    assert max(asked) < "in/01520", "only keys that were listed lie beyond the end"
    assert any(after not in keys for after in asked)


def _skips(keys: Sequence[str], after: str, size: int) -> tuple[list[str], bool]:
    """Skip keys when the key to start after is none of an object."""
    page, more = answer(keys, after, size)
    return (page, more) if not after or after in keys else answer(keys, page[min(5, len(page) - 1)], size)


def _begins_anew(keys: Sequence[str], after: str, size: int) -> tuple[list[str], bool]:
    """Begin at the beginning when the key to start after is none of an object."""
    return answer(keys, after if after in keys else "", size)


def _ends(keys: Sequence[str], after: str, size: int) -> tuple[list[str], bool]:
    """Give nothing when the key to start after is none of an object."""
    return answer(keys, after, size) if not after or after in keys else ([], False)


def _goes_on_without_a_key(keys: Sequence[str], after: str, size: int) -> tuple[list[str], bool]:
    """Promise more, and give no key."""
    return answer(keys, after, size) if not after or after in keys else ([], True)


@pytest.mark.parametrize("deviant", [_skips, _begins_anew, _ends, _goes_on_without_a_key])
def test_a_server_that_starts_elsewhere_is_found_out(
    deviant: Callable[[Sequence[str], str, int], tuple[list[str], bool]],
) -> None:
    """Two pages that overlap must tell the same; no key is taken on the word of one that does not."""
    keys = EVEN["hashes"](3000)
    ranges, taken = RequestPlanner("", "", 20, 2000), list[str]()

    def drain() -> None:
        while not ranges.ended:
            asked = []
            while (after := ranges.next_request(8, 0)) is not None:
                asked.append(after)
            for after in asked:
                page, truncated = deviant(keys, after, 20)
                ranges.arrived(after, page, truncated=truncated)
            while (more := ranges.take()) is not None:
                taken.extend(more[0])

    with pytest.raises(DisagreementError):
        drain()
    assert taken == keys[: len(taken)]
    assert ranges.front in {"", *taken}


def test_the_end_is_believed_only_behind_the_last_key() -> None:
    """A guess beyond the last key that S3 gave says that nothing follows; what follows the last key is asked for."""
    ranges = RequestPlanner("", "", 2, 100)
    assert ranges.next_request(2, 0) == ""
    ranges.arrived("", ["a", "c"], truncated=True)
    assert ranges.take() == (["a", "c"], False)
    assert ranges.next_request(2, 0) == "c"
    ranges.arrived("c", ["d", "e"], truncated=True)
    assert ranges.take() == (["d", "e"], False)
    assert ranges.next_request(1, 0) == "e"
    ranges.arrived("e", [], truncated=False)
    assert ranges.take() == ([], True)
    assert ranges.ended
    assert ranges.next_request(2, 0) is None


def test_a_failed_request_is_asked_for_again() -> None:
    """By the one that the order then waits for."""
    ranges = RequestPlanner("", "", 10, 1000)
    assert ranges.next_request(4, 0) == ""
    ranges.failed("")
    assert ranges.next_request(4, 0) == ""
