"""The template says what no emulator keeps, and grants no more than the job needs."""

from __future__ import annotations

import importlib
import json
from typing import Any

import pytest

from local import template
from local.ministack import REPOSITORY

LOADED = template.load()
RESOURCES = LOADED["Resources"]
FUNCTION = RESOURCES["LambdaPresignSiblings"]["Properties"]
DEFAULTS = {name: parameter.get("Default") for name, parameter in LOADED["Parameters"].items()}
PSEUDO = {"AWS::Partition": "aws", "AWS::Region": "eu-west-1", "AWS::AccountId": "000000000000"}
PHYSICAL = {name: name for name in RESOURCES}


def _resolver(**parameters: str) -> template.Resolver:
    given = {"BucketName": "reports", "Prefix": "inbox/", **parameters}
    return template.Resolver(LOADED, {**DEFAULTS, **given, **PSEUDO, **PHYSICAL})


def _statements(**parameters: str) -> dict[str, dict[str, Any]]:
    (policy,) = RESOURCES["LambdaPresignSiblingsRole"]["Properties"]["Policies"]
    statements = {each["Sid"]: dict(each) for each in policy["PolicyDocument"]["Statement"]}
    resolver = _resolver(**parameters)
    for statement in statements.values():
        if "Fn::GetAtt" not in statement["Resource"]:
            statement["Resource"] = resolver.resolve(statement["Resource"])
        statement["Condition"] = resolver.resolve(statement.get("Condition"))
    return statements


def _environment(**parameters: str) -> dict[str, Any]:
    resolved: dict[str, Any] = _resolver(**parameters).resolve(FUNCTION["Environment"]["Variables"])
    return resolved


def test_the_function_may_call_itself_more_than_sixteen_times() -> None:
    """Lambda would drop the chain otherwise, and answer 202 while it does."""
    assert FUNCTION["RecursiveLoop"] == "Allow"


def test_concurrency_is_reserved_with_room_for_a_hand_over() -> None:
    """A sibling is spawned while its parent still runs: with less than two it would wait."""
    assert FUNCTION["ReservedConcurrentExecutions"] == {"Ref": "ReservedConcurrency"}
    assert DEFAULTS["ReservedConcurrency"] >= 2


def test_the_handler_is_importable_under_its_name() -> None:
    """A renamed module fails here and not at the first invocation."""
    module, name = FUNCTION["Handler"].rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), name))


def test_the_function_is_python_3_13_on_arm64() -> None:
    """As the package for deployment is made."""
    assert (DEFAULTS["Runtime"], DEFAULTS["Architecture"]) == ("python3.13", "arm64")


def test_an_event_is_retried_twice_and_then_kept_two_weeks() -> None:
    """Lambda's own dead end would be silence."""
    config = RESOURCES["EventInvokeConfig"]["Properties"]
    assert config["MaximumRetryAttempts"] == 2
    assert config["Qualifier"] == "$LATEST"
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["FailedEvents", "Arn"]}
    queue = RESOURCES["FailedEvents"]["Properties"]
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["SqsManagedSseEnabled"] is True


def test_only_the_stacks_own_rule_may_invoke_the_function() -> None:
    """Without a SourceArn, any rule of any account could be pointed at it."""
    permission = RESOURCES["PermissionForEventsToInvokeLambdaPresignSiblings"]["Properties"]
    assert permission["SourceArn"] == {"Fn::GetAtt": ["ScheduledRule", "Arn"]}
    assert permission["Principal"] == "events.amazonaws.com"
    (target,) = RESOURCES["ScheduledRule"]["Properties"]["Targets"]
    assert target["Arn"] == {"Fn::GetAtt": ["LambdaPresignSiblings", "Arn"]}


def test_a_manifest_outlives_its_urls_and_a_job_its_upload() -> None:
    """Seven days are the longest life of a URL; two days pass before S3 aborts an unfinished upload."""
    parameters = LOADED["Parameters"]
    assert parameters["ManifestExpiryDays"]["MinValue"] * 86400 > parameters["UrlExpirySeconds"]["MaxValue"]
    rules = {
        rule["Id"]: rule
        for rule in _resolver(CreateBucket="true").resolve(
            RESOURCES["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        )
    }
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}
    assert rules["manifests-expire"]["Prefix"] == "manifests/"
    assert rules["manifests-expire"]["ExpirationInDays"] == DEFAULTS["ManifestExpiryDays"]
    assert rules["checkpoints-expire"]["Prefix"] == "manifests/.checkpoints/"
    abort = rules["unfinished-uploads-abort"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
    assert abort * 86400 > parameters["MaxJobSeconds"]["MaxValue"]
    assert rules["checkpoints-expire"]["ExpirationInDays"] >= abort


def test_a_bucket_of_the_stack_is_encrypted_closed_and_outlives_it() -> None:
    """Manifests are credentials."""
    bucket = RESOURCES["Bucket"]
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("Retain", "Retain")


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({}, []),
        ({"CreateBucket": "true"}, ["reports"]),
        ({"CreateBucket": "true", "ManifestBucket": "manifests"}, ["manifests"]),
    ],
)
def test_the_stack_makes_the_bucket_of_the_manifests_when_asked(parameters: dict[str, str], names: list[str]) -> None:
    """And never one that exists already, the usual case."""
    resolver = _resolver(**parameters)
    made = [properties["BucketName"] for _, properties in resolver.resources("AWS::S3::Bucket")]
    assert [resolver.resolve(name) for name in made] == names


