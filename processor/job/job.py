"""
A job: what to list, how to sign it and where the manifest lies. Frozen, validated, and known by its ``job_key``.

Precedence of each field: event, then sosw's config row, then environment, then default.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from processor.errors import InvalidEventError
from processor.job import validation
from processor.job.deployment_settings import DEFAULT_MANIFEST_PREFIX

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from processor.job.deployment_settings import DeploymentSettings

NONE, GZIP = "none", "gzip"
MAX_EXPIRY_SECONDS = 604_800
MAX_CONCURRENCY = 64
CHECKPOINTS = ".checkpoints/"

ENVIRONMENT = {
    "bucket": "BUCKET_NAME",
    "prefix": "PREFIX",
    "suffix": "SUFFIX",
    "expiry_seconds": "URL_EXPIRY_SECONDS",
    "page_size": "PAGE_SIZE",
    "concurrency": "CONCURRENCY",
    "compression": "COMPRESSION",
    "manifest_bucket": "MANIFEST_BUCKET",
    "manifest_prefix": "MANIFEST_PREFIX",
}
DEFAULTS: dict[str, Any] = {
    "prefix": "",
    "suffix": ".pdf",
    "expiry_seconds": 900,
    "page_size": 1000,
    "concurrency": 4,
    "compression": NONE,
    "manifest_prefix": DEFAULT_MANIFEST_PREFIX,
    "fresh": False,
    "force": False,
}
IDENTITY = (
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
class Job:
    """
    One job, as its fields stand in design order of the contract.

    :param expiry_seconds: Life of each URL from the second that it is signed in.
    :param cursor:         S3 continuation token to start from.
    :param start_after:    Key to start after (exclusive).
    :param end_at:         Last key to take (inclusive).
    :param time:           The event's own time, UTC.
    :param fresh:          Start anew even when a finished manifest is still valid.
    :param force:          Go on although every rule is off.
    :param task_id:        sosw task that the last sibling closes.
    """

    bucket: str
    prefix: str
    suffix: str
    expiry_seconds: int
    page_size: int
    concurrency: int
    compression: str
    manifest_bucket: str
    manifest_prefix: str
    time: datetime
    cursor: str | None = None
    start_after: str | None = None
    end_at: str | None = None
    fresh: bool = False
    force: bool = False
    task_id: str | None = None

    @classmethod
    def from_event(
        cls,
        event: Mapping[str, Any],
        *,
        config: Mapping[str, Any],
        environment: Mapping[str, str],
        deployment: DeploymentSettings,
        now: datetime,
    ) -> Job:
        """
        Build the job that a direct event asks for.

        :param event:       The event's fields; unknown ones are refused.
        :param config:      The sosw config row.
        :param environment: The process environment.
        :param deployment:  Its allow-lists bound what the event may name.
        :param now:         Stands for ``time`` when the event has none.
        :raises InvalidEventError: A field breaks its rule.
        """
        refuse_unknown(event, FIELDS)
        found: dict[str, tuple[str, Any]] = {name: (name, value) for name, value in DEFAULTS.items()}
        found |= {name: (v, environment[v]) for name, v in ENVIRONMENT.items() if v in environment}
        found |= {n: (f"{n} of the config row", config[n]) for n in ENVIRONMENT if config.get(n) is not None}
        found |= {name: (name, event[name]) for name in FIELDS if event.get(name) is not None}
        if "bucket" not in found:
            raise InvalidEventError("bucket", None, "is required: in the event, the config row or BUCKET_NAME")
        found.setdefault("manifest_bucket", found["bucket"])
        values = {name: _RULES[name](label, value) for name, (label, value) in found.items()}
        at = values.setdefault("time", now)
        values["prefix"] = validation.key("prefix", validation.expand_dates(found["prefix"][0], values["prefix"], at))
        return cls(**values).admitted(deployment)

    @classmethod
    def from_payload(cls, written: object, deployment: DeploymentSettings) -> Job:
        """
        Read the job of a sibling payload: every field as the first hop resolved it, checked anew.

        :raises InvalidEventError: A field is missing, unknown or breaks its rule.
        """
        if not isinstance(written, dict):
            raise InvalidEventError("job", written, "must be an object")
        optional = {"cursor", "start_after", "end_at", "task_id"}
        for name in sorted(set(written) ^ set(FIELDS)):
            if name not in optional or name in written:
                raise InvalidEventError(f"job.{name}", written.get(name), "must be exactly the fields of a job")
        values = {n: _RULES[n](f"job.{n}", value) for n, value in written.items() if value is not None}
        missing = sorted(set(FIELDS) - optional - set(values))
        if missing:
            raise InvalidEventError(f"job.{missing[0]}", None, "is required in a sibling payload")
        return cls(**values).admitted(deployment)

    def to_payload(self) -> dict[str, Any]:
        """Return the job as JSON values; ``fresh`` counts once, so no sibling carries it."""
        return asdict(self) | {"time": self.time.isoformat(), "fresh": False}

    def admitted(self, deployment: DeploymentSettings) -> Job:
        """
        Return the job itself when the deployment's allow-lists let it through.

        :raises InvalidEventError: A bucket or the prefix is outside the lists.
        """
        buckets, prefixes = deployment.allowed_buckets, deployment.allowed_prefixes
        if buckets is not None and self.bucket not in buckets:
            raise InvalidEventError("bucket", self.bucket, "must be one of ALLOWED_BUCKETS")
        if buckets is not None and self.manifest_bucket not in buckets | {deployment.manifest_bucket}:
            raise InvalidEventError("manifest_bucket", self.manifest_bucket, "must be one of ALLOWED_BUCKETS")
        if prefixes is not None and not self.prefix.startswith(prefixes):
            raise InvalidEventError("prefix", self.prefix, "must be under one of ALLOWED_PREFIXES")
        return self

    @property
    def job_key(self) -> str:
        """What the job is, as a hash: two submissions of one job share it."""
        written = json.dumps([getattr(self, name) for name in IDENTITY])
        return hashlib.sha256(written.encode()).hexdigest()[:32]

    def job_id(self, delivery: str) -> str:
        """
        Name one run of the job: a repeated delivery is the same run.

        :param delivery: Request id, event id or message id.
        """
        return f"{self.job_key[:16]}-{hashlib.sha256(delivery.encode()).hexdigest()[:16]}"

    def manifest_key(self, job_id: str) -> str:
        """Return the manifest's key for one run."""
        return f"{self.manifest_prefix}{job_id}.jsonl{'.gz' if self.compression == GZIP else ''}"

    def checkpoint_prefix(self, job_id: str) -> str:
        """Return the prefix under which one run keeps its checkpoints."""
        return f"{self.manifest_prefix}{CHECKPOINTS}{job_id}/"


