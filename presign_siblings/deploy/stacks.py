"""An existing stack: its parameters and outputs, its deletion, and what failed in it."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import takewhile
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError, WaiterError

from presign_siblings.deploy import template
from presign_siblings.errors import CommandError, NotFoundError
from processor.causes import why

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import StackEventTypeDef, StackTypeDef


# Advice for a stack that CloudFormation will not change.
_STUCK = {
    **dict.fromkeys(
        ("CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "DELETE_FAILED"),
        "its creation or its deletion has failed: presign-siblings deploy --stack {0} --delete, then deploy it again",
    ),
    "UPDATE_ROLLBACK_FAILED": "aws cloudformation continue-update-rollback --stack-name {0}, and then this again",
}
# IAM's words of a role with a policy that is not the stack's, and what to do.
_HAS_POLICIES = "must delete policies first"
_REVOKED = (
    "revoke has left one, without which its links would live for up to 12 hours; after these: aws iam "
    "delete-role-policy --role-name ROLE --policy-name AWSRevokeOlderSessions, then this again"
)
_STARTS = frozenset({"CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS"})


class DeployError(CommandError):
    """The package or the stack could not be made, or the stack not deleted; the message says why."""


def delete(cloudformation: CloudFormationClient, stack: str, poll: float = 1) -> None:
    """
    Delete the stack and wait until it is gone; what its template retains stays.

    :raises NotFoundError: There is no such stack.
    :raises DeployError: The stack is another product's, or a resource could not be deleted.
    """
    found = ours(cloudformation, stack)
    with beginning(stack):
        cloudformation.delete_stack(StackName=stack)
    # By its id: a deleted stack has no name any more.
    wait(cloudformation, found["StackId"], "stack_delete_complete", poll)


def deleted(cloudformation: CloudFormationClient, stack: str) -> list[dict[str, str]]:
    """
    Return what a deletion would remove, as ``change_set.shown`` does; what the template retains is left out.

    :raises NotFoundError: There is no such stack.
    :raises DeployError: The stack is another product's.
    """
    ours(cloudformation, stack)
    resources = template.load()["Resources"].items()
    kept = {name for name, each in resources if each.get("DeletionPolicy", "").startswith("Retain")}
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return [
        {"action": "Remove", "name": each["LogicalResourceId"], "type": each["ResourceType"], "replaced": "False"}
        for page in pages
        for each in page["StackResourceSummaries"]
        if each["LogicalResourceId"] not in kept
    ]


def values(cloudformation: CloudFormationClient, stack: str) -> dict[str, str] | None:
    """
    Return the parameters of a stack that can be changed, or ``None`` when there is none (or only a change set).

    :raises DeployError: The stack cannot be changed now, or is another product's; the message says what can be done.
    """
    found = _describe(cloudformation, stack)
    if found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    status = found["StackStatus"]
    if status in _STUCK:
        raise DeployError(f"stack {stack} is in {status}: {_STUCK[status].format(stack)}")
    if status.endswith("_IN_PROGRESS"):
        raise DeployError(f"stack {stack} is in {status}: it is being changed; try again when that has ended")
    return parameters(_checked(found, stack))


def standing(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    """
    Return the parameters of an existing stack that can be changed.

    :raises NotFoundError: There is no such stack.
    :raises DeployError: As ``values``.
    """
    found = values(cloudformation, stack)
    if found is None:
        raise NotFoundError(_absent(cloudformation, stack))
    return found


def parameters(found: StackTypeDef) -> dict[str, str]:
    """Return the parameters of a stack that was described."""
    return {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])}


def ours(cloudformation: CloudFormationClient, stack: str) -> StackTypeDef:
    """
    Describe a stack of this product, in whatever state it is.

    :raises NotFoundError: There is no such stack.
    :raises DeployError: The stack is another product's.
    """
    return _checked(described(cloudformation, stack), stack)


def _checked(found: StackTypeDef, stack: str) -> StackTypeDef:
    """Return a described stack; one with only a change set has no parameters yet, and nothing to lose."""
    if "LiveVersion" not in parameters(found) and found["StackStatus"] != "REVIEW_IN_PROGRESS":
        raise DeployError(f"stack {stack} is another product's, and its resources would go: choose another --stack")
    return found


def described(cloudformation: CloudFormationClient, stack: str) -> StackTypeDef:
    """
    Describe a stack, in whatever state it is.

    :raises NotFoundError: There is no such stack.
    """
    found = _describe(cloudformation, stack)
    if found is None:
        raise NotFoundError(_absent(cloudformation, stack))
    return found


def _absent(cloudformation: CloudFormationClient, stack: str) -> str:
    return f"there is no stack {stack} in region {cloudformation.meta.region_name}"


def outputs(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    """Return the outputs of an existing stack."""
    (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}


def tags(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    """Return the tags that a stack has; those that only AWS may give (Service Catalog does) are left out."""
    found = _describe(cloudformation, stack)
    given = found.get("Tags", []) if found else []
    return {each["Key"]: each["Value"] for each in given if not each["Key"].startswith("aws:")}


def _describe(cloudformation: CloudFormationClient, stack: str) -> StackTypeDef | None:
    try:
        (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if "does not exist" in str(error):
            return None
        raise
    return found


def wait(cloudformation: CloudFormationClient, stack: str, waiter: str, poll: float) -> None:
    """
    Wait for a stack with a waiter of boto3.

    :param stack: Name, or id.
    :raises DeployError: The stack failed (the message names each failed resource), or cannot be watched any more.
    """
    name = stack.split("/")[1] if "/" in stack else stack
    with _continuing(name):
        try:
            cloudformation.get_waiter(waiter).wait(  # type: ignore[call-overload]
                StackName=stack, WaiterConfig={"Delay": poll, "MaxAttempts": 3600}
            )
        except WaiterError as error:
            events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
            failed = [
                f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}"
                for each in reversed(list(takewhile(_is_no_start, events)))
                if each["ResourceStatus"].endswith("_FAILED")
            ]
            steps = [_REVOKED] if any(_HAS_POLICIES in each for each in failed) else []
            raise DeployError("\n".join([f"stack {name} failed:", *failed, *steps])) from error


def _is_no_start(event: StackEventTypeDef) -> bool:
    """Whether an event is not the stack's own start, before which the events belong to earlier operations."""
    is_of_stack = event.get("PhysicalResourceId") == event["StackId"]
    return not (is_of_stack and event.get("ResourceStatus") in _STARTS)


def beginning(stack: str) -> AbstractContextManager[None]:
    """Explain, if a request to change a stack is interrupted or its answer lost, that the change may have begun."""
    explanation = (
        f"CloudFormation may have begun with stack {stack}, and continues by itself then; call this again to see"
    )
    return _explaining(explanation, BotoCoreError)


def _continuing(stack: str) -> AbstractContextManager[None]:
    """Explain, if the wait for a stack is interrupted, that CloudFormation continues."""
    explanation = f"CloudFormation continues with stack {stack} by itself; call this again when it has ended"
    return _explaining(explanation, BotoCoreError, ClientError)


@contextmanager
def _explaining(explanation: str, *faults: type[Exception]) -> Iterator[None]:
    """Add an explanation to Ctrl-C, or to one of these faults."""
    try:
        yield
    except KeyboardInterrupt as stop:
        stop.args = (explanation,)
        raise
    except faults as error:
        raise DeployError(f"{why(error)}; {explanation}") from error
