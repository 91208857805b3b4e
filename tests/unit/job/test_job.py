"""Bad input is refused by name before anything is read or written; good input becomes a frozen job."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from processor.errors import InvalidEventError
from processor.job import DeploymentSettings, Job

NOW = datetime(2026, 4, 1, 6, 30, tzinfo=UTC)


def job_of(event: dict[str, Any], config: dict[str, Any] | None = None, **environment: str) -> Job:
    """Build a job as the app does."""
    deployment = DeploymentSettings.from_environment(environment, config or {})
    return Job.from_event(event, config=config or {}, environment=environment, deployment=deployment, now=NOW)


def test_defaults__only_a_bucket_is_needed() -> None:
    """The contract's defaults."""
    job = job_of({"bucket": "reports"})
    assert (job.prefix, job.suffix, job.expiry_seconds, job.page_size) == ("", ".pdf", 900, 1000)
    assert (job.concurrency, job.compression) == (4, "none")
    assert (job.manifest_bucket, job.manifest_prefix, job.time) == ("reports", "manifests/", NOW)
    assert (job.fresh, job.force, job.cursor, job.task_id) == (False, False, None, None)


def test_precedence__event_then_config_then_environment_then_default() -> None:
    """Improvement 1: one deployed function serves many prefixes, because the event comes first."""
    environment = {"BUCKET_NAME": "from-environment", "PREFIX": "environment/", "PAGE_SIZE": "10", "CONCURRENCY": "9"}
    config = {"bucket": "from-config", "prefix": "config/", "page_size": 20}
    job = job_of({"bucket": "from-event"}, config, **environment)
    assert (job.bucket, job.prefix, job.page_size, job.concurrency) == ("from-event", "config/", 20, 9)


def test_null_is_absent__the_next_source_decides() -> None:
    """``null`` in the event or the config row does not shadow the sources after it."""
    job = job_of({"bucket": None, "suffix": None}, {"suffix": None}, BUCKET_NAME="reports", SUFFIX=".doc")
    assert (job.bucket, job.suffix) == ("reports", ".doc")


def test_empty_string_is_a_value() -> None:
    """``""`` takes every key as suffix, lists the whole bucket as prefix, whatever the later sources say."""
    job = job_of({"bucket": "reports", "prefix": "", "suffix": ""}, {"prefix": "config/"}, SUFFIX=".doc")
    assert (job.prefix, job.suffix) == ("", "")


def test_integers__digit_strings_count() -> None:
    """Environment variables are strings."""
    assert job_of({"bucket": "reports", "expiry_seconds": "604800"}).expiry_seconds == 604_800


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("bucket", ""),
        ("bucket", 7),
        ("bucket", "Reports"),
        ("bucket", "ab"),
        ("bucket", "a" * 64),
        ("bucket", "192.168.0.1"),
        ("bucket", "re..ports"),
        ("bucket", "arn:aws:s3:::reports"),
        ("prefix", ["a"]),
        ("prefix", "x" * 1025),
        ("prefix", "é" * 513),
        ("prefix", "\ud800"),
        ("suffix", 1),
        ("expiry_seconds", 0),
        ("expiry_seconds", 604_801),
        ("expiry_seconds", True),
        ("expiry_seconds", 900.5),
        ("expiry_seconds", "15x"),
        ("expiry_seconds", "-1"),
        ("page_size", 0),
        ("page_size", 1001),
        ("page_size", ""),
        ("concurrency", 0),
        ("concurrency", 65),
        ("compression", "zip"),
        ("compression", ["gzip"]),
        ("manifest_bucket", ""),
        ("manifest_prefix", ""),
        ("manifest_prefix", "x" * 901),
        ("manifest_prefix", "./m/"),
        ("manifest_prefix", "m/../"),
        ("cursor", ""),
        ("cursor", 5),
        ("start_after", 5),
        ("end_at", {}),
        ("time", "yesterday"),
        ("time", 5),
        ("time", "0001-01-01T00:00:00+23:00"),
        ("time", "0999-12-31T23:59:59Z"),  # with modified_since 7d, or a year in the prefix
        ("time", "1000-01-01T00:00:00+01:00"),
        ("time", "9001-01-01T00:00:00Z"),  # with expiry_seconds
        ("fresh", "yes"),
        ("force", 1),
        ("task_id", ""),
        ("page_title", "April\n2026"),
        ("page_title", "\u202egnp.exe"),
        ("page_title", "x" * 201),
        ("page_contact", "ann\x00@example.com"),
        ("page_contact", "\u200b"),
        ("page_contact", 5),
    ],
)
def test_a_broken_rule_is_refused_by_name(field: str, value: object) -> None:
    """The message names the field, the value and the rule."""
    with pytest.raises(InvalidEventError) as refused:
        job_of({"bucket": "reports"} | {field: value})
    message = str(refused.value)
    assert repr(field) in message
    assert "is refused: " in message
    assert refused.value.field == field


