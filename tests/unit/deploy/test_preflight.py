"""What a deployment would fail of is told before anything is built or changed."""

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
    """S3 and Lambda of an account in eu-west-1, which holds one bucket with one object, and one function."""

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


def look(account: Account, *, allow_empty: bool = False, stands: bool = False, **parameters: Any) -> list[str]:
    """Look at a deployment; return the notes."""
    now = {**defaults(), "BucketName": "reports", "CodeBucket": "artifacts", "AlarmEmail": "a@b", **parameters}
    clients: Any = account
    return preflight.Preflight(clients, clients, now, now if stands else None).check(allow_empty=allow_empty)


def test_what_will_work_is_not_spoken_of() -> None:
    """Dates in a prefix are filled in at each run."""
    assert look(Account(), Prefix="inbox/{yyyy}/") == []
    assert look(Account(), Prefix="nothing/", allow_empty=True) == []


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({"BucketName": "nobody"}, "there is no bucket nobody (--bucket)"),
        ({"CodeBucket": "nobody"}, "there is no bucket nobody (--code-bucket)"),
        ({"ManifestBucket": "nobody"}, "there is no bucket nobody (--set ManifestBucket)"),
        ({"BucketName": "far"}, "bucket far (--bucket) lies in us-west-2, and the stack goes to eu-west-1: add"),
        ({"CodeBucket": "far"}, "bucket far (--code-bucket) lies in us-west-2"),
        ({"Prefix": "inobx/"}, "s3://reports/inobx/ holds no object (--prefix); --allow-empty deploys all the same"),
        ({"ReservedConcurrency": "901"}, "ReservedConcurrency is 901, and the account has 900 to reserve"),
    ],
)  # fmt: skip
def test_what_would_fail_is_told_with_its_option(parameters: dict[str, Any], told: str) -> None:
    """And that nothing has happened."""
    with pytest.raises(DeployError) as error:
        look(Account(), **parameters)
    assert str(error.value).startswith("nothing was built or changed: ")
    assert told in str(error.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    """Nobody likes to repair one after the other."""
    with pytest.raises(DeployError, match="no bucket nobody .*; .*far .* lies in us-west-2"):
        look(Account(), BucketName="nobody", CodeBucket="far")


def test_alarms_that_tell_nobody_are_noted() -> None:
    """Neither an address nor a topic."""
    assert look(Account(), AlarmEmail="") == ["alarms notify nobody: --alarm-email ADDRESS, or --set AlarmTopicArn=..."]
    assert look(Account(), AlarmEmail="", AlarmTopicArn="arn:aws:sns:eu-west-1:000000000000:alarms") == []


def test_a_key_that_the_role_may_not_use_is_noted() -> None:
    """What a bucket is encrypted with, no listing tells: every link would answer 403, and the manifest be complete."""
    account, key = Account(), "arn:aws:kms:eu-west-1:000000000000:key/1"
    account.keys["reports"] = key
    pdfs, manifests = look(account)
    assert (key in pdfs, "--set PdfKmsKeyArn" in pdfs, "answer 403" in pdfs) == (True, True, True)
    assert ("--set ManifestKmsKeyArn" in manifests, "can be written" in manifests) == (True, True)
    assert look(account, PdfKmsKeyArn=key, ManifestKmsKeyArn=key) == []
    assert len(look(account, ManifestBucket="artifacts")) == 1
    for known in ("alias/aws/s3", "arn:aws:kms:eu-west-1:000000000000:alias/aws/s3", ""):
        account.keys["reports"] = known
        assert look(account) == []


def test_a_new_account_has_too_little_to_reserve() -> None:
    """10 in all, of which Lambda keeps more."""
    with pytest.raises(DeployError, match="the account has 0 to reserve in this region"):
        look(Account(free=10))


def test_a_new_account_can_share_the_little_that_it_has() -> None:
    """None reserved, and chains that the account cannot carry at once are refused."""
    assert look(Account(free=10), ReservedConcurrency="none", Chains="9") == []
    with pytest.raises(DeployError, match="Chains is 10, and the account has 10 invocations at once for all"):
        look(Account(free=10), ReservedConcurrency="none", Chains="10")


def test_what_the_function_holds_already_is_its_own() -> None:
    """An update with the same number always goes."""
    assert look(Account(free=100, reserved=5), stands=True) == []
    with pytest.raises(DeployError, match="the account has 5 to reserve"):
        look(Account(free=100, reserved=5), stands=True, ReservedConcurrency="6")


def test_a_bucket_that_may_not_be_looked_at_is_noted() -> None:
    """Whoever deploys need not be allowed to list."""
    assert "bucket closed (--set ManifestBucket) could not be checked" in look(Account(), ManifestBucket="closed")[0]


def test_a_bucket_that_the_stack_makes_need_not_be_there() -> None:
    """Its objects come later; once the stack stands, it does."""
    assert look(Account(), CreateBucket="true", BucketName="new", Prefix="inbox/") == []
    assert look(Account(), CreateBucket="true", ManifestBucket="new") == []
    with pytest.raises(DeployError, match="no bucket nobody"):
        look(Account(), CreateBucket="true", BucketName="nobody", ManifestBucket="new")
    with pytest.raises(DeployError, match="no bucket new"):
        look(Account(), CreateBucket="true", BucketName="new", stands=True)


def test_a_stack_that_stands_may_make_a_bucket_too() -> None:
    """Its manifests get one of their own later; that was refused, since the bucket is not there."""
    clients: Any = Account()
    before = {**defaults(), "BucketName": "reports", "CodeBucket": "artifacts", "AlarmEmail": "a@b"}
    now = {**before, "ManifestBucket": "new", "CreateBucket": "true"}
    assert preflight.Preflight(clients, clients, now, before).check(allow_empty=False) == []
    with pytest.raises(DeployError, match="no bucket new"):
        preflight.Preflight(clients, clients, now, now).check(allow_empty=False)


@pytest.mark.parametrize("there", ["reports", "far", "closed"])
def test_a_bucket_that_the_stack_would_make_must_not_be_there(there: str) -> None:
    """One that a deleted stack has left, or somebody else's: CloudFormation told it after some minutes."""
    with pytest.raises(DeployError, match=f"bucket {there} exists already.*CreateBucket=false"):
        look(Account(), CreateBucket="true", ManifestBucket=there)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"Sufix": ".pdf"}, "the stack has no such parameter; it has AccessPointArn"),
        ({"Runtime": "python3.13"}, "use --runtime"),
        ({"Architecture": "x86"}, "use --architecture"),
        ({"CodeKey": "mine.zip"}, "the deployment sets it: the package is built"),
        ({"LiveVersion": "3"}, "the deployment sets it: rollback --to moves it"),
        ({"Compression": "zip"}, "must be one of none, gzip"),
        ({"ReservedConcurrency": "-1"}, "must be a number from 0, or none"),
        ({"MaxHops": "many"}, "must be a number"),
    ],
)
def test_a_parameter_is_checked_by_the_templates_own_rules(given: dict[str, str], told: str) -> None:
    """CloudFormation would tell after the package is built and uploaded."""
    with pytest.raises(WrongUseError) as error:
        check_given(given)
    assert told in str(error.value)


