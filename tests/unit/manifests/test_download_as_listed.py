"""A file that its line proves to be the object is kept without a request to the store."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import pytest

from presign_siblings.manifests.download import Download
from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.requests import FetchError
from presign_siblings.manifests.safe_folder import Folder
from tests.manifest_lines import url

if TYPE_CHECKING:
    from pathlib import Path

BODY = b"%PDF-1.7"
MD5 = hashlib.md5(BODY, usedforsecurity=False).hexdigest()


class Silent:
    """A store that refuses every request, and counts them."""

    asked, is_stopped = 0, False

    def stop(self) -> None:
        """Nothing is under way."""

    def read_facts(self, _: str) -> Any:
        self.asked += 1
        raise FetchError("refused", code="AccessDenied", passing=False)

    getting = read_facts


@pytest.mark.parametrize(
    ("entry", "asked"),
    [
        (Entry("a.pdf", url("a.pdf"), size=8, etag=MD5), 0),
        (Entry("a.pdf", url("a.pdf"), size=9, etag=MD5), 1),
        (Entry("a.pdf", url("a.pdf"), size=8, etag="0" * 32), 1),
        (Entry("a.pdf", url("a.pdf"), size=8, etag=f"{MD5}-2"), 1),
        (Entry("a.pdf", url("a.pdf"), size=8), 1),
        (Entry("a.pdf", url("a.pdf"), etag=MD5), 1),
    ],
    ids=["proven", "another size", "another ETag", "an ETag of parts", "size alone", "ETag alone"],
)
def test_the_store_is_asked_unless_size_and_etag_prove_the_file(tmp_path: Path, entry: Entry, asked: int) -> None:
    """Size alone proves nothing: another object may have the same."""
    (tmp_path / "a.pdf").write_bytes(BODY)
    store: Any = Silent()
    with Folder(tmp_path) as folder:
        done = Download(folder, store).run(iter([entry]), 1)
    assert (store.asked, done.kept, done.failed) == (asked, 1 - asked, asked)
    assert (tmp_path / "a.pdf").read_bytes() == BODY
