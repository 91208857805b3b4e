"""
Adds what the emulator ignores in a template, through the services' own calls, and removes what it cannot serve.

MiniStack 1.5.33 creates the function without ``RecursiveLoop`` and ``ReservedConcurrentExecutions``, the bucket
without its lifecycle rules, and the jobs table without its TTL. When the function asks for its
recursion guard, MiniStack demands the right to GetFunction (its iam_actions.py lacks recursion-config); when the
function reports a task, MiniStack demands the right on all state machines (it expects an ARN in the request, which
holds a token). AWS needs none of this. The values come from the template. The emulator uses plain HTTP, which the
bucket's policy denies.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import boto3

from dev.aws.ministack import ACCOUNT, REGION
from presign_siblings.deploy import bucket_rules, template

if TYPE_CHECKING:
    from dev.aws.emulator import Emulator

RESERVED = "ReservedConcurrentExecutions"
TASKS = ["states:SendTaskFailure", "states:SendTaskHeartbeat", "states:SendTaskSuccess"]


def fill(emulator: Emulator, stack: str) -> None:
    """
    Add to a stack what the emulator ignored.

    :param stack: Name of a complete stack.
    """
    resolver = _resolver(emulator, stack)
    functions = boto3.client("lambda", **emulator.options)
    for logical, properties in resolver.resources("AWS::Lambda::Function"):
        name = resolver.references[logical]
        given = resolver.resolve({name: properties[name] for name in ("RecursiveLoop", RESERVED)})
        functions.put_function_recursion_config(FunctionName=name, RecursiveLoop=given["RecursiveLoop"])
        if RESERVED in given:
            functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=int(given[RESERVED]))
        _let_it_ask_for_its_guard(emulator, name)
    tables = boto3.client("dynamodb", **emulator.options)
    for logical, properties in resolver.resources("AWS::DynamoDB::Table"):
        tables.update_time_to_live(
            TableName=resolver.references[logical],
            TimeToLiveSpecification=resolver.resolve(properties["TimeToLiveSpecification"]),
        )
    s3 = boto3.client("s3", **emulator.options)
    for logical, properties in resolver.resources("AWS::S3::Bucket"):
        rules = resolver.resolve(properties["LifecycleConfiguration"]["Rules"])
        typed: Any = [bucket_rules.translated(rule) for rule in rules]
        s3.put_bucket_lifecycle_configuration(
            Bucket=resolver.references[logical],
            LifecycleConfiguration={"Rules": typed},
        )
    for _, properties in resolver.resources("AWS::S3::BucketPolicy"):
        s3.delete_bucket_policy(Bucket=resolver.resolve(properties["Bucket"]))


def _let_it_ask_for_its_guard(emulator: Emulator, function: str) -> None:
    role = boto3.client("lambda", **emulator.options).get_function_configuration(FunctionName=function)["Role"]
    arn = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{function}"
    statements = [
        {"Effect": "Allow", "Action": "lambda:GetFunction", "Resource": arn},
        {"Effect": "Allow", "Action": TASKS, "Resource": "*"},
    ]
    boto3.client("iam", **emulator.options).put_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyName="EmulatorRecursionGuard",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": statements}),
    )


def _resolver(emulator: Emulator, stack: str) -> template.Resolver:
    cloudformation = boto3.client("cloudformation", **emulator.options)
    (description,) = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in description["Parameters"]}
    physical = {
        each["LogicalResourceId"]: each["PhysicalResourceId"]
        for each in cloudformation.describe_stack_resources(StackName=stack)["StackResources"]
    }
    pseudo = {"AWS::AccountId": ACCOUNT, "AWS::Region": REGION, "AWS::Partition": "aws"}
    return template.Resolver(template.load(), {**parameters, **pseudo, **physical})
