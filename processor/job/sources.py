"""Where a job's keys come from, if not from one prefix: several prefixes, an object with keys, an earlier manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.errors import InvalidEventError
from processor.job import s3_names, validation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processor.job.fields import JobFields

OTHER_SOURCES = ("prefixes", "keys_from", "refresh")
SOURCES = ("prefix", *OTHER_SOURCES)
CHOICES = (
    *("include", "exclude", "modified_since", "modified_before"),
    *("min_size", "max_size", "storage_classes", "archived"),
)
MAX_PREFIXES = 100
REPORT = "manifest.json"  # how the key of an S3 Inventory report ends
S3 = "s3://"
FILE = "file://"  # on a laptop only: ``admission`` refuses it elsewhere


def place(field: str, value: object) -> str:
    """Return ``s3://bucket/key``, checked."""
    written = validation.text(field, value)
    if written.startswith(FILE):
        return written
    bucket, key = split(written)
    if not written.startswith(S3) or not key:
        raise InvalidEventError(field, value, "must be s3://bucket/key")
    s3_names.bucket(field, bucket)
    s3_names.key(field, key)
    return written


def split(place: str) -> tuple[str, str]:
    """Return the bucket and the key of ``s3://bucket/key``; the path of a file, and no bucket."""
    if place.startswith(FILE):
        return "", place.removeprefix(FILE)
    bucket, _, key = place.removeprefix(S3).partition("/")
    return bucket, key


def prefixes(field: str, value: object) -> tuple[str, ...]:
    """Return prefixes in order, none under another, so that no key is listed twice."""
    found = (value,) if isinstance(value, str) else value
    if not isinstance(found, list | tuple) or not 0 < len(found) <= MAX_PREFIXES:
        raise InvalidEventError(field, value, f"must be a list of 1 to {MAX_PREFIXES} prefixes")
    kept: list[str] = []
    for each in sorted({s3_names.key(field, one) for one in found}):
        if not kept or not each.startswith(kept[-1]):
            kept.append(each)
    return tuple(kept)


def chosen(found: Mapping[str, tuple[str, Any]], event: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    """
    Return the values of a job's fields with one source of keys; a source that the event names goes before all others.

    :param found: Values by field, each with the label of its place.
    :raises InvalidEventError: There are several sources.
    """
    named = [name for name in SOURCES if event.get(name) is not None]
    given = named or [name for name in OTHER_SOURCES if found[name][1] is not None]
    if len(given) > 1:
        label, value = found[given[1]]
        raise InvalidEventError(label, value, f"must be absent with {given[0]}: keys come from one source")
    if not given or given == ["prefix"]:
        return dict(found) | {name: (name, None) for name in OTHER_SOURCES}
    alone: dict[str, tuple[str, Any]] = {name: (name, None) for name in SOURCES if name != given[0]} | {
        "prefix": ("prefix", "")
    }
    if event.get("chains") is None:
        alone["chains"] = ("chains", 1)  # chains share the keys of one prefix only
    if given[0] != "prefixes" and event.get("suffix") is None:
        alone["suffix"] = ("suffix", "")  # a caller that names keys means all of them
    if named and event.get("policy") is None:
        alone["policy"] = ("policy", None)  # the deployment's policy may open its own prefix
    if given[0] == "refresh" and named:  # all keys of the manifest: the deployment's filters are for listings
        alone |= {name: (name, None) for name in CHOICES if event.get(name) is None}
    return dict(found) | alone


def check_alone(job: JobFields) -> None:
    """
    Refuse fields that only the listing of one prefix knows, for a job with another source.

    :raises InvalidEventError: The job has such a field.
    """
    if job.version_ids and job.cursor is not None:
        raise InvalidEventError("cursor", job.cursor, "must be absent with version_ids: use start_after")
    source = next((name for name in OTHER_SOURCES if getattr(job, name)), None)
    if source is None:
        return
    unknown = ("cursor",) if source == "prefixes" else ("cursor", "start_after", "end_at")
    for name in unknown:
        if getattr(job, name) is not None:
            raise InvalidEventError(name, getattr(job, name), f"must be absent with {source}")