MACHINE = "arn:aws:states:eu-west-1:123456789012:stateMachine:presign_siblings"


@pytest.mark.parametrize(
    ("event", "environment", "field"),
    [
        ({"chains": 2}, {}, "chains"),
        ({"chains": 2}, {"STATE_MACHINE_ARN": MACHINE}, "chains"),
        ({"chains": 2}, {"JOBS_TABLE": "jobs"}, "chains"),
        ({}, {"CHAINS": "2"}, "chains"),
        (
            {"chains": 20},
            {"STATE_MACHINE_ARN": MACHINE, "JOBS_TABLE": "jobs", "RESERVED_CONCURRENCY": "20"},
            "chains",
        ),
        ({"chains": 2, "cursor": "token"}, {"STATE_MACHINE_ARN": MACHINE, "JOBS_TABLE": "jobs"}, "cursor"),
        ({"chains": 2, "prefixes": ["a/", "b/"]}, {"STATE_MACHINE_ARN": MACHINE, "JOBS_TABLE": "jobs"}, "prefixes"),
        (
            {"chains": 2, "keys_from": "s3://reports/k"},
            {"STATE_MACHINE_ARN": MACHINE, "JOBS_TABLE": "jobs"},
            "keys_from",
        ),
        ({"chains": 2, "filename": "{n}.{ext}", "concurrency": 1}, {}, "filename"),
    ],
    ids=[
        "nothing",
        "no table",
        "no machine",
        "environment",
        "too many",
        "a token",
        "prefixes",
        "a list of keys",
        "numbers",
    ],
)
def test_several_chains_are_refused_where_nothing_can_divide_the_job(
    event: dict[str, Any], environment: dict[str, str], field: str
) -> None:
    """The refusal names the field; otherwise the job would be one chain without a word."""
    settings = DeploymentSettings.from_environment(environment, {})
    with pytest.raises(InvalidEventError) as refusal:
        Job.from_event({"bucket": "reports", **event}, config={}, environment=environment, deployment=settings, now=NOW)
    assert refusal.value.field == field


def test_only_several_chains_need_a_state_machine_and_a_table() -> None:
    """Their number does not make another job: the manifest is the same."""
    settings = DeploymentSettings.from_environment({"STATE_MACHINE_ARN": MACHINE, "JOBS_TABLE": "jobs"}, {})

    def of(**event: Any) -> Job:
        return Job.from_event({"bucket": "reports", **event}, config={}, environment={}, deployment=settings, now=NOW)

    assert of(chains=256).job_key == of().job_key
    assert of().chains == 1
    assert Job.from_payload(of(chains=3).to_payload(), DeploymentSettings.from_environment({}, {})).chains == 3


def test_a_missing_bucket_is_refused_by_name() -> None:
    """The only field without a default."""
    with pytest.raises(InvalidEventError, match="'bucket'.*is required"):
        job_of({})