def test_the_role_reads_the_prefix_and_writes_the_manifests_only() -> None:
    """Each right on the narrowest resource that IAM knows."""
    statements = _statements(ManifestBucket="manifests", ManifestPrefix="out/")
    assert statements["ListThePdfs"]["Resource"] == "arn:aws:s3:::reports"
    assert statements["ListThePdfs"]["Condition"] == {"StringLike": {"s3:prefix": "inbox/*"}}
    assert statements["SignThePdfs"]["Resource"] == "arn:aws:s3:::reports/inbox/*"
    assert statements["SignThePdfs"]["Action"] == "s3:GetObject"
    assert statements["WriteAndSignTheManifests"]["Resource"] == "arn:aws:s3:::manifests/out/*"
    function = "arn:aws:lambda:eu-west-1:000000000000:function:presign_siblings"
    assert statements["SpawnSiblings"]["Resource"] == [function, f"{function}:*"]


def test_the_jobs_table_forgets_is_encrypted_and_paid_by_use() -> None:
    """No emulator keeps the TTL: without it the table would only grow. The key is what the ledger reads by."""
    table = RESOURCES["JobsTable"]
    properties = table["Properties"]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert properties["KeySchema"] == [{"AttributeName": "job_key", "KeyType": "HASH"}]
    assert properties["AttributeDefinitions"] == [{"AttributeName": "job_key", "AttributeType": "S"}]
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Delete", "Delete")
    assert _environment()["JOBS_TABLE"] == "JobsTable"


@pytest.mark.parametrize(("asked", "kept"), [("false", False), ("true", True)])
def test_the_jobs_table_is_recoverable_when_asked(asked: str, *, kept: bool) -> None:
    """Its records live two weeks: most deployments do without."""
    recovery = RESOURCES["JobsTable"]["Properties"]["PointInTimeRecoverySpecification"]
    resolved = _resolver(JobsTableRecovery=asked).resolve(recovery)
    assert resolved == {"PointInTimeRecoveryEnabled": kept}


def test_the_role_keeps_the_ledger_and_reads_its_own_recursion_guard() -> None:
    """Three actions on one table: no scan, no removal; and one look at one function."""
    statements = _statements()
    assert statements["KeepTheLedger"]["Action"] == ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    assert statements["KeepTheLedger"]["Resource"] == {"Fn::GetAtt": ["JobsTable", "Arn"]}
    guard = statements["ReadItsRecursionGuard"]
    assert guard["Action"] == "lambda:GetFunctionRecursionConfig"
    assert guard["Resource"] == "arn:aws:lambda:eu-west-1:000000000000:function:presign_siblings"


SCHEDULE = "arn:aws:scheduler:eu-west-1:000000000000:schedule/default/nightly"
SIGNER = "arn:aws:iam::000000000000:role/signer"
SECRET = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:signer-??????"


@pytest.mark.parametrize(
    ("parameters", "granted"),
    [
        ({}, []),
        ({"SchedulerScheduleArn": SCHEDULE}, [("scheduler:GetSchedule", SCHEDULE)]),
        ({"SigningRoleArn": SIGNER}, [("sts:AssumeRole", SIGNER)]),
        (
            {"SigningSecret": "signer"},
            [("secretsmanager:ListSecrets", "*"), ("secretsmanager:GetSecretValue", SECRET)],
        ),
    ],
)
def test_what_few_need_is_granted_when_it_is_named(parameters: dict[str, str], granted: list[tuple[str, str]]) -> None:
    """A schedule of EventBridge Scheduler, a role or a secret to sign with: each by its own name."""
    resolver = _resolver(**parameters)
    statements = [
        (each["Action"], resolver.resolve(each["Resource"]))
        for _, policy in resolver.resources("AWS::IAM::Policy")
        for each in policy["PolicyDocument"]["Statement"]
    ]
    assert statements == granted


