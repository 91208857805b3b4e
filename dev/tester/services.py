"""The deployed stack with its clients: made once, and shared between threads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import boto3

from presign_siblings.remote import function, switches
from presign_siblings.remote.jobs import Jobs

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

    from dev.aws.emulator import Emulator
    from dev.aws.stack import Stack
    from presign_siblings.remote.function import Deployed
    from presign_siblings.remote.switches import Switches


@dataclass(frozen=True, slots=True)
class Services:
    """
    The services that the page uses.

    :param switches: The switches while no fault is on.
    :param queue:    URL of the on-failure queue.
    """

    emulator: Emulator
    deployed: Deployed
    jobs: Jobs
    switches: Switches
    s3: S3Client
    functions: LambdaClient
    logs: CloudWatchLogsClient
    tables: DynamoDBClient
    events: EventBridgeClient
    queues: SQSClient
    queue: str

    @classmethod
    def of(cls, emulator: Emulator, stack: Stack) -> Services:
        """Make the clients of a complete stack."""
        options = emulator.options
        queues, functions = boto3.client("sqs", **options), boto3.client("lambda", **options)
        tables, events = boto3.client("dynamodb", **options), boto3.client("events", **options)
        # The rules target the alias; a run uses $LATEST, whose log level can be changed.
        found = function.of_function(functions, stack.function)
        alias = replace(found, qualifier=stack.live.rpartition(":")[2])
        return cls(
            emulator=emulator,
            deployed=found,
            jobs=Jobs(tables, found.table()),
            switches=switches.switches(events, functions, alias, [switches.DEFAULT_BUS]),
            s3=boto3.client("s3", **options),
            functions=functions,
            logs=boto3.client("logs", **options),
            tables=tables,
            events=events,
            queues=queues,
            queue=stack.failed,
        )