def test_an_unknown_field_is_refused_by_name() -> None:
    """A misspelt field must not quietly become a default."""
    with pytest.raises(InvalidEventError, match="'expiry': 900 is refused: is not a field"):
        job_of({"bucket": "reports", "expiry": 900})


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        ({"expiry_seconds": "8d"}, "'expiry_seconds': '8d' is refused"),
        ({"page_size": "5000"}, "'page_size': '5000' is refused"),
        ({"min_size": "10", "max_size": "5"}, "'max_size': '5' is refused: must be at least min_size, which is 10"),
        (
            {"modified_since": "1d", "modified_before": "2d"},
            "'modified_before': '2d' is refused: must be at least modified_since, which is 1d",
        ),
    ],
)
def test_a_refusal_shows_what_was_written(event: dict[str, Any], shown: str) -> None:
    """An operator who wrote 8d does not look for 691200."""
    with pytest.raises(InvalidEventError, match=re.escape(shown)):
        job_of({"bucket": "reports", **event})


def test_fields_that_sosw_adds_are_accepted() -> None:
    """The Orchestrator flattens its task row into the payload."""
    row = {"task_id": "t1", "labourer_id": "presign", "greenfield": 1, "attempts": 1, "created_at": 1, "arn": "x"}
    job = job_of({"bucket": "reports", **row, "logging_level": "DEBUG", "test": True})
    assert job.task_id == "t1"


def test_environment__a_broken_setting_is_named_by_its_variable() -> None:
    """The operator must find the place."""
    with pytest.raises(InvalidEventError, match="'URL_EXPIRY_SECONDS': 'soon'"):
        job_of({"bucket": "reports"}, URL_EXPIRY_SECONDS="soon")
    with pytest.raises(InvalidEventError, match="'MAX_HOPS'"):
        job_of({"bucket": "reports"}, MAX_HOPS="0")


def test_config__a_broken_value_is_named_with_the_config_row() -> None:
    """The same as for the environment."""
    with pytest.raises(InvalidEventError, match="'page_size of the config row'"):
        job_of({"bucket": "reports"}, {"page_size": 0})


def test_an_absent_value_is_shown_as_json_writes_it() -> None:
    """The reader has written JSON, not Python."""
    assert str(InvalidEventError("event", None, "must be an object")) == "'event': null is refused: must be an object"


@pytest.mark.parametrize(
    "url",
    [
        "https://b.s3.amazonaws.com/k?X-Amz-Security-Token=abcSECRETdef&X-Amz-Signature=0123456789",
        "https://x/?u=https%3A%2F%2Fb%2Fk%3FX-Amz-Signature%3D0123456789",
    ],
)
def test_a_credential_is_never_shown_in_a_message(url: str) -> None:
    """A message is logged and answered; a pasted URL must not be in it."""
    for event in ({"bucket": url}, {"bucket": "reports", "url": url}, {"bucket": "reports", url: 1}):
        with pytest.raises(InvalidEventError) as refused:
            job_of(event)
        assert "SECRET" not in str(refused.value)
        assert "0123456789" not in str(refused.value)


@pytest.mark.parametrize("field", ["bucket", "manifest_bucket"])
def test_allowed_buckets__bound_both_buckets(field: str) -> None:
    """A caller chooses the bucket, so the deployment limits the choice."""
    event = {"bucket": "reports"} | {field: "other"}
    with pytest.raises(InvalidEventError, match=f"'{field}': 'other' is refused: must be one of ALLOWED_BUCKETS"):
        job_of(event, ALLOWED_BUCKETS="reports,archive")
    assert job_of({"bucket": "archive"}, ALLOWED_BUCKETS='["archive"]').bucket == "archive"
    own = job_of({"bucket": "reports"}, ALLOWED_BUCKETS="reports", MANIFEST_BUCKET="manifests-only")
    assert own.manifest_bucket == "manifests-only"


def test_allowed_prefixes__the_job_must_stay_under_one() -> None:
    """The prefix with its date resolved counts."""
    assert job_of({"bucket": "reports", "prefix": "{yyyy}/04/"}, ALLOWED_PREFIXES="2026/,a/").prefix == "2026/04/"
    for prefix in ("", "2025/", "x/2026/", "{dd}/"):
        with pytest.raises(InvalidEventError, match="ALLOWED_PREFIXES"):
            job_of({"bucket": "reports", "prefix": prefix}, ALLOWED_PREFIXES="2026/,a/")


