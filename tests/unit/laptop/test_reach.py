"""The settings with which a run reaches its buckets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presign_siblings.laptop.reach import deployment
from presign_siblings.manifests.location import S3Place

if TYPE_CHECKING:
    import pytest


def test_each_bucket_of_a_run_has_the_owner_that_its_variable_names(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the function: somebody else's PDFs are listed, and the manifest lies in a bucket of one's own."""
    monkeypatch.setenv("EXPECTED_BUCKET_OWNER", "111111111111")
    monkeypatch.setenv("MANIFEST_BUCKET_OWNER", "222222222222")
    settings = deployment(None, S3Place("ours", "links/"))
    assert (settings.bucket_owner, settings.manifest_bucket_owner) == ("111111111111", "222222222222")
    assert (settings.manifest_bucket, settings.manifest_prefix) == ("ours", "links/")
