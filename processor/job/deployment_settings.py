"""What the deployment fixes, read from the environment (and sosw's config row) once an invocation."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from processor.errors import InvalidEventError
from processor.job import times, validation
from processor.job.distribution import DistributionSettings
from processor.job.reach import Reach, endpoint_in, endpoint_of

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_MANIFEST_PREFIX = "manifests/"
DEFAULT_NAMESPACE = "PresignSiblings"
MAX_HOPS_LIMIT = 100_000
_MOST_LAMBDAS, _MOST_QUEUED = 1_000_000, 10_000_000
WEEK_SECONDS = 604_800
# Keys known and not yet written, by default; more for many readers, which wait while the queue is full.
_QUEUE, _FEW_READERS, _QUEUE_A_READER = 20_000, 4, 6250
_SIBLINGS = 10  # at once, unless a setting says how many, or more are reserved
LAMBDA_TIMEOUT_LIMIT = 5400.0  # Managed Instances; 900 elsewhere
_ACCOUNT = re.compile(r"[0-9]{12}")
_PAYER = re.compile("requester")
_ACL = re.compile("bucket-owner-full-control")
_KMS_KEY = re.compile(
    r"(arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:(key|alias)/|alias/)[A-Za-z0-9/_-]{1,256}|[a-f0-9-]{36}|mrk-[a-f0-9]{32}|AES256"
)
_STATE_MACHINE = re.compile(r"arn:[a-z-]+:states:[a-z0-9-]+:[0-9]{12}:stateMachine:[A-Za-z0-9_-]{1,80}")
_EVENT_BUS = re.compile(r"(arn:[a-z-]+:events:[a-z0-9-]+:[0-9]{12}:event-bus/)?[A-Za-z0-9._/-]{1,256}")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentSettings:
    """
    Infrastructure settings: no event can change them.

    :param reach:           How requests to S3 are sent.
    :param shutdown_period: Seconds kept free before the Lambda's timeout.
    :param queue_max:       Keys listed and not yet written, at most; ``None``: as many as the readers need.
    :param bucket_owner:    Account that must own the buckets; S3 refuses any other.
    :param manifest_bucket_owner: The same for the deployment's ``manifest_bucket``.
    :param signing_secret:  Secrets Manager secret whose keys sign in place of the function's own.
    :param signing_role_arn: Role to assume for signing.
    :param allowed_buckets: Buckets that events may name; ``None`` means any.
    :param allowed_prefixes: Beginnings that an event's prefix must have; ``None`` means any.
    :param manifest_prefix: The deployment's own, never listed into a manifest.
    :param manifest_kms_key: KMS key that manifests and checkpoints are encrypted with, or ``AES256`` for S3's own;
                             ``None``: the bucket's default.
    :param manifest_acl:    ACL that the policy of the manifests' bucket demands; ``None``: none.
    :param requester_pays:  The caller pays for what S3 bills, as requester-pays buckets demand; the URLs say so too.
    :param event_bus:       EventBridge bus for the events of finished manifests; ``None``: no event is sent.
    :param state_machine: ARN of the state machine that gives a job's ranges to several chains; ``None``: there is none.
    :param reserved_concurrency: Most Lambdas of the function at once; ``None``: as many as the account has.
    :param max_concurrent_siblings: A chain parks while more Lambdas of the function than this run at once.
    :param equal_parts:     The store takes parts of one size only (Cloudflare R2), so nothing is copied there.
    :param url_endpoint:    Endpoint that the URLs name, where recipients reach the store under another host.
    :param distribution:    CloudFront distribution of the jobs whose URLs CloudFront signs.
    :param manifest_is_file: A run on a laptop writes a local file: no manifest lies in a bucket.
    :param reads_files: A run on a laptop takes keys from a local file, too.
    """

    endpoint_url: str | None
    reach: Reach
    jobs_table: str | None
    max_hops: int
    max_job_seconds: int
    shutdown_period: float
    queue_max: int | None
    bucket_owner: str | None
    manifest_bucket_owner: str | None
    signing_secret: str | None
    signing_role_arn: str | None
    allowed_buckets: frozenset[str] | None
    allowed_prefixes: tuple[str, ...] | None
    manifest_bucket: str | None
    manifest_prefix: str
    manifest_kms_key: str | None
    manifest_acl: str | None
    requester_pays: bool
    event_bus: str | None
    state_machine: str | None
    reserved_concurrency: int | None
    max_concurrent_siblings: int
    equal_parts: bool
    manifest_is_file: bool = False
    reads_files: bool = False
    url_endpoint: str | None = None
    distribution: DistributionSettings | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], config: Mapping[str, Any]) -> DeploymentSettings:
        """
        Read the settings.

        :param environment: The process environment.
        :param config:      The sosw config; it may hold ``shutdown_period`` and ``siblings_config``.
        :raises InvalidEventError: A setting breaks its rule; the message names the variable.
        """

        def number(name: str, default: int, low: int, high: int) -> int:
            return validation.integer(name, environment.get(name, default), low, high)

        def matching(name: str, pattern: re.Pattern[str], rule: str) -> str | None:
            return validation.variable(name, environment, pattern, rule)

        def account(name: str) -> str | None:
            return matching(name, _ACCOUNT, "must be an AWS account id, 12 digits")

        reserved = number("RESERVED_CONCURRENCY", 0, 0, _MOST_LAMBDAS) or None
        buckets = _allow_list("ALLOWED_BUCKETS", environment)
        owner = account("EXPECTED_BUCKET_OWNER")
        return cls(
            endpoint_url=endpoint_of(environment),
            url_endpoint=endpoint_in("URL_ENDPOINT", environment),
            distribution=DistributionSettings.from_environment(environment),
            reach=Reach.from_environment(environment),
            jobs_table=environment.get("JOBS_TABLE") or None,
            max_hops=number("MAX_HOPS", 100, 1, MAX_HOPS_LIMIT),
            max_job_seconds=times.duration(
                "MAX_JOB_SECONDS", environment.get("MAX_JOB_SECONDS", 86_400), 1, WEEK_SECONDS
            ),
            shutdown_period=_shutdown_period(config, environment),
            queue_max=number("QUEUE_MAX", 0, 1, _MOST_QUEUED) if "QUEUE_MAX" in environment else None,
            bucket_owner=owner,
            manifest_bucket_owner=account("MANIFEST_BUCKET_OWNER") or owner,
            signing_secret=environment.get("SIGNING_SECRET") or None,
            signing_role_arn=environment.get("SIGNING_ROLE_ARN") or None,
            allowed_buckets=None if buckets is None else frozenset(buckets),
            allowed_prefixes=_allow_list("ALLOWED_PREFIXES", environment),
            manifest_bucket=_own("manifest_bucket", config, environment, None),
            manifest_prefix=validation.not_empty(
                "MANIFEST_PREFIX", str(_own("manifest_prefix", config, environment, DEFAULT_MANIFEST_PREFIX))
            ),
            manifest_kms_key=matching(
                "MANIFEST_KMS_KEY", _KMS_KEY, "must be a KMS key's id, its alias (alias/...), an ARN, or AES256"
            ),
            manifest_acl=matching("MANIFEST_ACL", _ACL, "must be bucket-owner-full-control, or absent"),
            requester_pays=matching("REQUEST_PAYER", _PAYER, "must be requester, or absent") is not None,
            event_bus=matching("EVENT_BUS", _EVENT_BUS, "must be the name or the ARN of an event bus"),
            state_machine=matching("STATE_MACHINE_ARN", _STATE_MACHINE, "must be the ARN of a state machine"),
            reserved_concurrency=reserved,
            max_concurrent_siblings=_max_siblings(config, reserved),
            equal_parts=validation.switch("S3_EQUAL_PARTS", environment.get("S3_EQUAL_PARTS") or "false"),
        )

    def keys_ahead(self, concurrency: int) -> int:
        """Return how many keys may be listed and not yet written, for a number of list requests under way."""
        needed = _QUEUE if concurrency <= _FEW_READERS else concurrency * _QUEUE_A_READER
        return needed if self.queue_max is None else self.queue_max


def _shutdown_period(config: Mapping[str, Any], environment: Mapping[str, str]) -> float:
    """Return the seconds kept free before the timeout: sosw's own setting comes first."""
    configured = config.get("shutdown_period")
    value = environment.get("SHUTDOWN_PERIOD", 10) if configured is None else configured
    return times.seconds("SHUTDOWN_PERIOD", value, 0.001, LAMBDA_TIMEOUT_LIMIT)