def test_date_templates__are_resolved_from_the_events_time_in_utc() -> None:
    """Reports lie under months; midnight in another zone is not midnight in UTC."""
    event = {"bucket": "reports", "prefix": "r/{yyyy}/{mm}/{dd}/{hh}/", "time": "2026-01-01T00:30:00+02:00"}
    assert job_of(event).prefix == "r/2025/12/31/22/"
    assert job_of({"bucket": "reports", "prefix": "{{yyyy}}/{{}}"}).prefix == "{yyyy}/{}"
    for template in ("{year}", "{", "}", "{yyyy", "{}"):
        with pytest.raises(InvalidEventError, match="'prefix'.*a literal brace is written"):
            job_of({"bucket": "reports", "prefix": template})


def test_job_key__changes_with_whatever_changes_the_manifest() -> None:
    """Speed settings and the delivery do not change it."""
    plain = job_of({"bucket": "reports"})
    same = {"page_size": 10, "concurrency": 1, "fresh": True, "force": True, "task_id": "t", "time": "2026-01-01"}
    assert job_of({"bucket": "reports", **same}).job_key == plain.job_key
    for change in (
        {"prefix": "a"},
        {"suffix": ""},
        {"expiry_seconds": 901},
        {"compression": "gzip"},
        {"manifest_prefix": "m/"},
        {"manifest_bucket": "other"},
        {"cursor": "c"},
        {"start_after": "a"},
        {"end_at": "z"},
    ):
        assert job_of({"bucket": "reports", **change}).job_key != plain.job_key


def test_job_id__a_repeated_delivery_is_the_same_run() -> None:
    """So a retry finds its own manifest; another delivery never replaces it."""
    job = job_of({"bucket": "reports"})
    assert job.job_id("request-1") == job.job_id("request-1") != job.job_id("request-2")
    assert job.manifest_key_of(job.job_id("r")).startswith("manifests/")
    assert job_of({"bucket": "reports", "compression": "gzip"}).manifest_key_of("i") == "manifests/i.jsonl.gz"


def test_manifest_prefix__the_deployments_own_is_never_empty_and_the_config_row_comes_first() -> None:
    """Its keys are kept out of every manifest, so it must be the one that the deployment's jobs write to."""
    own = DeploymentSettings.from_environment(
        {"MANIFEST_PREFIX": "e/"}, {"manifest_prefix": "c/", "manifest_bucket": "mine"}
    )
    assert (own.manifest_prefix, own.manifest_bucket) == ("c/", "mine")
    assert DeploymentSettings.from_environment({"MANIFEST_PREFIX": "e/"}, {}).manifest_prefix == "e/"
    assert DeploymentSettings.from_environment({}, {}).manifest_prefix == "manifests/"
    with pytest.raises(InvalidEventError, match="MANIFEST_PREFIX"):
        job_of({"bucket": "reports", "manifest_prefix": "x/"}, MANIFEST_PREFIX="")


def test_shutdown_period__config_then_environment_then_ten_seconds() -> None:
    """Sosw's own name for it, where sosw has it."""
    assert DeploymentSettings.from_environment({}, {}).shutdown_period == 10
    assert DeploymentSettings.from_environment({"SHUTDOWN_PERIOD": "2.5"}, {}).shutdown_period == 2.5
    assert DeploymentSettings.from_environment({"SHUTDOWN_PERIOD": "2.5"}, {"shutdown_period": 4}).shutdown_period == 4
    for wrong in ("0", "soon", "-1"):
        with pytest.raises(InvalidEventError, match="SHUTDOWN_PERIOD"):
            DeploymentSettings.from_environment({"SHUTDOWN_PERIOD": wrong}, {})


