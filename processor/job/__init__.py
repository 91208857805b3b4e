"""What a job is: pure data, validated."""

from processor.job.checkpoint import Checkpoint, Gathered, OtherFormatError
from processor.job.choices import LAST
from processor.job.counts import Counts
from processor.job.deployment_settings import (
    DEFAULT_MANIFEST_PREFIX,
    DEFAULT_NAMESPACE,
    MAX_HOPS_LIMIT,
    WEEK_SECONDS,
    DeploymentSettings,
)
from processor.job.distribution import (
    CANNED,
    CLOUDFRONT,
    MAX_EXPIRY_SECONDS,
    PREFIX,
    S3,
    SHA1,
    SHA256,
    DistributionSettings,
)
from processor.job.encoded_bytes import EncodedBytes
from processor.job.field import Field
from processor.job.fields import (
    ACCESS_TIER,
    ARCHIVED_FAIL,
    ARCHIVED_INCLUDE,
    ARCHIVED_SKIP,
    CHECKSUM_TYPE,
    ETAG,
    FACTS,
    FIELDS,
    GZIP,
    LAST_MODIFIED,
    SIZE,
    STORAGE_CLASS,
    VERSION_ID,
    refuse_unknown,
)
from processor.job.job import Job
from processor.job.key_range import KeyRange, grouped
from processor.job.reach import MAX_READ_SECONDS, Reach, endpoint
from processor.job.response_headers import ATTACHMENT, ResponseHeaders
from processor.job.s3_names import source_bucket
from processor.job.sample import Sample
from processor.job.share import Share
from processor.job.sibling_payload import MARKS, SiblingPayload
from processor.job.sources import REPORT, split
from processor.job.version import VERSION, VERSION_FIELD, check_version
from processor.job.written_range import CommitState, Part, Piece, WrittenRange

__all__ = [
    "ACCESS_TIER",
    "ARCHIVED_FAIL",
    "ARCHIVED_INCLUDE",
    "ARCHIVED_SKIP",
    "ATTACHMENT",
    "CANNED",
    "CHECKSUM_TYPE",
    "CLOUDFRONT",
    "DEFAULT_MANIFEST_PREFIX",
    "DEFAULT_NAMESPACE",
    "ETAG",
    "FACTS",
    "FIELDS",
    "GZIP",
    "LAST",
    "LAST_MODIFIED",
    "MARKS",
    "MAX_EXPIRY_SECONDS",
    "MAX_HOPS_LIMIT",
    "MAX_READ_SECONDS",
    "PREFIX",
    "REPORT",
    "S3",
    "SHA1",
    "SHA256",
    "SIZE",
    "STORAGE_CLASS",
    "VERSION",
    "VERSION_FIELD",
    "VERSION_ID",
    "WEEK_SECONDS",
    "Checkpoint",
    "CommitState",
    "Counts",
    "DeploymentSettings",
    "DistributionSettings",
    "EncodedBytes",
    "Field",
    "Gathered",
    "Job",
    "KeyRange",
    "OtherFormatError",
    "Part",
    "Piece",
    "Reach",
    "ResponseHeaders",
    "Sample",
    "Share",
    "SiblingPayload",
    "WrittenRange",
    "check_version",
    "endpoint",
    "grouped",
    "refuse_unknown",
    "source_bucket",
    "split",
]
