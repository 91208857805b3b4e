"""What would make a deployment fail is reported before anything is built or changed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError, WaiterError

from presign_siblings.deploy import change_set, preflight
from presign_siblings.deploy.parameters import check_given, defaults
from presign_siblings.deploy.stacks import DeployError
from presign_siblings.errors import WrongUseError


def refused(code: str, headers: dict[str, str] | None = None) -> ClientError:
    """Return an error of AWS."""
    response: Any = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPHeaders": headers or {}}}
    return ClientError(response, "Any")


class Account:
    """S3 and Lambda of an account in eu-west-1, with one bucket of one object, and one function."""

    meta = SimpleNamespace(region_name="eu-west-1")

    def __init__(self, free: int = 1000, reserved: int | None = None) -> None:
        self.free, self.reserved = free, reserved
        self.buckets = {"reports": "eu-west-1", "artifacts": "eu-west-1", "far": "us-west-2"}
        self.keys = {"reports": "", "far": ""}

    def get_bucket_encryption(self, **request: Any) -> dict[str, Any]:
        if request["Bucket"] not in self.keys:
            raise refused("AccessDenied")
        key = self.keys[request["Bucket"]]
        by_default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
        return {"ServerSideEncryptionConfiguration": {"Rules": [{"ApplyServerSideEncryptionByDefault": by_default}]}}

    def head_bucket(self, **request: Any) -> dict[str, Any]:
        name = request["Bucket"]
        if name == "closed":
            raise refused("403")
        if name not in self.buckets:
            raise refused("404")
        headers = {"x-amz-bucket-region": self.buckets[name]}
        if self.buckets[name] != "eu-west-1":
            raise refused("301", headers)
        return {"ResponseMetadata": {"HTTPHeaders": headers}}

    def list_objects_v2(self, **request: Any) -> dict[str, Any]:
        if request["Bucket"] not in self.buckets:
            raise refused("NoSuchBucket")
        return {"KeyCount": int("inbox/2026/a.pdf".startswith(request["Prefix"]))}

    def get_account_settings(self) -> dict[str, Any]:
        return {"AccountLimit": {"UnreservedConcurrentExecutions": self.free}}

    def get_function_concurrency(self, **_: Any) -> dict[str, Any]:
        if self.reserved is None:
            raise refused("ResourceNotFoundException")
        return {"ReservedConcurrentExecutions": self.reserved}


def notes_of(account: Account, *, allow_empty: bool = False, exists: bool = False, **parameters: Any) -> list[str]:
    """Check a deployment; return the notes."""
    now = {**defaults(), "BucketName": "reports", "CodeBucket": "artifacts", "AlarmEmail": "a@b", **parameters}
    clients: Any = account
    return preflight.Preflight(clients, clients, now, now if exists else None).check(allow_empty=allow_empty)


def test_a_deployment_that_will_work_has_no_notes() -> None:
    """Dates in a prefix are resolved at each run."""
    assert notes_of(Account(), Prefix="inbox/{yyyy}/") == []
    assert notes_of(Account(), Prefix="nothing/", allow_empty=True) == []


@pytest.mark.parametrize(
    ("parameters", "reason"),
    [
        ({"BucketName": "nobody"}, "there is no bucket nobody (--bucket)"),
        ({"CodeBucket": "nobody"}, "there is no bucket nobody (--code-bucket)"),
        ({"ManifestBucket": "nobody"}, "there is no bucket nobody (--set ManifestBucket)"),
        ({"BucketName": "far"}, "bucket far (--bucket) is in us-west-2, and the stack goes to eu-west-1: add"),
        ({"CodeBucket": "far"}, "bucket far (--code-bucket) is in us-west-2"),
        ({"Prefix": "inobx/"}, "s3://reports/inobx/ holds no object (--prefix); --allow-empty deploys all the same"),
        ({"ReservedConcurrency": "901"}, "ReservedConcurrency is 901, and the account has 900 to reserve"),
    ],
)  # fmt: skip
def test_what_would_fail_is_reported_with_its_option(parameters: dict[str, Any], reason: str) -> None:
    """The message says that nothing was changed."""
    with pytest.raises(DeployError) as error:
        notes_of(Account(), **parameters)
    assert str(error.value).startswith("nothing was built or changed: ")
    assert reason in str(error.value)


def test_all_faults_are_reported_at_once() -> None:
    """Repairing them one by one would take several runs."""
    with pytest.raises(DeployError, match="no bucket nobody .*; .*far .* is in us-west-2"):
        notes_of(Account(), BucketName="nobody", CodeBucket="far")


def test_alarms_without_a_recipient_are_noted() -> None:
    """Neither an address nor a topic."""
    assert notes_of(Account(), AlarmEmail="") == [
        "alarms notify nobody: --alarm-email ADDRESS, or --set AlarmTopicArn=..."
    ]
    assert notes_of(Account(), AlarmEmail="", AlarmTopicArn="arn:aws:sns:eu-west-1:000000000000:alarms") == []


@pytest.mark.parametrize(
    ("schedule", "rest"),
    [
        ("cron(0 3 ? * MON *)", 168),
        ("cron(0 3 ? * MON-FRI *)", 72),
        ("cron(0 3 ? * SAT-SUN,4 *)", 72),
        ("cron(0 3 ? * 2#1 *)", 168),
        ("cron(0 3 1 * ? *)", 672),
        ("cron(0 3 L * ? *)", 672),
        ("cron(0 3 * 1 ? *)", 672),
        ("rate(2 days)", 48),
    ],
)
def test_a_schedule_that_rests_longer_than_its_alarm_waits_is_noted(schedule: str, rest: int) -> None:
    """Jobs that all complete woke the operator between two starts."""
    (note,) = notes_of(Account(), ScheduleExpression=schedule)
    assert f"no job for up to {rest} hours, and the alarm no_completion comes after 26" in note
    for quiet in ("CompletionHours", "0"), ("ScheduleState", "DISABLED"), ("RefreshHours", "6"):
        now: dict[str, Any] = dict([quiet])
        assert notes_of(Account(), ScheduleExpression=schedule, **now) == []


@pytest.mark.parametrize(
    "schedule",
    [
        "cron(0 3 * * ? *)",
        "cron(0 * ? * * *)",
        "cron(0 3 1/1 * ? *)",
        "cron(0 3 ? * 1-7 *)",
        "cron(0 3 ? * MON/1 *)",
        "cron(0 3 ? * MON-WED-FRI *)",  # no schedule, as EventBridge will say
        "rate(1 day)",
        "rate(5 minutes)",
        "at(2027-01-01T00:00:00)",
    ],
)
def test_a_schedule_that_starts_a_job_each_day_or_may_do_so_is_not_noted(schedule: str) -> None:
    """The alarm waits for 26 hours."""
    assert notes_of(Account(), ScheduleExpression=schedule) == []


def test_a_key_that_the_role_may_not_use_is_noted() -> None:
    """No listing shows a bucket's key: every link would answer 403, though the manifest is complete."""
    account, key = Account(), "arn:aws:kms:eu-west-1:000000000000:key/1"
    account.keys["reports"] = key
    pdfs, manifests = notes_of(account)
    assert (key in pdfs, "--set PdfKmsKeyArn" in pdfs, "answer 403" in pdfs) == (True, True, True)
    assert ("--set ManifestKmsKeyArn" in manifests, "can be written" in manifests) == (True, True)
    assert notes_of(account, PdfKmsKeyArn=key, ManifestKmsKeyArn=key) == []
    assert len(notes_of(account, ManifestBucket="artifacts")) == 1
    for known in ("alias/aws/s3", "arn:aws:kms:eu-west-1:000000000000:alias/aws/s3", ""):
        account.keys["reports"] = known
        assert notes_of(account) == []


