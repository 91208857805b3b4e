"""The readers' benchmarks: a stub that lists from any place, and listers with the same work."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from benchmarks import curve, launch, virtual
from benchmarks.bench import QUICK, Bench
from benchmarks.bucket_shapes import SHAPES
from benchmarks.dataset import BUCKET, count_of, key_at, prefix_of
from benchmarks.keysets import EVEN, SKEWED
from benchmarks.results import Row, Sample

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.no_cover  # complete jobs of a benchmark

COUNT = 2_300


@pytest.mark.parametrize("keys", ["set", "huge_among_small", "unicode_names"])
@pytest.mark.parametrize("page_size", [1000, 7])
def test_stub__lists_from_any_place(server: launch.Server, keys: str, page_size: int) -> None:
    """After an existing or a missing key, across the folders' borders, the entries are those of a whole listing."""
    s3: Any = boto3.client(
        "s3", endpoint_url=server.endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    prefix = prefix_of(COUNT, keys)
    count = count_of(prefix)
    found = [key_at(prefix, index) for index in range(count)]
    assert found == sorted(found)
    for place in (0, 6, 999, 1000, 1234, count - 3):
        for after in (found[place], found[place] + "\t"):
            page = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix, StartAfter=after, MaxKeys=page_size)
            wanted = found[place + 1 : place + 1 + page_size]
            assert [entry["Key"] for entry in page["Contents"]] == wanted
            assert page["IsTruncated"] == (place + 1 + page_size < count)


@pytest.mark.parametrize(("lister", "concurrency"), [("ours", 1), ("ours", 16), ("obstore_list", 1)])
def test_lister__lists_every_key(server: launch.Server, lister: str, concurrency: int) -> None:
    """Our own also reports its requests; some of the last may still have been queued at the end."""
    work = replace(Bench(server, QUICK).work(COUNT, concurrency=concurrency), keys="huge_among_small")
    server.reset()
    report = launch.run_child(f"benchmarks.listers.{lister}", work)
    assert report["signed"] == count_of(work.prefix)
    if lister == "ours":
        assert 0 <= report["requests"] - server.report()["lists"] < concurrency


def test_curve__draws_every_line(tmp_path: Path) -> None:
    """The chart names each contestant and its last rate."""
    rates = {"1": 2000, "2": 4000, "16": 40_000, "64": 900_000, "obstore.list": 3000}
    samples = {name: Sample(keys=rate, seconds=1, cpu_seconds=1, peak_bytes=1) for name, rate in rates.items()}
    curve.draw([Row("curve", name, 1000, [sample]) for name, sample in samples.items()], tmp_path / "readers.svg")
    text = (tmp_path / "readers.svg").read_text(encoding="utf-8")
    for label in ("ours, 900,000/s", "obstore.list, 3,000/s", "plain chain, 2,000/s"):
        assert label in text


def test_model__lists_every_key_of_every_shape() -> None:
    """And reports the distance from its bound; with a key map the next run is no slower and no dearer."""
    for name, make in (EVEN | SKEWED | SHAPES).items():
        keys = make(20_000)
        first, key_map = virtual.run(keys, 16)
        mapped, _ = virtual.run(keys, 16, key_map)
        assert 1 <= first.times <= first.bound, name
        assert mapped.times >= first.times, name
        assert mapped.requests <= first.requests, name


@pytest.mark.parametrize("name", ["hashes", "deep_tree", "pareto_invoices"])
def test_model__with_a_key_map_hardly_a_request_is_in_vain(name: str) -> None:
    """Ranges are cut at the ends of whole pages: two pages more than one chain reads, and no long wait."""
    keys = (EVEN | SKEWED | SHAPES)[name](100_000)
    _, key_map = virtual.run(keys, 16)
    mapped, _ = virtual.run(keys, 16, key_map)
    assert mapped.requests <= mapped.pages + 2
    assert mapped.times >= 0.6 * mapped.bound


@pytest.mark.parametrize(("name", "count", "times"), [("mixture", 200_000, 7.0), ("human_scans", 300_000, 8.5)])
def test_model__guesses_pay_with_many_keys_ahead(name: str, count: int, times: float) -> None:
    """A few folders have most of the keys: readers that wait for certainty are 5.9 and 7.5 times as fast as a chain."""
    found, _ = virtual.run(SHAPES[name](count), 16)
    assert found.times >= times


def test_model__folders_of_all_sizes_keep_many_readers_busy() -> None:
    """One tenant has an eighth of all invoices, most have few: 64 readers were 20 times as fast as one chain."""
    found, _ = virtual.run(SHAPES["pareto_invoices"](1_000_000), 64)
    assert found.times >= 25
    assert found.cost <= 1.5


def test_model__waiting_readers_keep_guessing() -> None:
    """
    Each image's name repeats its study's, so early guesses end within a study, and use up the allowed losses.

    Then single requests listed the rest one by one: 64 readers were 3.4 times as fast as one chain.
    """
    rng, keys = random.Random(6), set[str]()
    while len(keys) < 300_000:
        numbers = (rng.randrange(1, 400), rng.randrange(1, 10**6), rng.randrange(1, 30), rng.randrange(10**8))
        study = f"1.2.840.113619.2.{'.'.join(map(str, numbers))}.{rng.randrange(1, 1000)}"
        for series in range(rng.randrange(1, 6)):
            image = f"dicom/{study}/{study}.{series}/{study}.{series}"
            keys |= {f"{image}.{number}.dcm" for number in range(int(10 * rng.paretovariate(1.1)) % 900 + 1)}
    found, _ = virtual.run(sorted(keys), 64)
    assert found.times >= 5


@pytest.mark.parametrize("name", ["geometric", "satellite_days"])
@pytest.mark.parametrize("prefix", ["", "archive/of/the/house/"], ids=["everything listed", "head as prefix"])
def test_model__a_common_head_of_all_keys_changes_nothing(name: str, prefix: str) -> None:
    """As the prefix or not: numbers that thin out were listed 11.1 times as fast without it, and 6.9 with it."""
    keys = (SKEWED | SHAPES)[name](200_000)
    headed, _ = virtual.run([f"archive/of/the/house/{key}" for key in keys], 16, prefix=prefix)
    assert headed.rounds <= 1.1 * virtual.run(keys, 16)[0].rounds
