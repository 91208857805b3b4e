"""The start of the program."""

from __future__ import annotations

import builtins
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from dev.checkout import REPOSITORY
from presign_siblings import __main__
from presign_siblings.errors import STOPPED

if TYPE_CHECKING:
    from pathlib import Path


def test_ctrl_c_while_the_command_line_loads_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the exit code of the signal, as a moment later."""
    importing: Any = builtins.__import__

    def interrupted(name: str, *more: Any) -> Any:
        if name == "presign_siblings.cli.main":
            raise KeyboardInterrupt
        return importing(name, *more)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == STOPPED


def test_hardly_anything_loads_before_ctrl_c_is_handled() -> None:
    """The typing module alone took most of the time in which Ctrl-C printed a traceback."""
    program = "import sys; from presign_siblings.__main__ import main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
    )
    assert not {"typing", "re", "click"} & set(done.stdout.split())


@pytest.mark.parametrize("name", ["processor.py", "processor/__init__.py"])
def test_a_module_that_shadows_the_processor_is_named(tmp_path: Path, name: str) -> None:
    """A project with sosw may have a ``processor``: Python would only report that it lacks an unknown module."""
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("from presign_siblings import run_job")
    command, environment = [sys.executable, "-c", "import processor"], os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
    *_, last = done.stderr.splitlines()
    assert f"another module hides, {tmp_path / name}: rename" in last
    assert "environment of its own (pipx)" in last
