"""Each field of a job is in every place where a reader looks for it, or a reason here says why not."""

from __future__ import annotations

import pytest

from dev import reference
from presign_siblings.cli.usage.run import run
from presign_siblings.deploy import template
from processor.errors import InvalidEventError
from processor.job import FIELDS, DeploymentSettings, Job
from tests.conftest import NOW

ENVIRONMENT = template.load()["Resources"]["LambdaPresignSiblings"]["Properties"]["Environment"]["Variables"]
OF_ONE_EVENT = {
    "time": "each event has its own",
    "cursor": "a token belongs to one listing",
    "start_after": "a part of the keys is asked for once",
    "end_at": "a part of the keys is asked for once",
    "fresh": "counts once a delivery",
    "force": "is given by the operator who invokes the job",
    "task_id": "each task has its own",
}
NO_OPTION_OF_RUN = {
    **{name: why for name, why in OF_ONE_EVENT.items() if name not in {"start_after", "end_at"}},
    "bucket": "is in the argument",
    "prefix": "is in the argument",
    "manifest_bucket": "is in --to",
    "manifest_prefix": "is in --to",
    "probe": "is on unless --no-probe is given",
    "refresh": "is a command of its own",
}
SAME_MANIFEST = {
    "page_size": "how it is listed",
    "concurrency": "how it is listed",
    "chains": "how it is listed",
    "probe": "what is checked afterwards",
    **dict.fromkeys(("page", "page_title", "page_contact"), "what is written beside it"),
    "time": "its effect is in the prefix and in the other dates",
    "fresh": "when it is made",
    "force": "whether it is made",
    "task_id": "for whom it is made",
}
OPTIONS = {name for parameter in run.params for name in parameter.opts}
REFERENCE = reference.EVENT.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_in_every_place_or_has_a_reason(name: str) -> None:
    """Event, environment, stack parameters, command line, the job's identity, and the reference."""
    field = FIELDS[name]
    assert (field.env is None) == (name in OF_ONE_EVENT), "environment"
    assert field.env is None or field.env in ENVIRONMENT, "stack"
    assert (f"--{name.replace('_', '-')}" in OPTIONS) != (name in NO_OPTION_OF_RUN), "command line"
    assert field.identity != (name in SAME_MANIFEST), "identity"
    assert f"| `{name}` |" in REFERENCE, "reference"


@pytest.mark.parametrize("name", FIELDS)
def test_a_field_is_validated_with_its_name_and_its_rule(name: str) -> None:
    """Before anything is written; in a sibling's payload too."""
    settings = DeploymentSettings.from_environment({}, {})
    event = {"bucket": "reports", name: {"no": "value"}}
    with pytest.raises(InvalidEventError) as refused:
        Job.from_event(event, config={}, environment={}, deployment=settings, now=NOW)
    assert refused.value.field == name
    job = Job.from_event({"bucket": "reports"}, config={}, environment={}, deployment=settings, now=NOW)
    with pytest.raises(InvalidEventError) as refused:
        Job.from_payload(job.to_payload() | {name: {"no": "value"}}, settings)
    assert refused.value.field == f"job.{name}"


def test_each_reason_belongs_to_an_existing_field() -> None:
    """A field that is removed takes its reason along."""
    assert {*NO_OPTION_OF_RUN, *SAME_MANIFEST} <= set(FIELDS)
