"""The jobs table: items in plain values, written on conditions, and DynamoDB's errors sorted by what they mean here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError

from processor.causes import why
from processor.errors import RetryableError, error_code

if TYPE_CHECKING:
    from collections.abc import Awaitable, Iterable, Mapping


class ConditionFailedError(Exception):
    """The item is no longer as the write demands."""


class JobsTable:
    """
    A DynamoDB table; every call raises ``RetryableError`` when the table does not answer.

    :param client: An aiobotocore DynamoDB client.
    :param name:   The table: hash key ``job_key`` (string), TTL attribute ``ttl``.
    """

    def __init__(self, client: Any, name: str) -> None:  # noqa: ANN401 - untyped client
        self._client, self._name = client, name
        self._serialize, self._deserialize = TypeSerializer().serialize, TypeDeserializer().deserialize

    async def get(self, job_key: str) -> dict[str, Any] | None:
        """Return an item as the last write left it, or ``None``."""
        key = {"job_key": self._serialize(job_key)}
        answer = await self._call(self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True))
        return self._plain(answer["Item"]) if "Item" in answer else None

    async def put_new(self, item: Mapping[str, Any]) -> None:
        """
        Write an item where there is none.

        :raises ConditionFailedError: There is one.
        """
        condition = "attribute_not_exists(job_key)"
        await self._call(
            self._client.put_item(TableName=self._name, Item=self._typed(item), ConditionExpression=condition)
        )

    async def update(
        self, job_key: str, expression: str, condition: str, names: Iterable[str], values: Mapping[str, Any]
    ) -> dict[str, Any]:
        """
        Change attributes of an item.

        :param names:  Attributes that the expressions write with ``#`` before them.
        :param values: By the names that the expressions have for them.
        :return: The item as it is now.
        :raises ConditionFailedError: The condition does not hold.
        """
        answer = await self._call(
            self._client.update_item(
                TableName=self._name,
                Key={"job_key": self._serialize(job_key)},
                UpdateExpression=expression,
                ConditionExpression=condition,
                ExpressionAttributeNames={f"#{name}": name for name in names},
                ExpressionAttributeValues=self._typed(values),
                ReturnValues="ALL_NEW",
            )
        )
        return self._plain(answer["Attributes"])

    def _typed(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._serialize(value) for name, value in values.items()}

    def _plain(self, attributes: Mapping[str, Any]) -> dict[str, Any]:
        return {name: self._deserialize(value) for name, value in attributes.items()}

    async def _call(self, call: Awaitable[Any]) -> Any:  # noqa: ANN401 - each operation has its own answer
        try:
            return await call
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise ConditionFailedError from error
            raise RetryableError(f"cannot use the jobs table {self._name}: {why(error)}") from error
        except BotoCoreError as error:
            raise RetryableError(f"cannot use the jobs table {self._name}: {why(error)}") from error
