"""
Each right of the role, in both directions, with IAM enforced: the job's calls are allowed, and similar ones denied.

An allowed call may still fail for another reason (there is no such secret yet): only IAM's own refusal counts.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import boto3
import pytest
from botocore.exceptions import ClientError

from dev.aws import emulator, ministack, stack
from processor.errors import error_code
from tests.e2e.roles import as_role
from tests.stack_template import role_statements

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dev.aws.emulator import ClientOptions, Emulator
    from dev.aws.stack import Stack

pytestmark = pytest.mark.e2e

ARN = f"{ministack.REGION}:{ministack.ACCOUNT}"
ROLE = f"arn:aws:iam::{ministack.ACCOUNT}:role"
ASSISTANT = f"arn:aws:lambda:{ARN}:function:sosw_worker_assistant"
FURTHER = f"arn:aws:scheduler:{ARN}:schedule/default/nightly"
BUCKET, PDF, MANIFEST = stack.BUCKET, "inbox/a.pdf", "manifests/x"
RULE = {"EventPattern": '{"source": ["none"]}'}
REFUSED = {"AccessDenied", "AccessDeniedException", "403"}
# Of the whole stack: a stack of sosw's that exports the worker assistant.
SOSW = {
    "Resources": {"Nothing": {"Type": "AWS::SQS::Queue"}},
    "Outputs": {"Assistant": {"Value": ASSISTANT, "Export": {"Name": "sosw-lambda-worker-assistant"}}},
}


class Account(NamedTuple):
    """An account with a stack that has each right, and with neighbours of what each right opens."""

    running: Emulator
    stack: Stack
    role: ClientOptions
    keys: dict[str, str]

    def root(self, service: Any) -> Any:
        """Return a client of the account itself."""
        return boto3.client(service, **self.running.options)

    def client(self, service: Any) -> Any:
        """Return a client of the role."""
        return boto3.client(service, **self.role)

    def url(self, queue: str) -> str:
        """Return the URL of a queue."""
        return str(self.root("sqs").get_queue_url(QueueName=queue)["QueueUrl"])


Call = Callable[[Account], Any]


@pytest.fixture(scope="module")
def account() -> Iterator[Account]:
    """Create the resources that the stack names, the stack with each right that it can have, and the neighbours."""
    with emulator.running() as running:

        def root(service: Any) -> Any:
            return boto3.client(service, **running.options)

        names = ("manifests", "pdfs", "secrets", "stack", "other")
        keys = {name: root("kms").create_key()["KeyMetadata"]["Arn"] for name in names}
        trust = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ministack.ACCOUNT}:root"}}
        document = json.dumps({"Version": "2012-10-17", "Statement": [{**trust, "Action": "sts:AssumeRole"}]})
        root("secretsmanager").create_secret(Name="distribution", SecretString="key")
        for name in ("signer", "another"):
            root("iam").create_role(RoleName=name, AssumeRolePolicyDocument=document)
            root("secretsmanager").create_secret(Name=name, SecretString="{}")
            root("lambda").create_function(
                FunctionName=name,
                Runtime="python3.13",
                Role=f"{ROLE}/{name}",
                Handler="index.handler",
                Code={"ZipFile": _code()},
            )
        root("cloudformation").create_stack(StackName="sosw", TemplateBody=json.dumps(SOSW))
        root("cloudformation").get_waiter("stack_create_complete").wait(StackName="sosw", WaiterConfig={"Delay": 1})
        for table in ("config", "another"):
            root("dynamodb").create_table(
                TableName=table,
                KeySchema=[{"AttributeName": "job_key", "KeyType": "HASH"}],
                AttributeDefinitions=[{"AttributeName": "job_key", "AttributeType": "S"}],
                BillingMode="PAY_PER_REQUEST",
            )
        root("events").put_rule(Name="somebodys", **RULE)
        root("events").create_event_bus(Name="another")
        root("logs").create_log_group(logGroupName="/aws/lambda/another")
        created = stack.create(
            running,
            {
                "ScheduleEngine": "scheduler",
                "SchedulerScheduleArn": FURTHER,
                "Tracing": "Active",
                "SigningSecret": "signer",
                "VersionIds": "true",
                "AccessPointArn": f"arn:aws:s3:{ARN}:accesspoint/readers",
                "KeysPlace": "code/lists/",
                "CloudFrontDomain": "d111111abcdef8.cloudfront.net",
                "CloudFrontKeyPairId": "K2JCJMDEHXQW5F",
                "CloudFrontSecret": "distribution",
                "SigningRoleArn": f"{ROLE}/signer",
                "SoswConfig": "dynamodb",
                "ManifestKmsKeyArn": keys["manifests"],
                "PdfKmsKeyArn": keys["pdfs"],
                "SecretKmsKeyArn": keys["secrets"],
                "StackKmsKeyArn": keys["stack"],
            },
        )
        for key in (PDF, "private.pdf"):
            root("s3").put_object(Bucket=BUCKET, Key=key, Body=b"%PDF")
        root("s3").put_object(Bucket="code", Key="lists/keys.csv", Body=b"a.pdf")
        yield Account(running, created, as_role(running, created.role), keys)


def _code() -> bytes:
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as zipped:
        zipped.writestr("index.py", "def handler(event, context):\n    return event\n")
    return written.getvalue()


def s3(operation: str, bucket: str = BUCKET, **arguments: Any) -> Call:
    """Return a call to S3."""
    return lambda account: getattr(account.client("s3"), operation)(Bucket=bucket, **arguments)


def part(operation: str, key: str) -> Call:
    """Return a call to S3 about an upload that the account itself began."""

    def call(account: Account) -> Any:
        upload = account.root("s3").create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
        return getattr(account.client("s3"), operation)(Bucket=BUCKET, Key=key, UploadId=upload)

    return call


def does(service: str, operation: str, **arguments: Any) -> Call:
    """Return a call to a service; an argument that is a function is called with the account."""

    def call(account: Account) -> Any:
        given = {name: value(account) if callable(value) else value for name, value in arguments.items()}
        return getattr(account.client(service), operation)(**given)

    return call


def invoke(function: str, **arguments: Any) -> Call:
    """Return a call to Lambda that runs nothing."""
    return does("lambda", "invoke", FunctionName=function, InvocationType="DryRun", **arguments)


def table(name: str, operation: str, **arguments: Any) -> Call:
    """Return a call about one record."""
    if operation in {"get_item", "update_item", "delete_item"}:
        arguments["Key"] = {"job_key": {"S": "x"}}
    return does("dynamodb", operation, TableName=name, **arguments)


def queue(name: str, operation: str, **arguments: Any) -> Call:
    """Return a call about one queue."""
    return does("sqs", operation, QueueUrl=lambda account: account.url(name), **arguments)


def key(name: str, operation: str, **arguments: Any) -> Call:
    """Return a direct call to KMS, without any other service."""
    return does("kms", operation, KeyId=lambda account: account.keys[name], **arguments)


def entry(bus: str) -> Call:
    """Return an announcement on a bus."""
    event = {"Source": "presign-siblings", "DetailType": "Manifest Complete", "Detail": "{}", "EventBusName": bus}

    def call(account: Account) -> Any:
        answer = account.client("events").put_events(Entries=[event])
        assert answer["FailedEntryCount"] == 0, answer
        return answer

    return call


FUNCTION = "presign_siblings"
JOBS = f"{FUNCTION}_jobs"
LOGS = f"/aws/lambda/{FUNCTION}"
ITEM = {"job_key": {"S": "x"}}
BY_KEY = {"KeyConditionExpression": "job_key = :x", "ExpressionAttributeValues": {":x": {"S": "x"}}}
LINE = {"logStreamName": "x", "logEvents": [{"timestamp": 1, "message": "x"}]}
SCHEDULE = f"{FUNCTION}_schedule"
MACHINE, EXECUTION = (f"arn:aws:states:{ARN}:{kind}:{FUNCTION}" for kind in ("stateMachine", "execution"))

# For each statement and action: the job's calls, and the nearest ones that must be denied.
RIGHTS: dict[tuple[str, str], tuple[list[Call], list[Call]]] = {
    ("ListThePdfs", "s3:ListBucket"): (
        [s3("list_objects_v2", Prefix="inbox/"), s3("list_objects_v2", Prefix="inbox/2026/")],
        [s3("list_objects_v2"), s3("list_objects_v2", Prefix="manifests/"), s3("list_objects_v2", bucket="code")],
    ),
    ("SignThePdfs", "s3:GetObject"): (
        [s3("get_object", Key=PDF)],
        [s3("get_object", Key="private.pdf"), s3("put_object", Key=PDF, Body=b""), s3("delete_object", Key=PDF)],
    ),
    ("ReadTheLists", "s3:GetObject"): (
        [s3("get_object", bucket="code", Key="lists/keys.csv")],
        [s3("get_object", bucket="code", Key="other"), s3("put_object", bucket="code", Key="lists/x", Body=b"")],
    ),
    ("ListTheVersions", "s3:ListBucketVersions"): (
        [s3("list_object_versions", Prefix="inbox/")],
        [s3("list_object_versions"), s3("list_object_versions", bucket="code", Prefix="inbox/")],
    ),
    ("SignTheVersions", "s3:GetObjectVersion"): (
        [s3("get_object", Key=PDF, VersionId="null")],
        [s3("get_object", Key="private.pdf", VersionId="null"), s3("delete_object", Key=PDF, VersionId="null")],
    ),
    ("WriteAndSignTheManifests", "s3:PutObject"): (
        [s3("put_object", Key=MANIFEST, Body=b"x"), s3("create_multipart_upload", Key=MANIFEST)],
        [s3("put_object", Key="elsewhere/x", Body=b""), s3("put_object", bucket="code", Key=MANIFEST, Body=b"")],
    ),
    ("DeleteThePieces", "s3:DeleteObject"): (
        [s3("delete_object", Key="manifests/.checkpoints/job/pieces/holder-000001")],
        [s3("delete_object", Key=MANIFEST), s3("delete_object", Key="manifests/.checkpoints/job/000001-x")],
    ),
    ("WriteAndSignTheManifests", "s3:GetObject"): (
        [s3("get_object", Key=MANIFEST)],
        [s3("get_object", bucket="code", Key=MANIFEST), s3("delete_object", Key=MANIFEST)],
    ),
    ("WriteAndSignTheManifests", "s3:AbortMultipartUpload"): (
        [part("abort_multipart_upload", MANIFEST)],
        [part("abort_multipart_upload", "elsewhere/x")],
    ),
    ("WriteAndSignTheManifests", "s3:ListMultipartUploadParts"): (
        [part("list_parts", MANIFEST)],
        [part("list_parts", "elsewhere/x"), s3("list_multipart_uploads")],
    ),
    ("SpawnSiblings", "lambda:InvokeFunction"): (
        [invoke(FUNCTION), invoke(f"{FUNCTION}:live"), invoke(FUNCTION, Qualifier="1")],
        [invoke("another"), does("lambda", "delete_function_concurrency", FunctionName=FUNCTION)],
    ),
    ("KeepTheLedger", "dynamodb:GetItem"): (
        [table(JOBS, "get_item")],
        [table("another", "get_item"), table(JOBS, "scan")],
    ),
    ("KeepTheLedger", "dynamodb:PutItem"): (
        [table(JOBS, "put_item", Item=ITEM)],
        [table("another", "put_item", Item=ITEM)],
    ),
    ("KeepTheLedger", "dynamodb:UpdateItem"): (
        [table(JOBS, "update_item", UpdateExpression="SET a = :x", ExpressionAttributeValues={":x": {"S": "x"}})],
        [table("another", "update_item"), table(JOBS, "delete_item")],
    ),
    ("ReadItsRecursionGuard", "lambda:GetFunctionRecursionConfig"): (
        [does("lambda", "get_function_recursion_config", FunctionName=FUNCTION)],
        [
            does("lambda", "get_function_recursion_config", FunctionName="another"),
            does("lambda", "put_function_recursion_config", FunctionName=FUNCTION, RecursiveLoop="Allow"),
        ],
    ),
    ("ReadTheStateOfRules", "events:DescribeRule"): (
        [does("events", "describe_rule", Name="somebodys")],
        [does("events", "enable_rule", Name="somebodys"), does("events", "put_rule", Name="somebodys", **RULE)],
    ),
    ("FindRulesAndConcurrency", "cloudwatch:GetMetricData"): (
        [does("cloudwatch", "get_metric_data", MetricDataQueries=[], StartTime=0, EndTime=60)],
        [does("cloudwatch", "put_metric_data", Namespace="x", MetricData=[{"MetricName": "x", "Value": 1}])],
    ),
    ("FindRulesAndConcurrency", "events:ListRuleNamesByTarget"): (
        [does("events", "list_rule_names_by_target", TargetArn=f"arn:aws:lambda:{ARN}:function:{FUNCTION}")],
        [does("events", "list_rules"), does("events", "list_targets_by_rule", Rule="somebodys")],
    ),
    ("WriteLogs", "logs:CreateLogStream"): (
        [does("logs", "create_log_stream", logGroupName=LOGS, logStreamName="x")],
        [does("logs", "create_log_stream", logGroupName="/aws/lambda/another", logStreamName="x")],
    ),
    ("WriteLogs", "logs:PutLogEvents"): (
        [does("logs", "put_log_events", logGroupName=LOGS, **LINE)],
        [
            does("logs", "put_log_events", logGroupName="/aws/lambda/another", **LINE),
            does("logs", "delete_log_group", logGroupName=LOGS),
        ],
    ),
    ("AnnounceManifests", "events:PutEvents"): ([entry("default")], [entry("another")]),
    ("ReportFailedEvents", "sqs:SendMessage"): (
        [queue(f"{FUNCTION}_failed", "send_message", MessageBody="x")],
        [
            queue(JOBS, "send_message", MessageBody="x"),
            queue(f"{FUNCTION}_failed", "receive_message"),
        ],
    ),
    ("ReceiveJobs", "sqs:ReceiveMessage"): (
        [queue(JOBS, "receive_message")],
        [queue(f"{FUNCTION}_dead_letters", "receive_message")],
    ),
    ("ReceiveJobs", "sqs:DeleteMessage"): (
        [queue(JOBS, "delete_message", ReceiptHandle="x")],
        [queue(f"{FUNCTION}_failed", "delete_message", ReceiptHandle="x"), queue(JOBS, "purge_queue")],
    ),
    ("ReceiveJobs", "sqs:GetQueueAttributes"): (
        [queue(JOBS, "get_queue_attributes", AttributeNames=["All"])],
        [queue(f"{FUNCTION}_failed", "get_queue_attributes", AttributeNames=["All"])],
    ),
    ("ReadTheStateOfSchedules", "scheduler:GetSchedule"): (
        [does("scheduler", "get_schedule", Name=SCHEDULE), does("scheduler", "get_schedule", Name="nightly")],
        [does("scheduler", "get_schedule", Name="another"), does("scheduler", "delete_schedule", Name=SCHEDULE)],
    ),
    ("StartTheChains", "states:StartExecution"): (
        [does("stepfunctions", "start_execution", stateMachineArn=MACHINE, name="x", input="{}")],
        [does("stepfunctions", "start_execution", stateMachineArn=f"{MACHINE}_other", name="x", input="{}")],
    ),
    ("ReadTheStateOfTheChains", "states:DescribeExecution"): (
        [does("stepfunctions", "describe_execution", executionArn=f"{EXECUTION}:x")],
        [
            does("stepfunctions", "describe_execution", executionArn=f"{EXECUTION}_other:x"),
            does("stepfunctions", "stop_execution", executionArn=f"{EXECUTION}:x"),
        ],
    ),
    ("ReadTheSecret", "secretsmanager:GetSecretValue"): (
        [does("secretsmanager", "get_secret_value", SecretId="signer")],
        [
            does("secretsmanager", "get_secret_value", SecretId="another"),
            does("secretsmanager", "put_secret_value", SecretId="signer", SecretString="x"),
        ],
    ),
    ("ReadThePrivateKey", "secretsmanager:GetSecretValue"): (
        [does("secretsmanager", "get_secret_value", SecretId="distribution")],
        [
            does("secretsmanager", "get_secret_value", SecretId="another"),
            does("secretsmanager", "put_secret_value", SecretId="distribution", SecretString="x"),
        ],
    ),
    ("AssumeTheSigner", "sts:AssumeRole"): (
        [does("sts", "assume_role", RoleArn=f"{ROLE}/signer", RoleSessionName="test")],
        [does("sts", "assume_role", RoleArn=f"{ROLE}/another", RoleSessionName="test")],
    ),
    ("ReadTheSoswConfig", "dynamodb:DescribeTable"): (
        [table("config", "describe_table")],
        [table("another", "describe_table")],
    ),
    ("ReadTheSoswConfig", "dynamodb:Query"): (
        [table("config", "query", **BY_KEY)],
        [table("another", "query", **BY_KEY), table("config", "put_item", Item=ITEM)],
    ),
    ("CloseSoswTasks", "lambda:InvokeFunction"): ([invoke("sosw_worker_assistant")], [invoke("signer")]),
}
# What cannot be shown here is in tests/unit/deploy/test_template.py. MiniStack has no X-Ray and no VPC that asks
# IAM. Where S3, SQS or DynamoDB use a key for the role, it checks no key; a direct use is denied, as on AWS. It
# expects a log group without the ":*" after it that AWS has in its policies: only the neighbours are tried. It expects
# the rights to report tasks on "*". It has no access points. The right to decrypt the plan is that of the state
# machine's own role. The stack here has no ManifestAcl.
ON_THE_TEMPLATE = {
    "ListByTheAccessPoint",
    "SignByTheAccessPoint",
    "DecryptThePlan",
    "GiveTheManifestsToTheOwnerOfTheBucket",
    "JoinTheVpc",
    "ReportTheChains",
    "Trace",
}
ONLY_NEIGHBOURS = {"WriteLogs"}
KEYS = {
    "EncryptTheManifests": "manifests",
    "DecryptThePdfs": "pdfs",
    "DecryptTheSecret": "secrets",
    "UseTheKeyOfTheStack": "stack",
}


def _granted() -> set[tuple[str, str]]:
    return {
        (each["Sid"], action)
        for each in role_statements()
        for action in ([each["Action"]] if isinstance(each["Action"], str) else each["Action"])
    }


def test_each_right_of_the_template_is_tried() -> None:
    """A right that is added without its neighbour fails here."""
    shown_elsewhere = {right for right in _granted() if right[0] in {*ON_THE_TEMPLATE, *KEYS}}
    assert set(RIGHTS) == _granted() - shown_elsewhere


def _refused(call: Call, account: Account) -> bool:
    try:
        call(account)
    except ClientError as error:
        return error_code(error) in REFUSED
    return False


@pytest.mark.parametrize("right", sorted(RIGHTS), ids="-".join)
def test_a_right_is_as_wide_as_the_job_needs_and_no_wider(account: Account, right: tuple[str, str]) -> None:
    """Each call has the role's own credentials."""
    needed, neighbours = RIGHTS[right]
    if right[0] not in ONLY_NEIGHBOURS:
        assert [place for place, call in enumerate(needed) if _refused(call, account)] == [], "needed, and refused"
    assert [place for place, call in enumerate(neighbours) if not _refused(call, account)] == [], "allowed"


@pytest.mark.parametrize("statement", sorted(KEYS))
def test_a_key_cannot_be_used_without_its_service(account: Account, statement: str) -> None:
    """The role cannot decrypt what it is given directly, with its keys or with another."""
    for name in (KEYS[statement], "other"):
        secret = account.root("kms").encrypt(KeyId=account.keys[name], Plaintext=b"x")["CiphertextBlob"]
        assert _refused(key(name, "decrypt", CiphertextBlob=secret), account)
        assert _refused(key(name, "generate_data_key", KeySpec="AES_256"), account)
