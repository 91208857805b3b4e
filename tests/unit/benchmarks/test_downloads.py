"""The downloads compare like with like: each contestant brings every byte from a server that gives ranges too."""

from __future__ import annotations

import urllib.request

import pytest

from benchmarks.bench import QUICK
from benchmarks.objects import BUCKET, content, key_of
from benchmarks.scenarios import download

pytestmark = pytest.mark.no_cover  # other programs, started as a person starts them


def test_every_contestant_brings_every_file() -> None:
    """Or it is not measured at all; the server gives a range as S3 does."""
    (count, size), _ = QUICK.downloads
    with download._serving(count, size) as case:
        case.write()
        for command in case.commands().values():
            assert case.run(command).keys == count
        with pytest.raises(download.WrongFilesError, match="0 files"):
            case.run(["true"])
        asked = urllib.request.Request(f"{case.endpoint}/{BUCKET}/{key_of(3)}", headers={"Range": "bytes=5-9"})
        with urllib.request.urlopen(asked) as answer:
            assert (answer.status, answer.read()) == (206, content(3, size)[5:10])
