"""The stack's template, resolved with parameters, without AWS."""

from __future__ import annotations

import json
from typing import Any

from presign_siblings.deploy import template

LOADED = template.load()
RESOURCES = LOADED["Resources"]
DEFAULTS = {name: parameter.get("Default") for name, parameter in LOADED["Parameters"].items()}
PSEUDO = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "000000000000",
    "AWS::URLSuffix": "amazonaws.com",
}
_PHYSICAL = {name: name for name in RESOURCES}


def resolver(**parameters: str) -> template.Resolver:
    """Return a resolver of the template with these parameters."""
    given = {"BucketName": "reports", "Prefix": "inbox/", **parameters}
    return template.Resolver(LOADED, {**DEFAULTS, **given, **PSEUDO, **_PHYSICAL})


def role_statements() -> list[dict[str, Any]]:
    """Return each statement of the function's role: its own, conditional ones, and those of each policy."""
    policies = [each["Properties"] for each in RESOURCES.values() if each["Type"] == "AWS::IAM::Policy"]
    policies += RESOURCES["LambdaPresignSiblingsRole"]["Properties"]["Policies"]
    written = [each for policy in policies for each in policy["PolicyDocument"]["Statement"]]
    return [each["Fn::If"][1] if "Fn::If" in each else each for each in written]


def definition() -> dict[str, Any]:
    """Return the definition of the stack's state machine."""
    written: dict[str, Any] = json.loads(
        resolver().resolve(RESOURCES["StateMachine"]["Properties"]["DefinitionString"])
    )
    return written