def _max_siblings(config: Mapping[str, Any], reserved: int | None) -> int:
    """Return the ceiling of ``siblings_config``; without one, what is reserved, and at least ten."""
    siblings = config.get("siblings_config") or {}
    if not isinstance(siblings, dict):
        raise InvalidEventError("siblings_config of the config row", siblings, "must be an object")
    configured = siblings.get("max_concurrent_siblings")
    value = max(reserved or 0, _SIBLINGS) if configured is None else configured
    return validation.integer("max_concurrent_siblings of siblings_config", value, 0, _MOST_LAMBDAS)


def _own(name: str, config: Mapping[str, Any], environment: Mapping[str, str], default: str | None) -> str | None:
    """Return a setting of the deployment that events may override: config row, environment, default."""
    value: str | None = config.get(name)
    return environment.get(name.upper(), default) if value is None else value


def _allow_list(name: str, environment: Mapping[str, str]) -> tuple[str, ...] | None:
    """
    Read an allow-list: comma-separated, or a JSON list where an entry holds a comma.

    :return: ``None`` when the variable is absent or empty: nothing is restricted then.
    """
    written = environment.get(name, "").strip()
    if not written:
        return None
    if not written.startswith("["):
        return tuple(validation.entries(written))
    rule = "must be comma-separated, or a JSON list of strings"
    try:
        entries = json.loads(written)
    except ValueError:
        raise InvalidEventError(name, written, rule) from None
    if not all(isinstance(entry, str) for entry in entries):
        raise InvalidEventError(name, written, rule)
    return tuple(entries)
