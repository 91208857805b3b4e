"""A stack that stands: its parameters and outputs, its deletion, and what failed in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError, WaiterError

from presign_siblings.deploy import template
from presign_siblings.errors import CommandError

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import StackTypeDef


class DeployError(CommandError):
    """The package or the stack could not be made, or the stack not deleted; the message says why."""


def delete(cloudformation: CloudFormationClient, stack: str, poll: float = 1) -> None:
    """
    Delete the stack and wait until it is gone; what its template retains stays.

    :raises DeployError: There is no such stack, or a resource could not be deleted.
    """
    found = _describe(cloudformation, stack)
    if found is None:
        raise DeployError(f"there is no stack {stack}")
    cloudformation.delete_stack(StackName=stack)
    # By its id: a stack that is gone has no name any more.
    wait(cloudformation, found["StackId"], "stack_delete_complete", poll)


def deleted(cloudformation: CloudFormationClient, stack: str) -> list[dict[str, str]]:
    """
    Return what a deletion would remove, as ``change_set.shown`` does; what the template retains is left out.

    :raises DeployError: There is no such stack.
    """
    if _describe(cloudformation, stack) is None:
        raise DeployError(f"there is no stack {stack}")
    kept = {name for name, each in template.load()["Resources"].items() if each.get("DeletionPolicy") == "Retain"}
    pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return [
        {"action": "Remove", "name": each["LogicalResourceId"], "type": each["ResourceType"], "replaced": "False"}
        for page in pages
        for each in page["StackResourceSummaries"]
        if each["LogicalResourceId"] not in kept
    ]


def values(cloudformation: CloudFormationClient, stack: str) -> dict[str, str] | None:
    """
    Return the stack's parameters, or ``None`` when there is no stack (or only its announcement).

    :raises DeployError: Its creation failed before; nothing but its deletion is possible.
    """
    found = _describe(cloudformation, stack)
    if found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS":
        return None
    if found["StackStatus"] == "ROLLBACK_COMPLETE":
        raise DeployError(f"the creation of stack {stack} failed before: delete it first, it holds nothing")
    return {each["ParameterKey"]: each["ParameterValue"] for each in found.get("Parameters", [])}


def outputs(cloudformation: CloudFormationClient, stack: str) -> dict[str, str]:
    """Return the outputs of a stack that stands."""
    (found,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return {each["OutputKey"]: each["OutputValue"] for each in found.get("Outputs", [])}


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
    Wait until a stack is as a waiter of boto3 wants it.

    :raises DeployError: It failed; the message names each resource that did.
    """
    try:
        cloudformation.get_waiter(waiter).wait(  # type: ignore[call-overload]
            StackName=stack, WaiterConfig={"Delay": poll, "MaxAttempts": 3600}
        )
    except WaiterError as error:
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        failed = [
            f"{each['LogicalResourceId']}: {each.get('ResourceStatusReason', '')}"
            for each in reversed(events)
            if each["ResourceStatus"].endswith("_FAILED")
        ]
        raise DeployError("\n".join([f"stack {stack} failed:", *failed])) from error
