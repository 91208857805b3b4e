"""A manifest has leaked: ``revoke`` kills its links."""

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
    """Return the signer of a function."""
    return signer_of(deployed(**environment), ROLE_ARN, boto3.client("secretsmanager"), iam)


@mock_aws
def test_the_functions_own_role_denies_older_sessions() -> None:
    """By a policy of the same name as that of the console's "revoke active sessions"."""
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
def test_a_signing_role_is_revoked_instead() -> None:
    """The function's own sessions continue."""
    iam = boto3.client("iam")
    iam.create_role(RoleName="signer", AssumeRolePolicyDocument="{}")
    signer = found(iam, SIGNING_ROLE_ARN="arn:aws:iam::123456789012:role/signer")
    assert signer == SigningRole("signer", is_the_functions=False)
    revoke(signer, iam, NOW)
    assert iam.list_role_policies(RoleName="signer")["PolicyNames"] == [POLICY]


@mock_aws
def test_an_iam_users_key_becomes_inactive() -> None:
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
def test_a_secret_without_a_key_is_reported_by_name() -> None:
    """Nothing of its content is shown."""
    boto3.client("secretsmanager").create_secret(Name="signing", SecretString='{"other": "s3cr3t"}')
    with pytest.raises(NotFoundError, match="signing secret signing holds no") as refused:
        found(boto3.client("iam"), SIGNING_SECRET="signing")
    assert "s3cr3t" not in str(refused.value)


PAIR, GROUP = "K2JCJMDEHXQW5F", {"Id": "g-1", "LastModifiedTime": NOW}


def of_cloudfront(*held: list[str]) -> tuple[Any, Stubber]:
    """Return a CloudFront client whose key groups hold some public keys, and its stubber."""
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


def test_the_cloudfront_key_is_removed_from_each_key_group() -> None:
    """Its links have no session: they work as long as a group trusts the key."""
    client, stub = of_cloudfront(["KOTHER", PAIR], ["KOTHER"], [PAIR, "KTHIRD"])
    with stub:
        key = distribution_key_of(deployed(CLOUDFRONT_KEY_PAIR_ID=PAIR), client)
        assert key == DistributionKey(PAIR, ("g-0", "g-2"), ())
        distrust(key, client)
        stub.assert_no_pending_responses()
    assert distribution_key_of(deployed(), client) is None


def test_a_key_group_that_trusts_no_other_key_is_reported() -> None:
    """CloudFront refuses an empty group: the new pair's public key must be added first."""
    client, stub = of_cloudfront([PAIR], ["KOTHER", PAIR])
    with stub:
        key = distribution_key_of(deployed(CLOUDFRONT_KEY_PAIR_ID=PAIR), client)
        assert key == DistributionKey(PAIR, ("g-1",), ("g-0",))
        distrust(key, client)
        stub.assert_no_pending_responses()


@pytest.mark.parametrize(("held", "left"), [([PAIR, "KOTHER"], False), ([PAIR], True)])
def test_revoke_kills_both_kinds_of_links_and_reports_those_that_it_could_not(
    monkeypatch: pytest.MonkeyPatch, held: list[str], *, left: bool
) -> None:
    """A function with a distribution signs its manifest_url for S3. Links that remain are an error."""
    cloudfront, stub = of_cloudfront(held)
    iam, functions = MagicMock(), MagicMock()
    functions.get_function_configuration.return_value = {"Role": ROLE_ARN}
    clients = {"cloudfront": cloudfront, "iam": iam, "lambda": functions, "secretsmanager": MagicMock()}
    monkeypatch.setattr(Terminal, "client", lambda _, service: clients[service])
    monkeypatch.setattr(Terminal, "deployed", lambda *_: deployed(CLOUDFRONT_KEY_PAIR_ID=PAIR))
    with stub:
        result = CliRunner().invoke(main, ["revoke", "--yes", "--json"])
    revoked = json.loads(result.stdout)
    assert iam.put_role_policy.call_args.kwargs["PolicyName"] == POLICY
    assert (result.exit_code, revoked["revoked"], bool(revoked["left"])) == (int(left), not left, left)
    assert "lambda_presign_siblings" in revoked["does"]
    assert "deploy --renew" in revoked["breaks"]
    assert (PAIR in revoked["does"], any(PAIR in each for each in revoked["left"])) == (not left, left)


def test_revoke_warns_that_finished_manifests_still_answer_with_dead_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jobs table does not know of the revocation: until the links would have expired, it answers as before."""
    functions = MagicMock()
    functions.get_function_configuration.return_value = {"Role": ROLE_ARN}
    monkeypatch.setattr(Terminal, "client", lambda _, service: functions if service == "lambda" else MagicMock())
    monkeypatch.setattr(Terminal, "deployed", lambda *_: deployed())
    result = CliRunner().invoke(main, ["revoke", "--yes"])
    assert result.exit_code == 0
    assert "presign-siblings invoke --fresh" in result.stdout


def command(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], **clients: Any) -> tuple[int, Any]:
    """Call the command with some clients; return its exit code and its result."""
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


def test_sessions_are_revoked_by_the_clock_of_aws(monkeypatch: pytest.MonkeyPatch) -> None:
    """A desk clock that was ten minutes slow left the links of the newest sessions alive."""
    iam = MagicMock()
    assert command(monkeypatch, {}, iam=iam)[0] == 0
    document = json.loads(iam.put_role_policy.call_args.kwargs["PolicyDocument"])
    assert document["Statement"][0]["Condition"] == {"DateLessThan": {"aws:TokenIssueTime": "2026-04-01T06:30:15.000Z"}}


def refusal(operation: str) -> ClientError:
    """Return AWS's answer to a caller without the right."""
    return ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, operation)


