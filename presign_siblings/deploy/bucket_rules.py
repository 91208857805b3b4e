"""Lifecycle rules as data: those that the template gives a bucket, beside those that are there, none overwritten."""

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

    :param parameters: Those of the stack; the template's defaults stand for the others.
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


def merged(there: Sequence[Rule], ours: Sequence[Rule]) -> list[Rule]:
    """
    Return the rules that are there, each as it is, and then those of ours whose work none of them does.

    A rule of the same ID is somebody's decision and stays, and so does one that does as much for a prefix around ours.
    """
    ids = {rule.get("ID") for rule in there}
    named = [_beside(rule, there) for rule in ours]
    missing = [rule for rule in named if rule["ID"] not in ids and not any(_covers(each, rule) for each in there)]
    return [*map(_second_form, there), *missing]


def _beside(rule: Rule, there: Sequence[Rule]) -> Rule:
    """Return a rule of ours, with its prefix in its ID where another deployment's rule in this bucket has the ID."""
    prefix = rule["Filter"]["Prefix"]
    others = [_prefix(each) for each in there if each.get("ID") == rule["ID"]]
    if all(prefix.startswith(other) or other.startswith(prefix) for other in others):
        return rule
    written = f"{rule['ID']} {prefix}"
    if len(written) > MOST_ID:  # two long prefixes may begin alike
        written = f"{rule['ID']} {hashlib.sha256(prefix.encode()).hexdigest()}"
    return {**rule, "ID": written}


def cut_short(there: Sequence[Rule], prefix: str, seconds: int) -> list[str]:
    """
    Return the IDs of the rules that abort uploads under a prefix while a job may still be at work on them.

    :param seconds: Longest age of a job.
    """
    return [
        rule.get("ID", "(without an ID)")
        for rule in there
        if rule.get("Status") == "Enabled"
        and any(prefix.startswith(each) or each.startswith(prefix) for each in _prefixes(rule))
        and (rule.get(ABORT, {}).get("DaysAfterInitiation") or math.inf) * 86_400 <= seconds
    ]


def _covers(rule: Rule, ours: Rule) -> bool:
    """Whether an enabled rule does what ours would: to every key under its prefix, and no later."""
    if rule.get("Status") != "Enabled" or not any(
        ours["Filter"]["Prefix"].startswith(each) for each in _prefixes(rule)
    ):
        return False
    expiration, noncurrent = rule.get("Expiration", {}), rule.get(NONCURRENT, {})
    # The versions that a rule keeps beside the newest are kept for ever.
    old = math.inf if "NewerNoncurrentVersions" in noncurrent else noncurrent.get("NoncurrentDays", math.inf)
    found = {
        ABORT: rule.get(ABORT, {}).get("DaysAfterInitiation", math.inf),
        "Days": expiration.get("Days", math.inf),
        # S3 removes lone markers with the objects that a rule of days expires, too.
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
    """Return the prefix of the keys that a rule chooses among."""
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
    """Write a rule's prefix as a filter: S3 takes no configuration with rules of both forms."""
    if "Prefix" not in rule:
        return rule
    return {name: value for name, value in rule.items() if name != "Prefix"} | {"Filter": {"Prefix": rule["Prefix"]}}
