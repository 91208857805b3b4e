"""
A job: what to list, how to sign, and where the manifest goes. Frozen, validated, and identified by its ``job_key``.

Precedence of each field: event, then sosw's config row, then environment, then default.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from processor.errors import InvalidEventError
from processor.job import admission, choices, distribution, s3_names, sources, template
from processor.job.field_values import TEMPLATE, checked, found_in, with_dates
from processor.job.fields import FIELDS, FIRST_IDENTITY, GZIP, LATER_FIELDS, JobFields, refuse_unknown
from processor.job.response_headers import ResponseHeaders
from processor.job.version import check_known

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processor.job.deployment_settings import DeploymentSettings

CHECKPOINTS, KEY_MAPS = ".checkpoints/", ".keymaps/"
ALIAS = "-s3alias"  # how the alias of an access point ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Job(JobFields):
    """
    One job: its fields, and what follows from them.

    :param prefix_template: The prefix before dates were put in; ``None`` where it holds none.
    """

    prefix_template: str | None = None

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
        :param deployment:  Its allow-lists limit what the event may name.
        :param now:         Replaces ``time`` when the event has none.
        :raises InvalidEventError: A field breaks its rule.
        """
        refuse_unknown(event, FIELDS)
        found = sources.chosen(found_in(event, config, environment, deployment), event)
        values = checked(found)
        distribution.check_life(*found["expiry_seconds"], values["signer"])
        values.setdefault("time", now)
        job = cls(**with_dates(values, found["prefix"][0]))
        admission.check_new(job, found, deployment)
        return job

    @classmethod
    def from_payload(cls, written: object, deployment: DeploymentSettings | None) -> Job:
        """
        Read the job of a sibling payload: every field as the first hop resolved it, checked again.

        :param deployment: What must allow the job; ``None`` where the job is only looked at.
        :raises InvalidEventError: A field is missing, unknown or breaks its rule.
        """
        if not isinstance(written, dict):
            raise InvalidEventError("job", written, "must be an object")
        check_known(written, {*FIELDS, TEMPLATE}, "job.")
        values = checked({name: (f"job.{name}", written.get(name)) for name in FIELDS})
        for name, field in FIELDS.items():
            if field.required and name not in values:
                raise InvalidEventError(f"job.{name}", None, "is required in a sibling payload")
        if written.get(TEMPLATE) is not None:
            values[TEMPLATE] = s3_names.key(f"job.{TEMPLATE}", written[TEMPLATE])
        job = cls(**values)
        if deployment is not None:
            admission.check_allowed(job, deployment)
        return job

    def to_event(self) -> dict[str, Any]:
        """Return the event that asks for this job again, whatever the deployment's own settings are by now."""
        fields = {name: _as_json(getattr(self, name)) for name in FIELDS}
        fields["prefix"] = self.prefix_template or self.prefix
        if self.prefixes or self.keys_place:
            del fields["prefix"]  # keys come from one source
        if self.prefixes:
            fields["prefixes"] = list(map(template.literal, self.prefixes))
        return {name: value for name, value in fields.items() if value is not None}

    def to_payload(self) -> dict[str, Any]:
        """Return the job as JSON values; ``fresh`` counts once, so no sibling carries it."""
        dated = {} if self.prefix_template is None else {TEMPLATE: self.prefix_template}
        written = {
            name: _as_json(getattr(self, name))
            for name, field in FIELDS.items()
            if name not in LATER_FIELDS or getattr(self, name) != field.default
        }
        return written | {"fresh": False} | dated

    @property
    def keys_place(self) -> str | None:
        """The object that holds the job's keys, where they are not listed."""
        return self.keys_from or self.refresh

    @property
    def is_of_list(self) -> bool:
        """Whether the keys are those of a list that people may have written, not of a report of S3."""
        return self.keys_from is not None and not self.keys_from.endswith(sources.REPORT)

    @property
    def listed_prefixes(self) -> tuple[str, ...]:
        """The prefixes that the job lists, in order."""
        return self.prefixes or (self.prefix,)

    def manifest_places(self, deployment: DeploymentSettings) -> tuple[str, ...]:
        """Return the prefixes of the bucket under which manifests lie: this job's, and the deployment's others."""
        if deployment.manifest_is_file:
            return ()
        # A deployment without a bucket for manifests has them in each bucket that it lists.
        theirs = (deployment.manifest_bucket or self.bucket, deployment.manifest_prefix)
        places = {(self.manifest_bucket, self.manifest_prefix), theirs}
        # The bucket of an access point is unknown here: it may be that of the manifests.
        any_bucket = self.is_of_access_point
        return tuple(sorted({prefix for bucket, prefix in places if any_bucket or bucket == self.bucket}))

    @property
    def is_of_access_point(self) -> bool:
        """Whether ``bucket`` is an access point, whose own bucket is unknown here."""
        return s3_names.is_access_point(self.bucket) or self.bucket.endswith(ALIAS)

    def divided(self, processes: int) -> Job:
        """
        Return the job for a number of processes of one machine, in place of chains.

        :raises InvalidEventError: Its keys cannot be divided.
        """
        job = replace(self, chains=processes)
        admission.check_division(job, "--processes")
        return job

    def since(self, last_started: datetime | None) -> datetime | None:
        """
        Return the date from which on objects are taken, UTC.

        :param last_started: When the job's last complete run began. S3 dates objects to the second.
        """
        if self.modified_since == choices.LAST:
            return last_started and last_started.replace(microsecond=0)
        return None if self.modified_since is None else choices.instant(self.modified_since, self.time)

    @property
    def before(self) -> datetime | None:
        """The date before which objects are taken, UTC."""
        return None if self.modified_before is None else choices.instant(self.modified_before, self.time)

    @property
    def dates(self) -> tuple[datetime | None, datetime | None]:
        """The dates between which objects are taken; those of a duration move with the ``time`` of the job."""
        return self.since(None), self.before

    @property
    def suffixes(self) -> tuple[str, ...]:
        """The endings of keys to take, in lower case; without any, every key is taken."""
        written = (self.suffix,) if isinstance(self.suffix, str) else self.suffix
        return tuple(each.lower() for each in written if each)

    @property
    def response_headers(self) -> ResponseHeaders:
        """The response headers of the manifest's URLs."""
        return ResponseHeaders(
            disposition=self.disposition,
            filename=self.filename,
            content_type=self.content_type,
            cache_control=self.cache_control,
        )

    def can_be_tried(self, now: datetime) -> bool:
        """Whether to probe links; a probe says nothing of links that do not work yet, or not from here."""
        return self.probe and self.ip_range is None and (self.starts_at is None or self.starts_at <= now)

    @property
    def job_key(self) -> str:
        """The hash of what the job is: submissions of one job share it."""
        first = [getattr(self, name) for name in FIRST_IDENTITY]
        later = {
            name: _as_json(getattr(self, name))
            for name, field in FIELDS.items()
            if field.identity and name not in FIRST_IDENTITY and getattr(self, name) != field.default
        }
        written = json.dumps([*first, later] if later else first)
        return hashlib.sha256(written.encode()).hexdigest()[:32]

    def job_id(self, delivery: str) -> str:
        """
        Return the id of one run of the job; a repeated delivery is the same run.

        :param delivery: Request id, event id or message id.
        """
        return f"{self.job_key[:16]}-{hashlib.sha256(delivery.encode()).hexdigest()[:16]}"

    def manifest_key_of(self, job_id: str) -> str:
        """Return the manifest's key for one run."""
        return f"{self.manifest_prefix}{job_id}.jsonl{'.gz' if self.compression == GZIP else ''}"

    def page_key(self, job_id: str) -> str:
        """Return the key of the page beside one run's manifest."""
        return f"{self.manifest_prefix}{job_id}.html"

    def checkpoint_prefix(self, job_id: str) -> str:
        """Return the prefix under which one run keeps its checkpoints."""
        return f"{self.manifest_prefix}{CHECKPOINTS}{job_id}/"

    @property
    def hidden_prefixes(self) -> tuple[str, str]:
        """The prefixes of checkpoints and key maps, under that of the manifests."""
        return f"{self.manifest_prefix}{CHECKPOINTS}", f"{self.manifest_prefix}{KEY_MAPS}"

    @property
    def refreshes_stable(self) -> bool:
        """Whether the job signs the keys of its own stable object again."""
        return self.refresh == f"s3://{self.manifest_bucket}/{self.manifest_key}"

    @property
    def stable_id(self) -> str:
        """The hash of what the job is, whatever the date: it names the owner of the object at the stable key."""
        asked = {name: _as_json(getattr(self, name)) for name, field in FIELDS.items() if field.identity}
        asked["prefix"] = self.prefix_template or self.prefix
        return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:32]

    @property
    def key_map_key(self) -> str:
        """The key of the key map: the same for each date in the prefix."""
        place = json.dumps([self.bucket, self.prefix_template or self.prefix])
        return f"{self.manifest_prefix}{KEY_MAPS}{hashlib.sha256(place.encode()).hexdigest()[:32]}.json"

    @property
    def is_whole(self) -> bool:
        """Whether the job takes the whole prefix, and no part of it."""
        return self.cursor is None and self.start_after is None and self.end_at is None


def _as_json(value: object) -> object:
    """Return a value of a field as JSON holds it."""
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
