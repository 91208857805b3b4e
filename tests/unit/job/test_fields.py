"""One table says all about a field; what an older version wrote stays what it was."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Annotated, Any

import pytest
from click.testing import CliRunner

from presign_siblings.cli.main import main
from processor.errors import InvalidEventError
from processor.job import FIELDS, DeploymentSettings, Job, job
from processor.job.field import TEXT, Field, table_of
from processor.job.fields import FIRST_IDENTITY

NOW = datetime(2026, 4, 1, 6, 30, tzinfo=UTC)
OPEN = DeploymentSettings.from_environment({}, {})
EVERY_FIELD = {
    "bucket": "reports",
    "prefix": "2026/{mm}/",
    "suffix": "",
    "expiry_seconds": 43_200,
    "compression": "gzip",
    "manifest_bucket": "manifests",
    "manifest_prefix": "m/",
    "cursor": "c",
    "start_after": "a",
    "end_at": "é",
}


def job_of(**event: Any) -> Job:
    """Build the job of an event."""
    return Job.from_event(event, config={}, environment={}, deployment=OPEN, now=NOW)


@pytest.mark.parametrize(
    ("event", "key"),
    [
        ({"bucket": "reports"}, "fcfb2aba56614335bfae661317f4b724"),
        (EVERY_FIELD, "c4e6eb3587a4823cfc073509cffea7db"),
    ],
    ids=["defaults", "every field"],
)
def test_job_key__is_that_of_the_first_version(event: dict[str, Any], key: str) -> None:
    """Recorded there. With another key the finished jobs of a table would be unknown, and would run again."""
    assert job_of(**event).job_key == key


def test_job_key__includes_a_later_field_only_when_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs that do not use the field keep the key that they have in the table."""
    before = [job_of(bucket="reports", page_size=size).job_key for size in (1000, 10)]
    assert before[0] == before[1]
    later = {**FIELDS, "page_size": replace(FIELDS["page_size"], identity=True)}
    monkeypatch.setattr(job, "FIELDS", later)
    after = [job_of(bucket="reports", page_size=size).job_key for size in (1000, 10, 20)]
    assert after[0] == before[0]
    assert len(set(after)) == 3


def test_job_key__is_made_of_the_fields_of_the_first_version() -> None:
    """The reference page marks them so."""
    assert all(FIELDS[name].identity for name in FIRST_IDENTITY)


def test_a_payload_of_an_older_version_lacks_the_later_fields() -> None:
    """A chain continues across an update of the function; a missing field has its default."""
    written = json.loads(json.dumps(job_of(**EVERY_FIELD).to_payload()))
    del written["page_size"]
    assert Job.from_payload(written, OPEN) == job_of(**EVERY_FIELD)
    for name in ("bucket", "manifest_bucket", "time"):
        with pytest.raises(InvalidEventError, match=f"'job.{name}'.*is required"):
            Job.from_payload({**written, name: None}, OPEN)


def test_one_entry_defines_a_field() -> None:
    """Its attribute gives name, type and default; the annotation gives the rest."""

    @dataclass(frozen=True)
    class More:
        needed: Annotated[str, Field(rule=TEXT, help="It must be there.")]
        colour: Annotated[str, Field(rule=TEXT, env="COLOUR", help="Colour of the ink.")] = "black"

    table = table_of(More)
    assert (table["needed"].required, table["needed"].default) == (True, None)
    assert (table["colour"].required, table["colour"].name) == (False, "colour")
    assert table["colour"].find({}, {}, {}) == ("colour", "black")
    assert table["colour"].find({}, {}, {"COLOUR": ""}) == ("COLOUR", "")
    assert table["colour"].find({}, {"colour": "red"}, {"COLOUR": ""}) == ("colour of the config row", "red")
    assert table["colour"].find({"colour": "blue"}, {"colour": "red"}, {}) == ("colour", "blue")


@pytest.mark.parametrize("command", ["run", "invoke"])
def test_the_options_of_a_command_match_the_table(command: str) -> None:
    """Name, meaning and rule; a value that breaks the rule is refused first."""
    output = " ".join(CliRunner().invoke(main, [command, "--help"]).output.split())
    for name, field in FIELDS.items():
        if field.metavar is not None:
            entry = f"--{name.replace('_', '-')} {field.metavar} {field.help} [{field.rule.says}]"
            assert entry.replace("`", "") in output
    refused = CliRunner().invoke(main, [command, "s3://reports/", "--page-size", "1001"])
    assert refused.exit_code == 2
    assert "'--page-size': 'page_size': '1001' is refused: must be an integer from 1 to 1000" in refused.output
