"""The programs of ``make run`` and ``make tester``."""

from __future__ import annotations

import os
import signal
import sys
import time
from importlib import import_module

import pytest

from dev import __main__ as programs
from dev import own_settings
from dev.aws.ministack import EmulatorError


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


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_a_termination_ends_a_program_as_ctrl_c_does(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it has started is ended too; the exit code is the signal's, as shells have it."""

    def terminated() -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)

    monkeypatch.setattr(sys, "argv", ["dev", name])
    monkeypatch.setattr(import_module(programs.PROGRAMS[name]), "main", terminated)
    assert programs.main() == 143
    assert capsys.readouterr().out == "stopped; nothing is left running\n"


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_an_expected_error_is_printed_in_one_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The emulator's among them, such as the advice to install it."""

    def refused() -> None:
        raise EmulatorError("no emulator [here]")

    monkeypatch.setattr(sys, "argv", ["dev", name])
    monkeypatch.setattr(import_module(programs.PROGRAMS[name]), "main", refused)
    assert programs.main() == 1
    assert capsys.readouterr().err == "failed: no emulator [here]\n"


@pytest.mark.parametrize("given", ["no_proxy", "NO_PROXY", None])
def test_an_account_and_proxies_of_the_machine_do_not_reach_the_programs(
    given: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """AWS_PROFILE ended them, and requests to the emulator went to the proxy, which pip still needs."""
    own = {"AWS_PROFILE": "work", "AWS_ENDPOINT_URL": "https://s3.example", "HTTP_PROXY": "http://proxy:3128"}
    own |= {given: "intranet"} if given else {}
    monkeypatch.setattr(os, "environ", dict(own))
    own_settings.set_aside()
    exempt = f"{'intranet,' if given else ''}127.0.0.1,localhost"
    kept = {"HTTP_PROXY": "http://proxy:3128", "no_proxy": exempt, "NO_PROXY": exempt}
    assert os.environ == own_settings.NO_ACCOUNT | kept


@pytest.mark.parametrize("name", programs.PROGRAMS)
def test_a_program_loads_after_the_machines_settings_are_set_aside(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 reads a profile as soon as it makes a client."""
    monkeypatch.setattr(sys, "argv", ["dev", name])
    monkeypatch.setenv("AWS_PROFILE", "work")
    monkeypatch.setattr(import_module(programs.PROGRAMS[name]), "main", lambda: "AWS_PROFILE" in os.environ)
    assert programs.main() == 0
