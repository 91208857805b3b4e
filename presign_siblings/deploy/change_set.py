"""Change sets: create a stack or update it, or only show what would change."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypedDict

from botocore.exceptions import WaiterError

from presign_siblings.deploy import stacks, template
from presign_siblings.deploy.stacks import DeployError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Unpack

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_cloudformation.type_defs import ParameterTypeDef

NO_CHANGES = ("didn't contain changes", "No updates are to be performed")


class How(TypedDict, total=False):
    """
    Optional parts of a change set.

    :param tags:          Tags for everything in the stack.
    :param same_template: Change parameters alone, under the template that the stack has.
    :param template_url:  URL of the template; without it, the template is sent inline.
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

    :param poll: Seconds between two reads of the stack's state.
    :param how:  Parts as in ``How``.
    :return: Whether anything changed.
    :raises DeployError: The change set or the stack failed.
    """
    made = create(cloudformation, stack, parameters, poll=poll, **how)
    if made.name is None:
        return False
    with stacks.beginning(stack):
        cloudformation.execute_change_set(ChangeSetName=made.name)
    stacks.wait(cloudformation, stack, f"stack_{made.kind.lower()}_complete", poll)
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

    :param poll: Seconds between two reads of the stack's state.
    :param how:  Parts as in ``How``.
    :raises DeployError: CloudFormation refuses the change set.
    """
    before = stacks.values(cloudformation, stack)
    kind: Literal["CREATE", "UPDATE"] = "CREATE" if before is None else "UPDATE"
    change_set = cloudformation.create_change_set(
        StackName=stack,
        ChangeSetName=f"deploy-{uuid.uuid4().hex}",
        ChangeSetType=kind,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        Parameters=_given(before or {}, parameters, same_template=how.get("same_template", False)),
        **_template(how),
        **_tags(cloudformation, stack, how),
    )["Id"]
    return _taken(cloudformation, stack, change_set, kind, poll)


def _given(before: Mapping[str, str], parameters: Mapping[str, str], *, same_template: bool) -> list[ParameterTypeDef]:
    """Return the parameters of a request; others that the stack has, and its template knows, keep their values."""
    known = set(before) if same_template else set(before) & set(template.load()["Parameters"])
    given: list[ParameterTypeDef] = [
        {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
    ]
    given += [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(known - set(parameters))]
    return given


def _template(how: How) -> dict[str, Any]:
    """Return the template of a request."""
    url = how.get("template_url")
    if how.get("same_template", False):
        return {"UsePreviousTemplate": True}
    return {"TemplateBody": template.TEMPLATE.read_text(encoding="utf-8")} if url is None else {"TemplateURL": url}


def _tags(cloudformation: CloudFormationClient, stack: str, how: How) -> dict[str, Any]:
    """Return the tags of a request: CloudFormation keeps all where none are named, and else removes the others."""
    named = how.get("tags")
    if not named:
        return {}
    tags = {**stacks.tags(cloudformation, stack), **named}
    return {"Tags": [{"Key": name, "Value": value} for name, value in tags.items()]}


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
        _withdraw(cloudformation, stack, made.name, made.kind)
    return found


def _withdraw(cloudformation: CloudFormationClient, stack: str, change_set: str, kind: str) -> None:
    """Remove a change set, and the stack that exists only for it."""
    cloudformation.delete_change_set(ChangeSetName=change_set)
    if kind == "CREATE":
        cloudformation.delete_stack(StackName=stack)


def _taken(
    cloudformation: CloudFormationClient, stack: str, change_set: str, kind: Literal["CREATE", "UPDATE"], poll: float
) -> ChangeSet:
    """
    Wait until CloudFormation has created a change set; remove one that failed, or that changes nothing.

    :raises DeployError: The change set failed.
    """
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(
            ChangeSetName=change_set,
            WaiterConfig={"Delay": poll, "MaxAttempts": 600},  # type: ignore[typeddict-item]
        )
    except WaiterError as error:
        reason = cloudformation.describe_change_set(ChangeSetName=change_set).get("StatusReason") or str(error)
        _withdraw(cloudformation, stack, change_set, kind)
        if any(text in reason for text in NO_CHANGES):
            return ChangeSet(None, kind)
        raise DeployError(f"the change set failed: {reason}") from error
    return ChangeSet(change_set, kind)
