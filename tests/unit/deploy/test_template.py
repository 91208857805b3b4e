"""The template has settings that no emulator keeps, and grants no more than the job needs."""

from __future__ import annotations

import importlib
import json
import re
from datetime import UTC, datetime
from typing import Any

import pytest

from dev.checkout import REPOSITORY
from presign_siblings.deploy import template
from presign_siblings.deploy.parameters import MOST_JOB_SECONDS
from processor.events.triggers import EXECUTION_ENDED
from processor.job import MAX_EXPIRY_SECONDS, DeploymentSettings, Job
from processor.reporting import METRICS
from tests.stack_template import DEFAULTS, LOADED, PSEUDO, RESOURCES, definition, resolver, role_statements

FUNCTION = RESOURCES["LambdaPresignSiblings"]["Properties"]


def _statements(**parameters: str) -> dict[str, dict[str, Any]]:
    (policy,) = RESOURCES["LambdaPresignSiblingsRole"]["Properties"]["Policies"]
    stack = resolver(**parameters)
    written = policy["PolicyDocument"]["Statement"]
    statements = {each["Sid"]: dict(each) for each in written if "Fn::If" not in each}
    for statement in statements.values():
        if "Fn::GetAtt" not in statement["Resource"]:
            statement["Resource"] = stack.resolve(statement["Resource"])
        statement["Condition"] = stack.resolve(statement.get("Condition"))
    return statements


def _environment(**parameters: str) -> dict[str, Any]:
    resolved: dict[str, Any] = resolver(**parameters).resolve(FUNCTION["Environment"]["Variables"])
    return resolved


def test_the_function_may_call_itself_more_than_sixteen_times() -> None:
    """Otherwise Lambda would drop the chain, and still answer 202."""
    assert FUNCTION["RecursiveLoop"] == "Allow"


def test_concurrency_is_reserved_with_room_for_a_hand_over() -> None:
    """A sibling starts while its parent still runs: with less than two it would wait."""
    assert int(resolver().resolve(FUNCTION["ReservedConcurrentExecutions"])) >= 2
    assert _environment()["RESERVED_CONCURRENCY"] == DEFAULTS["ReservedConcurrency"]


def test_no_concurrency_is_reserved_in_an_account_with_too_little() -> None:
    """A new account has 10 invocations at once, none of which can be reserved."""
    shares = resolver(ReservedConcurrency="none")
    name = "ReservedConcurrentExecutions"
    assert name not in shares.resolve({name: FUNCTION[name], "Timeout": 900})
    assert "RESERVED_CONCURRENCY" not in _environment(ReservedConcurrency="none")
    body = json.loads(shares.resolve(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]))
    (lines,) = (each["properties"]["annotations"] for each in body["widgets"] if "annotations" in each["properties"])
    assert lines == {"horizontal": []}


def test_the_handler_is_importable_under_its_name() -> None:
    """A renamed module fails here, and not at the first invocation."""
    module, name = FUNCTION["Handler"].rsplit(".", 1)
    assert callable(getattr(importlib.import_module(module), name))


def test_the_function_is_python_3_13_on_arm64() -> None:
    """Like the package for deployment."""
    assert (DEFAULTS["Runtime"], DEFAULTS["Architecture"]) == ("python3.13", "arm64")


@pytest.mark.parametrize(("name", "qualifier"), [("EventInvokeConfigOfLive", "live"), ("EventInvokeConfig", "$LATEST")])
def test_an_event_is_retried_twice_and_then_kept_for_two_weeks(name: str, qualifier: str) -> None:
    """Under the alias and under the bare name. Without a destination Lambda would drop it in silence."""
    config = RESOURCES[name]["Properties"]
    assert (config["Qualifier"], config["MaximumRetryAttempts"]) == (qualifier, 2)
    assert config["MaximumEventAgeInSeconds"] == 6 * 3600
    assert config["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": ["FailedEvents", "Arn"]}
    queue = resolver().resolve({**RESOURCES["FailedEvents"]["Properties"]})
    assert queue["MessageRetentionPeriod"] == 14 * 24 * 3600
    assert queue["SqsManagedSseEnabled"] is True


def test_only_the_stacks_own_rule_may_invoke_the_function() -> None:
    """Without a SourceArn, a rule of any account could target it."""
    permission = RESOURCES["PermissionForEventsToInvokeLambdaPresignSiblings"]["Properties"]
    assert permission["SourceArn"] == {"Fn::GetAtt": ["ScheduledRule", "Arn"]}
    assert permission["Principal"] == "events.amazonaws.com"


def test_every_trigger_names_the_alias() -> None:
    """A chain stays on the alias's version, and a rollback affects every trigger."""
    (target,) = RESOURCES["ScheduledRule"]["Properties"]["Targets"]
    permission = RESOURCES["PermissionForEventsToInvokeLambdaPresignSiblings"]["Properties"]
    named = [
        target["Arn"],
        permission["FunctionName"],
        RESOURCES["Schedule"]["Properties"]["Target"]["Arn"],
        RESOURCES["QueueMapping"]["Properties"]["FunctionName"],
        LOADED["Outputs"]["FunctionArn"]["Value"],
    ]
    assert named == [{"Ref": "LiveAlias"}] * 5
    alias = RESOURCES["LiveAlias"]["Properties"]
    assert (alias["Name"], alias["FunctionVersion"]) == ("live", {"Ref": "LiveVersion"})
    assert _environment()["LIVE_ALIAS"] == "live"


def test_the_alias_follows_latest_until_a_version_is_published() -> None:
    """A stack made by hand works, and cannot be rolled back."""
    assert DEFAULTS["LiveVersion"] == "$LATEST"


