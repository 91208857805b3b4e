"""
DynamoDB in memory: one table, and a small evaluator of exactly the expressions that the ledger writes.

The evaluator refuses anything else, as DynamoDB refuses what it does not know; ``test_dynamo_fake_i`` compares both
with moto's server.
"""

from __future__ import annotations

import pickle
import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from tests.fakes import refuse

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

Item = dict[str, dict[str, Any]]
_Data = TypeVar("_Data")
HASH_KEY = "job_key"
# Those of DynamoDB's reserved words that may be attributes of a jobs table.
RESERVED = frozenset({"owner", "state", "status", "time", "timestamp", "ttl", "value"})
_EXISTS = re.compile(r"(attribute_exists|attribute_not_exists)\(\s*([#\w]+)\s*\)")
_EQUAL = re.compile(r"([#\w]+) = (:\w+)")
_CLAUSE = re.compile(r"\b(SET|ADD|REMOVE|DELETE)\b")
_ADD = re.compile(r"([#\w]+) (:\w+)")


def _copied(item: _Data) -> _Data:
    """Return a copy that shares nothing with the original; for plain data pickle takes a third of deepcopy's time."""
    copied: _Data = pickle.loads(pickle.dumps(item, pickle.HIGHEST_PROTOCOL))  # noqa: S301 - its own
    return copied


class _Expressions:
    """One request's expressions, with its placeholders; each placeholder must be used."""

    def __init__(self, request: Mapping[str, Any]) -> None:
        self._names: Mapping[str, str] = request.get("ExpressionAttributeNames") or {}
        self._values: Mapping[str, dict[str, Any]] = request.get("ExpressionAttributeValues") or {}
        self._used: set[str] = set()

    def holds(self, condition: str | None, item: Item) -> bool:
        """Evaluate a condition: terms joined by ``AND``."""
        terms = [] if condition is None else condition.split(" AND ")
        held = [self._term(term.strip(), item) for term in terms]  # each is evaluated: a wrong one is always refused
        return all(held)

    def _term(self, term: str, item: Item) -> bool:
        if match := _EXISTS.fullmatch(term):
            return (self._name(match[2]) in item) is (match[1] == "attribute_exists")
        if match := _EQUAL.fullmatch(term):
            name, value = self._name(match[1]), self._value(match[2])
            return name in item and _same(item[name], value)
        raise _invalid(f"cannot evaluate the condition {term!r}")

    def updated(self, expression: str, item: Item) -> Item:
        """Evaluate an update expression: ``SET name = :value, ...`` and ``ADD name :number``."""
        after, pieces = _copied(item), _CLAUSE.split(expression)
        if pieces[0].strip():
            raise _invalid(f"cannot evaluate the update {expression!r}")
        for clause, actions in zip(pieces[1::2], pieces[2::2], strict=True):
            for action in actions.split(","):
                name, value = self._action(clause, action.strip(), item)
                after[name] = value
        return after

    def _action(self, clause: str, action: str, item: Item) -> tuple[str, dict[str, Any]]:
        if clause == "SET" and (match := _EQUAL.fullmatch(action)):
            name = self._name(match[1])
            if name == HASH_KEY:
                raise _invalid("the hash key cannot be updated")
            return name, _copied(self._value(match[2]))
        if clause == "ADD" and (match := _ADD.fullmatch(action)):
            name, value = self._name(match[1]), self._value(match[2])
            before = item.get(name, {"N": "0"})
            if set(value) != {"N"} or set(before) != {"N"}:
                raise _invalid("ADD takes numbers here")
            return name, {"N": str(Decimal(before["N"]) + Decimal(value["N"]))}
        raise _invalid(f"cannot evaluate {clause} {action!r}")

    def _name(self, written: str) -> str:
        if not written.startswith("#"):
            if written.lower() in RESERVED:
                raise _invalid(f"{written} is a reserved word")
            return written
        if written not in self._names:
            raise _invalid(f"{written} is not defined")
        self._used.add(written)
        return self._names[written]

    def _value(self, written: str) -> dict[str, Any]:
        if written not in self._values:
            raise _invalid(f"{written} is not defined")
        self._used.add(written)
        return self._values[written]

    def check_all_used(self) -> None:
        """Refuse placeholders that no expression uses."""
        unused = (self._names.keys() | self._values.keys()) - self._used
        if unused:
            raise _invalid(f"{', '.join(sorted(unused))} are unused in expressions")


_KNOWN = {
    "get_item": {"TableName", "Key", "ConsistentRead"},
    "put_item": {"TableName", "Item", "ConditionExpression", "ExpressionAttributeNames", "ExpressionAttributeValues"},
    "update_item": {
        "TableName",
        "Key",
        "UpdateExpression",
        "ConditionExpression",
        "ExpressionAttributeNames",
        "ExpressionAttributeValues",
        "ReturnValues",
    },
}


@dataclass
class Table:
    """The table itself: each call happens at once, whole or not at all."""

    items: dict[str, Item] = field(default_factory=dict)

    def call(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """
        Serve one request.

        :raises ClientError: DynamoDB's refusal.
        """
        unknown = request.keys() - _KNOWN.get(operation, set())
        if operation not in _KNOWN or unknown:
            raise _invalid(f"{operation} with {sorted(unknown)} is unknown")
        found = request["Item"][HASH_KEY] if operation == "put_item" else request["Key"][HASH_KEY]
        key = str(found["S"])
        item = self.items.get(key, {})
        if operation == "get_item":
            return {"Item": _copied(item)} if item else {}
        expressions = _Expressions(request)
        holds = expressions.holds(request.get("ConditionExpression"), item)
        update = request.get("UpdateExpression")
        new = request["Item"] if update is None else expressions.updated(update, {HASH_KEY: found, **item})
        expressions.check_all_used()
        if not holds:
            raise refuse("ConditionalCheckFailedException", operation)
        self.items[key] = _copied(new)
        return {"Attributes": _copied(new)} if request.get("ReturnValues") == "ALL_NEW" else {}


@dataclass
class FakeDynamo:
    """
    An aiobotocore DynamoDB client on a table in memory.

    :param before: Awaited before an operation; a test can block or raise there, and nothing happens.
    :param after:  Awaited after it; an exception of the test there is a lost answer.
    :param wire:   The requests, in order.
    """

    table: Table = field(default_factory=Table)
    before: Callable[[str, Mapping[str, Any]], Awaitable[None]] | None = None
    after: Callable[[str, Mapping[str, Any]], Awaitable[None]] | None = None
    wire: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    @property
    def items(self) -> dict[str, Item]:
        """The table's items, by hash key."""
        return self.table.items

    async def get_item(self, **request: Any) -> dict[str, Any]:
        return await self._cross("get_item", request)

    async def put_item(self, **request: Any) -> dict[str, Any]:
        return await self._cross("put_item", request)

    async def update_item(self, **request: Any) -> dict[str, Any]:
        return await self._cross("update_item", request)

    async def _cross(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        self.wire.append((operation, request))
        if self.before is not None:
            await self.before(operation, request)
        answer = self.table.call(operation, request)
        if self.after is not None:
            await self.after(operation, request)
        return answer


def _same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if set(one) == set(other) == {"N"}:
        return Decimal(one["N"]) == Decimal(other["N"])
    return one == other


def _invalid(message: str) -> Exception:
    return refuse("ValidationException", message)
