"""How a command ends that waits for a job."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from presign_siblings.cli import console
from presign_siblings.cli.invoke import finish
from presign_siblings.remote import start
from presign_siblings.remote.start import Started
from tests.conftest import NOW
from tests.deployed import DEPLOYED

if TYPE_CHECKING:
    from presign_siblings.remote.logs import Tail


@pytest.mark.parametrize(("count", "allow_empty", "code"), [(0, False, 3), (0, True, 0), (5, False, 0)])
def test_a_manifest_without_a_key_ends_otherwise(
    count: int, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, allow_empty: bool
) -> None:
    """A script that waits sees it, and the function's own sentence."""
    line: dict[str, Any] = {"event": "complete", "job_id": "j", "count": count, "warning": "empty_manifest: no key"}
    monkeypatch.setattr(start, "follow", lambda *_: iter([line]))
    options = {"follow": False, "url": False, "timeout": None, "allow_empty": allow_empty}
    with pytest.raises(SystemExit) as left:
        finish(console._consoles(as_json=True), DEPLOYED, Started("r", "k", NOW), cast("Tail", object()), options)
    assert left.value.code == code
    assert "no key" in capsys.readouterr().err
