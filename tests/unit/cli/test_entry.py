"""The program's first moments."""

from __future__ import annotations

import builtins
from typing import Any

import pytest

from presign_siblings import __main__
from presign_siblings.errors import STOPPED


def test_ctrl_c_while_the_command_line_loads_ends_without_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does a moment later: with the exit code of the signal."""
    importing: Any = builtins.__import__

    def interrupted(name: str, *more: Any) -> Any:
        if name == "presign_siblings.cli.main":
            raise KeyboardInterrupt
        return importing(name, *more)

    monkeypatch.setattr(builtins, "__import__", interrupted)
    with pytest.raises(SystemExit) as ended:
        __main__.main()
    assert ended.value.code == STOPPED
