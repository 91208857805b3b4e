"""The warnings of a complete manifest that lacks keys, or holds some in vain: it must not pass for a full one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from processor.errors import shown
from processor.hindrances import describe
from processor.job import ARCHIVED_INCLUDE
from processor.plural import plural

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processor.job import Counts, Job

EMPTY, FEW, COLD = "empty_manifest", "few_keys", "archived_objects"
COLLAPSE = 10  # a manifest with fewer keys than this part (a tenth) of the job's last one gets a warning
ROLE_SESSION = timedelta(hours=12)  # the longest that AWS STS gives
BEYOND_SESSION = {
    "session_ends": "a role's session signed the links, and they expire with the session, within 12 hours; the keys of "
    "an IAM user (SIGNING_SECRET) sign for 7 days"
}
_GLOB = "*?["
_BEGINNINGS = {
    "/": "the prefix begins with a slash, as few keys do",
    "s3://": "the prefix begins with s3://, but a prefix contains no bucket",
}


def beyond_session(expiry_seconds: int, *, of_role: bool) -> timedelta:
    """Return how much longer than a role's session URLs say that they live, at most."""
    return max(timedelta(), timedelta(seconds=expiry_seconds) - ROLE_SESSION) if of_role else timedelta()


def in_words(warnings: Mapping[str, str], before: str = "") -> str:
    """Return warnings as one text: each sentence after its short name, and all after those that were there before."""
    return "; ".join([*filter(None, [before]), *(f"{name}: {text}" for name, text in warnings.items())])


def named_in(text: str, *names: str) -> list[str]:
    """Return those of some short names that a text of warnings has."""
    return [name for name in names if f"; {name}: " in f"; {text}"]


def warnings(job: Job, counts: Counts, last_count: int | None) -> dict[str, str]:
    """
    Return the warnings of a complete manifest: sentences by their short names.

    :param last_count: Keys in the job's last manifest, if there is one.
    """
    found = dict[str, str]()
    if "modified_since" in counts.skipped:
        found = {}  # few keys, or none, are the answer of a job that takes what has changed
    elif counts.count == 0:
        found[EMPTY] = _nothing(job, counts)
    elif last_count is not None and counts.count * COLLAPSE < last_count:
        found[FEW] = f"{plural(counts.count, 'key')}; the last run of this job had {last_count:,}"
    if counts.archived and job.archived == ARCHIVED_INCLUDE:
        links = plural(
            counts.archived, "link answers 403 until its object is", "links answer 403 until their objects are"
        )
        found[COLD] = f"{links} restored from the archive"
    return found | describe(counts.hindered)


def _nothing(job: Job, counts: Counts) -> str:
    """Say why a manifest has no key, as far as it is known."""
    ending = f" ends in {' or '.join(map(shown, job.suffixes))}" if job.suffixes else ""
    under = " or ".join(map(shown, job.listed_prefixes))
    place = f"under {under} in bucket {job.bucket}" if job.keys_place is None else f"in {job.keys_place}"
    text = f"no key {place}{ending}"
    left_out = [f"{plural(number, 'key')} left out ({reason})" for reason, number in sorted(counts.skipped.items())]
    left_out += [f"{counts.errors:,} could not be signed"] if counts.errors else []
    bounds = {"cursor": job.cursor, "start_after": job.start_after, "end_at": job.end_at}
    limits = [f"{name} {shown(value)}" for name, value in bounds.items() if value is not None]
    left_out += [f"the job takes only some of the keys: {' and '.join(limits)}"] if limits else []
    globs = [character for character in _GLOB if character in job.prefix]
    if globs:
        left_out.append(f"the prefix contains {' and '.join(globs)}, which S3 takes literally: use include")
    left_out += [why for mark, why in _BEGINNINGS.items() if job.prefix.startswith(mark)]
    return "; ".join([text, *left_out])