@pytest.mark.parametrize(
    ("parameters", "is_noted"),
    [
        ({"KeysFrom": "s3://reports/lists/today.csv"}, True),
        ({"KeysFrom": "s3://reports/lists/today.csv", "KeysPlace": "reports/lists/"}, False),
        ({"KeysFrom": "s3://reports/inbox/today.csv"}, False),
        ({"Refresh": "s3://reports/manifests/latest.jsonl"}, False),
        ({"Refresh": "s3://artifacts/latest.jsonl", "KeysPlace": "artifacts/old/"}, True),
    ],
)
def test_a_list_that_the_role_may_not_read_is_noted(parameters: dict[str, Any], *, is_noted: bool) -> None:
    """Each job of the schedule failed with AccessDenied; a policy of the bucket may allow it."""
    notes = notes_of(Account(), Prefix="inbox/", **parameters)
    assert [note for note in notes if "KeysPlace" in note] == notes
    assert bool(notes) is is_noted


def test_a_new_account_has_too_little_to_reserve() -> None:
    """It has 10 in all, and Lambda keeps more than that unreserved."""
    with pytest.raises(DeployError, match="the account has 0 to reserve in this region"):
        notes_of(Account(free=10))


def test_a_new_account_can_deploy_without_a_reservation() -> None:
    """Chains that the account cannot carry at once are refused."""
    assert notes_of(Account(free=10), ReservedConcurrency="none", Chains="9") == []
    with pytest.raises(DeployError, match="Chains is 10, and the account has 10 invocations at once for all"):
        notes_of(Account(free=10), ReservedConcurrency="none", Chains="10")


