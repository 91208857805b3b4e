"""What a process of a run does that several share: range after range, each by the function's own hops."""

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
TELL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Settings:
    """
    What the processes of a run have in common.

    :param saved: Where the run itself is saved.
    :param file:  The manifest's file, where it is one.
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


class Teller:
    """
    Tells the first process of the progress, not more often than somebody reads it.

    :param tell: Takes what is told.
    """

    def __init__(self, tell: Callable[[Progress], None]) -> None:
        self._tell, self._at = tell, 0.0
        self._held: Progress | None = None

    def __call__(self, told: Progress) -> None:
        """Tell at once what is no number; and numbers ten times a second."""
        is_number = told.key is None and told.warning is None
        if is_number and time.monotonic() < self._at + TELL_SECONDS:
            self._held = told
            return
        self._tell(told)
        if is_number:
            self._held, self._at = None, time.monotonic()

    def last(self) -> None:
        """Tell the numbers that are still held back."""
        if self._held is not None:
            self._tell(self._held)


def work(connection: Connection, others: Sequence[Connection], settings: Settings) -> None:
    """
    Take ranges until the connection ends.

    :param connection: Brings places, and before them ``WARM_UP``; hears of the progress, and how the work on each place
                       ended. Whatever it brings in the midst of a range, the end of the other process too, stops the
                       work on the range.
    :param others:     Copies of the other ends, which would keep connections open that should end.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C goes to the first process, which asks the others to stop
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()
    try:
        _serve(connection, settings)
    except RuntimeError as error:  # to end takes a thread, too
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
                    continue  # it stopped the range before, or came as that was done
                if payload == WARM_UP:
                    runner.run(_warm_up(clients, settings))
                    continue
                place = SiblingPayload.from_payload(payload, settings.deployment)
                connection.send(_worked(connection, place, settings, clients, runner))
        except (EOFError, OSError):
            return  # the first process is gone; what is saved continues
        finally:
            runner.run(clients.close())


async def _warm_up(clients: KeptClients, settings: Settings) -> None:
    """Open a client, before the first range comes."""
    deployment = settings.deployment
    with suppress(PresignSiblingsError, CommandError):  # the work on the first range tells it
        async with clients.s3(deployment.endpoint_url, settings.concurrency, None, deployment.reach):
            pass


def _worked(
    connection: Connection, place: SiblingPayload, settings: Settings, clients: KeptClients, runner: asyncio.Runner
) -> Ended:
    """Work on one range, from where it was saved."""
    assert place.share is not None  # noqa: S101 - the place of a range
    files, teller = RangeFiles(settings.saved, settings.deployment), Teller(connection.send)
    saved = files.of(place.share.number)
    try:
        hops = LocalHops(
            deployment=settings.deployment,
            connections=clients.connections,
            saved=lambda _: saved,
            file=settings.file,
            tell=teller,
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
    teller.last()
    return Ended(DONE) if ended.status is Status.CONTINUED else Ended(PARKED, str(ended.body["reason"]))
