"""Links to a manifest and its page, signed by the caller, who never sees the links of the function's own answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from presign_siblings import connections
from presign_siblings.errors import CommandError, UnfinishedError
from processor.job import MAX_EXPIRY_SECONDS
from processor.ledger import COMPLETE

if TYPE_CHECKING:
    from datetime import datetime

    from presign_siblings.remote.job_snapshot import JobSnapshot


def manifest_url(snapshot: JobSnapshot, now: datetime) -> str:
    """
    Sign a link to a job's manifest with the caller's own credentials, to live as long as the URLs in it.

    :raises UnfinishedError: The manifest does not exist yet.
    :raises CommandError: The URLs in the manifest are dead.
    """
    return _link(snapshot, snapshot.record.place.job.manifest_key_of(snapshot.record.job_id), now)


def page_url(snapshot: JobSnapshot, now: datetime) -> str:
    """
    Sign a link to the page beside a job's manifest in the same way.

    :raises UnfinishedError: The manifest does not exist yet.
    :raises CommandError: There is no page, or the URLs in it are dead.
    """
    if snapshot.record.state == COMPLETE and "page_key" not in (snapshot.record.result or {}):
        raise CommandError(
            f"job {snapshot.record.job_id} has no page beside its manifest: --fresh --page (fresh, page in an event) "
            "makes a new manifest with a page, unless the warning page_left_out says that the page is too large"
        )
    return _link(snapshot, snapshot.record.place.job.page_key(snapshot.record.job_id), now)


def _link(snapshot: JobSnapshot, key: str, now: datetime) -> str:
    record, job = snapshot.record, snapshot.record.place.job
    if record.state != COMPLETE:
        raise UnfinishedError(f"job {record.job_id} is {record.state}: it has no manifest")
    left = MAX_EXPIRY_SECONDS if record.expires_at is None else (record.expires_at - now).total_seconds()
    if left < 1:
        step = "invoke the job again, with a longer expiry_seconds if they died before it was complete"
        raise CommandError(f"the URLs of job {record.job_id} are dead: {step}")
    url = connections.client("s3").generate_presigned_url(
        "get_object",
        Params={"Bucket": job.manifest_bucket, "Key": key},
        ExpiresIn=min(MAX_EXPIRY_SECONDS, int(left)),
    )
    return str(url)
