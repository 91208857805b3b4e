"""The seed's handler beside the chain is packaged completely, and counted by its spool file."""

from __future__ import annotations

import shutil
import subprocess
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ConnectionClosedError

from dev.checkout import REPOSITORY
from dev.tester import baseline
from dev.tester.baseline import OneShot

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_its_package_has_every_module_that_it_imports(tmp_path: Path) -> None:
    """A module that is split off must not be missing: the handler would fail for that, and not for its timeout."""
    for path in baseline.sources():
        copy = tmp_path / path.relative_to(REPOSITORY)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    code = "from benchmarks.peers import seed; print(seed.__file__, callable(seed.handler))"
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.stderr, ran.stdout.split()) == ("", [str(tmp_path / "benchmarks/peers/seed.py"), "True"])


def test_its_keys_are_the_lines_of_its_spool_file(tmp_path: Path) -> None:
    """An earlier run's file, left by a killed Lambda, is not counted."""
    (tmp_path / "former.jsonl").write_text("{}\n" * 9)
    services: Any = SimpleNamespace(emulator=SimpleNamespace(root=tmp_path))
    run = OneShot(services, {}, 3, state="running", _before=frozenset(tmp_path.iterdir()))
    run.sample(1.0)
    assert (run.began, run.count) == (None, 0)
    spool = tmp_path / "spool.jsonl"
    spool.write_text("{}\n{}\n{half")
    run.sample(2.0)
    assert (run.began, run.count) == (2.0, 2)
    with spool.open("a") as more:
        more.write(" a line}\n")
    run.sample(3.0)
    spool.unlink()
    run.sample(4.0)
    assert run.points == [(2.0, 2), (3.0, 3)]


def test_a_broken_invocation_ends_the_run_without_a_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C ends the emulator first; and a run without an end would never be over."""

    def gone(**_: Any) -> None:
        raise ConnectionClosedError(endpoint_url="http://127.0.0.1:9/")

    functions = SimpleNamespace(update_function_configuration=lambda **_: None, invoke=gone)
    monkeypatch.setattr("dev.tester.baseline.boto3.client", lambda *_, **__: functions)
    services: Any = SimpleNamespace(emulator=SimpleNamespace(root=tmp_path, options={}))
    run = OneShot(services, {}, 3)
    run.run()
    assert (run.state, run.message) == ("died", "its invocation broke off")
    assert run.ended is not None
