"""What a stack's state allows, and the messages when CloudFormation fails or refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, WaiterError
from click.testing import CliRunner

from presign_siblings.cli import console
from presign_siblings.cli.main import main
from presign_siblings.deploy import change_set, stacks
from presign_siblings.remote.revoke import POLICY

if TYPE_CHECKING:
    from collections.abc import Callable

OURS = [{"ParameterKey": "LiveVersion", "ParameterValue": "3"}]


def refused(code: str, message: str = "") -> ClientError:
    """Return an error of AWS."""
    return ClientError({"Error": {"Code": code, "Message": message}}, "DescribeStacks")


class Cloud:
    """A CloudFormation with one stack, or none; its waiter ends as scripted."""

    meta = SimpleNamespace(region_name="eu-west-1")

    def __init__(self, status: str | None = "CREATE_COMPLETE", end: BaseException | None = None) -> None:
        self.status, self.end, self.given, self.deleted = status, end, OURS, False
        self.events: list[dict[str, str]] = []

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        if self.status is None:
            raise refused("ValidationError", "Stack with id s does not exist")
        return {"Stacks": [{"StackId": "arn:stack/s/1", "StackStatus": self.status, "Parameters": self.given}]}

    def describe_stack_events(self, **_: Any) -> dict[str, Any]:
        return {"StackEvents": self.events}

    def delete_stack(self, **_: Any) -> None:
        self.deleted = True

    def get_waiter(self, _: str) -> Any:
        def wait(**_: Any) -> None:
            if self.end is not None:
                raise self.end

        return SimpleNamespace(wait=wait)


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[int, str]]:
    """Call a command on a CloudFormation; return its exit code, and its message."""

    def call(cloud: Cloud, *arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(console.Terminal, "client", lambda *_: cloud)
        result = CliRunner().invoke(main, [*arguments, "--stack", "s"])
        return result.exit_code, result.stderr.removeprefix("presign-siblings: ")

    return call


@pytest.mark.parametrize(
    ("status", "step"),
    [
        ("ROLLBACK_COMPLETE", "presign-siblings deploy --stack s --delete, then deploy it again"),
        ("DELETE_FAILED", "presign-siblings deploy --stack s --delete"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name s"),
        ("UPDATE_IN_PROGRESS", "it is being changed; try again when that has ended"),
        ("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "it is being changed"),
    ],
)
@pytest.mark.parametrize("command", [("deploy", "--bucket", "reports", "--code-bucket", "code"), ("rollback",)])
def test_a_stack_that_cannot_be_changed_is_reported_with_the_next_step(
    command: tuple[str, ...], status: str, step: str, called: Callable[..., tuple[int, str]]
) -> None:
    """CloudFormation reported it after the package was built and uploaded, and named no step."""
    code, message = called(Cloud(status), *command)
    assert (code, message.startswith(f"stack s is in {status}: "), step in message) == (1, True, True)


def test_a_stack_whose_creation_failed_can_be_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The deletion checked what it would remove, and answered that the stack must be deleted first."""
    cloud = Cloud("ROLLBACK_COMPLETE")
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("click.confirm", lambda *_, **__: True)
    monkeypatch.setattr(console.Terminal, "client", lambda *_: cloud)
    result = main.main(["deploy", "--stack", "s", "--delete"], standalone_mode=False)
    assert (result, cloud.deleted) == (None, True)


@pytest.mark.parametrize("command", [("deploy", "--delete", "--yes"), ("rollback",), ("rollback", "--to", "1")])
def test_a_missing_stack_is_reported_with_the_region(
    command: tuple[str, ...], called: Callable[..., tuple[int, str]]
) -> None:
    """It is usually in another region."""
    assert called(Cloud(None), *command) == (4, "there is no stack s in region eu-west-1\n")