@pytest.mark.parametrize(("named", "owner"), [("", "000000000000"), ("111111111111", "111111111111")])
def test_a_bucket_of_another_account_is_refused_unless_it_is_named(named: str, owner: str) -> None:
    """Bucket names are global: one that was given up may come back as somebody else's."""
    assert _environment(BucketOwner=named)["EXPECTED_BUCKET_OWNER"] == owner


def test_no_right_has_a_wildcard_where_iam_knows_better() -> None:
    """Only two actions have no resource type, and no action is a pattern."""
    statements = _statements()
    everywhere = {name for name, statement in statements.items() if statement["Resource"] == "*"}
    assert everywhere == {"FindRulesAndConcurrency"}
    assert statements["FindRulesAndConcurrency"]["Action"] == [
        "cloudwatch:GetMetricData",
        "events:ListRuleNamesByTarget",
    ]
    assert "*" not in json.dumps([statement["Action"] for statement in statements.values()])


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"Prefix": ""},
        {"Prefix": "in/{yyyy}/", "AllowedPrefix": "in/"},
        {"ManifestBucket": "manifests"},
    ],
)
def test_the_allow_lists_say_what_the_role_says(parameters: dict[str, str]) -> None:
    """Who may invoke chooses bucket and prefix: an event is refused before IAM refuses it."""
    environment, statements = _environment(**parameters), _statements(**parameters)
    reach = environment["ALLOWED_PREFIXES"]
    assert statements["SignThePdfs"]["Resource"] == f"arn:aws:s3:::reports/{reach}*"
    assert statements["ListThePdfs"]["Condition"]["StringLike"]["s3:prefix"] == f"{reach}*"
    written = statements["WriteAndSignTheManifests"]["Resource"].removeprefix("arn:aws:s3:::").split("/")[0]
    assert set(environment["ALLOWED_BUCKETS"].split(",")) == {"reports", written}


def test_a_variable_that_would_be_empty_is_left_out() -> None:
    """An empty value is a value in the contract: only SUFFIX and ALLOWED_PREFIXES mean something by it."""
    environment = _environment(Prefix="", Suffix="")
    assert {name for name, value in environment.items() if value == ""} == {"SUFFIX", "ALLOWED_PREFIXES"}
    assert "PREFIX" not in environment
    assert "MANIFEST_BUCKET" not in environment


def test_the_defaults_of_the_stack_make_a_valid_deployment() -> None:
    """The processor itself reads every variable, by the names that the template uses."""
    deployment = importlib.import_module("processor.deployment")
    environment = {name: str(value) for name, value in _environment().items()}
    read = deployment.Deployment.from_environment(environment, {})
    assert (read.max_hops, read.max_job_seconds, read.shutdown_period) == (100, 86400, 10)
    assert read.allowed_buckets == {"reports"}
    assert environment["URL_EXPIRY_SECONDS"] == "43200"
    job = importlib.import_module("processor.job")
    assert set(job.ENVIRONMENT.values()) <= {*environment, "MANIFEST_BUCKET"}


def test_the_rows_of_sosw_stand_only_where_sosw_is() -> None:
    """Without sosw's stack there is no worker assistant to import, and no config table to read."""
    assert RESOURCES["SoswPermissions"]["Condition"] == "WithSosw"
    assert _environment()["SOSW_CONFIG"] == "none"
    assert "ImportValue" not in json.dumps(RESOURCES["LambdaPresignSiblingsRole"])


def test_every_output_is_exported_under_a_dashed_name_of_sosw() -> None:
    """Where someone who knows sosw looks for it."""
    exports = [_resolver().resolve(output["Export"]["Name"]) for output in LOADED["Outputs"].values()]
    assert exports[0] == "sosw-presign-siblings"
    assert all(name.startswith("sosw-presign-siblings") and "_" not in name for name in exports)
    assert len(set(exports)) == len(exports)


@pytest.mark.parametrize("name", ["self", "labourer", "task"])
def test_the_files_of_sosw_name_the_function_of_the_stack(name: str) -> None:
    """The account is sosw's placeholder; no job default shadows the stack's environment."""
    content = json.loads((REPOSITORY / "config" / f"{name}.json").read_text())
    function = DEFAULTS["NameUnderscored"]
    if name == "labourer":
        labourer = content["task_config"]["labourers"][function]
        assert labourer["arn"].endswith(f":000000000000:function:{function}")
    elif name == "task":
        assert content["job"]["lambda_name"] == function
    else:
        assert not set(content) & set(importlib.import_module("processor.job").ENVIRONMENT)