@pytest.mark.parametrize(
    ("reserved", "row", "most"),
    [
        (None, None, 10),
        ("0", None, 10),
        ("5", None, 10),
        ("40", None, 40),
        ("40", {"max_concurrent_siblings": None}, 40),
        ("40", {"max_concurrent_siblings": "15"}, 15),
        ("2", {"max_concurrent_siblings": 15}, 15),
    ],
)
def test_max_concurrent_siblings__config_then_ten_or_what_is_reserved(
    reserved: str | None, row: dict[str, Any] | None, most: int
) -> None:
    """An operator who reserves forty for forty prefixes means them; the config row is sosw's alone."""
    environment = {} if reserved is None else {"RESERVED_CONCURRENCY": reserved}
    config = {} if row is None else {"siblings_config": row}
    assert DeploymentSettings.from_environment(environment, config).max_concurrent_siblings == most
    with pytest.raises(InvalidEventError, match="max_concurrent_siblings of siblings_config"):
        DeploymentSettings.from_environment({}, {"siblings_config": {"max_concurrent_siblings": "many"}})
    with pytest.raises(InvalidEventError, match="'siblings_config of the config row'.*must be an object"):
        DeploymentSettings.from_environment({}, {"siblings_config": '{"max_concurrent_siblings": 3}'})


@pytest.mark.parametrize(("readers", "keys"), [(1, 20_000), (4, 20_000), (5, 31_250), (16, 100_000), (64, 400_000)])
def test_queue_max__grows_with_the_readers_unless_it_is_set(readers: int, keys: int) -> None:
    """With room for 20 pages, 16 readers would wait for the one that closes a gap in the order."""
    assert DeploymentSettings.from_environment({}, {}).keys_ahead(readers) == keys
    assert DeploymentSettings.from_environment({"QUEUE_MAX": "7"}, {}).keys_ahead(readers) == 7
    for wrong in ("0", "", "many", "10000001"):
        with pytest.raises(InvalidEventError, match="QUEUE_MAX"):
            DeploymentSettings.from_environment({"QUEUE_MAX": wrong}, {})


@pytest.mark.parametrize(
    ("event", "environment", "places"),
    [
        ({}, {}, ("manifests/",)),
        ({"manifest_bucket": "elsewhere"}, {}, ("manifests/",)),  # those of the deployment's other jobs
        ({"manifest_bucket": "elsewhere"}, {"MANIFEST_BUCKET": "elsewhere"}, ()),
        ({"manifest_prefix": "m/"}, {}, ("m/", "manifests/")),
        ({"manifest_prefix": "m/"}, {"MANIFEST_BUCKET": "elsewhere", "ALLOWED_BUCKETS": "reports"}, ()),
        ({"manifest_prefix": "m/", "manifest_bucket": "reports"}, {"MANIFEST_BUCKET": "elsewhere"}, ("m/",)),
    ],
)
def test_manifests_lie_where_this_job_or_the_deployment_writes_them(
    event: dict[str, Any], environment: dict[str, Any], places: tuple[str, ...]
) -> None:
    """A freight company's PDFs under manifests/ are left out only where live URLs lie among them."""
    job = job_of({"bucket": "reports", **event}, **environment)
    assert job.manifest_places(DeploymentSettings.from_environment(environment, {})) == places


@pytest.mark.parametrize("prefix", ["manifests/", "manifests/2026/"])
def test_a_prefix_under_the_manifests_is_refused_by_name(prefix: str) -> None:
    """Nothing under it may be listed, so the job would be complete with no key."""
    with pytest.raises(InvalidEventError, match="'prefix'.*is under manifests/.*name another manifest_prefix"):
        job_of({"bucket": "cargo", "prefix": prefix})
    assert job_of({"bucket": "cargo", "prefix": prefix, "manifest_prefix": "links/"}, MANIFEST_PREFIX="links/").prefix


