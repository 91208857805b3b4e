"""
The fields of a job. An entry of this table holds everything about one field.

Validation, precedence, ``job_key``, sibling payload, command line and reference page are made from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - the annotations are read at runtime
from typing import TYPE_CHECKING, Annotated, Any

from processor.errors import InvalidEventError
from processor.job import choices, distribution, sources
from processor.job.deployment_settings import DEFAULT_MANIFEST_PREFIX
from processor.job.field import (
    BUCKET,
    FLAG,
    INSTANT,
    KEY,
    LINE,
    MANIFEST_PLACE,
    SOURCE_BUCKET,
    SWITCH,
    TEXT,
    Field,
    Rule,
    choice,
    duration,
    integer,
    not_empty,
    subset,
    table_of,
)
from processor.job.response_headers import (
    ATTACHMENT,
    INLINE,
    MAX_FILENAME,
    filename_template,
    header_value,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

NONE, GZIP = "none", "gzip"
ARCHIVED_INCLUDE, ARCHIVED_SKIP, ARCHIVED_FAIL = "include", "skip", "fail"
SIZE, ETAG, LAST_MODIFIED = "size", "etag", "last_modified"
STORAGE_CLASS, CHECKSUM_TYPE = "storage_class", "checksum_type"
ACCESS_TIER = "access_tier"  # of INTELLIGENT_TIERING; only a report of S3 Inventory has it
VERSION_ID = "version_id"  # of each object, where the job pins versions; only the URL has it
FACTS = (SIZE, ETAG, LAST_MODIFIED, STORAGE_CLASS, CHECKSUM_TYPE)  # in the order in which lines hold them
MAX_PAGE_SIZE = 1000  # S3's limit for ListObjectsV2
MAX_CONCURRENCY = 64
MAX_CHAINS = 256
FILENAME = Rule(filename_template, f"a template of a name, at most {MAX_FILENAME} characters")
GLOBS = Rule(choices.globs, f"a glob, or a list of at most {choices.MAX_GLOBS}")
MOMENT = "ISO 8601, or a duration before `time`: `7d`, `PT36H`"
PLACE = Rule(sources.place, "`s3://bucket/key`")
BYTES = integer(0, choices.MAX_OBJECT_BYTES)
HEADER = Rule(header_value, f"at most {MAX_FILENAME} printable ASCII characters")

# The task row of sosw's Orchestrator, flattened into the payload (sosw 0.7.51, managers/task.py: row_mapper), and the
# two fields that its handler reads (app.py: get_lambda_handler).
TOLERATED = frozenset(
    {
        "arn",
        "attempts",
        "closed_at",
        "completed_at",
        "created_at",
        "desired_launch_time",
        "greenfield",
        "labourer_id",
        "logging_level",
        "test",
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFields:
    """The fields of one job, in the order of the contract. A field without a default is always there."""

    bucket: Annotated[
        str,
        Field(
            env="BUCKET_NAME",
            rule=SOURCE_BUCKET,
            identity=True,
            absent="required",
            help="Bucket to list; one of `ALLOWED_BUCKETS` when that is set.",
        ),
    ]
    prefix: Annotated[
        str,
        Field(
            env="PREFIX",
            rule=TEXT._replace(says=KEY.says),  # the length is checked after the date is filled in
            identity=True,
            help="Beginning of the keys to list; under one of `ALLOWED_PREFIXES` when that is set. `{yyyy}`, `{mm}`, "
            "`{dd}` and `{hh}` are filled in from `time` in UTC; `{{` and `}}` are braces.",
        ),
    ] = ""
    suffix: Annotated[
        str | tuple[str, ...],
        Field(
            env="SUFFIX",
            rule=Rule(choices.suffixes, f"{KEY.says}, or a list of such"),
            identity=True,
            metavar="TEXT",
            several=True,
            help='Ending of the keys to take, or a list of endings; case does not matter; `""` takes every key; a '
            "glob is refused.",
        ),
    ] = ".pdf"
    expiry_seconds: Annotated[
        int,
        Field(
            env="URL_EXPIRY_SECONDS",
            rule=Rule(
                distribution.lifetime,
                f"{duration(1, distribution.MAX_EXPIRY_SECONDS).says}; up to ten years with `signer: cloudfront`",
            ),
            identity=True,
            metavar="N",
            help="Life of each URL, from the second in which the URL is signed; if absent, 15 minutes, or what the "
            "stack sets.",
        ),
    ] = 900
    page_size: Annotated[
        int,
        Field(env="PAGE_SIZE", rule=integer(1, MAX_PAGE_SIZE), metavar="N", help="Keys in each list request."),
    ] = MAX_PAGE_SIZE
    concurrency: Annotated[
        int,
        Field(
            env="CONCURRENCY",
            rule=integer(1, MAX_CONCURRENCY),
            metavar="N",
            help="List requests at once, and part uploads at once; with 1 the job lists one page after the other.",
        ),
    ] = 4
    chains: Annotated[
        int,
        Field(
            env="CHAINS",
            rule=integer(1, MAX_CHAINS),
            metavar="N",
            help="Chains of siblings that share the job, each with `concurrency` list requests. More than 1 needs "
            "`STATE_MACHINE_ARN` and `JOBS_TABLE` in the deployment, and one `prefix` as the source of keys.",
        ),
    ] = 1
    compression: Annotated[
        str,
        Field(
            env="COMPRESSION",
            rule=choice(NONE, GZIP),
            identity=True,
            metavar="KIND",
            help="Compression of the manifest.",
        ),
    ] = NONE
    manifest_bucket: Annotated[
        str,
        Field(
            env="MANIFEST_BUCKET",
            rule=BUCKET,
            identity=True,
            absent="the bucket",
            help="Bucket of the manifest; one of `ALLOWED_BUCKETS` when that is set, or `MANIFEST_BUCKET`.",
        ),
    ]
    manifest_prefix: Annotated[
        str,
        Field(
            env="MANIFEST_PREFIX",
            rule=MANIFEST_PLACE,
            identity=True,
            help="Beginning of the manifest's key. Keys under it, and under `MANIFEST_PREFIX`, are never listed into a "
            "manifest.",
        ),
    ] = DEFAULT_MANIFEST_PREFIX
    manifest_key: Annotated[
        str | None,
        Field(
            env="MANIFEST_KEY",
            rule=not_empty(KEY),
            identity=True,
            metavar="KEY",
            help="Key under `manifest_prefix` that always has the newest good manifest: a copy, replaced as a "
            "whole, and only by a later run of the same job. A worse manifest (few keys, dead links) never "
            "replaces one whose links still work.",
        ),
    ] = None
    archived: Annotated[
        str,
        Field(
            env="ARCHIVED",
            rule=choice(ARCHIVED_INCLUDE, ARCHIVED_SKIP, ARCHIVED_FAIL),
            identity=True,
            metavar="WHAT",
            help="What to do with objects in GLACIER or DEEP_ARCHIVE that are not restored; their links answer 403. "
            "`include` signs and counts the objects, `skip` leaves them out, `fail` ends the job.",
        ),
    ] = ARCHIVED_INCLUDE
    probe: Annotated[
        bool,
        Field(
            env="PROBE",
            rule=SWITCH,
            help="Fetch one byte through the first link, the last and a random one, before the job is called complete; "
            "the answer says what S3 refuses.",
        ),
    ] = False
    page: Annotated[
        bool,
        Field(
            env="PAGE",
            rule=SWITCH,
            flag=True,
            help="Write a page for the recipient beside the manifest, for at most 50,000 files. The page shows sizes "
            "and dates if `fields` names them. Whoever has the page can open the files.",
        ),
    ] = False
    page_title: Annotated[
        str,
        Field(
            env="PAGE_TITLE",
            rule=LINE,
            metavar="TEXT",
            help="Title of the page: what the files are. An empty title shows bucket and prefix.",
        ),
    ] = ""
    page_contact: Annotated[
        str,
        Field(
            env="PAGE_CONTACT",
            rule=LINE,
            metavar="TEXT",
            help="Who sent the page and gives new links: shown under the title, and instead of expired links.",
        ),
    ] = ""
    time: Annotated[
        datetime,
        Field(rule=INSTANT, absent="now", help="The event's own time, from which dates in `prefix` are filled in."),
    ]
    cursor: Annotated[
        str | None, Field(rule=not_empty(TEXT), identity=True, help="S3 continuation token to start from.")
    ] = None
    start_after: Annotated[
        str | None, Field(rule=KEY, identity=True, metavar="KEY", help="Key to start after (exclusive).")
    ] = None
    end_at: Annotated[
        str | None, Field(rule=KEY, identity=True, metavar="KEY", help="Last key to take (inclusive).")
    ] = None
    fresh: Annotated[
        bool,
        Field(
            rule=FLAG,
            help="Start a new run even when a finished manifest is still valid; once for each delivery of the event.",
        ),
    ] = False
    force: Annotated[
        bool,
        Field(rule=FLAG, help="Continue although every rule of the function is off; the other guards still count."),
    ] = False
    task_id: Annotated[str | None, Field(rule=not_empty(TEXT), help="Task of sosw; the last sibling closes it.")] = None
    disposition: Annotated[
        str | None,
        Field(
            env="DISPOSITION",
            rule=choice(INLINE, ATTACHMENT),
            identity=True,
            metavar="KIND",
            help="What a browser does with the file: `inline` shows it, `attachment` saves it. Signed into each URL.",
        ),
    ] = None
    filename: Annotated[
        str | None,
        Field(
            env="FILENAME",
            rule=FILENAME,
            identity=True,
            metavar="TEMPLATE",
            help="Name that a browser saves the file under (RFC 6266): `{name}`, `{stem}` and `{ext}` (without "
            "the dot) of the key's last segment, `{path}` the key with `_` for each slash, `{n}` the line's number "
            "(needs `concurrency` 1 and `chains` 1). Without `disposition`, the browser saves the file.",
        ),
    ] = None
    content_type: Annotated[
        str | None,
        Field(
            env="CONTENT_TYPE",
            rule=HEADER,
            identity=True,
            metavar="TYPE",
            help="`Content-Type` that the URLs answer with, in place of the object's own.",
        ),
    ] = None
    cache_control: Annotated[
        str | None,
        Field(
            env="CACHE_CONTROL",
            rule=HEADER,
            identity=True,
            metavar="TEXT",
            help="`Cache-Control` that the URLs answer with, in place of the object's own.",
        ),
    ] = None
    fields: Annotated[
        tuple[str, ...],
        Field(
            env="FIELDS",
            rule=subset(*FACTS),
            identity=True,
            metavar="NAMES",
            help="Facts in each line between `key` and `url`, from S3's listing; `null` if the listing has none.",
        ),
    ] = ()
    include: Annotated[
        tuple[str, ...],
        Field(
            env="INCLUDE",
            rule=GLOBS,
            identity=True,
            metavar="GLOB",
            several=True,
            help="Take only keys whose part after the prefix matches a glob: `*` is any text, also slashes; `?` is one "
            "character; `[a-z]` is one of these, `[!a-z]` one of all others; `**/`, `{a,b}` and `[^a-z]` are "
            "refused.",
        ),
    ] = ()
    exclude: Annotated[
        tuple[str, ...],
        Field(
            env="EXCLUDE",
            rule=GLOBS,
            identity=True,
            metavar="GLOB",
            several=True,
            help="Leave out keys whose part after the prefix matches a glob, also keys that `include` takes. `/old/*`, "
            "`old/`, `s3://...` and a glob that repeats the prefix are refused: they leave out nothing; `old/*` is "
            "what is under `old/`.",
        ),
    ] = ()
    modified_since: Annotated[
        str | None,
        Field(
            env="MODIFIED_SINCE",
            rule=Rule(choices.since, f"{MOMENT}, or `last`"),
            identity=True,
            metavar="TIME",
            help="Take only objects that S3 dates at or after this time. `last` is the start of the last complete run "
            "of this job, from the jobs table; the first run takes all.",
        ),
    ] = None
    modified_before: Annotated[
        str | None,
        Field(
            env="MODIFIED_BEFORE",
            rule=Rule(choices.moment, MOMENT),
            identity=True,
            metavar="TIME",
            help="Take only objects that S3 dates before this time.",
        ),
    ] = None
    min_size: Annotated[
        int | None,
        Field(
            env="MIN_SIZE",
            rule=BYTES,
            identity=True,
            metavar="BYTES",
            help="Take only objects of at least this size.",
        ),
    ] = None
    max_size: Annotated[
        int | None,
        Field(
            env="MAX_SIZE",
            rule=BYTES,
            identity=True,
            metavar="BYTES",
            help="Take only objects of at most this size.",
        ),
    ] = None
    storage_classes: Annotated[
        tuple[str, ...],
        Field(
            env="STORAGE_CLASSES",
            rule=subset(*choices.CLASSES),
            identity=True,
            metavar="NAMES",
            help="Take only objects of these storage classes.",
        ),
    ] = ()
    prefixes: Annotated[
        tuple[str, ...] | None,
        Field(
            env="PREFIXES",
            rule=Rule(sources.prefixes, f"a list of at most {sources.MAX_PREFIXES} prefixes"),
            identity=True,
            several=True,
            metavar="PREFIX",
            help="Several prefixes instead of `prefix`, listed in key order into one manifest, each with its dates "
            "filled in. A prefix under another is listed once.",
        ),
    ] = None
    keys_from: Annotated[
        str | None,
        Field(
            env="KEYS_FROM",
            rule=PLACE,
            identity=True,
            metavar="S3://BUCKET/KEY",
            help="Object that holds the keys, instead of a listing: one key a line, CSV or JSONL, plain or gzip; or "
            "the `manifest.json` of an S3 Inventory report in CSV or Parquet. The manifest keeps the order of this "
            'object; `suffix` is `""` unless the event names it. A key outside `ALLOWED_PREFIXES` ends the job.',
        ),
    ] = None
    refresh: Annotated[
        str | None,
        Field(
            env="REFRESH",
            rule=PLACE,
            identity=True,
            help="Earlier manifest whose keys are signed again, in its order and without a listing.",
        ),
    ] = None
    version_ids: Annotated[
        bool,
        Field(
            env="VERSION_IDS",
            rule=SWITCH,
            identity=True,
            flag=True,
            help="Each URL names the version that was listed, so that the URL gives the same bytes after the object is "
            "overwritten. Needs the rights `s3:ListBucketVersions` and `s3:GetObjectVersion`, and no `cursor`.",
        ),
    ] = False
    signer: Annotated[
        str,
        Field(
            env="SIGNER",
            rule=choice(distribution.S3, distribution.CLOUDFRONT),
            identity=True,
            metavar="WHO",
            help="Who signs: `s3`: the credentials for S3; `cloudfront`: the key of the deployment's CloudFront "
            "distribution. CloudFront's URLs may live longer than 7 days, and do not expire with a session.",
        ),
    ] = distribution.S3
    policy: Annotated[
        str,
        Field(
            env="POLICY",
            rule=choice(distribution.CANNED, distribution.PREFIX),
            identity=True,
            metavar="KIND",
            help="CloudFront's policy: with `canned` each URL opens one key; with `prefix` all URLs have one "
            "signature, and each URL opens everything under the job's prefix.",
        ),
    ] = distribution.CANNED
    ip_range: Annotated[
        str | None,
        Field(
            env="IP_RANGE",
            rule=Rule(distribution.ip_range, "an IPv4 address, or a range in CIDR notation"),
            identity=True,
            metavar="CIDR",
            help="Addresses that the URLs work from; needs `signer: cloudfront`.",
        ),
    ] = None
    starts_at: Annotated[
        datetime | None,
        Field(
            env="STARTS_AT",
            rule=INSTANT,
            identity=True,
            metavar="TIME",
            help="When the URLs begin to work; needs `signer: cloudfront`.",
        ),
    ] = None


FIELDS = table_of(JobFields)
# The first version hashed these into ``job_key``, in this order, whatever their values. A later field joins by name,
# and only with a value that is not its default: so records of older jobs stay valid.
FIRST_IDENTITY = (
    "bucket",
    "prefix",
    "cursor",
    "start_after",
    "end_at",
    "suffix",
    "expiry_seconds",
    "compression",
    "manifest_bucket",
    "manifest_prefix",
)
# Fields that the first version of the payload did not have. A payload has them only with a value that is not the
# default, so that a release that does not know them continues the jobs that do not use them.
LATER_FIELDS = frozenset(
    {
        "ip_range",
        "manifest_key",
        "page",
        "page_contact",
        "page_title",
        "policy",
        "signer",
        "starts_at",
        "version_ids",
    }
)


def refuse_unknown(event: Mapping[str, Any], known: Collection[str]) -> None:
    """
    Refuse a field that neither the contract nor AWS nor sosw knows.

    :param known: The names that this kind of event has.
    :raises InvalidEventError: The event has such a field.
    """
    for name in event:
        if name not in known and name not in TOLERATED:
            raise InvalidEventError(str(name), event[name], "is not a field of this event")