def test_another_products_stack_is_left_alone(called: Callable[..., tuple[int, str]]) -> None:
    """An update with this template would delete all its resources."""
    cloud = Cloud()
    cloud.given = [{"ParameterKey": "Size", "ParameterValue": "3"}]
    deletions = ("deploy", "--delete", "--yes"), ("deploy", "--delete", "--dry-run")
    for command in (("deploy", "--bucket", "reports", "--code-bucket", "c"), ("rollback",), *deletions):
        code, message = called(cloud, *command)
        assert (code, "stack s is another product's" in message) == (1, True)
    assert not cloud.deleted


@pytest.mark.parametrize(
    ("end", "code"), [(KeyboardInterrupt(), 130), (EndpointConnectionError(endpoint_url="https://x"), 1)]
)
def test_a_request_without_an_answer_is_reported_as_possibly_begun(
    end: BaseException, code: int, called: Callable[..., tuple[int, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """'stopped' alone sounded as if nothing had begun."""
    cloud: Any = Cloud()
    cloud.delete_stack = cloud.execute_change_set = mock.Mock(side_effect=end)
    seen = called(cloud, "deploy", "--delete", "--yes")
    assert (seen[0], "CloudFormation may have begun with stack s" in seen[1]) == (code, True)
    made = change_set.ChangeSet("arn", "UPDATE")
    monkeypatch.setattr(change_set, "create", lambda *_, **__: made)
    with pytest.raises((KeyboardInterrupt, stacks.DeployError), match="may have begun with stack s"):
        change_set.apply(cloud, "s", {})


@pytest.mark.parametrize(
    ("end", "code", "message"),
    [
        (KeyboardInterrupt(), 130, "stopped: CloudFormation continues with stack s by itself; call this again"),
        (EndpointConnectionError(endpoint_url="https://x"), 1, "CloudFormation continues with stack s by itself"),
        (WaiterError("w", "expired", {}), 1, "ExpiredToken"),
    ],
)
def test_an_operator_who_stops_watching_reads_that_the_stack_still_changes(
    end: BaseException, code: int, message: str, called: Callable[..., tuple[int, str]]
) -> None:
    """Ctrl-C, a lost network, expired credentials: "stopped" sounded as if all had ended."""
    cloud = Cloud(end=end)

    def expired(**_: Any) -> Any:
        raise refused("ExpiredToken")

    cloud.describe_stack_events = expired  # type: ignore[method-assign]
    seen = called(cloud, "deploy", "--delete", "--yes")
    assert (seen[0], message in seen[1], "continues with stack" in seen[1]) == (code, True, True)


def test_only_failures_of_this_change_are_shown() -> None:
    """A stack's events go back to its creation."""
    cloud: Any = Cloud(end=WaiterError("w", "failed", {}))

    def event(name: str, status: str, physical: str = "") -> dict[str, str]:
        return {"StackId": "arn", "LogicalResourceId": name, "PhysicalResourceId": physical, "ResourceStatus": status}

    now = [event("Role", "UPDATE_FAILED"), event("s", "UPDATE_IN_PROGRESS", "arn")]
    cloud.events = [*now, event("Bucket", "UPDATE_FAILED"), event("s", "UPDATE_IN_PROGRESS", "arn")]
    with pytest.raises(stacks.DeployError, match=r"^stack s failed:\nRole: $"):
        stacks.wait(cloud, "s", "stack_update_complete", 0)


def test_a_role_with_a_policy_of_revoke_is_reported_with_the_step_to_delete_it(
    called: Callable[..., tuple[int, str]],
) -> None:
    """CloudFormation deletes only its own policies, and deleting the stack again failed again."""
    cloud = Cloud(end=WaiterError("w", "failed", {}))
    reason = "Cannot delete entity, must delete policies first. (Service: Iam, Status Code: 409)"
    role = {"StackId": "arn", "LogicalResourceId": "Role", "ResourceStatus": "DELETE_FAILED"}
    cloud.events = [role | {"ResourceStatusReason": reason}]
    step = f"aws iam delete-role-policy --role-name ROLE --policy-name {POLICY}"
    assert step in called(cloud, "deploy", "--delete", "--yes")[1]
    cloud.events = [role]
    assert step not in called(cloud, "deploy", "--delete", "--yes")[1]
