"""The actions and the state of the page: one bucket, one stack, one run at a time."""

from __future__ import annotations

import json
import secrets
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from dev.aws import stack
from dev.tester import experiment, manifest, objects
from dev.tester.experiment import Experiment
from dev.tester.settings import ONE_CHAIN, Settings
from presign_siblings.deploy import stacks
from presign_siblings.errors import NotFoundError
from presign_siblings.remote import start
from processor.ledger import FANNED_OUT, HANDED_OVER, PARKED, RUNNING

if TYPE_CHECKING:
    from collections.abc import Callable

    from dev.tester.faults import Faults
    from dev.tester.services import Services

AT_WORK = frozenset({experiment.STARTING, RUNNING, HANDED_OVER, FANNED_OUT})
LEVEL = "POWERTOOLS_LOG_LEVEL"


class BusyError(RuntimeError):
    """The request is not possible now; the message says why."""


@dataclass(slots=True)
class Controller:
    """
    Carries out the requests of the page.

    :param busy: Progress of a change of the bucket: objects done, and objects in all.
    :param fault: The last error, for the reader.
    """

    services: Services
    faults: Faults
    session: str = field(default_factory=lambda: secrets.token_hex(4))
    held: objects.Held = field(default_factory=objects.Held)
    busy: tuple[int, int] | None = None
    fault: str = ""
    rule_on: bool = True
    throttled: bool = False
    run: Experiment | None = None
    preparing: bool = False
    closing: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _runs: int = 0
    _thread: threading.Thread | None = None

    def fill(self, work: Callable[[Callable[[int, int], bool]], None]) -> None:
        """
        Change the bucket's content.

        :param work: The change; its argument reports progress.
        :raises BusyError: The bucket is being changed already, or a run reads it.
        """
        with self._lock:
            self._refuse_at_work()
            self.busy = (0, 1)
        try:
            work(self._progress)
            self.held = objects.held(self.services.s3)
        finally:
            self.busy = None

    def _progress(self, done: int, total: int) -> bool:
        self.busy = (done, total)
        return not self.closing.is_set()

    def start(self, form: object) -> int:
        """
        Start a run; return its number.

        :raises InvalidEventError: A field of the form breaks its rule.
        :raises BusyError: Another run is under way, or the bucket is empty.
        """
        with self._lock:
            self._refuse_at_work()
            number = self._runs + 1
            place = experiment.place(self.session, number)
            settings = Settings.read(form, place, self.services.deployed, datetime.now(UTC))
            if not self.held.count:
                raise BusyError("the bucket is empty: make or upload PDFs first")
            # Hide the former run: a viewer would take it for this one.
            former, self.run = self.run, None
            self.preparing, self._runs, self.fault = True, number, ""
        if former is not None:
            former.abandoned.set()
        self._thread = threading.Thread(target=self._work, args=(settings, number, self._thread), daemon=True)
        self._thread.start()
        return number

    def _work(self, settings: Settings, number: int, former: threading.Thread | None) -> None:
        try:
            if former is not None:
                former.join()
            self._prepare(settings)
            keys = objects.matching(self.services.s3, settings.job.prefix, settings.job.suffixes)
            self.run = Experiment(self.services, self.faults, settings, number, keys, self.switch)
            self.preparing = False
            self.run.follow()
        except (BotoCoreError, ClientError, stacks.DeployError, OSError) as error:
            self.fault = f"the run ended with an error: {error}"
        finally:
            self.preparing = False

    def _prepare(self, settings: Settings) -> None:
        """Remove every fault, and deploy the timeout."""
        self.switch("rule", True)  # noqa: FBT003 - a switch's position
        self.switch("throttle", False)  # noqa: FBT003 - as above
        self.take_lost()
        stack.update(self.services.emulator, settings.parameters())
        level = {LEVEL: "DEBUG" if settings.every_page else None}
        stack.set_variables(self.services.emulator, self.services.deployed.function, **level)

    def switch(self, name: str, on: bool) -> None:  # noqa: FBT001 - a switch's position
        """Switch the ``rule`` or the ``throttle``."""
        if name == "rule":
            self.faults.rule(enabled=on)
            self.rule_on = on
        else:
            self.faults.throttle(on=on)
            self.throttled = on

    def stop(self) -> None:
        """
        Ask the chain to park at its next page.

        :raises BusyError: There is no chain to stop.
        """
        run = self._at_work("stop")
        try:
            self.services.jobs.set_stop(run.settings.job.job_key, stop=True)
        except NotFoundError:
            raise BusyError("the first hop has not begun yet") from None

    def kill(self) -> None:
        """
        Kill the hop that works.

        :raises BusyError: No hop works at this moment, or several chains share the job.
        """
        run = self._at_work("kill")
        if run.settings.job.chains > 1:
            raise BusyError(f"a kill {ONE_CHAIN}")
        if not run.kill():
            raise BusyError("no hop is at work at this moment")

    def resume(self) -> None:
        """
        Continue the parked chain, or the event that Lambda has given up.

        :raises BusyError: There is nothing to continue.
        """
        run = self.run
        if run is None or run.phase == "complete":
            raise BusyError("there is no chain to resume")
        if self.throttled:
            raise BusyError("the function is throttled: switch that off first")
        if run.snapshot is not None and run.phase == PARKED:
            run.send(start.resume_payload(run.snapshot, datetime.now(UTC)))
            return
        events = self.take_lost()
        if not events:
            raise BusyError("the chain is not parked, and Lambda has not given up an event of it")
        for event in events:
            run.send(event)

    def take_lost(self) -> list[dict[str, Any]]:
        """Move the events that Lambda has given up out of their queue."""
        events: list[dict[str, Any]] = []
        queues, url = self.services.queues, self.services.queue
        while messages := queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
            for message in messages:
                events.append(json.loads(message["Body"]))
                queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
        return events

    def manifest(self, text: str, offset: int, limit: int) -> dict[str, Any]:
        """
        Return lines of the finished manifest.

        :raises BusyError: The manifest does not exist yet.
        """
        key = None if self.run is None else self.run.manifest_key()
        if key is None:
            raise BusyError("there is no manifest yet: it appears when the chain is complete")
        return manifest.page(self.services.s3, key, text, offset, limit)

    def close(self) -> None:
        """End the run's thread."""
        self.closing.set()
        if self.run is not None:
            self.run.abandoned.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def _at_work(self, doing: str) -> Experiment:
        if self.run is None or self.run.phase not in AT_WORK:
            raise BusyError(f"no chain is under way to {doing}")
        return self.run

    def _refuse_at_work(self) -> None:
        if self.busy is not None:
            raise BusyError("the bucket is being filled: wait for its end")
        if self.preparing or (self.run is not None and self.run.phase in AT_WORK and not self.run.lost):
            raise BusyError("a run is under way: stop it, or wait for its end")
