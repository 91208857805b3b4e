"""A stack and its change sets: create it, update it, delete it, and say what failed."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

from botocore.exceptions import ClientError, WaiterError

from presign_siblings.deploy import template
from presign_siblings.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import ParameterTypeDef, StackTypeDef

NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class DeployError(CommandError):
    """The package or the stack could not be made, or the stack not deleted; the message says why."""


class How(TypedDict, total=False):
    """
    What else a change set says.

    :param tags:          For everything in the stack.
    :param same_template: Change parameters alone, under the template that the stack has.
    :param template_url:  Where the template lies; without it, the template is sent inline.
    """

    tags: Mapping[str, str] | None
    same_template: bool
    template_url: str | None


def apply(
    cloudformation: CloudFormationClient,
    stack: str,
    parameters: Mapping[str, str],
    *,
    poll: float = 1,
    **how: Unpack[How],
) -> bool:
    """
    Create the stack or update it; on an update, parameters and tags that are not named keep their values.

    :param poll: Seconds between two looks at its state.
    :param how:  As in ``How``.
    :return: Whether anything changed.
    :raises DeployError: The change set or the stack failed.
    """
    made = create(cloudformation, stack, parameters, poll=poll, **how)
    if made.name is None:
        return False
    cloudformation.execute_change_set(ChangeSetName=made.name)
    _wait(cloudformation, stack, f"stack_{made.kind.lower()}_complete", poll)
    return True


class ChangeSet(NamedTuple):
    """
    What a stack would become.

    :param name: ARN; ``None`` where nothing changes.
    """

    name: str | None
    kind: Literal["CREATE", "UPDATE"]


def create(
    cloudformation: CloudFormationClient,
    stack: str,
    parameters: Mapping[str, str],
    *,
    poll: float = 1,
    **how: Unpack[How],
) -> ChangeSet:
    """
    Make a change set; the stack stays as it is.

    :param poll: Seconds between two looks at its state.
    :param how:  As in ``How``.
    :raises DeployError: CloudFormation refuses it.
    """
    before = values(cloudformation, stack)
    kind: Literal["CREATE", "UPDATE"] = "CREATE" if before is None else "UPDATE"
    given: list[ParameterTypeDef] = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
    ]
    tags, same_template, template_url = how.get("tags"), how.get("same_template", False), how.get("template_url")
    known = set(before or ()) if same_template else set(before or ()) & set(template.load()["Parameters"])
    given += [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(known - set(parameters))]
    request: dict[str, Any] = {"UsePreviousTemplate": True}
    if not same_template:
        inline = {"TemplateBody": template.TEMPLATE.read_text(encoding="utf-8")}
        request = inline if template_url is None else {"TemplateURL": template_url}
    if tags:
        request["Tags"] = [{"Key": name, "Value": value} for name, value in tags.items()]
    change_set = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=f"deploy-{uuid.uuid4().hex}",
        ChangeSetType=kind,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=given,
        **request,
    )["Id"]
    return ChangeSet(change_set if _has_changes(cloudformation, change_set, poll) else None, kind)


def shown(
    cloudformation: CloudFormationClient,
    stack: str,
    parameters: Mapping[str, str],
    *,
    poll: float = 1,
    **how: Unpack[How],
) -> list[dict[str, str]]:
    """
    Return what a deployment would change, and change nothing: the change set is removed again.

    :return: Resources by ``action``, ``name``, ``type``, and whether each is replaced.
    """
    found = list[dict[str, str]]()
    made = create(cloudformation, stack, parameters, poll=poll, **how)
    if made.name is None:
        return found
    try:
        for page in cloudformation.get_paginator("describe_change_set").paginate(ChangeSetName=made.name):
            changes = [each["ResourceChange"] for each in page.get("Changes", ()) if "ResourceChange" in each]
            found += [
                {
                    "action": each["Action"],
                    "name": each["LogicalResourceId"],
                    "type": each["ResourceType"],
                    "replaced": each.get("Replacement", "False"),
                }
                for each in changes
            ]
    finally:
        cloudformation.delete_change_set(ChangeSetName=made.name)
        if made.kind == "CREATE":  # a stack that was only announced
            cloudformation.delete_stack(StackName=stack)
    return found


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
    _wait(cloudformation, found["StackId"], "stack_delete_complete", poll)


def deleted(cloudformation: CloudFormationClient, stack: str) -> list[dict[str, str]]:
    """
    Return what the deletion of a stack would remove, as ``shown`` does; what its template retains is left out.

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


def _has_changes(cloudformation: CloudFormationClient, change_set: str, poll: float) -> bool:
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(
            ChangeSetName=change_set,
            WaiterConfig={"Delay": poll, "MaxAttempts": 600},  # type: ignore[typeddict-item]
        )
    except WaiterError as error:
        reason = cloudformation.describe_change_set(ChangeSetName=change_set).get("StatusReason", "")
        cloudformation.delete_change_set(ChangeSetName=change_set)
        if any(text in reason for text in NO_CHANGES):
            return False
        raise DeployError(f"the change set failed: {reason or error}") from error
    return True


def _wait(cloudformation: CloudFormationClient, stack: str, waiter: str, poll: float) -> None:
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
