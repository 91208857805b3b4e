"""Lifecycle rules as data: merge the template's rules with a bucket's own, and overwrite none."""

from __future__ import annotations

import hashlib
import math
from typing import TYPE_CHECKING, Any

from presign_siblings.deploy import template
from presign_siblings.deploy.parameters import defaults

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

ABORT = "AbortIncompleteMultipartUpload"
NONCURRENT, MARKERS = "NoncurrentVersionExpiration", "ExpiredObjectDeleteMarker"
MOST_ID = 255  # characters of a rule's ID
_SAME_IN_BOTH: tuple[str, ...] = ("Status", ABORT, NONCURRENT)

Rule = dict[str, Any]


def of_template(parameters: Mapping[str, str]) -> list[Rule]:
    """
    Return the rules that the template gives a bucket of its own, in the form of the S3 API.

    :param parameters: The stack's; the template's defaults replace missing ones.
    """
    loaded = template.load()
    resolver = template.Resolver(loaded, {**defaults(), **parameters})
    rules = loaded["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    return [translated(rule) for rule in resolver.resolve(rules)]


def translated(rule: Mapping[str, Any]) -> Rule:
    """Translate from CloudFormation's form of a rule to that of the S3 API."""
    same: Rule = {key: rule[key] for key in _SAME_IN_BOTH if key in rule}
    same |= {"ID": rule["Id"], "Filter": {"Prefix": rule["Prefix"]}}
    if "ExpirationInDays" in rule:
        same["Expiration"] = {"Days": int(rule["ExpirationInDays"])}
    if rule.get(MARKERS):
        same["Expiration"] = {MARKERS: True}
    return same


def merged(present: Sequence[Rule], ours: Sequence[Rule]) -> list[Rule]:
    """
    Return the bucket's own rules unchanged, and after them those of ours that none of its own replaces.

    A rule with the same ID is the owner's decision and stays; a rule that does as much for a wider prefix is enough.
    """
    ids = {rule.get("ID") for rule in present}
    named = [_beside(rule, present) for rule in ours]
    missing = [rule for rule in named if rule["ID"] not in ids and not any(_covers(each, rule) for each in present)]
    return [*map(_second_form, present), *missing]


def _beside(rule: Rule, present: Sequence[Rule]) -> Rule:
    """Return a rule of ours, with its prefix in its ID where another deployment's rule in this bucket has the ID."""
    prefix = rule["Filter"]["Prefix"]
    others = [_prefix(each) for each in present if each.get("ID") == rule["ID"]]
    if all(prefix.startswith(other) or other.startswith(prefix) for other in others):
        return rule
    written = f"{rule['ID']} {prefix}"
    if len(written) > MOST_ID:  # a cut ID would be equal for two long prefixes
        written = f"{rule['ID']} {hashlib.sha256(prefix.encode()).hexdigest()}"
    return {**rule, "ID": written}


def cut_short(present: Sequence[Rule], prefix: str, seconds: int) -> list[str]:
    """
    Return the IDs of the rules that abort uploads under a prefix while a job may still be at work on them.

    :param seconds: The longest age of a job.
    """
    return [
        rule.get("ID", "(without an ID)")
        for rule in present
        if rule.get("Status") == "Enabled"
        and any(prefix.startswith(each) or each.startswith(prefix) for each in _prefixes(rule))
        and (rule.get(ABORT, {}).get("DaysAfterInitiation") or math.inf) * 86_400 <= seconds
    ]


def _covers(rule: Rule, ours: Rule) -> bool:
    """Whether an enabled rule does what ours would, for every key under its prefix, and no later."""
    if rule.get("Status") != "Enabled" or not any(
        ours["Filter"]["Prefix"].startswith(each) for each in _prefixes(rule)
    ):
        return False
    expiration, noncurrent = rule.get("Expiration", {}), rule.get(NONCURRENT, {})
    # The noncurrent versions that a rule keeps by number stay for ever.
    old = math.inf if "NewerNoncurrentVersions" in noncurrent else noncurrent.get("NoncurrentDays", math.inf)
    found = {
        ABORT: rule.get(ABORT, {}).get("DaysAfterInitiation", math.inf),
        "Days": expiration.get("Days", math.inf),
        # A rule of days removes lone markers with the objects, too.
        MARKERS: 0 if expiration.get(MARKERS) or "Days" in expiration else math.inf,
        NONCURRENT: old,
    }
    wanted = {
        ABORT: ours.get(ABORT, {}).get("DaysAfterInitiation"),
        "Days": ours.get("Expiration", {}).get("Days"),
        MARKERS: 0 if ours.get("Expiration", {}).get(MARKERS) else None,
        NONCURRENT: ours.get(NONCURRENT, {}).get("NoncurrentDays"),
    }
    return all(most is None or found[action] <= most for action, most in wanted.items())


def _prefix(rule: Rule) -> str:
    """Return the prefix that limits a rule, with tags or sizes or without."""
    chosen = rule.get("Filter", {})
    return str(rule.get("Prefix") or chosen.get("Prefix") or chosen.get("And", {}).get("Prefix") or "")


def _prefixes(rule: Rule) -> Iterator[str]:
    """Yield a rule's prefix, if it takes every key under it: one with tags or sizes in its filter does not."""
    chosen = rule.get("Filter", {})
    if "Prefix" in rule:
        yield rule["Prefix"]
    elif not set(chosen) - {"Prefix"}:
        yield chosen.get("Prefix", "")


def _second_form(rule: Rule) -> Rule:
    """Write a rule's prefix as a filter: S3 refuses a configuration with rules of both forms."""
    if "Prefix" not in rule:
        return rule
    return {name: value for name, value in rule.items() if name != "Prefix"} | {"Filter": {"Prefix": rule["Prefix"]}}
