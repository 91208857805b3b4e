"""What a run on this machine is asked for: from ``s3://bucket/prefix`` and a place for the manifest to a LocalRun."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from presign_siblings import connections
from presign_siblings.laptop.cloudfront import distribution
from presign_siblings.laptop.reach import deployment, endpoint_of
from presign_siblings.laptop.target import SUFFIX, target
from presign_siblings.manifests.location import S3Place
from processor.job import GZIP

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_boto3_s3 import S3Client

    from presign_siblings.laptop.local_run import LocalRun
    from presign_siblings.laptop.progress import Progress


def requested(  # noqa: PLR0913 - what a command was told
    source: str,
    to: str,
    fields: Mapping[str, Any],
    s3: S3Client,
    *,
    tell: Callable[[Progress], None],
    stopping: Callable[[], bool],
    key_file: str | None = None,
    variables: Mapping[str, str] | None = None,
) -> tuple[LocalRun, dict[str, Any]]:
    """
    Return the run, and the event that it begins with.

    :param source: ``s3://bucket/prefix``.
    :param to:     A new file, a folder, or ``s3://bucket/prefix/``.
    :param fields: Fields of the event; nothing but the region of the bucket is checked here.
    :param key_file: Private key that signs for CloudFront.
    :param variables: Variables of the function that options name.
    :raises WrongUseError: A place is none, or the bucket lies in another region.
    """
    listed, goes = S3Place.parse(source), target(to, gzip=fields.get("compression") == GZIP)
    event = _event(listed, goes, fields)
    file = goes if isinstance(goes, Path) else None
    endpoint_url = endpoint_of(s3, listed.bucket)
    settings = deployment(endpoint_url, goes if isinstance(goes, S3Place) else None, variables)
    # The pipeline takes 0.2 s to load: where the bucket lies is asked before.
    from presign_siblings.laptop.local_run import LocalRun  # noqa: PLC0415
    from presign_siblings.laptop.saved_checkpoint import saved_at  # noqa: PLC0415

    running = LocalRun(
        deployment=settings,
        connections=connections.connections(),
        saved=saved_at(file, event, endpoint_url),
        file=file,
        tell=tell,
        stopping=stopping,
        distribution=partial(distribution, settings, key_file=key_file),
    )
    return running, event


def _event(listed: S3Place, goes: Path | S3Place, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event of a job that lists one place and writes its manifest to another."""
    event = {"probe": True, "prefix": listed.key, **fields, "bucket": listed.bucket}
    if not listed.key and not {"keys_from", "refresh", "prefixes"}.isdisjoint(fields):
        del event["prefix"]
    if isinstance(goes, S3Place):
        event |= {"manifest_bucket": goes.bucket, "manifest_prefix": goes.key or None}
    else:
        event.pop("page", None)  # the command itself writes it, beside the file
        if goes.suffix == SUFFIX:
            event.setdefault("compression", GZIP)
    return event
