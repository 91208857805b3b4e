"""The parameters of a stack: the template's defaults and rules, and what the template cannot check."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from presign_siblings.deploy import template
from presign_siblings.deploy.stacks import DeployError
from presign_siblings.errors import WrongUseError
from processor.errors import InvalidEventError
from processor.job import CANNED, CLOUDFRONT, MAX_CLOUDFRONT_SECONDS, MAX_EXPIRY_SECONDS, S3
from processor.job.times import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_FACTOR = 6
MOST_JOB_SECONDS = 86_400  # less than the two days after which S3 aborts an unfinished upload
HOUR = 3600
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MOST_ENVIRONMENT = 4096  # bytes, as JSON
_OF_THE_BUILD = {"Architecture": "--architecture", "Runtime": "--runtime"}
_OF_THE_DEPLOYMENT = {
    "CodeKey": "the package is built and uploaded here",
    "LiveVersion": "rollback --to moves it",
    "Release": "it is the version of this tool",
}
_LONGEST = {  # the longest values that Lambda may get
    "AWS::AccountId": "000000000000",
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "ap-southeast-1",
    "AWS::URLSuffix": "amazonaws.com.cn",
}


def check_given(given: Mapping[str, str]) -> None:
    """
    Check the parameters of a call by the template's own rules.

    :raises WrongUseError: A parameter is unknown, breaks its rule, or is not for the caller to set.
    """
    known = template.load()["Parameters"]
    for name, value in given.items():
        if name not in known:
            raise WrongUseError(f"--set {name}: the stack has no such parameter; it has {', '.join(sorted(known))}")
        if name in _OF_THE_BUILD:
            raise WrongUseError(f"--set {name}: use {_OF_THE_BUILD[name]}, since the package is built for it")
        if name in _OF_THE_DEPLOYMENT:
            raise WrongUseError(f"--set {name}: the deployment sets it: {_OF_THE_DEPLOYMENT[name]}")
        check_value(name, value, f"--set {name}={value}")


def check_value(name: str, value: str, given: str) -> None:
    """
    Check a parameter by the template's rule.

    :param given: The option as given, for the message.
    :raises WrongUseError: The value breaks the rule.
    """
    rule = _broken(template.load()["Parameters"][name], value)
    if rule is not None:
        raise WrongUseError(f"{given}: must be {rule}")


def _broken(rules: Mapping[str, Any], value: str) -> str | None:
    allowed, pattern = rules.get("AllowedValues"), rules.get("AllowedPattern")
    if allowed is not None and value not in list(map(str, allowed)):
        return f"one of {', '.join(map(str, allowed))}"
    if pattern is not None and not re.fullmatch(pattern, value):
        return str(rules.get("ConstraintDescription", f"as {pattern} describes"))
    if rules["Type"] == "Number":
        low, high = float(rules.get("MinValue", "-inf")), float(rules.get("MaxValue", "inf"))
        if not re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) or not low <= float(value) <= high:
            return f"a number from {low:g} to {high:g}"
    return None


def defaults() -> dict[str, str]:
    """Return the template's defaults."""
    return {name: str(each.get("Default", "")) for name, each in template.load()["Parameters"].items()}


def seconds(parameters: Mapping[str, str], name: str, most: int) -> int:
    """
    Return a parameter in seconds; it is a number or a duration.

    :raises DeployError: The parameter is neither, or too long.
    """
    try:
        return duration(name, parameters[name], 1, most)
    except InvalidEventError as error:
        raise DeployError(f"{name} is {parameters[name]}: it {error.rule}") from None


def reserved_concurrency(parameters: Mapping[str, str]) -> int | None:
    """Return the invocations that the function has for itself; ``None`` when it shares the account's."""
    written = parameters["ReservedConcurrency"]
    return None if written == "none" else int(written)