def test_a_manifest_in_a_file_leaves_nothing_out() -> None:
    """It lies in no bucket."""
    deployment = replace(DeploymentSettings.from_environment({}, {}), manifest_is_file=True)
    event = {"bucket": "cargo", "prefix": "manifests/2026/"}
    job = Job.from_event(event, config={}, environment={}, deployment=deployment, now=NOW)
    assert job.manifest_places(deployment) == ()


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("fields", ["size", "owner"], "must be one of size"),
        ("fields", 7, "must be a list of strings"),
        ("suffix", [1], "must be a string"),
        ("include", {"a": 1}, "at most 100 strings"),
        ("exclude", ["*"] * 101, "at most 100 strings"),
        ("modified_since", "yesterday", "duration before the job's time"),
        ("modified_since", "P200Y", "or last"),
        ("modified_before", "last", "duration before the job's time"),
        ("min_size", -1, "must be an integer"),
        ("max_size", True, "must be an integer"),
        ("storage_classes", "COLD", "must be one of STANDARD"),
    ],
)
def test_choices__a_value_that_breaks_a_rule_is_refused_by_name(field: str, value: object, rule: str) -> None:
    """Before anything is written."""
    with pytest.raises(InvalidEventError, match=f"^'{field}'.*{rule}"):
        job_of({"bucket": "reports", field: value})


@pytest.mark.parametrize(
    ("event", "field"),
    [
        ({"min_size": 2, "max_size": 1}, "max_size"),
        ({"modified_since": "P1D", "modified_before": "P2D"}, "modified_before"),
        ({"modified_since": "last"}, "modified_since"),
        ({"modified_since": "last", "keys_from": "s3://reports/keys.csv"}, "modified_since"),
        ({"modified_since": "last", "refresh": "s3://reports/old.jsonl"}, "modified_since"),
    ],
)
def test_choices__bounds_with_nothing_between_them_are_refused(event: dict[str, object], field: str) -> None:
    """So is ``last`` without a table that has the last run: each run would take all, of a list of keys too."""
    with pytest.raises(InvalidEventError, match=f"^'{field}'"):
        job_of({"bucket": "reports", **event})


def test_choices__a_list_in_a_variable_has_commas_or_is_json() -> None:
    """In an event a string is one glob, commas and all."""
    found = job_of({"bucket": "reports"}, {}, SUFFIX=".pdf, .txt", INCLUDE='["a,b*", "c*"]', EXCLUDE="[ab]*")
    assert (found.suffix, found.include, found.exclude) == ((".pdf", ".txt"), ("a,b*", "c*"), ("[ab]*",))
    assert job_of({"bucket": "reports", "include": "a,b*"}).include == ("a,b*",)
    assert job_of({"bucket": "reports"}, {}, INCLUDE="", MIN_SIZE="7", FIELDS="etag,size").fields == ("size", "etag")
    assert job_of({"bucket": "reports"}, {}, FIELDS='["etag", "size"]').fields == ("size", "etag")


@pytest.mark.parametrize("written", ["*.tmp", " *.tmp", "*.tmp\n", "*.tmp,", ' ["*.tmp"]\n'])
def test_choices__a_variable_is_read_without_the_blanks_around_it(written: str) -> None:
    """A line's end would match no key, so that all is linked; an empty item after a comma would be every ending."""
    found = job_of({"bucket": "reports"}, {}, EXCLUDE=written, SUFFIX=".pdf,\n")
    assert (found.exclude, found.suffix) == (("*.tmp",), ".pdf")
    assert job_of({"bucket": "reports"}, {}, EXCLUDE='[" a"]').exclude == (" a",), "JSON keeps the blank"
    assert job_of({"bucket": "reports", "exclude": " a"}).exclude == (" a",)


def test_choices__another_notation_makes_the_same_job() -> None:
    """A day is a day, in whatever unit; and the order of a list does not matter."""
    written = ({"modified_since": "1d"}, {"modified_since": "P1D"}, {"modified_since": "24h"})
    assert len({job_of({"bucket": "reports", **each}).job_key for each in written}) == 1
    lists: list[list[str]] = [["a", "b"], ["b", "a", "a"]]
    assert len({job_of({"bucket": "reports", "include": each}).job_key for each in lists}) == 1
    assert job_of({"bucket": "reports", "include": "a"}).job_key != job_of({"bucket": "reports"}).job_key


