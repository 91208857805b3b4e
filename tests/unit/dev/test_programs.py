"""The programs of ``make run`` and ``make tester``."""

from __future__ import annotations

import sys
from importlib import import_module

import pytest

from dev import __main__ as programs


@pytest.mark.parametrize("name", programs.PROGRAMS)
@pytest.mark.parametrize("moment", ["while it loads", "while it runs"])
def test_ctrl_c_is_reported_in_one_sentence(
    name: str, moment: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Within the first half second it was a traceback from an import."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["dev", name])
    program = import_module(programs.PROGRAMS[name])
    if moment == "while it loads":
        monkeypatch.setattr("importlib.import_module", interrupted)
    else:
        monkeypatch.setattr(program, "main", interrupted)
    assert programs.main() == 130
    assert capsys.readouterr().out == "stopped; nothing is left running\n"
