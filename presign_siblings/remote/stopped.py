"""
What ``stop --all`` has changed, kept in the jobs table: ``--undo`` finds it there from any machine.

The rows hold sets, to which several stops add, so the order and number of the stops do not matter. The rows are written
before anything is changed, and removed once everything is as it was.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

MARK = "#stopped#"  # no job's key begins so
NONE = "none"
SHELVES = "0123456789abcdef"  # first characters of a job's key: a row takes 400 KB, about 12,000 keys


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
    The rows of one function: one for all but the jobs, and one for the jobs on each shelf.

    :param table:    Name of the jobs table.
    :param function: Name of the function: several may share a table.
    """

    def __init__(self, tables: DynamoDBClient, table: str, function: str) -> None:
        self._tables, self._table, self._function = tables, table, function

    def _row(self, shelf: str = "") -> Any:  # noqa: ANN401 - boto3's own arguments
        name = f"{MARK}{self._function}{shelf and f'#{shelf}'}"
        return {"TableName": self._table, "Key": {"job_key": {"S": name}}}

    def read(self) -> Stopped | None:
        """Return what was changed and not undone; ``None`` where nothing was."""
        found = [self._tables.get_item(**self._row(shelf), ConsistentRead=True).get("Item") for shelf in ("", *SHELVES)]
        items: list[Any] = [item for item in found if item is not None]
        if not items:
            return None
        sets = {
            name: frozenset(value for item in items for value in item.get(name, {}).get("SS", ()))
            for name in ("rules", "mappings", "jobs")
        }
        return Stopped(**sets, concurrency=items[0].get("concurrency", {}).get("S"))

    def add(self, changed: Stopped) -> None:
        """
        Write down what is about to be changed; what earlier stops have changed stays.

        The concurrency replaces an earlier stop's: if this stop finds any, the earlier one was undone by hand.
        """
        self._add(self._row(), replace(changed, jobs=frozenset()))
        for shelf in SHELVES:
            self._add(self._row(shelf), Stopped(jobs=frozenset(job for job in changed.jobs if job[0] == shelf)))

    def _add(self, row: Any, changed: Stopped) -> None:  # noqa: ANN401 - boto3's own arguments
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
        self._tables.update_item(
            **row,
            UpdateExpression=" ".join(expressions),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues=values,
            ReturnValues="ALL_NEW",  # so that an empty answer can only be a proxy's
        )

    def forget(self) -> None:
        """Remove the rows: everything is as it was."""
        for shelf in (*SHELVES, ""):
            self._tables.delete_item(**self._row(shelf))


def is_job(job_key: str) -> bool:
    """Return whether a row is a job's."""
    return not job_key.startswith(MARK)
