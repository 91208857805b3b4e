"""The operator's policy allows the calls of the command line and of the guide, and no others."""

from __future__ import annotations

import ast
import json
import re
from typing import TYPE_CHECKING

from botocore import xform_name
from botocore.session import Session

from dev.checkout import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

POLICY = json.loads((REPOSITORY / "docs" / "reference" / "operator-policy.json").read_text(encoding="utf-8"))
ALLOWED = {action for each in POLICY["Statement"] for action in each["Action"]}
GUIDE = (REPOSITORY / "docs" / "guides" / "operate.md").read_text(encoding="utf-8")
REMOTE = REPOSITORY / "presign_siblings" / "remote"
# What operates; ``revoke`` and ``who`` have rights of their own, and a link to a manifest is signed and not asked for.
DESK = [path for path in REMOTE.glob("*.py") if path.stem not in {"audit", "manifest_link", "revoke"}]
# IAM's names where they are not the API's.
OTHERWISE = {"lambda:Invoke": "lambda:InvokeFunction"}
# Whoever turns a schedule on or off passes its role on; a move of messages reads the attributes of both queues.
BESIDES = {"iam:PassRole", "sqs:GetQueueAttributes"}


def action(service: str, method: str) -> str | None:
    """Return IAM's name of an operation by that of boto3's method, if the service has it."""
    found = {xform_name(name): name for name in Session().get_service_model(service).operation_names}.get(method)
    name = f"{service.replace('stepfunctions', 'states')}:{found}"
    return None if found is None else OTHERWISE.get(name, name)


def of_the_desk() -> Iterator[str]:
    """Yield the actions of every operation that the command line calls: as a method, or by a paginator."""
    for path in (*DESK, REPOSITORY / "processor" / "siblings" / "kill_switch.py"):
        nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        named = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        named |= {str(node.value) for node in nodes if isinstance(node, ast.Constant)}
        for service in ("cloudformation", "dynamodb", "events", "lambda", "logs", "scheduler"):
            yield from filter(None, (action(service, method) for method in named))


def of_the_guide() -> Iterator[str]:
    """Yield the actions of every command of the AWS CLI in the guide."""
    for service, command in re.findall(r"\baws (\w+) ([a-z-]+)", GUIDE):
        found = action(service, command.replace("-", "_"))
        assert found is not None, (service, command)
        yield found


def test_the_operator_may_make_the_calls_of_the_command_line_and_the_guide_alone() -> None:
    """A new call needs a new right."""
    needed = {*of_the_desk(), *of_the_guide()}
    assert {"dynamodb:Scan", "events:DisableRule", "lambda:InvokeFunction", "sqs:ReceiveMessage"} <= needed
    assert needed | BESIDES == ALLOWED


def test_only_actions_without_resource_names_are_allowed_on_all_resources() -> None:
    """Sorted, each once, no action with a wildcard, and none that changes resources of others."""
    for statement in POLICY["Statement"]:
        actions = statement["Action"]
        assert actions == sorted(set(actions))
        assert not [each for each in actions if "*" in each]
    (everywhere,) = (
        each["Action"] for each in POLICY["Statement"] if each["Resource"] == "*" and "Condition" not in each
    )
    assert not [each for each in everywhere if ":List" not in each and ":Describe" not in each]