def test_the_functions_own_reservation_is_available_to_it() -> None:
    """An update with the same number always works."""
    assert notes_of(Account(free=100, reserved=5), exists=True) == []
    with pytest.raises(DeployError, match="the account has 5 to reserve"):
        notes_of(Account(free=100, reserved=5), exists=True, ReservedConcurrency="6")


def test_a_bucket_that_cannot_be_checked_is_noted() -> None:
    """An operator who deploys need not be allowed to list."""
    assert (
        "bucket closed (--set ManifestBucket) could not be checked" in notes_of(Account(), ManifestBucket="closed")[0]
    )


def test_a_bucket_that_the_stack_creates_may_be_missing() -> None:
    """Its objects come later; for an existing stack the bucket exists."""
    assert notes_of(Account(), CreateBucket="true", BucketName="new", Prefix="inbox/") == []
    assert notes_of(Account(), CreateBucket="true", ManifestBucket="new") == []
    with pytest.raises(DeployError, match="no bucket nobody"):
        notes_of(Account(), CreateBucket="true", BucketName="nobody", ManifestBucket="new")
    with pytest.raises(DeployError, match="no bucket new"):
        notes_of(Account(), CreateBucket="true", BucketName="new", exists=True)


def test_an_existing_stack_may_create_a_bucket_too() -> None:
    """A later bucket for its manifests was refused, since it did not exist."""
    clients: Any = Account()
    before = {**defaults(), "BucketName": "reports", "CodeBucket": "artifacts", "AlarmEmail": "a@b"}
    now = {**before, "ManifestBucket": "new", "CreateBucket": "true"}
    assert preflight.Preflight(clients, clients, now, before).check(allow_empty=False) == []
    with pytest.raises(DeployError, match="no bucket new"):
        preflight.Preflight(clients, clients, now, now).check(allow_empty=False)


@pytest.mark.parametrize("bucket", ["reports", "far", "closed"])
def test_a_bucket_that_the_stack_would_create_must_not_exist(bucket: str) -> None:
    """A deleted stack's, or another account's: CloudFormation reported it after some minutes."""
    with pytest.raises(DeployError, match=f"bucket {bucket} exists already.*CreateBucket=false"):
        notes_of(Account(), CreateBucket="true", ManifestBucket=bucket)


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"Sufix": ".pdf"}, "the stack has no such parameter; it has AccessPointArn"),
        ({"Runtime": "python3.13"}, "use --runtime"),
        ({"Architecture": "x86"}, "use --architecture"),
        ({"CodeKey": "mine.zip"}, "the deployment sets it: the package is built"),
        ({"LiveVersion": "3"}, "the deployment sets it: rollback --to moves it"),
        ({"Compression": "zip"}, "must be one of none, gzip"),
        ({"ReservedConcurrency": "-1"}, "must be a number from 0, or none"),
        ({"BucketName": "s3://reports"}, "must be a bucket's name alone, in lower case, without s3://"),
        ({"MaxHops": "many"}, "must be a whole number from 1"),
        ({"Chains": "2.5"}, "must be a whole number from 1 to 256"),
        ({"Timeout": "901"}, "must be a whole number from 3 to 900"),
    ],
)
def test_a_parameter_is_checked_by_the_templates_own_rules(given: dict[str, str], reason: str) -> None:
    """CloudFormation would report it after the package is built and uploaded."""
    with pytest.raises(WrongUseError) as error:
        check_given(given)
    assert reason in str(error.value)


