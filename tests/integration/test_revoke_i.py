"""A manifest has leaked: one command kills its links."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any
from unittest.mock import MagicMock

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from click.testing import CliRunner
from moto import mock_aws

from presign_siblings.cli.console import Terminal
from presign_siblings.cli.main import main
from presign_siblings.errors import NotFoundError
from presign_siblings.remote.function import Deployed
from presign_siblings.remote.revoke import (
    POLICY,
    DistributionKey,
    SigningKey,
    SigningRole,
    distribution_key_of,
    distrust,
    revoke,
    signer_of,
)

NOW = datetime(2026, 4, 1, 6, 30, 15, tzinfo=UTC)
ROLE_ARN = "arn:aws:iam::123456789012:role/service-role/lambda_presign_siblings"


def deployed(**environment: str) -> Deployed:
    """Return a function with some variables."""
    arn = "arn:aws:lambda:eu-west-1:123456789012:function:presign"
    return Deployed("presign", None, arn, "/aws/lambda/presign", None, environment)


def found(iam: Any, **environment: str) -> SigningRole | SigningKey:
    """Return who signs."""
    return signer_of(deployed(**environment), ROLE_ARN, boto3.client("secretsmanager"), iam)


@mock_aws
def test_the_functions_own_role_denies_older_sessions() -> None:
    """As the console's "revoke active sessions" does, under the same policy's name."""
    iam = boto3.client("iam")
    iam.create_role(RoleName="lambda_presign_siblings", AssumeRolePolicyDocument="{}")
    signer = found(iam)
    assert signer == SigningRole("lambda_presign_siblings", is_the_functions=True)
    revoke(signer, iam, NOW)
    document: Any = iam.get_role_policy(RoleName="lambda_presign_siblings", PolicyName=POLICY)["PolicyDocument"]
    (statement,) = document["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", ["*"], ["*"])
    assert statement["Condition"] == {"DateLessThan": {"aws:TokenIssueTime": "2026-04-01T06:30:15.000Z"}}


@mock_aws
def test_the_signing_role_is_the_one_that_is_revoked() -> None:
    """The function's own sessions continue."""
    iam = boto3.client("iam")
    iam.create_role(RoleName="signer", AssumeRolePolicyDocument="{}")
    signer = found(iam, SIGNING_ROLE_ARN="arn:aws:iam::123456789012:role/signer")
    assert signer == SigningRole("signer", is_the_functions=False)
    revoke(signer, iam, NOW)
    assert iam.list_role_policies(RoleName="signer")["PolicyNames"] == [POLICY]


@mock_aws
def test_a_users_key_becomes_inactive() -> None:
    """Links of an IAM user die with the key."""
    iam, secrets = boto3.client("iam"), boto3.client("secretsmanager")
    iam.create_user(UserName="signer")
    key = iam.create_access_key(UserName="signer")["AccessKey"]["AccessKeyId"]
    secrets.create_secret(Name="signing", SecretString=json.dumps({"aws_access_key_id": key}))
    signer = found(iam, SIGNING_SECRET="signing")
    assert signer == SigningKey("signer", key)
    revoke(signer, iam, NOW)
    (listed,) = iam.list_access_keys(UserName="signer")["AccessKeyMetadata"]
    assert listed["Status"] == "Inactive"


@mock_aws
def test_a_secret_without_a_key_is_told_by_its_name() -> None:
    """And by nothing that stands in it."""
    boto3.client("secretsmanager").create_secret(Name="signing", SecretString='{"other": "s3cr3t"}')
    with pytest.raises(NotFoundError, match="signing secret signing holds no") as refused:
        found(boto3.client("iam"), SIGNING_SECRET="signing")
    assert "s3cr3t" not in str(refused.value)


PAIR, GROUP = "K2JCJMDEHXQW5F", {"Id": "g-1", "LastModifiedTime": NOW}


def of_cloudfront(*held: list[str]) -> tuple[Any, Stubber]:
    """Return a client of CloudFront whose key groups hold some public keys, and its stub."""
    client = boto3.client("cloudfront")
    stub = Stubber(client)
    configs = [{"Name": f"group {number}", "Items": items, "Comment": "c"} for number, items in enumerate(held)]
    groups = [{"KeyGroup": {**GROUP, "Id": f"g-{number}", "KeyGroupConfig": c}} for number, c in enumerate(configs)]
    listed = {"MaxItems": 1, "Quantity": len(groups)}
    stub.add_response("list_key_groups", {"KeyGroupList": {**listed, "NextMarker": "m", "Items": groups[:1]}}, {})
    more = {"KeyGroupList": {**listed, "Items": groups[1:]}}
    stub.add_response("list_key_groups", more, {"Marker": "m"})
    for number, config in enumerate(configs):
        if PAIR in config["Items"] and config["Items"] != [PAIR]:
            found = {"KeyGroup": {**GROUP, "KeyGroupConfig": config}, "ETag": f"e{number}"}
            stub.add_response("get_key_group", found, {"Id": f"g-{number}"})
            kept = {**config, "Items": [each for each in config["Items"] if each != PAIR]}
            changed = {"Id": f"g-{number}", "IfMatch": f"e{number}", "KeyGroupConfig": kept}
            stub.add_response("update_key_group", {"KeyGroup": {**GROUP, "KeyGroupConfig": kept}}, changed)
    return client, stub


