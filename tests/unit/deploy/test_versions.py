"""A version is found by number, commit or order, and old versions are deleted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, call

import pytest
from botocore.exceptions import ClientError
from click.testing import CliRunner

from presign_siblings.cli import console
from presign_siblings.cli import rollback as command
from presign_siblings.cli.main import main
from presign_siblings.deploy import stacks, versions
from presign_siblings.deploy.stacks import DeployError

RELEASES = {"$LATEST": "", "1": "", "2": "0.1.0 1a2b3c4d5e6f 2026-04-01", "10": "0.1.0 77c0ffee0000 2026-05-01"}


class Functions:
    """A Lambda with several versions."""

    def __init__(self, releases: dict[str, str]) -> None:
        self.releases = dict(releases)
        self.named: set[str] = set()  # by another alias

    def get_paginator(self, _: str) -> Any:
        found = [
            {"Version": number, "Description": description, "LastModified": ""}
            for number, description in self.releases.items()
        ]
        return SimpleNamespace(paginate=lambda **_: [{"Versions": found[:2]}, {"Versions": found[2:]}])

    def get_alias(self, **_: Any) -> dict[str, str]:
        return {"FunctionVersion": "10"}

    def delete_function(self, **request: Any) -> None:
        if request["Qualifier"] in self.named:
            raise ClientError({"Error": {"Code": "ResourceConflictException"}}, "DeleteFunction")
        del self.releases[request["Qualifier"]]


@pytest.mark.parametrize(
    ("named", "number"),
    [("2", "2"), ("1a2b3c4", "2"), ("1a2b3c4d5e6f00112233", "2"), ("77c0ffe", "10"), ("previous", "2")],
)
def test_a_version_is_found_by_number_commit_or_order(named: str, number: str) -> None:
    """10 is newer than 2."""
    functions: Any = Functions(RELEASES)
    assert versions.chosen(versions.of_function(functions, "f"), named, "10").number == number


@pytest.mark.parametrize("named", ["3", "$LATEST", "0.1.0", "2026-04-01", "1a2b", "previous"])
def test_a_missing_version_is_refused_with_a_list_of_the_existing_ones(named: str) -> None:
    """A release has several commits, and a short word could begin several."""
    functions: Any = Functions(RELEASES)
    with pytest.raises(DeployError, match=r"it has 10 0\.1\.0 77c0ffee0000 2026-05-01; 2 .*; 1$"):
        versions.chosen(versions.of_function(functions, "f"), named, "1")


def test_the_newest_versions_and_the_live_one_are_kept() -> None:
    """A rollback to an old version must outlast the next deployment's clean-up."""
    functions: Any = Functions({"$LATEST": "", **{str(number): "" for number in range(1, 15)}})
    assert versions.prune(functions, "f", live="2") == ["4", "3", "1"]
    assert set(functions.releases) == {"$LATEST", "2", *(str(number) for number in range(5, 15))}


def test_a_version_with_another_alias_is_kept() -> None:
    """A deployment ended with Lambda's refusal to delete it, although all was done, and warned of no lifecycle rule."""
    functions: Any = Functions({str(number): "" for number in range(1, 13)})
    functions.named = {"2"}
    assert versions.prune(functions, "f", live="12") == ["1"]
    assert "2" in functions.releases


def test_a_rollback_is_first_shown_and_then_done(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without --to the command prints a list."""
    moved: list[str] = []
    monkeypatch.setattr(console.Terminal, "client", lambda *_: Functions(RELEASES))
    monkeypatch.setattr(stacks, "values", lambda *_: {"LiveVersion": "10"})
    monkeypatch.setattr(stacks, "outputs", lambda *_: {"FunctionName": "f"})

    def go_live(*asked: Any) -> bool:
        moved.append(asked[-1])
        return True

    monkeypatch.setattr(command, "go_live", go_live)

    def output(*options: str) -> str:
        result = CliRunner().invoke(main, ["rollback", "--stack", "s", *options])
        assert result.exit_code == 0, result.output
        return result.stdout

    assert output().split()[:2] == ["10", "live"]
    assert "would be at version 2 0.1.0 1a2b3c4d5e6f" in output("--to", "previous", "--dry-run")
    assert moved == []
    assert "is now at version 2" in output("--to", "1a2b3c4")
    assert moved == ["2"]


@pytest.mark.parametrize(
    ("alias", "moves"),
    [
        ({"FunctionVersion": "10"}, False),
        ({"FunctionVersion": "2"}, True),
        ({"FunctionVersion": "10", "RoutingConfig": {"AdditionalVersionWeights": {"2": 0.1}}}, True),
    ],
)
def test_an_alias_moved_by_hand_is_moved_back(alias: dict[str, Any], *, moves: bool) -> None:
    """CloudFormation compares with its own last value: a rollback reported the version as live already."""
    functions = Mock()
    functions.get_alias.return_value = alias
    assert (versions.live(functions, "f"), versions.aim(functions, "f", "10")) == (alias["FunctionVersion"], moves)
    asked = {"FunctionVersion": "10", "RoutingConfig": {"AdditionalVersionWeights": {}}}
    assert functions.update_alias.mock_calls == [call(FunctionName="f", Name="live", **asked)] * moves
