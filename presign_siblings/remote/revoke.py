"""
Kill every link that was signed so far: a leaked manifest is a bundle of live credentials.

A role's links die once a policy of the role denies the sessions that were issued before; this is what the console's
"Revoke active sessions" does. An IAM user's links die with the access key, and those of CloudFront's key once no key
group trusts it.
https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from presign_siblings.errors import NotFoundError
from processor.errors import error_code

if TYPE_CHECKING:
    from datetime import datetime

    from types_boto3_iam import IAMClient

    from presign_siblings.remote.function import Deployed

POLICY = "AWSRevokeOlderSessions"  # the console's own name, so this policy replaces the console's


@dataclass(frozen=True, slots=True)
class SigningRole:
    """
    A role whose sessions sign.

    :param is_the_functions: Whether it is the function's own, so that its running environments lose their rights too.
    """

    name: str
    is_the_functions: bool


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An IAM user's access key that signs."""

    user: str
    key_id: str


@dataclass(frozen=True, slots=True)
class DistributionKey:
    """
    The key pair that signs for a CloudFront distribution.

    :param key_id: Id of its public key.
    :param groups: Ids of the key groups that trust it and other keys.
    :param alone:  Ids of the key groups that trust only it; CloudFront takes no empty group.
    """

    key_id: str
    groups: tuple[str, ...]
    alone: tuple[str, ...]


def signer_of(
    deployed: Deployed,
    role_arn: str,
    secrets: Any,  # noqa: ANN401 - its stubs are not installed
    iam: IAMClient,
) -> SigningRole | SigningKey:
    """
    Find out who signs the function's links.

    :param role_arn: The function's own role.
    :param secrets:  Client of Secrets Manager.
    :param iam:      Client of IAM.
    :raises NotFoundError: The signing secret holds no access key, or the key's user is unknown; or another account's
                           role signs, and one of this account may have its name.
    """
    secret, role = deployed.environment.get("SIGNING_SECRET"), deployed.environment.get("SIGNING_ROLE_ARN")
    if not secret:
        if role and _account(role) != _account(role_arn):
            raise NotFoundError(
                f"{role} signs the links, a role of another account: there alone its sessions can be revoked (the "
                "role's tab Revoke sessions in IAM's console)"
            )
        return SigningRole((role or role_arn).rpartition("/")[2], is_the_functions=not role)
    try:
        key_id = str(json.loads(secrets.get_secret_value(SecretId=secret)["SecretString"])["aws_access_key_id"])
    except (ValueError, KeyError, TypeError):
        raise NotFoundError(f"the signing secret {secret} holds no aws_access_key_id") from None
    try:
        return SigningKey(iam.get_access_key_last_used(AccessKeyId=key_id)["UserName"], key_id)
    except ClientError as error:
        raise NotFoundError(f"IAM does not know whose key the signing secret holds: {error_code(error)}") from error


def _account(arn: str) -> str:
    return arn.split(":")[4]


def other_keys(signer: SigningKey, iam: IAMClient) -> list[str]:
    """Return the user's other keys that are active: before a rotation of the secret, one of them has signed."""
    found = iam.list_access_keys(UserName=signer.user)["AccessKeyMetadata"]
    active = [each["AccessKeyId"] for each in found if each["Status"] == "Active"]
    return [each for each in active if each != signer.key_id]


def distribution_key_of(deployed: Deployed, cloudfront: Any) -> DistributionKey | None:  # noqa: ANN401 - a boto3 client
    """
    Find the key that signs for the function's distribution, if it has one.

    :param cloudfront: Client of CloudFront.
    """
    key_id = deployed.environment.get("CLOUDFRONT_KEY_PAIR_ID")
    if not key_id:
        return None
    marker, trusting = dict[str, str](), list[tuple[str, list[str]]]()
    while True:
        found = cloudfront.list_key_groups(**marker)["KeyGroupList"]
        groups = [each["KeyGroup"] for each in found.get("Items", ())]
        trusting += [(each["Id"], each["KeyGroupConfig"]["Items"]) for each in groups]
        if not found.get("NextMarker"):
            break
        marker = {"Marker": found["NextMarker"]}
    mine = [(name, set(keys) == {key_id}) for name, keys in trusting if key_id in keys]
    return DistributionKey(
        key_id, tuple(name for name, alone in mine if not alone), tuple(name for name, alone in mine if alone)
    )


def distrust(key: DistributionKey, cloudfront: Any) -> None:  # noqa: ANN401 - a boto3 client
    """Remove a key from every key group that trusts others too: from then on the key's links fail."""
    for name in key.groups:
        found = cloudfront.get_key_group(Id=name)
        config = found["KeyGroup"]["KeyGroupConfig"]
        kept = config | {"Items": [each for each in config["Items"] if each != key.key_id]}
        cloudfront.update_key_group(Id=name, IfMatch=found["ETag"], KeyGroupConfig=kept)


def revoke(signer: SigningRole | SigningKey, iam: IAMClient, now: datetime) -> None:
    """
    Kill every link that the signer has signed so far.

    :param now: Sessions issued before this instant are denied everything, UTC.
    """
    if isinstance(signer, SigningKey):
        iam.update_access_key(UserName=signer.user, AccessKeyId=signer.key_id, Status="Inactive")
        return
    iam.put_role_policy(RoleName=signer.name, PolicyName=POLICY, PolicyDocument=json.dumps(denial(now)))


def denial(now: datetime) -> dict[str, Any]:
    """Return the policy that denies everything to sessions issued before an instant."""
    before = {"DateLessThan": {"aws:TokenIssueTime": now.strftime("%Y-%m-%dT%H:%M:%S.000Z")}}
    statement = {"Effect": "Deny", "Action": ["*"], "Resource": ["*"], "Condition": before}
    return {"Version": "2012-10-17", "Statement": [statement]}