def test_the_key_that_signs_for_cloudfront_leaves_every_key_group() -> None:
    """Its links know no session: as long as a group trusts the key, they open."""
    client, stub = of_cloudfront(["KOTHER", PAIR], ["KOTHER"], [PAIR, "KTHIRD"])
    with stub:
        key = distribution_key_of(deployed(CLOUDFRONT_KEY_PAIR_ID=PAIR), client)
        assert key == DistributionKey(PAIR, ("g-0", "g-2"), ())
        distrust(key, client)
        stub.assert_no_pending_responses()
    assert distribution_key_of(deployed(), client) is None


def test_a_key_group_that_trusts_no_other_key_is_told() -> None:
    """A group without a key is refused by CloudFront: the new pair's public key goes in first."""
    client, stub = of_cloudfront([PAIR], ["KOTHER", PAIR])
    with stub:
        key = distribution_key_of(deployed(CLOUDFRONT_KEY_PAIR_ID=PAIR), client)
        assert key == DistributionKey(PAIR, ("g-1",), ("g-0",))
        distrust(key, client)
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(("held", "left"), [([PAIR, "KOTHER"], False), ([PAIR], True)])
def test_the_command_kills_both_kinds_of_links_and_says_what_it_could_not(
    monkeypatch: pytest.MonkeyPatch, held: list[str], *, left: bool
) -> None:
    """A function with a distribution signs for S3 too: its manifest_url. What is left is an error."""
    cloudfront, stub = of_cloudfront(held)
    iam, functions = MagicMock(), MagicMock()
    functions.get_function_configuration.return_value = {"Role": ROLE_ARN}
    clients = {"cloudfront": cloudfront, "iam": iam, "lambda": functions, "secretsmanager": MagicMock()}
    monkeypatch.setattr(Terminal, "client", lambda _, service: clients[service])
    monkeypatch.setattr(Terminal, "deployed", lambda *_: deployed(CLOUDFRONT_KEY_PAIR_ID=PAIR))
    with stub:
        result = CliRunner().invoke(main, ["revoke", "--yes", "--json"])
    told = json.loads(result.stdout)
    assert iam.put_role_policy.call_args.kwargs["PolicyName"] == POLICY
    assert (result.exit_code, told["revoked"], bool(told["left"])) == (int(left), not left, left)
    assert "lambda_presign_siblings" in told["does"]
    assert "deploy --renew" in told["breaks"]
    assert (PAIR in told["does"], any(PAIR in each for each in told["left"])) == (not left, left)


def test_who_revokes_reads_that_finished_manifests_answer_with_dead_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs table knows of no revocation: until the links would have expired, it answers as before."""
    functions = MagicMock()
    functions.get_function_configuration.return_value = {"Role": ROLE_ARN}
    monkeypatch.setattr(Terminal, "client", lambda _, service: functions if service == "lambda" else MagicMock())
    monkeypatch.setattr(Terminal, "deployed", lambda *_: deployed())
    result = CliRunner().invoke(main, ["revoke", "--yes"])
    assert result.exit_code == 0
    assert "presign-siblings invoke --fresh" in result.stdout


def command(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], **clients: Any) -> tuple[int, Any]:
    """Call the command with some clients; return its exit code and what it says."""
    functions = MagicMock()
    functions.get_function_configuration.return_value = {
        "Role": ROLE_ARN,
        "ResponseMetadata": {"HTTPHeaders": {"date": "Wed, 01 Apr 2026 06:30:15 GMT"}},
    }
    made = {
        "cloudfront": MagicMock(),
        "iam": MagicMock(),
        "secretsmanager": MagicMock(),
        "lambda": functions,
        **clients,
    }
    monkeypatch.setattr(Terminal, "client", lambda _, service: made[service])
    monkeypatch.setattr(Terminal, "deployed", lambda *_: deployed(**environment))
    result = CliRunner().invoke(main, ["revoke", "--yes", "--json"])
    return result.exit_code, json.loads(result.stdout or result.stderr)


def test_sessions_die_by_the_clock_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock of a desk that is ten minutes late left the links of the newest sessions alive."""
    iam = MagicMock()
    assert command(monkeypatch, {}, iam=iam)[0] == 0
    document = json.loads(iam.put_role_policy.call_args.kwargs["PolicyDocument"])
    assert document["Statement"][0]["Condition"] == {"DateLessThan": {"aws:TokenIssueTime": "2026-04-01T06:30:15.000Z"}}


