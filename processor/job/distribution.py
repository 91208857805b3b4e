"""CloudFront in place of S3: the deployment's distribution, and what a job may ask of its links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import IPv4Network
from typing import TYPE_CHECKING

from processor.errors import InvalidEventError
from processor.job import times, validation

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from processor.job.fields import JobFields

S3, CLOUDFRONT = "s3", "cloudfront"
CANNED, PREFIX = "canned", "prefix"
SHA1, SHA256 = "SHA1", "SHA256"
MAX_EXPIRY_SECONDS = 604_800  # S3's limit for a SigV4 query signature: 7 days
MAX_CLOUDFRONT_SECONDS = 3653 * 86_400  # ten years; CloudFront has no limit
_DOMAIN = re.compile(r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}")
_KEY_PAIR = re.compile(r"[A-Z0-9]{8,128}")
_SECRET = re.compile(r"[A-Za-z0-9/_+=.@:-]{1,2048}")
_NEEDED = "CLOUDFRONT_DOMAIN, CLOUDFRONT_KEY_PAIR_ID and CLOUDFRONT_SECRET"


@dataclass(frozen=True, slots=True)
class DistributionSettings:
    """
    The distribution of a deployment; the private key itself is in none of its settings.

    :param domain:         Domain of the distribution, or an alternate name of it.
    :param key_pair_id:    Id of the public key in the trusted key group.
    :param secret:         Name or ARN of the secret that holds the private key; a laptop may have a file in its place.
    :param hash_algorithm: Hash of the signatures.
    """

    domain: str
    key_pair_id: str
    secret: str | None
    hash_algorithm: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> DistributionSettings | None:
        """
        Read the settings; ``None`` where there is no distribution.

        :raises InvalidEventError: One breaks its rule, or there is a domain without its key.
        """
        domain = environment.get("CLOUDFRONT_DOMAIN")
        if not domain:
            return None
        key_pair, example = environment.get("CLOUDFRONT_KEY_PAIR_ID", ""), "d111111abcdef8.cloudfront.net"
        of_key_pair = "must be the id of the public key in CloudFront's key group"
        return cls(
            domain=validation.matching("CLOUDFRONT_DOMAIN", domain, _DOMAIN, f"must be a host name, such as {example}"),
            key_pair_id=validation.matching("CLOUDFRONT_KEY_PAIR_ID", key_pair, _KEY_PAIR, of_key_pair),
            secret=validation.variable("CLOUDFRONT_SECRET", environment, _SECRET, "must be a secret's name or ARN"),
            hash_algorithm=validation.choice(
                "CLOUDFRONT_HASH", environment.get("CLOUDFRONT_HASH") or SHA1, (SHA1, SHA256)
            ),
        )


def ip_range(field: str, value: object) -> str:
    """
    Return an IPv4 range in CIDR notation; one address is a range of its own.

    :raises InvalidEventError: It is not such a range.
    """
    try:
        return str(IPv4Network(validation.text(field, value)))
    except ValueError:
        raise InvalidEventError(field, value, "must be an IPv4 address or range, such as 192.0.2.0/24") from None


def lifetime(field: str, value: object) -> int:
    """
    Return the life of links, seconds; which signer gives it, ``check_life`` knows.

    :raises InvalidEventError: No signer can give it.
    """
    try:
        return times.duration(field, value, 1, MAX_CLOUDFRONT_SECONDS)
    except InvalidEventError:
        more = f"; up to {MAX_CLOUDFRONT_SECONDS} with signer cloudfront"
        rule = f"must be 1 to {MAX_EXPIRY_SECONDS} seconds, {times.WRITTEN}{more}"
        raise InvalidEventError(field, value, rule) from None


def check_life(label: str, value: object, signer: str) -> None:
    """
    Refuse a lifetime that a signer cannot give.

    :param label: Label of the place that names the lifetime, for the message.
    :param value: The lifetime as it is written there.
    :raises InvalidEventError: It is longer than S3 allows.
    """
    times.duration(label, value, 1, MAX_CLOUDFRONT_SECONDS if signer == CLOUDFRONT else MAX_EXPIRY_SECONDS)


def check_links(job: JobFields, settings: DistributionSettings | None, manifest_places: Sequence[str]) -> None:
    """
    Refuse what the job's signer cannot do.

    :param settings:        The deployment's distribution.
    :param manifest_places: Prefixes of the job's bucket under which manifests lie.
    :raises InvalidEventError: A field needs another signer, or the policy would open more than the job takes.
    """
    check_life("expiry_seconds", job.expiry_seconds, job.signer)
    if job.signer == S3:
        given = {"policy": job.policy != CANNED, "ip_range": job.ip_range is not None, "starts_at": job.starts_at}
        for name, is_given in given.items():
            if is_given:
                rule = f"needs signer cloudfront, also where the deployment sets it ({name.upper()})"
                raise InvalidEventError(name, str(getattr(job, name)), rule)
        return
    if settings is None:
        raise InvalidEventError("signer", CLOUDFRONT, f"needs {_NEEDED}")
    if job.starts_at is not None and job.starts_at >= job.time + timedelta(seconds=job.expiry_seconds):
        raise InvalidEventError("starts_at", job.starts_at.isoformat(), "must be before the URLs expire")
    if job.policy == PREFIX:
        _check_policy(job, manifest_places)


def _check_policy(job: JobFields, manifest_places: Sequence[str]) -> None:
    if job.prefixes or job.keys_from or job.refresh:
        raise InvalidEventError(
            "policy", PREFIX, "needs one prefix as the source of keys: it opens all keys under that prefix"
        )
    for place in manifest_places:
        if place.startswith(job.prefix):
            rule = f"would open {place} too, where manifests are; choose another prefix or manifest_bucket"
            raise InvalidEventError("policy", PREFIX, rule)
