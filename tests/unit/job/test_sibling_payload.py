"""A sibling payload is input like any other: it says the same after the wire, and a forged one is refused."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from processor.errors import CheckpointLostError, InvalidEventError
from processor.job import VERSION, Checkpoint, DeploymentSettings, Part, SiblingPayload, Upload
from tests.builders import begun

NOW = datetime(2026, 4, 1, 6, 30, tzinfo=UTC)
OPEN = DeploymentSettings.from_environment({}, {})


def over_the_wire(place: SiblingPayload) -> dict[str, Any]:
    """Return a payload as the sibling gets it."""
    payload: dict[str, Any] = json.loads(json.dumps(place.to_payload()))
    return payload


def test_the_sibling_reads_what_was_written() -> None:
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
    """Async events are limited; parts and tail are in the checkpoint object alone."""
    place = begun()
    parts = tuple(Part(number, "e" * 32) for number in range(1, 9999))
    far = Checkpoint(
        job_key=place.job.job_key,
        job_id=place.job_id,
        hop=9999,
        cursor="token",
        start_after="k",
        upload=Upload(upload_id="u", parts=parts, tail=b"x" * 1000),
    )
    assert len(json.dumps(place.after(far, place.checkpoint_key or "").to_payload())) < 4096


def test_a_new_run_is_asked_for_once__siblings_never_carry_fresh() -> None:
    """Else each hop would start anew."""
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
    """Half a payload is none."""
    payload = over_the_wire(begun())
    del payload[field]
    with pytest.raises(InvalidEventError, match=field):
        SiblingPayload.from_payload(payload, OPEN)


def test_the_payload_of_the_first_version_is_read() -> None:
    """It said no version; a chain goes on across an update of the function."""
    written = over_the_wire(begun())
    assert written.pop("version") == VERSION
    assert SiblingPayload.from_payload(written, OPEN) == begun()


@pytest.mark.parametrize("version", [VERSION + 1, 0, "new", True])
def test_the_payload_of_a_newer_version_is_refused_by_name(version: object) -> None:
    """Whatever else it says: this version would leave out what it does not know."""
    written = over_the_wire(begun()) | {"version": version, "of_tomorrow": 1}
    with pytest.raises(InvalidEventError, match="'version'.*must be"):
        SiblingPayload.from_payload(written, OPEN)


def test_the_allow_lists_hold_for_siblings_too() -> None:
    """A forged job reaches no bucket that an event could not."""
    narrow = DeploymentSettings.from_environment({"ALLOWED_BUCKETS": "other"}, {})
    with pytest.raises(InvalidEventError, match="ALLOWED_BUCKETS"):
        SiblingPayload.from_payload(over_the_wire(begun()), narrow)


def test_a_resume_opens_a_new_budget() -> None:
    """A person decided that the chain may cost as much again."""
    resumed = SiblingPayload.from_payload(json.loads(json.dumps(begun().to_resume())), OPEN)
    assert resumed.resume
    later = datetime(2026, 5, 1, tzinfo=UTC)
    renewed = resumed.with_new_budget(later)
    assert (renewed.budget_hop, renewed.budget_since, renewed.resume) == (1, later, False)


def test_the_checkpoint_reads_as_it_was_written() -> None:
    """Parts, tail (any bytes) and totals."""
    checkpoint = Checkpoint(
        job_key="k",
        job_id="i",
        hop=3,
        cursor=None,
        start_after="a\nb",
        count=5,
        errors=1,
        pages=2,
        expires_at=NOW,
        upload=Upload(
            upload_id="u", parts=(Part(1, '"e"'), Part(4, "f")), tail=b"\n\x00{}\n", size=9, length=8, crc32=7
        ),
    )
    assert Checkpoint.from_bytes(checkpoint.to_bytes()) == checkpoint


@pytest.mark.parametrize("stored", [b"", b"no json\n", b"[]\n", b"{}\n", b'{"upload": 5}\n', b"no newline"])
def test_what_is_no_checkpoint_is_refused(stored: bytes) -> None:
    """Whatever lies at the key."""
    with pytest.raises(ValueError, match="is no checkpoint"):
        Checkpoint.from_bytes(stored)


def test_another_hops_checkpoint_is_refused() -> None:
    """A payload cannot point an old hop at a new place, or one job at another's upload."""
    place = begun()
    good = Checkpoint(
        job_key=place.job.job_key, job_id=place.job_id, hop=1, cursor=place.cursor, start_after=place.start_after
    )
    assert place.accept(good) is good
    for change in ({"hop": 2}, {"job_id": "x"}, {"job_key": "x"}, {"cursor": "y"}, {"start_after": "z"}):
        wrong = deepcopy(good)
        for name, value in change.items():
            object.__setattr__(wrong, name, value)
        with pytest.raises(CheckpointLostError):
            place.accept(wrong)
