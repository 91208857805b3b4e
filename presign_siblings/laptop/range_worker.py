"""One of the processes that share a run: it works on range after range, by the function's own hops."""

from __future__ import annotations

import asyncio
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from presign_siblings import connections
from presign_siblings.errors import NO_THREADS, CommandError, is_no_thread
from presign_siblings.laptop.kept_clients import KeptClients
from presign_siblings.laptop.local_hops import LocalHops
from presign_siblings.laptop.range_files import RangeFiles
from processor.causes import why
from processor.chain import Status
from processor.errors import PresignSiblingsError, TerminalError
from processor.job import SiblingPayload

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from multiprocessing.connection import Connection
    from pathlib import Path

    from presign_siblings.laptop.progress import Progress
    from presign_siblings.laptop.saved_checkpoint import CheckpointFile
    from processor.job import DeploymentSettings, Job
    from processor.signing import Distribution

DONE, PARKED, FAILED, LOST = "done", "parked", "failed", "lost"
WARM_UP = "warm up"
REPORT_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What the processes of a run have in common.

    :param saved: The run's own checkpoint.
    :param file:  The manifest's file; ``None`` when it goes to S3.
    :param concurrency: List requests of a process under way at once.
    :param distribution: CloudFront's, for a job whose URLs it signs.
    """

    deployment: DeploymentSettings
    saved: CheckpointFile
    file: Path | None
    concurrency: int
    hop_seconds: float
    distribution: Callable[[Job], Distribution | None]


@dataclass(frozen=True, slots=True)
class Ended:
    """
    How the work on a range ended.

    :param how: ``done``, ``parked`` (it can continue), ``failed`` (it cannot), or ``lost`` (for now).
    :param why: The reason, unless it is done.
    """

    how: str
    why: str = ""


class ProgressReporter:
    """
    Reports the progress to the first process, no more often than a reader can follow.

    :param report: Called with what is reported.
    """

    def __init__(self, report: Callable[[Progress], None]) -> None:
        self._report, self._at = report, 0.0
        self._held: Progress | None = None

    def __call__(self, progress: Progress) -> None:
        """Report warnings and keys at once, and numbers ten times a second."""
        is_number = progress.key is None and progress.warning is None
        if is_number and time.monotonic() < self._at + REPORT_SECONDS:
            self._held = progress
            return
        self._report(progress)
        if is_number:
            self._held, self._at = None, time.monotonic()

    def flush(self) -> None:
        """Report the numbers that are still held back."""
        if self._held is not None:
            self._report(self._held)


def work(connection: Connection, others: Sequence[Connection], settings: Settings) -> None:
    """
    Take ranges until the connection ends.

    :param connection: Delivers ``WARM_UP``, then places; takes the progress, and how the work on each place ended.
                       Whatever arrives during a range, or the end of the other process, stops the work on the range.
    :param others:     Copies of the other ends, which would keep closed connections open.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # these mostly reach all processes: the first asks the others to stop
    for other in others:
        other.close()
    try:
        _serve(connection, settings)
    except RuntimeError as error:  # ending needs a thread, too
        if not is_no_thread(error):
            raise
        with suppress(OSError):  # the first process needs nothing more
            connection.send(Ended(LOST, NO_THREADS))


def _serve(connection: Connection, settings: Settings) -> None:
    with asyncio.Runner() as runner:
        clients = KeptClients(connections.connections)
        try:
            while True:
                if (payload := connection.recv()) is None:
                    continue  # the stop of the last range, which ``poll`` leaves unread
                if payload == WARM_UP:
                    runner.run(_warm_up(clients, settings))
                    continue
                place = SiblingPayload.from_payload(payload, settings.deployment)
                connection.send(_worked(connection, place, settings, clients, runner))
        except (EOFError, OSError):
            return  # the first process is gone; the saved checkpoints stay
        finally:
            runner.run(clients.close())


async def _warm_up(clients: KeptClients, settings: Settings) -> None:
    """Open a client, before the first range comes."""
    deployment = settings.deployment
    with suppress(PresignSiblingsError, CommandError):  # the work on the first range raises it again
        async with clients.s3(deployment.endpoint_url, settings.concurrency, None, deployment.reach):
            pass


def _worked(
    connection: Connection, place: SiblingPayload, settings: Settings, clients: KeptClients, runner: asyncio.Runner
) -> Ended:
    """Work on one range, from where it was saved."""
    assert place.share is not None  # noqa: S101 - the place of a range
    files, reporter = RangeFiles(settings.saved, settings.deployment), ProgressReporter(connection.send)
    saved = files.of(place.share.number)
    try:
        hops = LocalHops(
            deployment=settings.deployment,
            connections=clients.connections,
            saved=lambda _: saved,
            file=settings.file,
            on_progress=reporter,
            stopping=connection.poll,
            hop_seconds=settings.hop_seconds,
            distribution=settings.distribution,
        )
        ended = runner.run(hops.run(files.place(place) or place))
    except TerminalError as error:
        return Ended(LOST if error.is_resumable else FAILED, str(error))
    except (PresignSiblingsError, CommandError) as error:
        return Ended(LOST, str(error))
    except OSError as error:  # of a file; or the first process is gone, and hears nothing
        return Ended(LOST, why(error))
    reporter.flush()
    return Ended(DONE) if ended.status is Status.CONTINUED else Ended(PARKED, str(ended.body["reason"]))
