"""The deployed stack with its clients, as the page's other modules use it: made once, shared between threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.types import TypeDeserializer

from processor.deployment import Deployment

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_events import EventBridgeClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_logs import CloudWatchLogsClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

    from local.emulator import Emulator
    from local.stack import Stack


@dataclass(frozen=True, slots=True)
class Services:
    """
    What the page talks to.

    :param queue: URL of the on-failure queue.
    """

    emulator: Emulator
    stack: Stack
    s3: S3Client
    functions: LambdaClient
    logs: CloudWatchLogsClient
    tables: DynamoDBClient
    events: EventBridgeClient
    queues: SQSClient
    queue: str

    @classmethod
    def of(cls, emulator: Emulator, deployed: Stack) -> Services:
        """Make the clients of a stack that stands."""
        options = emulator.options
        queues = boto3.client("sqs", **options)
        return cls(
            emulator=emulator,
            stack=deployed,
            s3=boto3.client("s3", **options),
            functions=boto3.client("lambda", **options),
            logs=boto3.client("logs", **options),
            tables=boto3.client("dynamodb", **options),
            events=boto3.client("events", **options),
            queues=queues,
            queue=queues.get_queue_url(QueueName=f"{deployed.function}_failed")["QueueUrl"],
        )

    def environment(self) -> dict[str, str]:
        """Return the variables that the function runs with."""
        described = self.functions.get_function_configuration(FunctionName=self.stack.function)
        return dict(described["Environment"]["Variables"])

    def deployment(self) -> Deployment:
        """Return the settings that no event can change, read as the function reads them."""
        return Deployment.from_environment(self.environment(), {})

    def record(self, job_key: str) -> dict[str, Any] | None:
        """Return a job's record in the jobs table."""
        key: Any = {"job_key": {"S": job_key}}
        item = self.tables.get_item(TableName=self.stack.jobs, Key=key, ConsistentRead=True).get("Item")
        return None if item is None else {name: TypeDeserializer().deserialize(each) for name, each in item.items()}

    def change(self, job_key: str, **values: Any) -> None:  # noqa: ANN401 - DynamoDB's typed values
        """
        Set attributes of a job's record, as README's "Stop, park, resume" does.

        :param values: Attribute and typed value: ``stop={"BOOL": True}``.
        """
        self.tables.update_item(
            TableName=self.stack.jobs,
            Key={"job_key": {"S": job_key}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values) + " ADD revision :one",
            ConditionExpression="attribute_exists(job_key)",
            ExpressionAttributeNames={f"#{name}": name for name in values},
            ExpressionAttributeValues={":one": {"N": "1"}, **{f":{name}": value for name, value in values.items()}},
        )
