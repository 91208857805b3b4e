"""Checks over all lines of a manifest together."""

from __future__ import annotations

import random
from datetime import UTC, datetime

from presign_siblings.manifests.line_checks import Reading
from tests.manifest_lines import QUERY, line, url

NOW = datetime(2026, 4, 1, 6, 31, tzinfo=UTC)


def checked(*lines: bytes) -> dict[str, str]:
    """Read lines; return the result of each check."""
    reading = Reading(0, random.Random(0))
    for each in lines:
        reading.read(each)
    return {check.name: f"{check.passed}: {check.seen}" for check in reading.checks(NOW)}


def test_a_url_of_another_bucket_than_the_first_is_found() -> None:
    """Each is signed, and for its key: two manifests were joined, or one was tampered with."""
    lines = [line(key, url(f"{bucket}/{key}")) for key, bucket in (("a", "reports"), ("b", "others"), ("c", "reports"))]
    assert checked(*lines)["every URL is signed, and for its key"] == "False: 1 wrong: line 2"


def test_a_manifest_lives_as_long_as_its_first_url_to_expire() -> None:
    """At any place: a refreshed manifest may end with the oldest."""
    late, early = QUERY.replace("Expires=900", "Expires=9000"), QUERY
    for order in ((early, late, late), (late, early, late), (late, late, early)):
        lines = [line(str(at), url(str(at), query=query)) for at, query in enumerate(order)]
        seen = checked(*lines)["every URL is still alive"]
        assert seen == "True: 14 min 15 s left: the first dies at 2026-04-01T06:45:15Z"


def test_a_repeated_key_is_found_anywhere() -> None:
    """In a manifest of a list of keys, the two need not be adjacent."""
    for keys, result in (
        ("aba", "False: 1 key comes twice, 1 line goes back: not in S3's order"),
        ("aab", "False: 1 key comes twice, in S3's order"),
        ("ba", "True: 1 line goes back: not in S3's order"),
        ("ab", "True: in S3's order"),
    ):
        assert checked(*map(line, keys))["every key once"] == result
