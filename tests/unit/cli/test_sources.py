"""Sources of keys as options: several prefixes, a list of keys in S3 or in a file, an access point."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from presign_siblings.cli.job_options import asked, field_options
from presign_siblings.manifests.location import S3Place
from processor.errors import InvalidEventError
from tests.builders import job_of

ARN = "arn:aws:s3:eu-west-1:123456789012:accesspoint/readers"


def given(*arguments: str) -> dict[str, object]:
    """Return the event's fields that the given options set beside a bucket."""

    @click.command()
    @field_options
    def command(**options: object) -> dict[str, object]:
        return asked("s3://reports", options)

    fields: dict[str, object] = command(list(arguments), standalone_mode=False)
    return fields


def test_prefixes_and_lists_of_keys_replace_the_prefix(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path is a file of this machine, which a deployed function refuses."""
    monkeypatch.chdir("/")
    assert given("--prefixes", "a/", "--prefixes", "b/") == {"bucket": "reports", "prefixes": ("a/", "b/")}
    assert given("--keys-from", "s3://lists/today.csv") == {"bucket": "reports", "keys_from": "s3://lists/today.csv"}
    fields = given("--keys-from", "keys.txt")
    assert fields == {"bucket": "reports", "keys_from": f"file://{Path('/keys.txt').resolve()}"}
    with pytest.raises(InvalidEventError, match="s3://bucket/key"):
        job_of(keys_from=fields["keys_from"])


@pytest.mark.parametrize(
    ("written", "bucket", "key"),
    [
        (f"s3://{ARN}", ARN, ""),
        (f"s3://{ARN}/", ARN, ""),
        (f"s3://{ARN}/2026/may.pdf", ARN, "2026/may.pdf"),
        ("s3://readers-abc123-s3alias/2026/", "readers-abc123-s3alias", "2026/"),
    ],
)
def test_an_access_point_may_replace_the_bucket(written: str, bucket: str, key: str) -> None:
    """Its ARN has a slash; its alias is an ordinary name."""
    assert S3Place.parse(written) == S3Place(bucket, key)


@pytest.mark.parametrize("bucket", [ARN, "readers-abc123-s3alias"])
def test_the_bucket_of_the_manifests_may_be_behind_an_access_point(bucket: str) -> None:
    """So keys under their prefix are never listed there."""
    with pytest.raises(InvalidEventError, match="where manifests are"):
        job_of(bucket=bucket, manifest_bucket="reports", prefix="manifests/")
