"""A run on this machine: from ``s3://bucket/prefix`` and a place for the manifest to a LocalRun."""

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


def requested(  # noqa: PLR0913 - a command's arguments
    source: str,
    to: str,
    fields: Mapping[str, Any],
    s3: S3Client,
    *,
    on_progress: Callable[[Progress], None],
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
    :raises WrongUseError: A place is not valid, or the bucket lies in another region.
    """
    listed, target_place = S3Place.parse(source), target(to, gzip=fields.get("compression") == GZIP)
    event = _event(listed, target_place, fields)
    file = target_place if isinstance(target_place, Path) else None
    endpoint_url = endpoint_of(s3, listed.bucket)
    settings = deployment(endpoint_url, target_place if isinstance(target_place, S3Place) else None, variables)
    # The pipeline takes 0.2 s to load, so the bucket's region is checked before.
    from presign_siblings.laptop.local_run import LocalRun  # noqa: PLC0415
    from presign_siblings.laptop.saved_checkpoint import saved_at  # noqa: PLC0415

    running = LocalRun(
        deployment=settings,
        connections=connections.connections(),
        saved=saved_at(file, event, endpoint_url),
        file=file,
        on_progress=on_progress,
        stopping=stopping,
        distribution=partial(distribution, settings, key_file=key_file),
    )
    return running, event


def _event(listed: S3Place, target_place: Path | S3Place, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event of a job that lists one place and writes its manifest to another."""
    event = {"probe": True, "prefix": listed.key, **fields, "bucket": listed.bucket}
    if not listed.key and not {"keys_from", "refresh", "prefixes"}.isdisjoint(fields):
        del event["prefix"]
    if isinstance(target_place, S3Place):
        event |= {"manifest_bucket": target_place.bucket, "manifest_prefix": target_place.key or None}
    else:
        event.pop("page", None)  # the command itself writes it, beside the file
        if target_place.suffix == SUFFIX:
            event.setdefault("compression", GZIP)
    return event