FIELDS = tuple(field.name for field in fields(Job))
_RULES: dict[str, Callable[[str, Any], Any]] = {
    "bucket": validation.bucket,
    "prefix": validation.text,  # its length is checked once the date stands in it
    "suffix": validation.key,
    "expiry_seconds": lambda f, v: validation.integer(f, v, 1, MAX_EXPIRY_SECONDS),
    "page_size": lambda f, v: validation.integer(f, v, 1, 1000),
    "concurrency": lambda f, v: validation.integer(f, v, 1, MAX_CONCURRENCY),
    "compression": lambda f, v: validation.choice(f, v, (NONE, GZIP)),
    "manifest_bucket": validation.bucket,
    "manifest_prefix": lambda f, v: validation.not_empty(f, validation.key(f, v)),
    "time": lambda f, v: v if isinstance(v, datetime) else validation.instant(f, v),
    "cursor": lambda f, v: validation.not_empty(f, validation.text(f, v)),
    "start_after": validation.key,
    "end_at": validation.key,
    "fresh": validation.flag,
    "force": validation.flag,
    "task_id": lambda f, v: validation.not_empty(f, validation.text(f, v)),
}


def refuse_unknown(event: Mapping[str, Any], known: Collection[str]) -> None:
    """
    Refuse a field that neither the contract nor AWS nor sosw knows.

    :param known: The names that this kind of event has.
    """
    for name in event:
        if name not in known and name not in TOLERATED:
            raise InvalidEventError(str(name), event[name], "is no field of this event")
