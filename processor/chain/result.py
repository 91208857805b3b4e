"""The result of a complete run, and the same facts as metadata of the manifest's object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.chain.answer import Status
from processor.chain.probe import REFUSED
from processor.chain.shortfall import EMPTY, FEW, in_words, named_in, warnings
from processor.instant import ISO, has_passed
from processor.manifest import Edition
from processor.page import MOST_FILES
from processor.reporting import EXPIRED

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from processor.chain.probe import Probe
    from processor.job import Counts, EncodedBytes, SiblingPayload

KEPT = "manifest_key_kept"
NO_PAGE = "page_left_out"
# Names in the answer, and in the object's metadata; then those whose values are numbers.
_NAMES = {
    "count": "count",
    "errors": "errors",
    "pages": "pages",
    "size": "size",
    "crc32": "crc32",
    "expires_at": "expires-at",
}
_NUMBERS = frozenset({"count", "errors", "pages", "size"})


def result_of(
    run: SiblingPayload,
    counts: Counts,
    encoded: EncodedBytes,
    last_count: int | None = None,
    probe: Probe | None = None,
) -> dict[str, Any]:
    """
    Return the result of a run that is about to be complete, as the record keeps it.

    :param encoded:    Sizes and checksums of all of the manifest's bytes.
    :param last_count: Keys in the job's last manifest, if there is one.
    :param probe:      The probe's result, where there was a probe.
    """
    page_key = run.job.page_key(run.job_id) if run.job.page and counts.count <= MOST_FILES else None
    optional = {
        "archived": counts.archived,
        "skipped": dict(counts.skipped),
        "probe": None if probe is None else probe.facts,
        "page_key": page_key,
        "warning": in_words(_warnings(run, counts, last_count, probe)),
    }
    answer = {
        "status": Status.COMPLETE,
        "job_id": run.job_id,
        "count": counts.count,
        "errors": counts.errors,
        "manifest_key": run.job.manifest_key_of(run.job_id),
        "expires_at": counts.expires_at.strftime(ISO) if counts.expires_at else None,
        "hops": run.hop + 1,
        "pages": counts.pages,
    }
    of_object = {"size": encoded.size, "crc32": f"{encoded.checksum:08x}"}
    return {name: value for name, value in optional.items() if value} | answer | of_object


def _warnings(run: SiblingPayload, counts: Counts, last_count: int | None, probe: Probe | None) -> dict[str, str]:
    """Return the warnings of the manifest, by their short names."""
    found = warnings(run.job, counts, last_count) | ({} if probe is None else probe.warning)
    if run.job.page and counts.count > MOST_FILES:
        found[NO_PAGE] = (
            f"{counts.count:,} files are more than a page holds ({MOST_FILES:,}); export makes a page of some"
        )
    return found


def edition_of(run: SiblingPayload, result: Mapping[str, Any], now: datetime) -> Edition:
    """Return a finished manifest, described for the job's stable key."""
    named = named_in(result.get("warning", ""), EMPTY, FEW, REFUSED)
    named += [EXPIRED] if has_passed(result["expires_at"], now) else []
    return Edition(
        job_id=run.job_id,
        started=run.started,
        about=about(result),
        size=int(result["size"]),
        worse=", ".join(named) or None,
    )


def answer_of(result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer of a complete run; size and checksum are for record, log and event."""
    return {name: value for name, value in result.items() if name not in {"size", "crc32"}}


def about(result: Mapping[str, Any]) -> dict[str, str]:
    """Return the metadata of the manifest's object."""
    return {key: str(result[name]) for name, key in _NAMES.items() if result[name] is not None}


def corrected(result: Mapping[str, Any], metadata: Mapping[str, str]) -> dict[str, Any]:
    """
    Return the result, corrected by the manifest's own metadata: another holder of the same run may have written it.

    :param metadata: What an earlier version or another store leaves out of it stays as it is.
    """
    found = {name: metadata[key] for name, key in _NAMES.items() if key in metadata}
    return dict(result) | {name: int(value) if name in _NUMBERS else value for name, value in found.items()}
