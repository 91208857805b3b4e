"""A sibling payload is input like any other: it survives the wire unchanged, and a forged one is refused."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from processor.errors import CheckpointLostError, InvalidEventError
from processor.job import (
    VERSION,
    Checkpoint,
    DeploymentSettings,
    SiblingPayload,
)
from tests.builders import begun, written

NOW = datetime(2026, 4, 1, 6, 30, tzinfo=UTC)
OPEN = DeploymentSettings.from_environment({}, {})


def over_the_wire(place: SiblingPayload) -> dict[str, Any]:
    """Return a payload as the sibling gets it."""
    payload: dict[str, Any] = json.loads(json.dumps(place.to_payload()))
    return payload


def test_the_sibling_reads_the_payload_as_it_was_written() -> None:
    """Every field survives JSON."""
    place = begun(compression="gzip", end_at="z", task_id="t1", start_after="a", force=True)
    assert SiblingPayload.from_payload(over_the_wire(place), OPEN) == place


def test_the_payload_has_the_contracts_fields() -> None:
    """Tools outside the project read these names."""
    payload = over_the_wire(begun())
    assert payload["hop"] == 1
    assert payload["cursor"] == "token"
    assert payload["start_after"] == "2026/04/é.pdf"
    assert set(payload["manifest"]) == {"bucket", "key", "checkpoint"}
    assert payload["manifest"]["key"] == f"manifests/{payload['job_id']}.jsonl"


def test_the_payload_stays_small_however_long_the_job() -> None:
    """Async events are limited; ranges and pieces are in the checkpoint object alone."""
    place = begun()
    ranges = tuple(written(number, pieces=9) for number in range(999))
    far = Checkpoint(job_key=place.job.job_key, job_id=place.job_id, hop=9999, ranges=ranges)
    assert len(json.dumps(place.after(far, place.checkpoint_key or "").to_payload())) < 4096


def test_fresh_counts_once_and_is_in_no_siblings_payload() -> None:
    """With it each hop would start a new run."""
    assert over_the_wire(begun(fresh=True))["job"]["fresh"] is False


def test_the_prefix_is_resolved_once() -> None:
    """A literal brace of the first hop's result is no template for the next."""
    place = begun(prefix="{{x}}/")
    assert place.job.prefix == "{x}/"
    assert SiblingPayload.from_payload(over_the_wire(place), OPEN).job.prefix == "{x}/"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("job",), None),
        (("job",), "reports"),
        (("job", "bucket"), "Other"),
        (("job", "bucket"), None),
        (("job", "unknown"), 1),
        (("job", "page_size"), 0),
        (("job", "prefix"), "elsewhere/"),
        (("job_id",), None),
        (("job_id",), "../../x"),
        (("job_id",), "0" * 16 + "-" + "0" * 16),
        (("hop",), 0),
        (("hop",), "one"),
        (("hop",), None),
        (("cursor",), 5),
        (("start_after",), []),
        (("manifest",), None),
        (("manifest", "bucket"), "attackers-bucket"),
        (("manifest", "key"), "reports/secret.pdf"),
        (("manifest", "checkpoint"), "elsewhere/000001-ab"),
        (("manifest", "checkpoint"), None),
        (("manifest", "more"), 1),
        (("started",), "soon"),
        (("budget",), {}),
        (("budget", "hop"), 5),
        (("budget", "since"), None),
        (("event_rules",), "default/rule"),
        (("event_rules",), [1]),
        (("resume",), "yes"),
        (("prefix",), "elsewhere/"),
        (("surprise",), 1),
    ],
)
def test_a_forged_or_malformed_payload_is_refused(path: tuple[str, ...], value: object) -> None:
    """Places must match the job, and every field its rule."""
    payload = over_the_wire(begun())
    target = payload
    for step in path[:-1]:
        target = target[step]
    target[path[-1]] = value
    with pytest.raises(InvalidEventError):
        SiblingPayload.from_payload(payload, OPEN)


@pytest.mark.parametrize("field", ["job_id", "hop", "manifest", "started", "budget"])
def test_a_payload_without_a_field_is_refused(field: str) -> None:
    """An incomplete payload is invalid."""
    payload = over_the_wire(begun())
    del payload[field]
    with pytest.raises(InvalidEventError, match=field):
        SiblingPayload.from_payload(payload, OPEN)


def test_the_payload_of_the_first_version_is_read() -> None:
    """It had no version; a chain continues across an update of the function."""
    written = over_the_wire(begun())
    assert written.pop("version") == VERSION
    assert SiblingPayload.from_payload(written, OPEN) == begun()


@pytest.mark.parametrize("version", [VERSION + 1, 0, "new", True])
def test_the_payload_of_a_newer_version_is_refused_by_name(version: object) -> None:
    """Whatever its content: this version would leave out what it does not know."""
    written = over_the_wire(begun()) | {"version": version, "of_tomorrow": 1}
    with pytest.raises(InvalidEventError, match="'version'.*must be"):
        SiblingPayload.from_payload(written, OPEN)


def test_the_allow_lists_hold_for_siblings_too() -> None:
    """A forged job reaches no bucket that an event could not."""
    narrow = DeploymentSettings.from_environment({"ALLOWED_BUCKETS": "other"}, {})
    with pytest.raises(InvalidEventError, match="ALLOWED_BUCKETS"):
        SiblingPayload.from_payload(over_the_wire(begun()), narrow)


def test_a_resume_opens_a_new_budget() -> None:
    """The operator decided that the chain may cost as much again."""
    resumed = SiblingPayload.from_payload(json.loads(json.dumps(begun().to_resume())), OPEN)
    assert resumed.resume
    later = datetime(2026, 5, 1, tzinfo=UTC)
    renewed = resumed.with_new_budget(later)
    assert (renewed.budget_hop, renewed.budget_since, renewed.resume) == (1, later, False)


def test_another_hops_checkpoint_is_refused() -> None:
    """A payload cannot point an old hop at a new place, or one job at another's upload."""
    place = begun()
    good = replace(place.begin(), ranges=(written(place=place.start_after or "", cursor=place.cursor),))
    assert place.accept(good) is good
    at, key = place.start_after or "", place.cursor
    changes: list[dict[str, Any]] = [{"hop": 2}, {"job_id": "x"}, {"job_key": "x"}]
    changes += [{"ranges": (written(place=at, cursor="y"),)}, {"ranges": (written(place="z", cursor=key),)}]
    for change in changes:
        with pytest.raises(CheckpointLostError):
            place.accept(replace(good, **change))