@pytest.mark.parametrize(
    ("engine", "resources"),
    [
        ("rule", {"ScheduledRule", "PermissionForEventsToInvokeLambdaPresignSiblings"}),
        ("scheduler", {"Schedule", "ScheduleRole", "SchedulerPermissions"}),
    ],
)
def test_a_rule_or_a_schedule_starts_the_job_and_never_both(engine: str, resources: set[str]) -> None:
    """Both would run every job twice, or meet in the ledger."""
    stack = resolver(ScheduleEngine=engine)
    kinds = ("AWS::Events::Rule", "AWS::Scheduler::Schedule", "AWS::Lambda::Permission")
    made = {name for kind in kinds for name, _ in stack.resources(kind)}
    made |= {name for kind in ("AWS::IAM::Role", "AWS::IAM::Policy") for name, _ in stack.resources(kind)}
    always = {"LambdaPresignSiblingsRole", "QueuePermissions", "ChainsPermissions", "StateMachineRole"}
    always |= {"ExecutionsRule", "PermissionForTheExecutionsRule"}  # these start no job
    assert made - always == resources


@pytest.mark.parametrize(
    ("schedule", "is_taken"),
    [
        ("cron(0 3 * * ? *)", True),
        ("cron(0/15 9-17 ? * MON-FRI *)", True),
        ("cron(0 8 L * ? 2026)", True),
        ("rate(1 day)", True),
        ("cron(0 3 * * * *)", False),
        ("cron(0 3 1 * MON *)", False),
        ("cron(0 3 ? * ? *)", False),
        ("cron(0 3 * * *)", False),
        ("0 3 * * *", False),
    ],
)
def test_a_schedule_names_only_one_of_the_days(schedule: str, *, is_taken: bool) -> None:
    """EventBridge needs a ? for the day of the month or of the week, and reports it in the middle of a creation."""
    further = template.load(template.TEMPLATE.with_name("presign-siblings-prefix.yaml"))
    for loaded in (LOADED, further):
        pattern = loaded["Parameters"]["ScheduleExpression"]["AllowedPattern"]
        assert (re.fullmatch(pattern, schedule) is not None) is is_taken


def test_a_schedule_of_scheduler_passes_the_time_at_which_it_was_due() -> None:
    """No emulator replaces Scheduler's token. With a time in its place, the input is a job for the function."""
    schedule = RESOURCES["Schedule"]["Properties"]
    due = schedule["Target"]["Input"].replace("<aws.scheduler.scheduled-time>", "2026-04-01T06:00:00Z")
    assert json.loads(due) == {"time": "2026-04-01T06:00:00Z"}
    trust = RESOURCES["ScheduleRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"][0]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_the_queues_times_fit_the_functions_timeout() -> None:
    """AWS requires six timeouts, and at least five tries, since a throttled batch counts as one."""
    parameters = LOADED["Parameters"]
    assert DEFAULTS["QueueVisibilitySeconds"] >= 6 * parameters["Timeout"]["MaxValue"]
    queue = resolver().resolve({k: v for k, v in RESOURCES["JobsQueue"]["Properties"].items() if k != "RedrivePolicy"})
    assert queue["VisibilityTimeout"] == DEFAULTS["QueueVisibilitySeconds"]
    redrive = RESOURCES["JobsQueue"]["Properties"]["RedrivePolicy"]
    assert redrive["maxReceiveCount"] >= 5
    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": ["DeadLetters", "Arn"]}
    assert RESOURCES["DeadLetters"]["Properties"]["MessageRetentionPeriod"] > queue["MessageRetentionPeriod"]


