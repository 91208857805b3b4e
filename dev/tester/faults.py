"""The faults for a running chain: kill its hop, switch its rule off, throttle it."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from presign_siblings.remote import switches
from processor.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dev.tester.services import Services

LEASE_OVER = "1"  # epoch milliseconds: long ago


@dataclass(frozen=True, slots=True)
class Faults:
    """The faults of one stack."""

    services: Services

    def kill(self, job_key: str, holder: str) -> bool:
        """
        Kill every runtime of the function with SIGKILL, idle ones too, as a host that goes down does.

        The runtimes are paused while the lease is ended. A hop killed between its hand-over and its call of the sibling
        would end the chain: the emulator's last retry comes before the sibling's time is over.

        :param holder: The holder that had the lease.
        :return:       Whether that holder still had the lease; otherwise nothing is killed.
        """
        found = list(runtimes(self.services.emulator.pid, self.services.deployed.function))
        _signal(found, signal.SIGSTOP)
        had_it = False
        try:
            had_it = self._end_lease(job_key, holder)
        finally:
            _signal(found, signal.SIGKILL if had_it else signal.SIGCONT)
        return had_it

    def _end_lease(self, job_key: str, holder: str) -> bool:
        """
        End a lease at once, instead of within 45 seconds.

        Lambda's retry comes after a minute; the emulator's comes after a moment, and would meet a live lease.

        :return: Whether that holder had the lease.
        """
        try:
            self.services.tables.update_item(
                TableName=self.services.deployed.table(),
                Key={"job_key": {"S": job_key}},
                UpdateExpression="SET lease_until = :past",
                ConditionExpression="holder = :holder AND #state = :running",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={
                    ":past": {"N": LEASE_OVER},
                    ":holder": {"S": holder},
                    ":running": {"S": "running"},
                },
            )
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
            return False
        return True

    def rule(self, *, enabled: bool) -> None:
        """Switch every rule of the function: the chain's kill switch."""
        services = self.services
        own = [replace(rule, enabled=not enabled) for rule in services.switches.rules]
        switches.turn(services.events, own, on=enabled)

    def throttle(self, *, on: bool) -> None:
        """Set the reserved concurrency to 0, or back."""
        concurrency = 0 if on else self.services.switches.concurrency
        switches.reserve(self.services.functions, self.services.deployed, concurrency)


def _signal(processes: Iterable[int], number: signal.Signals) -> None:
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def runtimes(emulator: int, function: str) -> Iterator[int]:
    """
    Yield the processes that the emulator runs one function in: children of its own that carry the function's name.

    :param emulator: Its process id.
    """
    wanted = f"AWS_LAMBDA_FUNCTION_NAME={function}".encode()
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # the process has ended
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
            ours = int(parent) == emulator and state != "Z"
            if ours and wanted in (status.parent / "environ").read_bytes().split(b"\0"):
                yield int(status.parent.name)
