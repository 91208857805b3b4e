"""Whole jobs on stores other than AWS, from the listing to the last line and the last byte."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.corpus import AWKWARD_KEYS
from tests.e2e import stores

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.e2e.stores import Store

pytestmark = pytest.mark.e2e

BUCKET, PREFIX = "data", "in/"
MANY = 2000
# Three folders of eighty characters, three bytes each, and two headers of 255 commas: 5.6 KB a line.
LONG = ("\u5831" * 80 + "/") * 3
HEADERS = ("--cache-control", "," * 255, "--content-type", "," * 255)


def is_kept(key: str) -> bool:
    """Whether stores on a file system keep a key unchanged: they refuse or clean others."""
    segments = key.split("/")
    return "\\" not in key and not {"", ".", ".."} & set(segments) and max(len(s.encode()) for s in segments) < 250


def keys() -> list[str]:
    """Return the keys of the job, in S3's order."""
    many = [f"{PREFIX}{LONG}{number:06}.pdf" for number in range(MANY)]
    return sorted([PREFIX + key for key in AWKWARD_KEYS if is_kept(key)] + many)


def make_many(data: Path) -> None:
    """Create the many files of the job in a folder of buckets."""
    folder = data / BUCKET / PREFIX / LONG
    folder.mkdir(parents=True)
    for number in range(MANY):
        path = folder / f"{number:06}.pdf"
        path.write_bytes(path.relative_to(data / BUCKET).as_posix().encode())


def fill(store: Store, names: Sequence[str]) -> Filled:
    """Put a small object under each key, several at once."""
    client = store.client()
    with suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
        client.create_bucket(Bucket=BUCKET)

    def put(key: str) -> None:
        client.put_object(Bucket=BUCKET, Key=key, Body=key.encode())

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(put, names))
    return Filled(store, keys())


class Filled(NamedTuple):
    """A store and its keys."""

    store: Store
    keys: list[str]


@pytest.fixture(scope="session")
def on_rclone() -> Iterator[Filled]:
    """Run ``rclone serve s3``."""
    with stores.rclone(make_many) as store:
        yield fill(store, [key for key in keys() if not key.startswith(PREFIX + LONG)])


@pytest.fixture(scope="session")
def on_seaweedfs() -> Iterator[Filled]:
    """Run SeaweedFS."""
    with stores.seaweedfs() as store:
        yield fill(store, keys())


@pytest.fixture(params=["on_rclone", "on_seaweedfs"])
def filled(request: pytest.FixtureRequest) -> Filled:
    """Return each store in turn."""
    store: Filled = request.getfixturevalue(request.param)
    return store


def desk(store: Store, folder: Path, *arguments: str) -> tuple[int, Any]:
    """Call the command line in a process of its own; return its exit code and its result."""
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(stores.REPOSITORY),
        "AWS_ACCESS_KEY_ID": stores.ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": stores.SECRET_KEY,
        "AWS_REGION": stores.REGION,
        "AWS_ENDPOINT_URL_S3": store.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    command = [sys.executable, "-m", "presign_siblings", *arguments, "--json"]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert "X-Amz" not in done.stdout + done.stderr
    lines = (done.stdout if done.returncode == 0 else done.stdout + done.stderr).splitlines()
    return done.returncode, json.loads(lines[-1]) if lines else done.stderr


def run(filled: Filled, folder: Path, *options: str) -> dict[str, Any]:
    """Run a job into a place of its own in the store; return its answer."""
    target = f"s3://{BUCKET}/manifests/{folder.name}/"
    code, answer = desk(
        filled.store, folder, "run", f"s3://{BUCKET}/{PREFIX}", "--suffix", "", "--to", target, *options
    )
    assert code == 0, answer
    assert isinstance(answer, dict)
    return answer


def lines(filled: Filled, place: str) -> list[dict[str, str]]:
    """Return the manifest's lines, read by a client that is not the product's."""
    key = place.removeprefix(f"s3://{BUCKET}/")
    body = filled.store.client().get_object(Bucket=BUCKET, Key=key)["Body"].read()
    text = gzip.decompress(body) if key.endswith(".gz") else body
    return [json.loads(line) for line in text.splitlines()]


def test_a_job_of_several_parts_is_whole(filled: Filled, tmp_path: Path) -> None:
    """Each key once, in order, up to the last line; each link gives its object's bytes; HEAD shows the size."""
    answer = run(filled, tmp_path, *HEADERS)
    assert [line["key"] for line in lines(filled, answer["manifest"])] == filled.keys
    head = filled.store.client().head_object(Bucket=BUCKET, Key=answer["manifest"].removeprefix(f"s3://{BUCKET}/"))
    assert head["ContentLength"] > 10 << 20, "fewer than three parts"
    code, report = desk(filled.store, tmp_path, "verify", answer["manifest"], "--all")
    assert code == 0, report
    assert (report["count"], report["fetched"]) == (len(filled.keys), len(filled.keys))


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_a_job_of_many_hops_is_whole(filled: Filled, tmp_path: Path, compression: str) -> None:
    """Checkpoints and pieces work, and are put together, as on AWS."""
    many = ("--page-size", "100", "--checkpoint-seconds", "0.1", "--compression", compression)
    answer = run(filled, tmp_path, *many)
    assert answer["hops"] > 1
    assert [line["key"] for line in lines(filled, answer["manifest"])] == filled.keys


@pytest.mark.parametrize("options", [(), ("--page-size", "37"), ("--processes", "2")], ids=" ".join)
def test_folders_are_listed_whole(on_seaweedfs: Filled, tmp_path: Path, options: tuple[str, ...]) -> None:
    """After a folder's name without its slash, which is no key, SeaweedFS leaves out the folder's files."""
    months = [f"months/{month:02}/{number:03}.pdf" for month in range(1, 13) for number in range(100)]
    fill(on_seaweedfs.store, months)
    code, answer = desk(on_seaweedfs.store, tmp_path, "run", f"s3://{BUCKET}/months/", "--to", "months.jsonl", *options)
    assert code == 0, answer
    assert [json.loads(line)["key"] for line in (tmp_path / "months.jsonl").read_text().splitlines()] == months


def test_the_objects_are_downloaded(filled: Filled, tmp_path: Path) -> None:
    """By their links alone; a second call fetches nothing."""
    answer = run(filled, tmp_path)
    for fetched in (len(filled.keys), 0):
        code, done = desk(filled.store, tmp_path, "download", answer["manifest"], "files")
        assert (code, done["failed"], done["fetched"]) == (0, 0, fetched), done
    bodies = sorted(path.read_bytes() for path in (tmp_path / "files").rglob("*") if path.is_file())
    assert bodies == sorted(key.encode() for key in filled.keys)
