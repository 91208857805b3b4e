"""The fields of the tester's form; one that breaks its rule is named."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from dev.tester import objects, settings
from dev.tester.controller import BusyError, Controller
from dev.tester.settings import Settings
from processor.errors import InvalidEventError
from tests.conftest import NOW
from tests.deployed import TESTER, OneObject


def read(form: object) -> Settings:
    """Read a form."""
    return Settings.read(form, "manifests/test-1/", TESTER, NOW)


def test_an_empty_form_is_the_stacks_own_job() -> None:
    """Every field is optional, and there is no fault."""
    asked = read({})
    assert (asked.job.bucket, asked.job.prefix, asked.job.manifest_prefix) == ("reports", "inbox/", "manifests/test-1/")
    assert (asked.timeout, asked.kept_free, asked.seed, asked.every_page) == (3, 2.0, True, True)
    assert (asked.kill_hops, asked.rule_off_at, asked.throttle_at) == (frozenset(), None, None)
    assert asked.parameters() == {"Timeout": "3", "ShutdownPeriod": "2"}


def test_fields_are_read_as_a_browser_sends_them() -> None:
    """As strings; an empty hop means none."""
    asked = read({"page_size": "5", "timeout": "10", "kept_free": "7.5", "kill_hops": "1, 3,", "throttle_at": "2"})
    assert (asked.job.page_size, asked.event["page_size"]) == (5, "5")
    assert (asked.timeout, asked.kept_free, asked.kill_hops, asked.throttle_at) == (10, 7.5, frozenset({1, 3}), 2)
    assert read({"throttle_at": "", "rule_off_at": ""}).throttle_at is None
    assert asked.parameters() == {"Timeout": "10", "ShutdownPeriod": "7.5"}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("prefix", "elsewhere/"),
        ("chains", "0"),
        ("chains", "9"),
        ("prefix", "inbox/{week}/"),
        ("prefix", 7),
        ("page_size", "1001"),
        ("page_size", ""),
        ("expiry_seconds", "604801"),
        ("compression", "zip"),
        ("timeout", "2"),
        ("timeout", "901"),
        ("timeout", True),
        ("kept_free", "0"),
        ("kept_free", "3.5"),
        ("kept_free", "soon"),
        ("kill_hops", "1;2"),
        ("kill_hops", "100"),
        ("kill_hops", 1),
        ("rule_off_at", "-1"),
        ("throttle_at", "first"),
        ("every_page", "on"),
        ("seed", 1),
        ("bucket", "reports"),
        ("manifest_prefix", "inbox/"),
    ],
)
def test_a_field_that_breaks_its_rule_is_named_with_value_and_rule(field: str, value: object) -> None:
    """The page shows the message beside the field."""
    with pytest.raises(InvalidEventError) as refused:
        read({field: value})
    assert refused.value.field == field
    assert field in str(refused.value)
    assert repr(value).strip("'") in str(refused.value)


@pytest.mark.parametrize("form", [None, [], "prefix", 7])
def test_anything_but_a_form_is_refused(form: Any) -> None:
    """By name too."""
    for reads in (read, settings.pdf_count, settings.switch):
        with pytest.raises(InvalidEventError, match="form"):
            reads(form)


@pytest.mark.parametrize("value", [0, -1, "", None, "many", 20_001, 1.5, True])
def test_the_number_of_pdfs_has_a_limit(value: object) -> None:
    """The bucket is filled with one request for each object."""
    with pytest.raises(InvalidEventError, match="count.*must be an integer from 1 to 20000"):
        settings.pdf_count({"count": value})
    assert settings.pdf_count({"count": "20000"}) == 20_000


def test_a_switch_is_on_or_off() -> None:
    """No other value means either."""
    assert settings.switch({"on": True}) is True
    for form in ({}, {"on": "true"}, {"on": True, "off": False}):
        with pytest.raises(InvalidEventError):
            settings.switch(form)


@pytest.mark.parametrize("name", ["a b.pdf", "résumé.pdf", "100%.pdf", "deep/er/%2F.pdf", "x" * 1018])
def test_a_file_is_uploaded_under_its_exact_name(name: str) -> None:
    """Whatever its characters, after the prefix."""
    s3: Any = OneObject()
    objects.put(s3, name, b"%PDF-1.4 ...")
    assert s3.put == {f"inbox/{name}": b"%PDF-1.4 ..."}


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [("", b"%PDF-1.4", "name"), ("x" * 1019, b"%PDF-1.4", "name"), ("a.pdf", b"", "file"), ("a.pdf", b"PK", "file")],
)
def test_a_file_that_is_no_pdf_or_has_no_valid_key_is_refused(name: str, body: bytes, field: str) -> None:
    """And nothing is stored."""
    s3: Any = OneObject()
    with pytest.raises(InvalidEventError) as refused:
        objects.put(s3, name, body)
    assert (refused.value.field, s3.put) == (field, {})


def test_a_hop_of_several_chains_cannot_be_killed() -> None:
    """The emulated Step Functions gives out no killed hop again: the run would never end, without saying why."""
    with pytest.raises(InvalidEventError, match="needs one chain") as refused:
        read({"kill_hops": "1", "chains": "3"})
    assert refused.value.field == "kill_hops"
    assert read({"kill_hops": "1", "chains": "1"}).kill_hops == {1}
    experiment = SimpleNamespace(settings=SimpleNamespace(job=SimpleNamespace(chains=3)))
    controller: Any = SimpleNamespace(_at_work=lambda _: experiment)
    with pytest.raises(BusyError, match="needs one chain"):
        Controller.kill(controller)
