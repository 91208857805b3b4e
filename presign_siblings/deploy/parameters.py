"""The parameters of a stack: the template's defaults and rules, and what the template cannot check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from presign_siblings.deploy import template
from presign_siblings.deploy.function_environment import scheduled_job
from presign_siblings.deploy.stacks import DeployError
from presign_siblings.errors import WrongUseError
from processor.errors import InvalidEventError
from processor.job import CANNED
from processor.job.times import duration

if TYPE_CHECKING:
    from collections.abc import Mapping

# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
VISIBILITY_FACTOR = 6
MOST_JOB_SECONDS = 86_400  # less than the two days after which S3 aborts an unfinished upload
HOUR = 3600
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rate-expressions.html
_OF_A_RULE = re.compile(r"cron\(.+\)|rate\((1 (minute|hour|day)|(?!1 )[1-9][0-9]* (minutes|hours|days))\)")
_OF_THE_BUILD = {"Architecture": "--architecture", "Runtime": "--runtime"}
_OF_THE_DEPLOYMENT = {
    "CodeKey": "the package is built and uploaded here",
    "LiveVersion": "rollback --to moves it",
    "Release": "it is the version of this tool",
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
        return str(rules["ConstraintDescription"])
    if rules["Type"] == "Number":
        low, high = int(rules.get("MinValue", 0)), rules.get("MaxValue")
        if not re.fullmatch("[0-9]+", value) or int(value) < low or (high is not None and int(value) > int(high)):
            return f"a whole number from {low}" + ("" if high is None else f" to {high}")
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
    chains = int(parameters["Chains"])
    if chains > 1 and parameters["CreateStateMachine"] != "true":
        raise DeployError(f"Chains is {chains}: it needs CreateStateMachine=true, which gives their ranges to them")
    if parameters["SubnetIds"] and not parameters["SecurityGroupIds"]:
        raise DeployError(f"SubnetIds is {parameters['SubnetIds']}: it needs SecurityGroupIds, which let HTTPS out")
    timeout, visibility = int(parameters["Timeout"]), int(parameters["QueueVisibilitySeconds"])
    if parameters["CreateQueue"] == "true" and visibility < VISIBILITY_FACTOR * timeout:
        raise DeployError(
            f"QueueVisibilitySeconds is {visibility}: it must be at least {VISIBILITY_FACTOR * timeout}, "
            f"{VISIBILITY_FACTOR} times Timeout, or a message is handed out again while its job is at work"
        )
    _check_schedule(parameters)
    _check_places(parameters)
    _check_refresh(parameters, scheduled_job(parameters).expiry_seconds)


def _check_schedule(parameters: Mapping[str, str]) -> None:
    """Refuse what only EventBridge Scheduler takes: CloudFormation would report it after minutes, and roll back."""
    schedule = parameters["ScheduleExpression"]
    if parameters["ScheduleEngine"] == "rule" and not _OF_A_RULE.fullmatch(schedule):
        raise DeployError(
            f"ScheduleExpression is {schedule}: a rule takes cron(...), rate(1 day) or rate(2 days), with s from 2 on; "
            "at(...) needs ScheduleEngine=scheduler"
        )


def _check_places(parameters: Mapping[str, str]) -> None:
    """Refuse PDFs among the manifests, which the lifecycle rules would delete, and jobs that may list no key."""
    place, prefix = parameters["ManifestPrefix"], parameters["Prefix"]
    for name in ("Prefix", "AllowedPrefix"):
        if parameters["ManifestBucket"] in {"", parameters["BucketName"]} and parameters[name].startswith(place):
            raise DeployError(
                f"{name} is {parameters[name]}, under the ManifestPrefix {place} of the same bucket: no job lists what "
                "is there, and the lifecycle rules delete it: name another ManifestPrefix, or a ManifestBucket"
            )
    if "{" in prefix and not parameters["AllowedPrefix"]:
        begin = prefix.partition("{")[0] or "2"  # as every year does
        raise DeployError(f"Prefix is {prefix}: it has a date, so it needs AllowedPrefix, such as {begin}")


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
