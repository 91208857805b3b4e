"""The jobs table, as an operator reads it, and the one attribute that an operator may write: ``stop``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from presign_siblings.errors import CommandError, NotFoundError, WrongUseError
from presign_siblings.remote.job_snapshot import JobSnapshot
from presign_siblings.remote.stopped import is_job
from processor.errors import PresignSiblingsError, error_code
from processor.ledger import FANNED_OUT, LIVE

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from types_boto3_dynamodb import DynamoDBClient


class Jobs:
    """
    The jobs table, to read, and to set ``stop``.

    ``unread`` says, by key, why records that a newer release wrote were left out.

    :param tables: DynamoDB client.
    :param table:  Name of the table.
    """

    def __init__(self, tables: DynamoDBClient, table: str) -> None:
        self._tables, self._table = tables, table
        self.unread: dict[str, str] = {}

    def all(self) -> Iterator[JobSnapshot]:
        """
        Yield every job that this release can read, in no order.

        :raises NotFoundError: The table does not exist.
        """
        return _read(self._jobs(), self.unread)

    def under_way(self, *, stop: bool) -> list[str]:
        """
        Return the keys of the jobs under way that are, or are not, asked to stop, those of a newer release too.

        :raises NotFoundError: The table does not exist.
        """
        found = (item for item in self._jobs() if item["state"]["S"] in LIVE and item["stop"]["BOOL"] is stop)
        return [item["job_key"]["S"] for item in found]

    def _jobs(self) -> Iterator[Mapping[str, Any]]:
        """Yield the jobs' items; the ranges of a job that several chains share have records of their own."""
        return (item for item in self._scan() if is_job(item["job_key"]["S"]) and not _is_range(item))

    def ranges(self, job_id: str) -> list[JobSnapshot]:
        """
        Return the records of a run's ranges that this release can read: a scan of the whole table.

        :raises NotFoundError: The table does not exist.
        """
        of_run = {"FilterExpression": "job_id = :run", "ExpressionAttributeValues": {":run": {"S": job_id}}}
        return list(_read(filter(_is_range, self._scan(**of_run)), {}))

    def _scan(self, **wanted: Any) -> Iterator[Mapping[str, Any]]:  # noqa: ANN401 - boto3's own arguments
        try:
            for page in self._tables.get_paginator("scan").paginate(
                TableName=self._table, ConsistentRead=True, **wanted
            ):
                yield from page["Items"]
        except ClientError as error:
            raise self._explained(error) from error

    def latest(self) -> tuple[list[JobSnapshot], list[JobSnapshot]]:
        """Return every job, the latest write first, and the ranges that chains work on: both from one scan."""
        items = [item for item in self._scan() if is_job(item["job_key"]["S"])]
        found = _read((item for item in items if not _is_range(item)), self.unread)
        jobs = sorted(found, key=lambda snapshot: (snapshot.written, snapshot.record.job_key), reverse=True)
        runs = {snapshot.record.job_id for snapshot in jobs if snapshot.record.state == FANNED_OUT}
        return jobs, list(_read((item for item in items if item["job_id"]["S"] in runs and _is_range(item)), {}))

    def get(self, job_key: str) -> JobSnapshot | None:
        """Return a job, or ``None``."""
        try:
            answer = self._tables.get_item(TableName=self._table, Key={"job_key": {"S": job_key}}, ConsistentRead=True)
        except ClientError as error:
            raise self._explained(error) from error
        return JobSnapshot.from_item(answer["Item"]) if "Item" in answer else None

    def find(self, name: str) -> JobSnapshot:
        """
        Find the one job that a name means.

        :param name: A ``job_key`` or ``job_id``, or the beginning of either.
        :raises NotFoundError: No job has the name.
        :raises WrongUseError: Several jobs have the name.
        :raises CommandError: A newer release wrote the job's record.
        """
        if not name:
            raise WrongUseError("JOB is empty: give a job's key or id, or the beginning of either")
        exact = self.get(name)
        if exact is not None:
            return exact
        found = [
            snapshot
            for snapshot in self.all()
            if snapshot.record.job_key.startswith(name) or snapshot.record.job_id.startswith(name)
        ]
        unread = [reason for key, reason in self.unread.items() if key.startswith(name)]
        if unread:
            raise CommandError(unread[0])
        if not found:
            raise NotFoundError(f"no job in table {self._table} has a key or an id that begins with {name!r}")
        if len(found) > 1:
            keys = ", ".join(sorted(snapshot.record.job_key for snapshot in found)[:4])
            raise WrongUseError(f"{len(found)} jobs begin with {name!r}: {keys}")
        return found[0]

    def set_stop(self, job_key: str, *, stop: bool) -> JobSnapshot:
        """
        Ask a chain to stop at its next page, or undo that; the holder of the job reads the request within 15 s.

        :return: The job; a job that has ended is not changed.
        :raises NotFoundError: The job does not exist.
        """
        written = self.ask(job_key, stop=stop)
        snapshot = self.get(job_key) if written is None else JobSnapshot.from_item(written)
        if snapshot is None:
            raise NotFoundError(f"no job {job_key} in table {self._table}")
        return snapshot

    def ask(self, job_key: str, *, stop: bool) -> Mapping[str, Any] | None:
        """
        Do as ``set_stop`` does, whatever release wrote the record.

        :return: The item; ``None`` where the job does not exist, or has ended and cannot stop.
        """
        states: Any = {f":{state}": {"S": state} for state in LIVE} if stop else {}
        condition = "attribute_exists(job_key)" + (f" AND #state IN ({', '.join(states)})" if stop else "")
        names: Any = {"ExpressionAttributeNames": {"#state": "state"}} if stop else {}
        try:
            return self._tables.update_item(
                TableName=self._table,
                Key={"job_key": {"S": job_key}},
                UpdateExpression="SET stop = :stop ADD revision :one",
                ConditionExpression=condition,
                ExpressionAttributeValues={":stop": {"BOOL": stop}, ":one": {"N": "1"}, **states},
                ReturnValues="ALL_NEW",
                **names,
            )["Attributes"]
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise self._explained(error) from error
            return None

    def _explained(self, error: ClientError) -> Exception:
        if error_code(error) == "ResourceNotFoundException":
            return NotFoundError(f"no table {self._table} in region {self._tables.meta.region_name}")
        return error


def _is_range(item: Mapping[str, Any]) -> bool:
    return "share" in json.loads(item["place"]["S"])


def _read(items: Iterable[Mapping[str, Any]], unread: dict[str, str]) -> Iterator[JobSnapshot]:
    """Yield what this release can read, and say in ``unread`` why it left records out."""
    for item in items:
        try:
            yield JobSnapshot.from_item(item)
        except PresignSiblingsError as error:
            unread[item["job_key"]["S"]] = f"job {item['job_key']['S']} is {item['state']['S']}: {error}"