def test_valid_parameters_pass() -> None:
    """All defaults do."""
    check_given({"Compression": "gzip", "MaxHops": "7", "CreateQueue": "true"})


TAGGED = [{"Key": key, "Value": "1"} for key in ("cost-centre", "team", "aws:servicecatalog:productArn")]
LIVE = {"ParameterKey": "LiveVersion", "ParameterValue": "1"}


class Cloud:
    """A CloudFormation that records its requests; with ``fails``, it refuses the change set."""

    def __init__(self, *, exists: bool, fails: bool = False) -> None:
        self.exists, self.fails, self.calls = exists, fails, list[str]()

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        if not self.exists:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "does not exist"}}, "DescribeStacks")
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Parameters": [LIVE], "Tags": TAGGED}]}

    def create_change_set(self, **request: Any) -> dict[str, Any]:
        self.tags = {each["Key"]: each["Value"] for each in request.get("Tags", ())}
        self.calls.append(f"create {request['ChangeSetType']}")
        return {"Id": "arn"}

    def get_waiter(self, _: str) -> Any:
        def wait(**_: Any) -> None:
            if self.fails:
                raise WaiterError("change_set_create_complete", "FAILED", {})

        return SimpleNamespace(wait=wait)

    def describe_change_set(self, **_: Any) -> dict[str, Any]:
        return {"StatusReason": "Template error: no such condition"}

    def get_paginator(self, _: str) -> Any:
        change = {"Action": "Add", "LogicalResourceId": "JobsTable", "ResourceType": "AWS::DynamoDB::Table"}
        return SimpleNamespace(paginate=lambda **_: [{"Changes": [{"ResourceChange": change}]}, {"Changes": []}])

    def delete_change_set(self, **_: Any) -> None:
        self.calls.append("delete change set")

    def delete_stack(self, **_: Any) -> None:
        self.calls.append("delete stack")


@pytest.mark.parametrize(("exists", "left"), [(True, []), (False, ["delete stack"])])
def test_a_dry_run_shows_the_change_set_and_leaves_nothing(*, exists: bool, left: list[str]) -> None:
    """Neither the change set nor a stack in review."""
    cloud: Any = Cloud(exists=exists)
    found = change_set.shown(cloud, "presign-siblings", {})
    assert found == [{"action": "Add", "name": "JobsTable", "type": "AWS::DynamoDB::Table", "replaced": "False"}]
    assert cloud.calls == [f"create {'UPDATE' if exists else 'CREATE'}", "delete change set", *left]


@pytest.mark.parametrize(
    ("exists", "given", "asked"),
    [
        (True, {"team": "2", "x": "3"}, {"cost-centre": "1", "team": "2", "x": "3"}),
        (False, {"team": "2"}, {"team": "2"}),
        (True, None, {}),
    ],
)
def test_tags_that_are_not_named_stay(*, exists: bool, given: dict[str, str] | None, asked: dict[str, str]) -> None:
    """CloudFormation takes tags that come with a change for all, and removes the others, without a word."""
    cloud: Any = Cloud(exists=exists)
    change_set.shown(cloud, "presign-siblings", {}, tags=given)
    assert cloud.tags == asked


@pytest.mark.parametrize(("exists", "left"), [(True, []), (False, ["delete stack"])])
def test_a_refused_change_set_leaves_nothing(*, exists: bool, left: list[str]) -> None:
    """Otherwise a stack without resources would stay in REVIEW_IN_PROGRESS for ever."""
    cloud: Any = Cloud(exists=exists, fails=True)
    with pytest.raises(DeployError, match="the change set failed: Template error"):
        change_set.shown(cloud, "presign-siblings", {})
    assert cloud.calls[1:] == ["delete change set", *left]