def test_a_failed_message_is_retried_alone() -> None:
    """And the poller never takes the concurrency that the siblings need."""
    mapping = RESOURCES["QueueMapping"]["Properties"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["ScalingConfig"]["MaximumConcurrency"] + 1 < int(DEFAULTS["ReservedConcurrency"])
    assert mapping["BatchSize"] == {"Ref": "QueueBatchSize"}


def test_no_queue_is_made_by_default() -> None:
    """Nor a right to read one."""
    stack = resolver(CreateQueue="false")
    assert [name for name, _ in stack.resources("AWS::SQS::Queue")] == ["FailedEvents"]
    assert [name for name, _ in stack.resources("AWS::Lambda::EventSourceMapping")] == []


def test_a_manifest_outlives_its_urls_and_a_job_its_upload() -> None:
    """Seven days are the longest life of a URL; after two days S3 aborts an unfinished upload."""
    parameters = LOADED["Parameters"]
    assert parameters["ManifestExpiryDays"]["MinValue"] * 86400 > MAX_EXPIRY_SECONDS
    rules = {
        rule["Id"]: rule
        for rule in resolver(CreateBucket="true").resolve(
            RESOURCES["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
        )
    }
    assert {rule["Status"] for rule in rules.values()} == {"Enabled"}
    assert rules["manifests-expire"]["Prefix"] == "manifests/"
    assert rules["manifests-expire"]["ExpirationInDays"] == DEFAULTS["ManifestExpiryDays"]
    assert rules["checkpoints-expire"]["Prefix"] == "manifests/.checkpoints/"
    abort = rules["unfinished-uploads-abort"]["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"]
    assert abort * 86400 > MOST_JOB_SECONDS
    assert rules["checkpoints-expire"]["ExpirationInDays"] >= abort


def test_a_bucket_of_the_stack_is_encrypted_closed_and_outlives_it() -> None:
    """Manifests are credentials. A bucket left by a failed creation would prevent the next one."""
    bucket = RESOURCES["Bucket"]
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert (bucket["DeletionPolicy"], bucket["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


@pytest.mark.parametrize(
    ("parameters", "names"),
    [
        ({}, []),
        ({"CreateBucket": "true"}, ["reports"]),
        ({"CreateBucket": "true", "ManifestBucket": "manifests"}, ["manifests"]),
    ],
)
def test_the_stack_makes_the_bucket_of_the_manifests_when_asked(parameters: dict[str, str], names: list[str]) -> None:
    """It never makes an existing one, the usual case."""
    stack = resolver(**parameters)
    made = [properties["BucketName"] for _, properties in stack.resources("AWS::S3::Bucket")]
    assert [stack.resolve(name) for name in made] == names


def test_the_role_only_reads_the_prefix_and_writes_the_manifests() -> None:
    """Each right is on the narrowest resource that IAM supports."""
    statements = _statements(ManifestBucket="manifests", ManifestPrefix="out/")
    assert statements["ListThePdfs"]["Resource"] == "arn:aws:s3:::reports"
    assert statements["ListThePdfs"]["Condition"] == {"StringLike": {"s3:prefix": "inbox/*"}}
    assert statements["SignThePdfs"]["Resource"] == "arn:aws:s3:::reports/inbox/*"
    assert statements["SignThePdfs"]["Action"] == "s3:GetObject"
    assert statements["WriteAndSignTheManifests"]["Resource"] == "arn:aws:s3:::manifests/out/*"
    function = "arn:aws:lambda:eu-west-1:000000000000:function:presign_siblings"
    assert statements["SpawnSiblings"]["Resource"] == [function, f"{function}:*"]


def test_the_jobs_table_expires_records_is_encrypted_and_billed_by_use() -> None:
    """No emulator keeps the TTL: without it the table would only grow. The key is the ledger's."""
    table = RESOURCES["JobsTable"]
    properties = table["Properties"]
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}
    assert properties["KeySchema"] == [{"AttributeName": "job_key", "KeyType": "HASH"}]
    assert properties["AttributeDefinitions"] == [{"AttributeName": "job_key", "AttributeType": "S"}]
    assert resolver().resolve(properties["SSESpecification"]) == {"SSEEnabled": True, "SSEType": "KMS"}
    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert (table["DeletionPolicy"], table["UpdateReplacePolicy"]) == ("Delete", "Delete")
    assert _environment()["JOBS_TABLE"] == "JobsTable"


@pytest.mark.parametrize(("asked", "kept"), [("false", False), ("true", True)])
def test_the_jobs_table_is_recoverable_when_asked(asked: str, *, kept: bool) -> None:
    """Its records live two weeks: most deployments need no recovery."""
    recovery = RESOURCES["JobsTable"]["Properties"]["PointInTimeRecoverySpecification"]
    resolved = resolver(JobsTableRecovery=asked).resolve(recovery)
    assert resolved == {"PointInTimeRecoveryEnabled": kept}


def test_the_role_uses_the_ledger_and_reads_its_own_recursion_guard() -> None:
    """Three actions on one table: no scan, no removal; and one look-up of one function."""
    statements = _statements()
    assert statements["KeepTheLedger"]["Action"] == ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    assert statements["KeepTheLedger"]["Resource"] == {"Fn::GetAtt": ["JobsTable", "Arn"]}
    guard = statements["ReadItsRecursionGuard"]
    assert guard["Action"] == "lambda:GetFunctionRecursionConfig"
    assert guard["Resource"] == "arn:aws:lambda:eu-west-1:000000000000:function:presign_siblings"


SCHEDULE = "arn:aws:scheduler:eu-west-1:000000000000:schedule/default/nightly"
OWN_SCHEDULE = "arn:aws:scheduler:eu-west-1:000000000000:schedule/default/presign_siblings_schedule"
SIGNER = "arn:aws:iam::000000000000:role/signer"
SECRET = "arn:aws:secretsmanager:eu-west-1:000000000000:secret:signer-??????"
ACL = "bucket-owner-full-control"
KEY = "arn:aws:kms:eu-west-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
VPC = [
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
]
TRACE = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
RECEIVE = ["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]


@pytest.mark.parametrize(
    ("parameters", "granted"),
    [
        ({}, []),
        ({"SchedulerScheduleArn": SCHEDULE}, [("scheduler:GetSchedule", [SCHEDULE])]),
        ({"ScheduleEngine": "scheduler"}, [("scheduler:GetSchedule", [OWN_SCHEDULE])]),
        (
            {"ScheduleEngine": "scheduler", "SchedulerScheduleArn": SCHEDULE},
            [("scheduler:GetSchedule", [OWN_SCHEDULE, SCHEDULE])],
        ),
        ({"SigningRoleArn": SIGNER}, [("sts:AssumeRole", SIGNER)]),
        ({"SigningSecret": "signer"}, [("secretsmanager:GetSecretValue", SECRET)]),
        ({"CreateQueue": "true"}, [(RECEIVE, {"Fn::GetAtt": ["JobsQueue", "Arn"]})]),
        ({"ManifestKmsKeyArn": KEY}, [(["kms:Decrypt", "kms:GenerateDataKey"], KEY)]),
        ({"PdfKmsKeyArn": KEY}, [("kms:Decrypt", KEY)]),
        ({"SecretKmsKeyArn": KEY}, [("kms:Decrypt", KEY)]),
        ({"ManifestAcl": ACL}, [("s3:PutObjectAcl", "arn:aws:s3:::reports/manifests/*")]),
        ({"StackKmsKeyArn": KEY}, [(["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey"], KEY)]),
    ],
)
def test_optional_rights_are_granted_only_for_named_resources(
    parameters: dict[str, str], granted: list[tuple[Any, Any]]
) -> None:
    """A schedule, a role or a secret to sign with, a queue, X-Ray, a KMS key: each by its own name."""
    stack = resolver(**{"CreateQueue": "false", "CreateStateMachine": "false", **parameters})
    statements = [
        (each["Action"], each["Resource"] if "Fn::GetAtt" in each["Resource"] else stack.resolve(each["Resource"]))
        for _, policy in stack.resources("AWS::IAM::Policy")
        for each in policy["PolicyDocument"]["Statement"]
    ]
    assert statements == granted


@pytest.mark.parametrize(
    ("parameters", "granted"),
    [({}, []), ({"Tracing": "Active"}, [(TRACE, "*")]), ({"SubnetIds": "subnet-1,subnet-2"}, [(VPC, "*")])],
)
def test_rights_that_lambda_requires_at_creation_are_in_the_role_itself(
    parameters: dict[str, str], granted: list[tuple[Any, Any]]
) -> None:
    """A separate policy is made beside the function, sometimes after it: the first deployment then fails."""
    (policy,) = RESOURCES["LambdaPresignSiblingsRole"]["Properties"]["Policies"]
    conditional = [each for each in policy["PolicyDocument"]["Statement"] if "Fn::If" in each]
    statements = resolver(**parameters).resolve(conditional)
    assert [(each["Action"], each["Resource"]) for each in statements] == granted


@pytest.mark.parametrize(
    ("policy", "services"),
    [
        ("ManifestKeyPermissions", "s3.eu-west-1.amazonaws.com"),
        ("PdfKeyPermissions", "s3.eu-west-1.amazonaws.com"),
        ("SecretKeyPermissions", "secretsmanager.eu-west-1.amazonaws.com"),
        ("StackKeyPermissions", ["dynamodb.eu-west-1.amazonaws.com", "sqs.eu-west-1.amazonaws.com"]),
    ],
)
def test_a_key_serves_the_role_only_through_its_service(policy: str, services: str | list[str]) -> None:
    """The role itself can decrypt nothing. MiniStack ignores keys when it reads an object: only this test shows it."""
    (statement,) = RESOURCES[policy]["Properties"]["PolicyDocument"]["Statement"]
    assert resolver().resolve(statement["Condition"]) == {"StringEquals": {"kms:ViaService": services}}


def test_the_stacks_bucket_refuses_plain_http() -> None:
    """Every action, on the bucket and on each object in it, by any principal."""
    assert [name for name, _ in resolver(CreateBucket="false").resources("AWS::S3::BucketPolicy")] == []
    made = resolver(CreateBucket="true", ManifestBucket="manifests")
    ((_, policy),) = made.resources("AWS::S3::BucketPolicy")
    (statement,) = made.resolve(policy["PolicyDocument"]["Statement"])
    assert (statement["Effect"], statement["Principal"], statement["Action"]) == ("Deny", "*", "s3:*")
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Resource"] == ["arn:aws:s3:::Bucket", "arn:aws:s3:::Bucket/*"]


def test_a_key_encrypts_the_resources_that_it_is_named_for() -> None:
    """Without a key, the stack's resources are still encrypted."""
    keyed = resolver(ManifestKmsKeyArn=KEY, StackKmsKeyArn=KEY, CreateBucket="true")
    (rule,) = keyed.resolve(RESOURCES["Bucket"]["Properties"]["BucketEncryption"]["ServerSideEncryptionConfiguration"])
    assert rule == {
        "BucketKeyEnabled": True,
        "ServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
    }
    assert keyed.resolve(FUNCTION["Environment"]["Variables"])["MANIFEST_KMS_KEY"] == KEY
    assert "MANIFEST_KMS_KEY" not in _environment()
    own = resolver(ManifestKmsKeyArn="AES256")
    assert own.resolve(FUNCTION["Environment"]["Variables"])["MANIFEST_KMS_KEY"] == "AES256"
    assert not own.resolve({"Fn::If": ["HasManifestKey", True, False]})
    assert keyed.resolve(RESOURCES["JobsTable"]["Properties"]["SSESpecification"])["KMSMasterKeyId"] == KEY
    assert keyed.resolve(RESOURCES["LogGroup"]["Properties"]["KmsKeyId"]) == KEY
    for queue in ("FailedEvents", "JobsQueue", "DeadLetters"):
        properties = RESOURCES[queue]["Properties"]
        assert keyed.resolve(properties["KmsMasterKeyId"]) == KEY
        assert resolver().resolve(properties["SqsManagedSseEnabled"]) is True


def test_the_role_grants_the_manifests_only_to_the_owner_of_their_bucket() -> None:
    """S3 checks the right where a request names an ACL; with another ACL a manifest could be public."""
    (statement,) = RESOURCES["ManifestAclPermissions"]["Properties"]["PolicyDocument"]["Statement"]
    assert resolver(ManifestAcl=ACL).resolve(statement["Condition"]) == {"StringEquals": {"s3:x-amz-acl": ACL}}
    assert _environment(ManifestAcl=ACL)["MANIFEST_ACL"] == ACL
    assert LOADED["Parameters"]["ManifestAcl"]["AllowedValues"] == ["", ACL]


def test_the_role_announces_manifests_only_from_its_own_source_and_on_one_bus() -> None:
    """With another source, an event could start what others have built on it."""
    statement = _statements(EventBusName="reports")["AnnounceManifests"]
    assert statement["Action"] == "events:PutEvents"
    assert statement["Resource"] == "arn:aws:events:eu-west-1:000000000000:event-bus/reports"
    condition = {"events:source": "presign-siblings", "events:detail-type": "Manifest Complete"}
    assert statement["Condition"] == {"StringEqualsIfExists": condition}
    assert _environment(EventBusName="reports")["EVENT_BUS"] == "reports"


ALARMS = {name: each["Properties"] for name, each in RESOURCES.items() if each["Type"] == "AWS::CloudWatch::Alarm"}


def test_every_alarm_uses_an_existing_metric() -> None:
    """A misspelt name is an alarm that never fires: ours by the code's list, AWS's by AWS's documentation."""
    ours = {each["MetricName"] for each in ALARMS.values() if each["Namespace"] == {"Ref": "MetricsNamespace"}}
    sums = {"Parked", "PresignErrors", "ExpiredManifests", "EmptyManifests", "Invalid", "Completed"}
    assert ours == sums | {"HopBudgetPercent"}
    assert ours <= {*METRICS}
    theirs = {(each["Namespace"], each["MetricName"]) for each in ALARMS.values() if each["MetricName"] not in ours}
    assert theirs == {
        ("AWS/Lambda", "Errors"),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
        ("AWS/Events", "TriggeredRules"),
    }


def test_every_alarm_has_the_dimension_of_its_metric() -> None:
    """Our metrics have only the dimension Function, as the handler writes it."""
    for name, alarm in ALARMS.items():
        (dimension,) = alarm["Dimensions"]
        ours = alarm["Namespace"] == {"Ref": "MetricsNamespace"}
        services = {"AWS/Lambda": "FunctionName", "AWS/SQS": "QueueName", "AWS/Events": "RuleName"}
        assert dimension["Name"] == ("Function" if ours else services[alarm["Namespace"]]), name


def test_only_the_alarm_of_completion_fires_without_data() -> None:
    """For the others no data is good news."""
    ringing = {name for name, alarm in ALARMS.items() if alarm["TreatMissingData"] == "breaching"}
    assert ringing == {"NoCompletionAlarm"}
    alarm = ALARMS["NoCompletionAlarm"]
    assert (alarm["Period"], alarm["EvaluationPeriods"]) == (3600, {"Ref": "CompletionHours"})
    assert (alarm["Threshold"], alarm["ComparisonOperator"], alarm["Statistic"]) == (1, "LessThanThreshold", "Sum")
    # CloudWatch evaluates a week at most.
    assert alarm["Period"] * LOADED["Parameters"]["CompletionHours"]["MaxValue"] <= 7 * 86400


def test_the_alarm_of_the_hop_budget_lasts_from_hop_to_hop() -> None:
    """A hop writes its metric at its end: each time a mail reported an end and a new start."""
    alarm, longest = ALARMS["HopBudgetAlarm"], LOADED["Parameters"]["Timeout"]["MaxValue"]
    assert (alarm["DatapointsToAlarm"], alarm["TreatMissingData"]) == (1, "notBreaching")
    waits = 300  # Lambda's longest between two tries of a sibling that finds no concurrency
    assert alarm["EvaluationPeriods"] * alarm["Period"] > longest + waits + alarm["Period"]


@pytest.mark.parametrize("quiet", [{"CompletionHours": "0"}, {"ScheduleState": "DISABLED"}])
def test_no_completion_is_expected_where_nothing_is_scheduled(quiet: dict[str, str]) -> None:
    """Otherwise a kill switch would keep the alarm firing."""
    made = {name for name, _ in resolver(**quiet).resources("AWS::CloudWatch::Alarm")}
    assert set(ALARMS) - made == {"NoCompletionAlarm"}


def test_alarms_notify_the_named_address() -> None:
    """By the stack's own topic, to which it subscribes."""
    stack = resolver(AlarmEmail="ann@example.com")
    assert stack.resolve(ALARMS["ErrorsAlarm"]["AlarmActions"]) == [stack.resolve({"Ref": "AlarmTopic"})]
    topic = RESOURCES["AlarmTopic"]
    assert topic["Condition"] == "HasAlarmEmail"
    assert topic["Properties"]["Subscription"] == [{"Protocol": "email", "Endpoint": {"Ref": "AlarmEmail"}}]


def test_alarms_notify_the_named_topic() -> None:
    """At their start and at their end; without a topic they only change their state."""
    topic = "arn:aws:sns:eu-west-1:000000000000:alarms"
    for alarm in ALARMS.values():
        for actions in ("AlarmActions", "OKActions"):
            assert resolver(AlarmTopicArn=topic).resolve(alarm[actions]) == [topic]
            assert resolver().resolve(alarm[actions]) == []


def test_the_dashboard_shows_existing_metrics() -> None:
    """Its body is JSON with parameters alone, and the code writes every metric of ours in it."""
    body = json.loads(resolver().resolve(RESOURCES["Dashboard"]["Properties"]["DashboardBody"]))
    rows = [metric for widget in body["widgets"] for metric in widget["properties"]["metrics"]]
    shown, namespace = set(), ""
    for row in rows:
        namespace = namespace if row[0] in {".", "..."} else row[0]
        shown |= {(namespace, row[1])} if row[0] != "..." else set()
    ours = {name for namespace, name in shown if namespace == "PresignSiblings"}
    assert ours <= {*METRICS}
    assert {"PDFsProcessed", "Hop", "DurationMs", "ManifestBytes", "Parked"} <= ours
    assert ("AWS/Lambda", "ConcurrentExecutions") in shown
    assert {("AWS/States", f"Executions{how}") for how in ("Failed", "Aborted", "TimedOut")} <= shown


@pytest.mark.parametrize("mode", ["PassThrough", "Active"])
def test_xray_samples_when_asked(mode: str) -> None:
    """Not by default: it costs, and siblings are many."""
    assert resolver(Tracing=mode).resolve(FUNCTION["TracingConfig"]) == {"Mode": mode}
    assert DEFAULTS["Tracing"] == "PassThrough"


def test_the_function_joins_a_vpc_when_subnets_are_named() -> None:
    """Otherwise it needs no network of the account."""
    vpc = {"VpcConfig": FUNCTION["VpcConfig"]}
    found = resolver(SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-1").resolve(vpc)
    assert found == {"VpcConfig": {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}}
    assert resolver().resolve(vpc) == {}


def test_a_boundary_applies_to_every_role() -> None:
    """An operator who may deploy only with a boundary can deploy this stack."""
    boundary = "arn:aws:iam::000000000000:policy/boundary"
    roles = [each["Properties"] for each in RESOURCES.values() if each["Type"] == "AWS::IAM::Role"]
    assert len(roles) == 3
    for role in roles:
        bound = {"PermissionsBoundary": role["PermissionsBoundary"]}
        assert resolver(PermissionsBoundaryArn=boundary).resolve(bound) == {"PermissionsBoundary": boundary}
        assert resolver().resolve(bound) == {}


def test_the_role_writes_only_into_its_own_log_group() -> None:
    """GetAtt gives the group's ARN with ``:*`` after it, as IAM needs it for streams; MiniStack does not."""
    statement = _statements()["WriteLogs"]
    assert statement["Resource"] == {"Fn::GetAtt": ["LogGroup", "Arn"]}
    assert statement["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]


def test_log_lines_are_kept_for_the_chosen_time() -> None:
    """A log group that Lambda itself creates keeps them for ever."""
    assert RESOURCES["LogGroup"]["Properties"]["RetentionInDays"] == {"Ref": "LogRetentionDays"}
    assert DEFAULTS["LogRetentionDays"] == 30
    assert FUNCTION["LoggingConfig"]["LogGroup"] == {"Ref": "LogGroup"}


@pytest.mark.parametrize(
    ("parameters", "watched"),
    [
        ({}, None),
        ({"SchedulerScheduleArn": SCHEDULE}, SCHEDULE),
        ({"ScheduleEngine": "scheduler"}, "default/presign_siblings_schedule"),
        (
            {"ScheduleEngine": "scheduler", "SchedulerScheduleArn": SCHEDULE},
            f"default/presign_siblings_schedule,{SCHEDULE}",
        ),
    ],
)
def test_the_kill_switch_knows_the_schedules_by_their_names(parameters: dict[str, str], watched: str | None) -> None:
    """EventBridge Scheduler has no look-up by target: a schedule without a name is not watched."""
    assert _environment(**parameters).get("SCHEDULER_SCHEDULES") == watched


@pytest.mark.parametrize(("named", "owner"), [("", "000000000000"), ("111111111111", "111111111111")])
def test_a_bucket_of_another_account_is_refused_unless_the_account_is_named(named: str, owner: str) -> None:
    """Bucket names are global: a deleted bucket's name may come back as another account's."""
    assert _environment(BucketOwner=named)["EXPECTED_BUCKET_OWNER"] == owner
    assert "MANIFEST_BUCKET_OWNER" not in _environment(BucketOwner=named)
    assert _environment(ManifestBucketOwner="222222222222")["MANIFEST_BUCKET_OWNER"] == "222222222222"


def test_no_right_has_a_wildcard_that_iam_can_avoid() -> None:
    """A few actions have no resource type, or are for resources to be created; and no action is a pattern."""
    every = role_statements()
    assert "*" not in json.dumps([statement["Action"] for statement in every])
    everywhere = {each["Sid"]: each["Action"] for each in every if each["Resource"] == "*"}
    assert everywhere == {
        "FindRulesAndConcurrency": ["cloudwatch:GetMetricData", "events:ListRuleNamesByTarget"],
        "JoinTheVpc": VPC,
        "Trace": TRACE,
    }


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"Prefix": ""},
        {"Prefix": "in/{yyyy}/", "AllowedPrefix": "in/"},
        {"ManifestBucket": "manifests"},
    ],
)
def test_the_allow_lists_match_the_role(parameters: dict[str, str]) -> None:
    """A caller chooses bucket and prefix: the function refuses an event before IAM refuses it."""
    environment, statements = _environment(**parameters), _statements(**parameters)
    reach = environment["ALLOWED_PREFIXES"]
    assert statements["SignThePdfs"]["Resource"] == f"arn:aws:s3:::reports/{reach}*"
    assert statements["ListThePdfs"]["Condition"]["StringLike"]["s3:prefix"] == f"{reach}*"
    written = statements["WriteAndSignTheManifests"]["Resource"].removeprefix("arn:aws:s3:::").split("/")[0]
    assert set(environment["ALLOWED_BUCKETS"].split(",")) == {"reports", written}


def test_a_variable_that_would_be_empty_is_left_out() -> None:
    """An empty value is a value in the contract: it has a meaning only for SUFFIX and ALLOWED_PREFIXES."""
    environment = _environment(Prefix="", Suffix="")
    assert {name for name, value in environment.items() if value == ""} == {"SUFFIX", "ALLOWED_PREFIXES"}
    assert "PREFIX" not in environment
    assert "MANIFEST_BUCKET" not in environment


def test_the_defaults_of_the_stack_make_a_valid_deployment() -> None:
    """The processor itself reads every variable, by the template's names."""
    deployment = importlib.import_module("processor.job.deployment_settings")
    environment = {name: str(value) for name, value in _environment().items()}
    read = deployment.DeploymentSettings.from_environment(environment, {})
    assert (read.max_hops, read.max_job_seconds, read.shutdown_period) == (100, 86400, 10)
    assert read.allowed_buckets == {"reports"}
    assert (read.queue_max, _environment(QueueMax="500")["QUEUE_MAX"]) == (None, "500")
    assert environment["URL_EXPIRY_SECONDS"] == "43200"
    fields = importlib.import_module("processor.job.fields").FIELDS.values()
    response = {"Disposition": "inline", "Filename": "{name}", "ContentType": "text/plain", "CacheControl": "no-store"}
    chosen = ("Fields", "Include", "Exclude", "ModifiedSince", "ModifiedBefore", "MinSize", "MaxSize", "StorageClasses")
    response |= dict.fromkeys((*chosen, "Prefixes", "KeysFrom", "Refresh", "IpRange", "StartsAt", "ManifestKey"), "1")
    response |= dict.fromkeys(("PageTitle", "PageContact"), "1")
    assert {field.env for field in fields if field.env} <= {*_environment(**response), "MANIFEST_BUCKET"}


def test_the_rows_of_sosw_exist_only_with_sosw() -> None:
    """Without sosw's stack there is no worker assistant to import, and no config table to read."""
    assert RESOURCES["SoswPermissions"]["Condition"] == "WithSosw"
    assert _environment()["SOSW_CONFIG"] == "none"
    assert "ImportValue" not in json.dumps(RESOURCES["LambdaPresignSiblingsRole"])


def test_the_template_needs_a_change_set_from_s3() -> None:
    """CloudFormation takes a megabyte from there, and 51,200 bytes in the request itself."""
    assert len(template.TEMPLATE.read_bytes()) <= 1_000_000


def test_a_further_prefix_has_a_rule_that_keeps_the_time() -> None:
    """Its input transformer makes a job of that prefix at the event's own time."""
    further = template.load(template.TEMPLATE.with_name("presign-siblings-prefix.yaml"))
    parameters = {"Name": "invoices", "Prefix": "inbox/{yyyy}/", "NameUnderscored": "presign_siblings"}
    stack = template.Resolver(further, {**parameters, **PSEUDO})
    (target,) = further["Resources"]["ScheduledRule"]["Properties"]["Targets"]
    transformer = stack.resolve(target["InputTransformer"])
    assert transformer["InputPathsMap"] == {"time": "$.time"}
    made = json.loads(transformer["InputTemplate"].replace("<time>", "2026-04-01T03:00:00Z"))
    assert made == {"prefix": "inbox/{yyyy}/", "time": "2026-04-01T03:00:00Z"}
    assert target["Arn"] == {"Fn::ImportValue": {"Fn::Sub": "sosw-${NameDashed}-arn"}}
    permission = further["Resources"]["PermissionForTheRule"]["Properties"]
    assert permission["SourceArn"] == {"Fn::GetAtt": ["ScheduledRule", "Arn"]}
    assert permission["FunctionName"] == target["Arn"]


@pytest.mark.parametrize("prefix", ['a"b', "a\\b", "<time>", "a*", "a?", "${x}", "a,b"])
def test_a_prefix_that_would_break_the_rules_input_or_the_role_is_refused(prefix: str) -> None:
    """Quotes and backslashes end the JSON, angle brackets are the transformer's, wildcards are IAM's."""
    further = template.load(template.TEMPLATE.with_name("presign-siblings-prefix.yaml"))
    assert not re.fullmatch(further["Parameters"]["Prefix"]["AllowedPattern"], prefix)


def test_the_longest_name_leaves_room_for_the_names_derived_from_it() -> None:
    """Names of roles, rules and schedules have 64 characters: one more fails in the middle of the creation."""
    longest = next(
        n for n in range(99, 0, -1) if re.fullmatch(LOADED["Parameters"]["NameUnderscored"]["AllowedPattern"], n * "a")
    )
    stack = resolver(NameUnderscored=longest * "a")
    named = {"AWS::IAM::Role": "RoleName", "AWS::Events::Rule": "Name", "AWS::Scheduler::Schedule": "Name"}
    lengths = [
        len(stack.resolve(each["Properties"][named[each["Type"]]]))
        for each in RESOURCES.values()
        if each["Type"] in named
    ]
    assert max(lengths) == 64


@pytest.mark.parametrize("point", [None, "arn:aws:s3:eu-west-1:000000000000:accesspoint/inbox"])
def test_versions_are_listed_and_signed_where_the_job_reads(point: str | None) -> None:
    """S3 checks the access point's ARN where a request names one."""
    stack = resolver(VersionIds="true", AccessPointArn=point or "")
    listed, signed = RESOURCES["VersionPermissions"]["Properties"]["PolicyDocument"]["Statement"]
    assert stack.resolve(listed["Resource"]) == ["arn:aws:s3:::reports", *filter(None, [point])]
    objects = [f"{point}/object/inbox/*"] if point else []
    assert stack.resolve(signed["Resource"]) == ["arn:aws:s3:::reports/inbox/*", *objects]


def test_every_output_is_exported_under_a_dashed_name_of_sosw() -> None:
    """An operator who knows sosw looks for it there."""
    exports = [resolver().resolve(output["Export"]["Name"]) for output in LOADED["Outputs"].values()]
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
        fields = importlib.import_module("processor.job.fields").FIELDS
        assert not set(content) & {name for name, field in fields.items() if field.env}


@pytest.mark.parametrize(("hours", "expression"), [("1", "rate(1 hour)"), ("6", "rate(6 hours)")])
def test_the_stable_manifest_is_refreshed_by_a_job_that_reads_the_current_one(hours: str, expression: str) -> None:
    """At the event's own time; without a key, or without hours, there is no such rule."""
    stack = resolver(ManifestKey="manifests/latest.jsonl", RefreshHours=hours)
    rule = dict(stack.resources("AWS::Events::Rule"))["RefreshRule"]
    assert stack.resolve(rule["ScheduleExpression"]) == expression
    (target,) = rule["Targets"]
    template_ = stack.resolve(target["InputTransformer"])["InputTemplate"]
    event = json.loads(template_.replace("<time>", "2026-04-01T03:00:00Z"))
    job = Job.from_event(
        event,
        config={},
        environment={name: str(value) for name, value in _environment(ManifestKey="manifests/latest.jsonl").items()},
        deployment=DeploymentSettings.from_environment(_environment(), {}),
        now=datetime(2026, 4, 1, tzinfo=UTC),
    )
    assert job.refreshes_stable
    for given in ({"ManifestKey": "manifests/latest.jsonl"}, {"RefreshHours": hours}):
        assert "RefreshRule" not in dict(resolver(**given).resources("AWS::Events::Rule"))


def test_the_state_machine_gives_each_range_to_a_chain_and_then_gathers_them() -> None:
    """As many at once as the job allows; a failed range stops no other, and the last state decides."""
    chains, gather = definition()["States"]["Chains"], definition()["States"]["Gather"]
    assert chains["ItemReader"]["ReaderConfig"] == {"InputType": "JSONL"}
    assert (chains["MaxConcurrencyPath"], chains["ToleratedFailurePercentage"]) == ("$.chains", 100)
    assert chains["ItemProcessor"]["ProcessorConfig"] == {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
    assert chains["Next"] == chains["Catch"][0]["Next"] == "Gather"
    assert chains["Catch"][0]["ErrorEquals"] == ["States.ALL"]
    assert gather["End"]


@pytest.mark.parametrize("name", ["Range", "Gather"])
def test_a_silent_task_of_the_state_machine_is_given_out_again(name: str) -> None:
    """
    Later than Lambda's own two retries (1 and 2 minutes) and a lease: otherwise each crash would cause two starts.

    Moto's interpreter reports a missed heartbeat as a timeout: only the definition shows that it is retried.
    """
    states = definition()["States"]
    task = states["Gather"] if name == "Gather" else states["Chains"]["ItemProcessor"]["States"]["Range"]
    assert task["Resource"] == "arn:aws:states:::lambda:invoke.waitForTaskToken"
    assert task["Parameters"]["FunctionName"] == "LiveAlias"
    assert task["Parameters"]["InvocationType"] == "Event"
    assert task["Parameters"]["Payload"]["task_token.$"] == "$$.Task.Token"
    assert 60 + 120 + 45 < task["HeartbeatSeconds"] < task["TimeoutSeconds"]
    assert task["TimeoutSeconds"] > MOST_JOB_SECONDS
    retried = [error for each in task["Retry"] for error in each["ErrorEquals"]]
    assert "States.HeartbeatTimeout" in retried
    assert "States.Timeout" not in retried
    assert not {"Parked", "Failed", "States.ALL", "States.TaskFailed"} & set(retried)


def test_the_function_gets_the_event_of_each_execution_that_ends_without_its_job() -> None:
    """Otherwise the job would wait for ever; a job that has parked or failed by itself has reported it already."""
    rule = resolver().resolve(RESOURCES["ExecutionsRule"]["Properties"])
    assert rule["Targets"] == [{"Id": "presign-siblings-executions", "Arn": "LiveAlias"}]
    pattern = rule["EventPattern"]
    assert pattern["detail"]["stateMachineArn"] == ["StateMachine"]  # and not its ranges' executions
    stopped, failed = pattern["detail"]["$or"]
    assert stopped == {"status": ["ABORTED", "TIMED_OUT"]}
    assert failed == {"status": ["FAILED"], "error": [{"anything-but": ["Parked", "Failed"]}]}
    assert pattern["detail-type"] == [EXECUTION_ENDED]
    assert ALARMS["ExecutionsAlarm"]["Dimensions"] == [{"Name": "RuleName", "Value": {"Ref": "ExecutionsRule"}}]


def test_the_state_machine_keeps_no_log_that_would_have_tokens() -> None:
    """A log of its executions has the tasks' parameters."""
    assert "LoggingConfiguration" not in RESOURCES["StateMachine"]["Properties"]


@pytest.mark.parametrize(("made", "arn"), [("true", True), ("false", False)])
def test_the_state_machine_and_every_right_on_it_can_be_left_out(made: str, *, arn: bool) -> None:
    """The function then refuses several chains by name."""
    stack = resolver(CreateStateMachine=made)
    names = [
        name
        for kind in ("AWS::StepFunctions::StateMachine", "AWS::IAM::Role", "AWS::IAM::Policy")
        for name, _ in stack.resources(kind)
    ]
    assert ({"StateMachine", "StateMachineRole", "ChainsPermissions"} <= set(names)) is arn
    ends = {*dict(stack.resources("AWS::Events::Rule")), *dict(stack.resources("AWS::CloudWatch::Alarm"))}
    assert ({"ExecutionsRule", "ExecutionsAlarm"} <= ends) is arn
    assert ("STATE_MACHINE_ARN" in _environment(CreateStateMachine=made)) is arn


def test_the_function_may_use_only_this_state_machine() -> None:
    """To start it, to read its state, and to report its tasks."""
    statements = RESOURCES["ChainsPermissions"]["Properties"]["PolicyDocument"]["Statement"]
    resources = json.dumps([resolver().resolve(each["Resource"]) for each in statements])
    assert set(re.findall(r":(stateMachine|execution):(\w+)", resources)) == {
        ("stateMachine", "presign_siblings"),
        ("execution", "presign_siblings"),
    }
    machine = DeploymentSettings.from_environment(_environment(), {}).state_machine
    assert machine == resolver().resolve(statements[0]["Resource"])


def test_each_pattern_has_words() -> None:
    """A message that only shows a regular expression does not say what to write."""
    patterns = {name: each for name, each in LOADED["Parameters"].items() if "AllowedPattern" in each}
    assert [name for name, each in patterns.items() if "ConstraintDescription" not in each] == []
