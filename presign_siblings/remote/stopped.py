"""
What ``stop --all`` has changed, kept in the jobs table: whoever runs ``--undo``, on whatever machine, finds it there.

A row of sets beside the rows of the jobs: several stops add to it, so their order and number do not matter. It is
written before anything is changed, and removed once everything is as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

MARK = "#stopped#"  # no job's key begins so
NONE = "none"


@dataclass(frozen=True, slots=True)
class Stopped:
    """
    What was changed, and how it was before.

    :param rules:       Rules and schedules that were on.
    :param mappings:    Event source mappings that were on.
    :param jobs:        Jobs that were not asked to stop.
    :param concurrency: Reserved concurrency: a number, or ``none``; ``None`` where it was not changed.
    """

    rules: frozenset[str] = frozenset()
    mappings: frozenset[str] = frozenset()
    jobs: frozenset[str] = frozenset()
    concurrency: str | None = None


class StopRecord:
    """
    The row of one function.

    :param table:    Name of the jobs table.
    :param function: Name of the function: several may share a table.
    """

    def __init__(self, tables: DynamoDBClient, table: str, function: str) -> None:
        self._tables, self._where = tables, {"TableName": table, "Key": {"job_key": {"S": f"{MARK}{function}"}}}

    def read(self) -> Stopped | None:
        """Return what was changed and not undone; ``None`` where nothing was."""
        where: Any = self._where
        item: Any = self._tables.get_item(**where, ConsistentRead=True).get("Item")
        if item is None:
            return None
        sets = {name: frozenset(item.get(name, {}).get("SS", ())) for name in ("rules", "mappings", "jobs")}
        return Stopped(**sets, concurrency=item.get("concurrency", {}).get("S"))

    def add(self, changed: Stopped) -> None:
        """
        Write down what is about to be changed; what earlier stops have changed stays.

        A concurrency replaces that of an earlier stop: where this one finds any, somebody has undone that by hand.
        """
        sets = {name: getattr(changed, name) for name in ("rules", "mappings", "jobs")}
        given = {name: values for name, values in sets.items() if values}
        names = {f"#{name}": name for name in given}
        values: dict[str, Any] = {f":{name}": {"SS": sorted(values)} for name, values in given.items()}
        expressions = [f"ADD {', '.join(f'#{name} :{name}' for name in given)}"] if given else []
        if changed.concurrency is not None:
            expressions.append("SET #concurrency = :concurrency")
            names["#concurrency"] = "concurrency"
            values[":concurrency"] = {"S": changed.concurrency}
        if not expressions:
            return
        where: Any = self._where
        self._tables.update_item(
            **where,
            UpdateExpression=" ".join(expressions),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",  # an answer that says nothing is a proxy's
        )

    def forget(self) -> None:
        """Remove the row: everything is as it was."""
        where: Any = self._where
        self._tables.delete_item(**where)


def is_job(job_key: str) -> bool:
    """Tell a job's row from others."""
    return not job_key.startswith(MARK)
