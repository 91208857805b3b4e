"""A deployed function as the command line sees it, and the tester's own stack with one object in its bucket."""

from __future__ import annotations

from typing import Any

from presign_siblings.remote.function import Deployed

ENVIRONMENT = {"BUCKET_NAME": "reports", "SOSW_CONFIG": "none", "ALLOWED_BUCKETS": "reports"}
DEPLOYED = Deployed("presign", None, "arn:aws:lambda:r:a:function:presign", "group", "jobs", ENVIRONMENT)
TESTER = Deployed(
    function="presign_siblings",
    qualifier=None,
    arn="arn:aws:lambda:us-east-1:000000000000:function:presign_siblings",
    log_group="/aws/lambda/presign_siblings",
    jobs_table="presign_siblings_jobs",
    environment={"ALLOWED_BUCKETS": "reports", "ALLOWED_PREFIXES": "inbox/", "PREFIX": "inbox/", "SOSW_CONFIG": "none"},
)


class OneObject:
    """An S3 that remembers the objects put."""

    def __init__(self) -> None:
        self.put: dict[str, bytes] = {}

    def put_object(self, **fields: Any) -> None:
        self.put[fields["Key"]] = fields["Body"]
