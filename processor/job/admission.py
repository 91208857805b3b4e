"""
Whether a job may run as it is: the rules between its fields, and what the deployment allows.

The rule of one field alone is in the table of the fields. Nothing here changes a job.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.errors import InvalidEventError
from processor.job import choices, distribution, sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processor.job.deployment_settings import DeploymentSettings
    from processor.job.job import Job


def check_new(job: Job, found: Mapping[str, tuple[str, Any]], deployment: DeploymentSettings) -> None:
    """
    Refuse a job of an event that cannot run as it is.

    :param found: What was written, by field, each with the label of its place.
    :raises InvalidEventError: Its fields contradict each other or the deployment.
    """
    _check_numbers(job)
    _check_chains(job, deployment)
    _check_bounds(job, found)
    choices.check_suffixes(found["suffix"][0], (job.suffix,) if isinstance(job.suffix, str) else job.suffix)
    include, exclude = ((found[name][0], getattr(job, name)) for name in ("include", "exclude"))
    choices.check_globs(include, exclude, job.listed_prefixes)
    check_allowed(job, deployment)
    sources.check_alone(job)


def check_allowed(job: Job, deployment: DeploymentSettings) -> None:
    """
    Refuse what the deployment does not allow; the rule holds for what a sibling or the ledger names, too.

    :raises InvalidEventError: A bucket, a prefix or a key is outside the allow-lists, or where manifests are.
    """
    distribution.check_links(job, deployment.distribution, job.manifest_places(deployment))
    buckets = deployment.allowed_buckets
    if buckets is not None and job.bucket not in buckets:
        raise InvalidEventError("bucket", job.bucket, "must be one of ALLOWED_BUCKETS")
    if buckets is not None and job.manifest_bucket not in buckets | {deployment.manifest_bucket}:
        raise InvalidEventError("manifest_bucket", job.manifest_bucket, "must be one of ALLOWED_BUCKETS")
    _check_manifest_key(job, deployment)
    if job.modified_since == choices.LAST and deployment.jobs_table is None:
        raise InvalidEventError("modified_since", choices.LAST, "needs JOBS_TABLE, which knows the last run")
    if job.keys_place is not None:
        _check_source(job, job.keys_place, deployment)
        return
    for prefix in job.listed_prefixes:
        _check_prefix(job, prefix, deployment)


def check_division(job: Job, asked: str = "chains") -> None:
    """
    Refuse several chains, or several processes of one machine, for a job whose keys cannot be divided.

    :param asked: What asks for it, as the caller has written it.
    :raises InvalidEventError: It starts at a token, has another source than one prefix, or numbers its lines.
    """
    if job.chains == 1:
        return
    if job.cursor is not None:
        raise InvalidEventError("cursor", job.cursor, f"must be absent with {asked} above 1: use start_after")
    for name in sources.OTHER_SOURCES:
        value = getattr(job, name)
        if value is not None:
            raise InvalidEventError(name, value, f"needs {asked} 1: chains share the keys of one prefix only")
    _check_numbers(job, asked)


def _check_numbers(job: Job, asked: str = "chains") -> None:
    """Refuse line numbers in a ``filename`` where pages are listed from many places at once."""
    if job.response_headers.numbers_keys and (job.concurrency > 1 or job.chains > 1):
        raise InvalidEventError("filename", job.filename, f"may hold {{n}} only with concurrency 1 and {asked} 1")


def _check_chains(job: Job, deployment: DeploymentSettings) -> None:
    """Refuse several chains where the deployment lacks what they need, or the job cannot be divided."""
    if job.chains == 1:
        return
    if deployment.state_machine is None or deployment.jobs_table is None:
        rule = "must be 1 where the deployment has no STATE_MACHINE_ARN or no JOBS_TABLE; resume finishes such a job"
        raise InvalidEventError("chains", job.chains, rule)
    reserved = deployment.reserved_concurrency
    if reserved is not None and job.chains >= reserved:
        rule = f"must be less than RESERVED_CONCURRENCY, {reserved}: each chain and a hand-over need an invocation"
        raise InvalidEventError("chains", job.chains, rule)
    check_division(job)


def _check_bounds(job: Job, found: Mapping[str, tuple[str, Any]]) -> None:
    """Refuse bounds between which nothing can be."""
    choices.check_bounds(found["min_size"], found["max_size"], job.min_size, job.max_size)
    choices.check_bounds(found["modified_since"], found["modified_before"], job.since(None), job.before)


def _check_prefix(job: Job, prefix: str, deployment: DeploymentSettings) -> None:
    field = "prefix" if job.prefixes is None else "prefixes"
    allowed = deployment.allowed_prefixes
    if allowed is not None and not prefix.startswith(allowed):
        raise InvalidEventError(field, prefix, "must be under one of ALLOWED_PREFIXES")
    for place in job.manifest_places(deployment):
        if prefix.startswith(place):
            rule = f"is under {place}, where manifests are: manifests hold live URLs, and are never listed"
            raise InvalidEventError(field, prefix, f"{rule}; name another manifest_prefix or manifest_bucket")


def _check_manifest_key(job: Job, deployment: DeploymentSettings) -> None:
    key = job.manifest_key
    if key is None:
        return
    if deployment.manifest_is_file:
        raise InvalidEventError("manifest_key", key, "needs a manifest in S3")
    if not key.startswith(job.manifest_prefix) or key.startswith(job.hidden_prefixes) or key == job.manifest_prefix:
        rule = f"must be under manifest_prefix, {job.manifest_prefix}, and beside its checkpoints"
        raise InvalidEventError("manifest_key", key, rule)


def _check_source(job: Job, place: str, deployment: DeploymentSettings) -> None:
    """Check the place of the object that holds the keys; each key is checked when it is read."""
    field = "keys_from" if job.refresh is None else "refresh"
    buckets = deployment.allowed_buckets
    bucket, _ = sources.split(place)
    if not bucket:
        if not deployment.reads_files:
            raise InvalidEventError(field, place, "must be s3://bucket/key")
        return
    if buckets is not None and bucket not in buckets | {deployment.manifest_bucket}:
        raise InvalidEventError(field, place, "must be in one of ALLOWED_BUCKETS")
