"""URLs taken apart are the URLs that they make when they are put together."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from processor.urls import Urls

PART = st.text("ab/?&", max_size=4)


@given(data=st.data(), count=st.integers(0, 4), places=st.integers(1, 4))
def test_each_url_is_its_shared_and_its_own_texts_in_turn(data: st.DataObject, count: int, places: int) -> None:
    """One by one or all at once; none is longer than is said."""
    shared = data.draw(st.lists(PART, min_size=places, max_size=places))
    own = data.draw(st.lists(st.lists(PART, min_size=count, max_size=count), min_size=places, max_size=places))
    urls = Urls(shared, own)
    expected = [
        "".join(text + column[number] for text, column in zip(shared, own, strict=True)) for number in range(count)
    ]
    assert list(urls) == [urls[number] for number in range(len(urls))] == expected
    longest = max(map(len, expected), default=0)
    assert all(urls.may_exceed(length) for length in range(longest))
    assert not Urls(shared, own, longest).may_exceed(longest)


def test_whole_urls_share_nothing() -> None:
    """As botocore makes them."""
    assert list(Urls.of(["https://s3/a", "https://s3/b"])) == ["https://s3/a", "https://s3/b"]