@pytest.mark.parametrize("field", ["include", "exclude"])
@pytest.mark.parametrize("glob", ["**/*.pdf", "2026/**/*.pdf", "*.{pdf,txt}", "[^a]*.pdf", "in[^a-c]x", "{yyyy}/*"])
def test_globs__of_other_tools_are_refused(field: str, glob: str) -> None:
    """Read as in the AWS CLI, they left out keys in no folder, and excluded nothing: both without a word."""
    with pytest.raises(InvalidEventError, match=f"^'{field}'.*{re.escape(glob)}"):
        job_of({"bucket": "reports", field: ["a*", glob]})
    literal = ["a**b", "2026/**", "x**/y", "[{]a,b}", "{a}", "[!^]", "[^]", "[[^]"]
    assert getattr(job_of({"bucket": "reports", field: literal}), field) == tuple(sorted(literal))


def test_globs__an_exclude_that_leaves_nothing_is_refused() -> None:
    """In the AWS CLI a later include takes some back; here the manifest was empty."""
    with pytest.raises(InvalidEventError, match="^'EXCLUDE'.*use include alone"):
        job_of({"bucket": "reports", "include": "*.pdf"}, EXCLUDE="*")
    with pytest.raises(InvalidEventError, match="^'INCLUDE'.*its own glob"):
        job_of({"bucket": "reports"}, INCLUDE="*.{pdf,txt}")


@pytest.mark.parametrize(
    ("glob", "advice"),
    [
        ("/drafts/*", "leave it out"),
        ("drafts/", "write drafts/[*] for"),
        ("*/drafts/", "write [*]/drafts/[*] for"),
        ("s3://reports/drafts/*", "after the prefix"),
        ("2026/drafts/*", "must not repeat the prefix"),
        ("2026/", "must not repeat the prefix"),
    ],
)
def test_globs__an_exclude_that_leaves_out_nothing_is_refused(glob: str, advice: str) -> None:
    """In rclone and git these are folders; here each key under them was linked without a word."""
    with pytest.raises(InvalidEventError, match=f"^'exclude'.*{re.escape(glob)}.*{advice}"):
        job_of({"bucket": "reports", "prefix": "2026/", "exclude": ["a*", glob]})
    assert job_of({"bucket": "reports", "include": glob}).include == (glob,), "an empty manifest warns"


def test_globs__an_exclude_may_have_a_slash_at_an_end_where_keys_have_one() -> None:
    """A prefix may end before a slash, and a folder has an entry of its own."""
    assert job_of({"bucket": "reports", "prefix": "in", "exclude": "/drafts/*"}).exclude == ("/drafts/*",)
    assert job_of({"bucket": "reports", "exclude": ["*/", "[/]*"]}).exclude == ("*/", "[/]*")


@pytest.mark.parametrize(
    ("places", "glob"),
    [
        ({"prefix": "in/{yyyy}/", "time": "2026-11-30T06:00:00Z"}, "in/2026/drafts/*"),
        ({"prefix": "in"}, "in/drafts/*"),
        ({"prefix": "in/20"}, "in/20*.tmp"),
        ({"prefixes": ["2025/", "2026/"]}, "2026/drafts/*"),
    ],
)
def test_globs__an_exclude_that_repeats_the_prefix_is_refused(places: dict[str, Any], glob: str) -> None:
    """A glob is for the part after the prefix, so that each draft was linked without a word."""
    with pytest.raises(InvalidEventError, match=f"^'exclude'.*{re.escape(glob)}.* must not repeat the prefix"):
        job_of({"bucket": "reports", **places, "exclude": glob})
    meant = f"[{glob[0]}]{glob[1:]}"
    assert job_of({"bucket": "reports", **places, "exclude": meant}).exclude == (meant,)
    assert job_of({"bucket": "reports", "exclude": glob}).exclude == (glob,), "without a prefix, a glob is for keys"
    assert job_of({"bucket": "reports", **places}, EXCLUDE=glob).exclude == (glob,), "the stack's is for all jobs"


def test_globs__an_exclude_may_begin_as_a_prefix_without_a_slash_does() -> None:
    """Keys may be called 2026-2026.pdf."""
    assert job_of({"bucket": "reports", "prefix": "2026", "exclude": "2026*"}).exclude == ("2026*",)


