"""The environment that a stack of some parameters gives the function, checked by the function's own rules."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from presign_siblings.deploy import template
from presign_siblings.deploy.stacks import DeployError
from processor.errors import InvalidEventError, shown
from processor.job import CLOUDFRONT, FIELDS, DeploymentSettings, Job

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_ENVIRONMENT = 4096  # bytes, as JSON
_LONGEST = {  # the longest values that Lambda may get
    "AWS::AccountId": "000000000000",
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "ap-southeast-1",
    "AWS::URLSuffix": "amazonaws.com.cn",
}
_SOME = "~"  # stands for what follows AllowedPrefix in an event's prefix


def scheduled_job(parameters: Mapping[str, str]) -> Job:
    """
    Return the job that the stack's schedule starts.

    :raises DeployError: Lambda takes no environment of that size, or the function would refuse the job.
    """
    variables = _variables(parameters)
    _check_size(variables)
    if parameters["ScheduleState"] != "ENABLED" or parameters["SoswConfig"] != "none":
        variables.setdefault("PREFIX", f"{parameters['AllowedPrefix']}{_SOME}")  # events, or the config row, name it
    try:
        return _job(variables, parameters)
    except InvalidEventError as error:
        raise DeployError(_in_parameters(error, parameters)) from None


def _job(variables: Mapping[str, str], parameters: Mapping[str, str]) -> Job:
    """
    Return the job of an event without fields.

    :raises InvalidEventError: The function would refuse it, or could not do it.
    """
    deployment = DeploymentSettings.from_environment(variables, {})
    job = Job.from_event({}, config={}, environment=variables, deployment=deployment, now=datetime.now(UTC))
    if job.signer == CLOUDFRONT and not parameters["CloudFrontSecret"]:  # the function finds it out only at work
        raise InvalidEventError("CLOUDFRONT_SECRET", "", "must name the secret that holds the private key")
    return job


def _variables(parameters: Mapping[str, str]) -> dict[str, str]:
    stack = template.load()
    names = {name: f"{parameters['NameUnderscored']}_{name}" for name in stack["Resources"]}
    resolved: dict[str, str] = template.Resolver(stack, {**parameters, **_LONGEST, **names}).resolve(_written())
    return resolved


def _written() -> dict[str, Any]:
    """Return the environment as the template has it."""
    function = template.load()["Resources"]["LambdaPresignSiblings"]
    written: dict[str, Any] = function["Properties"]["Environment"]["Variables"]
    return written


def _check_size(variables: Mapping[str, str]) -> None:
    """Refuse an environment too large for Lambda: CloudFormation would report it after minutes, and roll back."""
    size = len(json.dumps(variables, separators=(",", ":")).encode())
    if size > MOST_ENVIRONMENT:
        name = max(variables, key=lambda each: len(variables[each]))
        raise DeployError(
            f"the function's environment has {size:,} bytes, of which {name} takes the most, and Lambda takes "
            f"{MOST_ENVIRONMENT:,}: name long lists in the event (docs/reference/event.md)"
        )


def _in_parameters(error: InvalidEventError, parameters: Mapping[str, str]) -> str:
    """Return the function's message about a variable or a field, in the words of the template."""
    written = _written()
    nodes = written | {name: written[field.env] for name, field in FIELDS.items() if field.env in written}
    settable = {name: _settable(node) for name, node in nodes.items()}
    given = (name for name in _parameters_in(nodes[error.field]) if parameters[name])
    name = next(given, settable[error.field])
    rule = re.sub(r"\b([A-Z_]{4,}|[a-z]+_[a-z]+)\b", lambda word: settable.get(word[0]) or word[0], error.rule)
    return f"{name} is {shown(parameters[name])}: it {rule}"


def _settable(node: Any) -> str:  # noqa: ANN401 - a part of a template
    """Return the parameter that sets a variable: the first that it takes, or all of a list."""
    names = list(_parameters_in(node))
    return ", ".join(names if "Fn::Join" in node else names[:1])


def _parameters_in(node: object) -> Iterator[str]:
    """Yield the parameters whose values a part of the template takes."""
    if isinstance(node, dict):
        if node.get("Ref") in template.load()["Parameters"]:
            yield node["Ref"]
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            yield from _parameters_in(each)