def refusal(operation: str) -> ClientError:
    """Return what AWS answers to somebody without the right."""
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, operation)


def test_a_refused_step_keeps_no_other_from_being_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever had no right on CloudFront killed nothing, and who had none on the role left CloudFront's links."""
    environment, iam, cloudfront = {"CLOUDFRONT_KEY_PAIR_ID": PAIR}, MagicMock(), MagicMock()
    cloudfront.list_key_groups.side_effect = refusal("ListKeyGroups")
    code, told = command(monkeypatch, environment, iam=iam, cloudfront=cloudfront)
    assert (code, told["revoked"], iam.put_role_policy.call_count) == (1, False, 1)
    assert "CloudFront's links live: AWS refused ListKeyGroups: the service answered AccessDenied" in told["left"][0]
    iam.put_role_policy.side_effect = refusal("PutRolePolicy")
    client, stub = of_cloudfront([PAIR, "KOTHER"])
    with stub:
        code, told = command(monkeypatch, environment, iam=iam, cloudfront=client)
        stub.assert_no_pending_responses()
    assert (code, told["revoked"], PAIR in told["does"]) == (1, False, True)
    assert "lambda_presign_siblings" not in told["does"]
    assert "AWS refused PutRolePolicy: the service answered AccessDenied" in told["left"][0]


def test_a_secret_that_may_not_be_read_keeps_no_link_of_cloudfront_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A key of the customer may encrypt it, which the function may use and the desk may not."""
    environment = {"CLOUDFRONT_KEY_PAIR_ID": PAIR, "SIGNING_SECRET": "signing"}
    iam, secrets = MagicMock(), MagicMock()
    secrets.get_secret_value.side_effect = refusal("GetSecretValue")
    client, stub = of_cloudfront([PAIR, "KOTHER"])
    with stub:
        code, told = command(monkeypatch, environment, iam=iam, secretsmanager=secrets, cloudfront=client)
        stub.assert_no_pending_responses()
    assert (code, told["revoked"], PAIR in told["does"]) == (1, False, True)
    assert [each.partition(";")[0] for each in told["left"]] == [
        "S3's links live: AWS refused GetSecretValue: the service answered AccessDenied: not authorized"
    ]
    assert not iam.mock_calls


@mock_aws
@pytest.mark.parametrize("first", ["Active", "Inactive"])
def test_a_key_that_was_rotated_and_left_active_is_named(monkeypatch: pytest.MonkeyPatch, first: Any) -> None:
    """Who rotates the secret first, and then revokes, had killed the new key's links, and none that had leaked."""
    iam, secrets = boto3.client("iam"), boto3.client("secretsmanager")
    iam.create_user(UserName="signer")
    old, new = (iam.create_access_key(UserName="signer")["AccessKey"]["AccessKeyId"] for _ in range(2))
    iam.update_access_key(UserName="signer", AccessKeyId=old, Status=first)
    secrets.create_secret(Name="signing", SecretString=json.dumps({"aws_access_key_id": new}))
    code, told = command(monkeypatch, {"SIGNING_SECRET": "signing"}, iam=iam, secretsmanager=secrets)
    assert (code, len(told["left"]), new[-4:] in told["does"]) == (int(first == "Active"), int(first == "Active"), True)
    assert all(f"…{old[-4:]} of user signer is active, too" in each for each in told["left"])


def test_a_user_whose_keys_may_not_be_listed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is made inactive all the same."""
    iam, secrets = MagicMock(), MagicMock()
    secrets.get_secret_value.return_value = {"SecretString": '{"aws_access_key_id": "AKIA1"}'}
    iam.get_access_key_last_used.return_value = {"UserName": "signer"}
    iam.list_access_keys.side_effect = refusal("ListAccessKeys")
    code, told = command(monkeypatch, {"SIGNING_SECRET": "signing"}, iam=iam, secretsmanager=secrets)
    assert (code, iam.update_access_key.call_args.kwargs["Status"]) == (1, "Inactive")
    assert "AccessDenied" in told["left"][0]


@pytest.mark.parametrize("environment", [{}, {"CLOUDFRONT_KEY_PAIR_ID": PAIR}])
def test_a_role_of_another_account_is_told_and_its_namesake_here_left_alone(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """The role of this account that has its name was revoked, and the command said that the links were dead."""
    iam = MagicMock()
    signer = {"SIGNING_ROLE_ARN": "arn:aws:iam::210987654321:role/lambda_presign_siblings"}
    client, stub = of_cloudfront([PAIR, "KOTHER"])
    with stub:
        code, told = command(monkeypatch, {**environment, **signer}, iam=iam, cloudfront=client)
    assert (code, iam.put_role_policy.called) == (1 if environment else 4, False)
    assert "a role of another account" in json.dumps(told)
    assert (PAIR in told.get("does", "")) is bool(environment)