def check(parameters: Mapping[str, str]) -> None:
    """
    Check what the template cannot, since it cannot calculate.

    :raises DeployError: Parameters do not fit each other.
    """
    seconds(parameters, "MaxJobSeconds", MOST_JOB_SECONDS)
    signer = parameters.get("Signer", S3)
    most = MAX_CLOUDFRONT_SECONDS if signer == CLOUDFRONT else MAX_EXPIRY_SECONDS
    _check_refresh(parameters, seconds(parameters, "UrlExpirySeconds", most))
    chains, reserved = int(parameters["Chains"]), reserved_concurrency(parameters) or 0
    if chains > 1 and parameters["CreateStateMachine"] != "true":
        raise DeployError(f"Chains is {chains}: it needs CreateStateMachine=true, which gives their ranges to them")
    if 1 < chains >= reserved > 0:
        raise DeployError(
            f"ReservedConcurrency is {reserved}: {chains} Chains need at least {chains + 1}, one for a hand-over"
        )
    if parameters["SubnetIds"] and not parameters["SecurityGroupIds"]:
        raise DeployError(f"SubnetIds is {parameters['SubnetIds']}: it needs SecurityGroupIds, which let HTTPS out")
    timeout, visibility = int(parameters["Timeout"]), int(parameters["QueueVisibilitySeconds"])
    if parameters["CreateQueue"] == "true" and visibility < VISIBILITY_FACTOR * timeout:
        raise DeployError(
            f"QueueVisibilitySeconds is {visibility}: it must be at least {VISIBILITY_FACTOR * timeout}, "
            f"{VISIBILITY_FACTOR} times Timeout, or a message is handed out again while its job is at work"
        )
    _check_places(parameters)
    _check_environment(parameters)


def _check_places(parameters: Mapping[str, str]) -> None:
    """Refuse PDFs among the manifests: no job lists them, and the lifecycle rules would delete them."""
    place = parameters["ManifestPrefix"]
    for name in ("Prefix", "AllowedPrefix"):
        if parameters["ManifestBucket"] in {"", parameters["BucketName"]} and parameters[name].startswith(place):
            raise DeployError(
                f"{name} is {parameters[name]}, under the ManifestPrefix {place} of the same bucket: no job lists what "
                "is there, and the lifecycle rules delete it: name another ManifestPrefix, or a ManifestBucket"
            )


def _check_environment(parameters: Mapping[str, str]) -> None:
    """Refuse an environment too large for Lambda: CloudFormation would report it after minutes, and roll back."""
    stack = template.load()
    names = {name: f"{parameters['NameUnderscored']}_{name}" for name in stack["Resources"]}
    written = stack["Resources"]["LambdaPresignSiblings"]["Properties"]["Environment"]["Variables"]
    variables = template.Resolver(stack, {**parameters, **_LONGEST, **names}).resolve(written)
    size = len(json.dumps(variables, separators=(",", ":")).encode())
    if size > MOST_ENVIRONMENT:
        name = max(variables, key=lambda each: len(variables[each]))
        raise DeployError(
            f"the function's environment has {size:,} bytes, of which {name} takes the most, and Lambda takes "
            f"{MOST_ENVIRONMENT:,}: name long lists in the event (docs/reference/event.md)"
        )


def _check_refresh(parameters: Mapping[str, str], life: int) -> None:
    """
    Refuse a refresh that comes after the links at the stable key are dead, or never.

    :param life: Lifetime of the links, seconds.
    """
    hours = int(parameters["RefreshHours"])
    if not hours:
        return
    if not parameters["ManifestKey"]:
        need = "a ManifestKey, whose links are signed again"
    elif parameters["Policy"] != CANNED:
        need = f"Policy={CANNED}: a manifest's keys have no prefix in common"
    elif hours * HOUR >= life:
        need = f"less than the links live, and UrlExpirySeconds is {parameters['UrlExpirySeconds']}"
    else:
        return
    raise DeployError(f"RefreshHours is {hours}: it needs {need}")