def test_a_refused_step_does_not_prevent_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a right on CloudFront nothing was killed, and without one on the role CloudFront's links stayed alive."""
    environment, iam, cloudfront = {"CLOUDFRONT_KEY_PAIR_ID": PAIR}, MagicMock(), MagicMock()
    cloudfront.list_key_groups.side_effect = refusal("ListKeyGroups")
    code, revoked = command(monkeypatch, environment, iam=iam, cloudfront=cloudfront)
    assert (code, revoked["revoked"], iam.put_role_policy.call_count) == (1, False, 1)
    assert "CloudFront's links live: AWS refused ListKeyGroups: the service answered AccessDenied" in revoked["left"][0]
    iam.put_role_policy.side_effect = refusal("PutRolePolicy")
    client, stub = of_cloudfront([PAIR, "KOTHER"])
    with stub:
        code, revoked = command(monkeypatch, environment, iam=iam, cloudfront=client)
        stub.assert_no_pending_responses()
    assert (code, revoked["revoked"], PAIR in revoked["does"]) == (1, False, True)
    assert "lambda_presign_siblings" not in revoked["does"]
    assert "AWS refused PutRolePolicy: the service answered AccessDenied" in revoked["left"][0]


def test_an_unreadable_secret_does_not_keep_cloudfronts_links_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """A customer's KMS key may encrypt it, which the function may use and the desk may not."""
    environment = {"CLOUDFRONT_KEY_PAIR_ID": PAIR, "SIGNING_SECRET": "signing"}
    iam, secrets = MagicMock(), MagicMock()
    secrets.get_secret_value.side_effect = refusal("GetSecretValue")
    client, stub = of_cloudfront([PAIR, "KOTHER"])
    with stub:
        code, revoked = command(monkeypatch, environment, iam=iam, secretsmanager=secrets, cloudfront=client)
        stub.assert_no_pending_responses()
    assert (code, revoked["revoked"], PAIR in revoked["does"]) == (1, False, True)
    assert [each.partition(";")[0] for each in revoked["left"]] == [
        "S3's links live: AWS refused GetSecretValue: the service answered AccessDenied: not authorized"
    ]
    assert not iam.mock_calls


@mock_aws
@pytest.mark.parametrize("first", ["Active", "Inactive"])
def test_an_older_key_that_is_still_active_is_named(monkeypatch: pytest.MonkeyPatch, first: Any) -> None:
    """If the secret was rotated first, revoke killed the new key's links, and none that had leaked."""
    iam, secrets = boto3.client("iam"), boto3.client("secretsmanager")
    iam.create_user(UserName="signer")
    old, new = (iam.create_access_key(UserName="signer")["AccessKey"]["AccessKeyId"] for _ in range(2))
    iam.update_access_key(UserName="signer", AccessKeyId=old, Status=first)
    secrets.create_secret(Name="signing", SecretString=json.dumps({"aws_access_key_id": new}))
    code, revoked = command(monkeypatch, {"SIGNING_SECRET": "signing"}, iam=iam, secretsmanager=secrets)
    assert (code, len(revoked["left"]), new[-4:] in revoked["does"]) == (
        int(first == "Active"),
        int(first == "Active"),
        True,
    )
    assert all(f"…{old[-4:]} of user signer is active, too" in each for each in revoked["left"])


def test_a_user_whose_keys_cannot_be_listed_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """The key is made inactive all the same."""
    iam, secrets = MagicMock(), MagicMock()
    secrets.get_secret_value.return_value = {"SecretString": '{"aws_access_key_id": "AKIA1"}'}
    iam.get_access_key_last_used.return_value = {"UserName": "signer"}
    iam.list_access_keys.side_effect = refusal("ListAccessKeys")
    code, revoked = command(monkeypatch, {"SIGNING_SECRET": "signing"}, iam=iam, secretsmanager=secrets)
    assert (code, iam.update_access_key.call_args.kwargs["Status"]) == (1, "Inactive")
    assert "AccessDenied" in revoked["left"][0]


@pytest.mark.parametrize("environment", [{}, {"CLOUDFRONT_KEY_PAIR_ID": PAIR}])
def test_a_role_of_another_account_is_reported_and_its_namesake_here_left_alone(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """The role of the same name in this account was revoked, and the command said that the links were dead."""
    iam = MagicMock()
    signer = {"SIGNING_ROLE_ARN": "arn:aws:iam::210987654321:role/lambda_presign_siblings"}
    client, stub = of_cloudfront([PAIR, "KOTHER"])
    with stub:
        code, revoked = command(monkeypatch, {**environment, **signer}, iam=iam, cloudfront=client)
    assert (code, iam.put_role_policy.called) == (1 if environment else 4, False)
    assert "a role of another account" in json.dumps(revoked)
    assert (PAIR in revoked.get("does", "")) is bool(environment)
