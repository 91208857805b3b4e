"""The simulation's DynamoDB answers as a real server does, to the ledger's own requests and to wrong ones."""

from __future__ import annotations

import random
import uuid
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from boto3.dynamodb.types import TypeSerializer
from botocore.exceptions import ClientError

from processor.errors import error_code
from tests.simulation.dynamo import Table

if TYPE_CHECKING:
    from collections.abc import Callable

NAME = f"autotest_{uuid.uuid4().hex}"
write = TypeSerializer().serialize


def _put(draw: random.Random, key: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    item = {"state": draw.choice(["running", "parked"]), "holder": draw.choice("abc"), "stop": draw.random() < 0.5}
    item |= {"revision": draw.randrange(4), "runs": ["one", "two"], "reason": None, "ttl": draw.randrange(10)}
    request = {"TableName": NAME, "Item": key | {name: write(value) for name, value in item.items()}}
    if draw.random() < 0.5:
        return "put_item", request | {"ConditionExpression": "attribute_not_exists(job_key)"}
    value = {":revision": write(draw.randrange(4))}
    return "put_item", request | {"ConditionExpression": "revision = :revision", "ExpressionAttributeValues": value}


def _update(draw: random.Random, key: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    changes = {"state": draw.choice(["running", "complete"]), "lease_until": draw.randrange(10**13), "reason": None}
    values = {":holder": draw.choice("abc"), ":held": draw.choice(["running", "parked"]), ":one": 1}
    values |= {f":{name}": value for name, value in changes.items()}
    request = {
        "TableName": NAME,
        "Key": key,
        "UpdateExpression": f"SET {', '.join(f'#{name} = :{name}' for name in changes)} ADD revision :one",
        "ConditionExpression": "holder = :holder AND #state = :held",
        "ExpressionAttributeNames": {f"#{name}": name for name in changes},
        "ExpressionAttributeValues": {name: write(value) for name, value in values.items()},
        "ReturnValues": "ALL_NEW",
    }
    return "update_item", request


def _get(_: random.Random, key: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    return "get_item", {"TableName": NAME, "Key": key, "ConsistentRead": True}


def _wrong(draw: random.Random, key: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Break one part of a good update."""
    operation, request = _update(draw, key)
    changes: list[dict[str, Any]] = [
        {"ConditionExpression": "holder = :holder AND state = :held"},
        {"ConditionExpression": "holder = :holder"},
        {"UpdateExpression": "SETTLE #state = :state"},
        {"UpdateExpression": "SET #state = :state, job_key = :reason, #lease_until = :lease_until, #reason = :reason"},
    ]
    return operation, request | draw.choice(changes)


def _outcome(call: Callable[..., dict[str, Any]], request: dict[str, Any]) -> Any:
    try:
        answer = call(**request)
    except ClientError as error:
        return error_code(error)
    return {name: answer[name] for name in ("Item", "Attributes") if name in answer}


@pytest.mark.parametrize("seed", range(4))
def test_the_fake_answers_as_the_server(aws: str, seed: int) -> None:
    """The same random requests get the same answers and refusals."""
    server = boto3.client("dynamodb", endpoint_url=aws)
    server.create_table(
        TableName=NAME,
        KeySchema=[{"AttributeName": "job_key", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "job_key", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    try:
        table, draw = Table(), random.Random(seed)
        for _ in range(150):
            make = draw.choices([_put, _update, _get, _wrong], [3, 6, 2, 1])[0]
            operation, request = make(draw, {"job_key": {"S": draw.choice("xyz")}})
            fake = _outcome(lambda _name=operation, **asked: table.call(_name, asked), request)
            assert fake == _outcome(getattr(server, operation), request), request
    finally:
        server.delete_table(TableName=NAME)
