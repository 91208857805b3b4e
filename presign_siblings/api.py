"""
The public Python API: read a manifest, and run a job on this machine.

Everything else may change with any version. AWS is what boto3 finds (``AWS_PROFILE``, ``AWS_REGION``,
``AWS_ENDPOINT_URL`` and its other variables and files), or what ``session`` names.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from presign_siblings import connections
from presign_siblings.errors import CommandError, WrongUseError
from presign_siblings.laptop.request import requested
from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.joined import joined
from presign_siblings.manifests.location import S3
from presign_siblings.session import using, words_of_aws
from processor.chain import Status
from processor.errors import PresignSiblingsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import boto3

    from presign_siblings.laptop.progress import Progress
    from processor.chain import Response

__all__ = ["CommandError", "Entry", "PresignSiblingsError", "Run", "read_manifest", "run_job"]


@dataclass(frozen=True, slots=True)
class Run:
    """
    How a run on this machine ended.

    :param complete:   Whether the manifest exists; if not, ``resume=True`` continues the run.
    :param job_id:     Names the run.
    :param manifest:   Its path, or ``s3://bucket/key``; ``None`` when the run is not complete.
    :param count:      Keys in the manifest.
    :param errors:     Keys that could not be signed, and are not in the manifest.
    :param expires_at: When the first URL of the manifest expires at the latest, UTC.
    :param reason:     Why the run is not complete.
    :param warning:    What to know about a complete run: no key, links of archived objects, links that fail.
    """

    complete: bool
    job_id: str
    manifest: str | None = None
    count: int = 0
    errors: int = 0
    expires_at: datetime | None = None
    reason: str | None = None
    warning: str | None = None


def read_manifest(manifest: str | Path, *, session: boto3.Session | None = None) -> Iterator[Entry]:
    """
    Yield the entries of a manifest, each with ``key`` and ``url``, in S3's order; memory stays flat.

    :param manifest: A path, ``s3://bucket/key``, or an http(s) URL; plain or gzip.
    :param session:  Reads a manifest in S3.
    :raises CommandError: The manifest does not exist or may not be read, AWS cannot be reached, or a line breaks the
                          format.
    """

    def client() -> Any:  # noqa: ANN401 - boto3's; a generator runs in its caller's context, so only this has the session
        with using(session):
            return connections.client("s3")

    with _in_words(), joined([str(manifest)], client) as (_, entries):
        yield from entries


def run_job(
    source: str,
    to: str | Path = "manifest.jsonl",
    *,
    resume: bool = False,
    session: boto3.Session | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    stopping: Callable[[], bool] | None = None,
    **fields: Any,  # noqa: ANN401 - each field has its own type
) -> Run:
    """
    Write the manifest of a prefix from this machine, without Lambda; return when it exists.

    It runs its own event loop; where one runs already, as in a notebook, ``await asyncio.to_thread(run_job, ...)``.

    :param source:      ``s3://bucket/prefix``.
    :param to:          A new file (``.gz`` compresses), a folder, or ``s3://bucket/prefix/``.
    :param resume:      Continue where an earlier call with the same arguments was stopped or killed.
    :param session:     Lists, signs and writes, so that calls of several tenants can run at once.
    :param on_progress: Called after each page with a value whose ``count`` is the keys so far.
    :param stopping:    Asked after each page; once it is true, the run saves a checkpoint and returns.
    :param fields:      Fields of the event, as docs/reference/event.md describes them: ``expiry_seconds``, ``suffix``.
    :raises CommandError: A place is not valid, AWS cannot be reached, the file exists already, an earlier run waits for
                          ``resume``, or an event loop is running.
    :raises PresignSiblingsError: A field breaks its rule, or the run failed.
    """
    _refuse_in_a_loop()
    if fields.get("page") and not str(to).startswith(S3):
        raise WrongUseError("run_job writes no page beside a file: presign-siblings export --as html writes one")
    on_progress, stops = on_progress or (lambda _: None), stopping or (lambda: False)
    with _in_words(), using(session):
        running, event = requested(
            source, str(to), fields, connections.client("s3"), on_progress=on_progress, stopping=stops
        )
        with running.saved.alone():
            begin = running.begin(event, resume=resume)
            # asyncio.run would take the caller's own event loop from the thread.
            with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
                ended = runner.run(running.run(begin))
    return _result(ended, None if running.file is None else str(running.file), begin.job.manifest_bucket)


def _refuse_in_a_loop() -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise WrongUseError("an event loop runs in this thread, as in a notebook: await asyncio.to_thread(run_job, ...)")


@contextmanager
def _in_words() -> Iterator[None]:
    """Raise an error of AWS's clients as a CommandError with a command's message, which says what to do."""
    try:
        yield
    except Exception as error:
        message = words_of_aws(error)
        if message is None:
            raise
        raise CommandError(message) from None


def _result(ended: Response, file: str | None, bucket: str) -> Run:
    body = ended.body
    if ended.status is not Status.COMPLETE:
        return Run(complete=False, job_id=body["job_id"], reason=body.get("reason"))
    return Run(
        complete=True,
        job_id=body["job_id"],
        manifest=file or f"s3://{bucket}/{body['manifest_key']}",
        count=body["count"],
        errors=body["errors"],
        expires_at=datetime.fromisoformat(body["expires_at"]),
        warning=body.get("warning"),
    )