@pytest.mark.parametrize("ending", ["*.tif", "*", ".{tif,png}", ".tif,.png", ".tif .png", ".tif;.png"])
def test_suffixes__a_glob_or_several_in_one_are_refused(ending: str) -> None:
    """No key was taken for it, and beside another ending nothing said so."""
    for suffix in (ending, [".pdf", ending]):
        with pytest.raises(InvalidEventError, match=f"^'suffix'.*{re.escape(ending)}.*an ending such as .pdf"):
            job_of({"bucket": "reports", "suffix": suffix})
    with pytest.raises(InvalidEventError, match="^'SUFFIX'.*'[*].tif'"):
        job_of({"bucket": "reports"}, SUFFIX=".pdf,*.tif")


def test_suffixes__endings_may_have_commas_and_blanks() -> None:
    """RCS keeps report.pdf,v."""
    endings = (" .pdf", ".pdf,v", ".tar.gz", ", final.pdf", "?v=1")
    assert job_of({"bucket": "reports", "suffix": endings}).suffix == tuple(sorted(endings))


ACCESS_POINT = "arn:aws:s3:eu-west-1:123456789012:accesspoint/reports"


def test_bucket__may_be_an_access_point() -> None:
    """By its ARN, or by its alias, which is an ordinary name; beside an ARN the manifest needs a bucket of its own."""
    assert job_of({"bucket": ACCESS_POINT, "manifest_bucket": "lists"}).bucket == ACCESS_POINT
    assert job_of({"bucket": "reports-abcdef0123456789-s3alias"}).manifest_bucket == "reports-abcdef0123456789-s3alias"
    with pytest.raises(InvalidEventError, match="^'manifest_bucket'"):
        job_of({"bucket": ACCESS_POINT})
    here = replace(DeploymentSettings.from_environment({}, {}), manifest_is_file=True)
    at_the_desk = Job.from_event({"bucket": ACCESS_POINT}, config={}, environment={}, deployment=here, now=NOW)
    assert Job.from_payload(at_the_desk.to_payload(), here).bucket == ACCESS_POINT
    for wrong in (
        f"{ACCESS_POINT}/x",
        "data--use1-az4--x-s3",
        "readers--use1-az4--xa-s3",
        "arn:aws:s3::123456789012:accesspoint/mrap.mrap",
        "arn:aws:s3:::reports",
    ):
        with pytest.raises(InvalidEventError, match="^'bucket'"):
            job_of({"bucket": wrong, "manifest_bucket": "lists"})


@pytest.mark.parametrize("field", ["keys_from", "refresh"])
def test_a_function_refuses_a_list_of_keys_in_its_own_file(field: str) -> None:
    """A caller would read the files of the Lambda; a laptop's run takes its own."""
    event = {"bucket": "reports", field: "file:///etc/passwd"}
    with pytest.raises(InvalidEventError, match="must be s3://bucket/key"):
        job_of(event)
    here = replace(DeploymentSettings.from_environment({}, {}), reads_files=True)
    assert Job.from_event(event, config={}, environment={}, deployment=here, now=NOW).keys_place == event[field]


def test_a_manifest_prefix_leaves_room_for_the_longest_key_under_it() -> None:
    """The longest is a piece's: a claim of 32 characters, and a number."""
    job = job_of({"bucket": "reports", "manifest_prefix": "x" * 900})
    assert len(f"{job.checkpoint_prefix(job.job_id('d'))}000001-plan-{'h' * 32}.jsonl") < 1024


@pytest.mark.parametrize(
    "source",
    [
        {"prefix": "{yyyy}/{{b}}/"},
        {"prefixes": ["{yyyy}/", "{{yyyy}}/"]},
        {"prefixes": ["{{b}}/"], "manifest_key": "manifests/latest.jsonl"},
    ],
)
def test_an_event_made_from_a_job_makes_the_same_job(source: dict[str, Any]) -> None:
    """Braces of ``prefixes`` were read as a date: ``resume`` of a run lost in its first hop listed other keys."""
    job = job_of({"bucket": "reports", **source})
    assert job_of(job.to_event()) == job