def test_good_parameters_pass() -> None:
    """All defaults do."""
    check_given({"Compression": "gzip", "MaxHops": "7", "CreateQueue": "true"})


LIVE = {"ParameterKey": "LiveVersion", "ParameterValue": "1"}


class Cloud:
    """A CloudFormation that notes what it is asked for; with ``fails``, it takes no change set."""

    def __init__(self, *, stands: bool, fails: bool = False) -> None:
        self.stands, self.fails, self.calls = stands, fails, list[str]()

    def describe_stacks(self, **_: Any) -> dict[str, Any]:
        if not self.stands:
            raise ClientError({"Error": {"Code": "ValidationError", "Message": "does not exist"}}, "DescribeStacks")
        return {"Stacks": [{"StackStatus": "CREATE_COMPLETE", "Parameters": [LIVE]}]}

    def create_change_set(self, **request: Any) -> dict[str, Any]:
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


@pytest.mark.parametrize(("stands", "left"), [(True, []), (False, ["delete stack"])])
def test_a_dry_run_shows_the_change_set_and_leaves_nothing(*, stands: bool, left: list[str]) -> None:
    """Neither the change set nor a stack that was only announced."""
    cloud: Any = Cloud(stands=stands)
    found = change_set.shown(cloud, "presign-siblings", {})
    assert found == [{"action": "Add", "name": "JobsTable", "type": "AWS::DynamoDB::Table", "replaced": "False"}]
    assert cloud.calls == [f"create {'UPDATE' if stands else 'CREATE'}", "delete change set", *left]


@pytest.mark.parametrize(("stands", "left"), [(True, []), (False, ["delete stack"])])
def test_a_change_set_that_is_refused_leaves_nothing(*, stands: bool, left: list[str]) -> None:
    """A stack that was only announced stays in the console, and in REVIEW_IN_PROGRESS, for ever."""
    cloud: Any = Cloud(stands=stands, fails=True)
    with pytest.raises(DeployError, match="the change set failed: Template error"):
        change_set.shown(cloud, "presign-siblings", {})
    assert cloud.calls[1:] == ["delete change set", *left]
