"""A link to a finished manifest, signed by the caller: an asynchronous caller never sees the function's own link."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presign_siblings import connections
from presign_siblings.errors import CommandError, UnfinishedError
from processor.job import MAX_EXPIRY_SECONDS
from processor.ledger import COMPLETE

if TYPE_CHECKING:
    from datetime import datetime

    from presign_siblings.remote.jobs import JobSnapshot


def manifest_url(seen: JobSnapshot, now: datetime) -> str:
    """
    Sign a link to a job's manifest with the caller's own credentials, to live as long as the URLs in it.

    :raises UnfinishedError: The manifest does not exist yet.
    :raises CommandError: The URLs in the manifest are dead.
    """
    record, job = seen.record, seen.record.place.job
    if record.state != COMPLETE:
        raise UnfinishedError(f"job {record.job_id} is {record.state}: it has no manifest")
    left = MAX_EXPIRY_SECONDS if record.expires_at is None else (record.expires_at - now).total_seconds()
    if left < 1:
        raise CommandError(f"the URLs of job {record.job_id} are dead: invoke the job again")
    url = connections.client("s3").generate_presigned_url(
        "get_object",
        Params={"Bucket": job.manifest_bucket, "Key": job.manifest_key_of(record.job_id)},
        ExpiresIn=min(MAX_EXPIRY_SECONDS, int(left)),
    )
    return str(url)
