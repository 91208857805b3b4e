"""A deployed function, and what belongs to it: its jobs table, its log group, the settings that jobs inherit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from presign_siblings.errors import NotFoundError
from processor.errors import error_code
from processor.events import Surroundings, one_of
from processor.job import DeploymentSettings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from types_boto3_cloudformation import CloudFormationClient
    from types_boto3_lambda import LambdaClient

    from processor.job import Job

_UNKNOWN = frozenset({"ResourceNotFoundException", "ValidationError"})


@dataclass(frozen=True, slots=True)
class Deployed:
    """
    A deployed function.

    :param function:    Name, without alias or version.
    :param qualifier:   The alias or version in use, if any.
    :param arn:         ARN, without alias or version.
    :param log_group:   Log group of the function.
    :param jobs_table:  The ledger's table; ``None`` when the function has none, or its environment may not be read.
    :param environment: Variables of the function: defaults of the job's fields, and the deployment's own settings.
    """

    function: str
    qualifier: str | None
    arn: str
    log_group: str
    jobs_table: str | None
    environment: Mapping[str, str]

    @property
    def named(self) -> str:
        """The function's name with its alias or version."""
        return self.function if self.qualifier is None else f"{self.function}:{self.qualifier}"

    @property
    def deployment(self) -> DeploymentSettings:
        """Return the function's settings, as the function reads them."""
        return DeploymentSettings.from_environment(self.environment, {})

    def table(self) -> str:
        """
        Return the jobs table.

        :raises NotFoundError: The function has no known table.
        """
        if self.jobs_table is None:
            raise NotFoundError(f"function {self.function} has no JOBS_TABLE, or its environment may not be read")
        return self.jobs_table

    def job(self, event: Mapping[str, object], now: datetime) -> Job | None:
        """
        Return the job that an event asks for, by the function's own rules: a direct one, or any that it can read.

        :return: ``None`` where sosw's config row counts too, which only the function reads.
        :raises InvalidEventError: A field breaks its rule.
        """
        if self.environment.get("SOSW_CONFIG") != "none":
            return None
        around = Surroundings(self.environment, {}, self.deployment, delivery="", clock=lambda: now)
        return one_of(event, around).run.job


def of_function(functions: LambdaClient, name: str) -> Deployed:
    """
    Look up a function.

    :param name: Name or ARN, with an optional alias or version after a colon.
    :raises NotFoundError: The function does not exist.
    """
    try:
        found = functions.get_function_configuration(FunctionName=name)
    except ClientError as error:
        if error_code(error) in _UNKNOWN:
            alone = f", or it has no alias or version {_qualifier(name)}" if _qualifier(name) else ""
            raise NotFoundError(f"no function {name} in region {functions.meta.region_name}{alone}") from error
        raise
    environment = found.get("Environment", {}).get("Variables", {})
    pieces = found["FunctionArn"].split(":")
    return Deployed(
        function=pieces[6],
        qualifier=_qualifier(name),
        arn=":".join(pieces[:7]),
        log_group=found.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{pieces[6]}",
        jobs_table=environment.get("JOBS_TABLE") or None,
        environment=environment,
    )


def of_stack(cloudformation: CloudFormationClient, functions: LambdaClient, stack: str) -> Deployed:
    """
    Look up a stack's function under its live alias, which the stack's schedules invoke.

    :raises NotFoundError: There is no such stack, or it has no such function.
    """
    try:
        (description,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if error_code(error) in _UNKNOWN:
            raise NotFoundError(f"no stack {stack} in region {cloudformation.meta.region_name}") from error
        raise
    outputs = {each["OutputKey"]: each["OutputValue"] for each in description.get("Outputs", [])}
    if "FunctionArn" not in outputs:
        raise NotFoundError(
            f"stack {stack} has no output FunctionArn: it is another product's stack, or not complete yet"
        )
    return of_function(functions, outputs["FunctionArn"])


def live(functions: LambdaClient, deployed: Deployed) -> Deployed:
    """Return a function under its live alias, which schedules invoke, if there is one and the caller named no other."""
    alias = deployed.environment.get("LIVE_ALIAS")
    if deployed.qualifier is not None or not alias:
        return deployed
    return of_function(functions, f"{deployed.arn}:{alias}")


def _qualifier(name: str) -> str | None:
    """Return the alias or version after a function's name or ARN."""
    pieces = name.split(":")
    after_name = pieces[7:] if name.startswith("arn:") else pieces[1:]  # arn:aws:lambda:r:a:function:name:alias
    return after_name[0] if after_name else None
