"""Credentials that sign URLs in place of the function's own: an IAM user's from a secret, or an assumed role's."""

from __future__ import annotations

import json
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from processor.answers import check_answers
from processor.aws.signing_credentials import SigningCredentials
from processor.causes import why
from processor.errors import RetryableError

ROLE_SECONDS = 3600  # the most that role chaining allows
SESSION_NAME = "presign-siblings"
_FIELDS = ("aws_access_key_id", "aws_secret_access_key")
_OF_SESSION = "ASIA"  # such keys sign nothing without their token, and end within hours


def secret_credentials(name: str, text: str) -> SigningCredentials:
    """
    Read an IAM user's keys out of a secret.

    :param name: The secret's name.
    :param text: JSON with ``aws_access_key_id`` and ``aws_secret_access_key``.
    :raises RetryableError: It is malformed; its content is in no message.
    """
    try:
        found = json.loads(text)
        # A line end that was pasted with a key would make S3 refuse each link.
        keys = {field: found[field].strip() for field in _FIELDS}
    except KeyError as missing:
        raise RetryableError(f"the signing secret {name} lacks {missing}") from None
    except (ValueError, TypeError, AttributeError):
        raise RetryableError(f"the signing secret {name} is not a JSON object of strings") from None
    empty = next((field for field, value in keys.items() if not value), None)
    if empty is not None:
        raise RetryableError(f"the signing secret {name} holds an empty {empty}")
    access_key, secret_key = keys.values()
    if access_key.startswith(_OF_SESSION):
        raise RetryableError(f"the signing secret {name} holds the keys of a session: use an IAM user's keys")
    return SigningCredentials(access_key, secret_key)


def secret_text(client: Any, name: str) -> str:  # noqa: ANN401 - boto3's
    """
    Return the text of a secret: the right to read this one is all that it takes.

    :param client: Client of Secrets Manager.
    :param name:   Name or ARN.
    :raises RetryableError: It cannot be read, or holds no text; its content is in no message.
    """
    check_answers(client)
    try:
        found = client.get_secret_value(SecretId=name).get("SecretString")
    except (ClientError, BotoCoreError) as error:
        raise RetryableError(f"cannot read the secret {name}: {why(error)}") from error
    if not found:
        raise RetryableError(f"the secret {name} holds no text")
    return str(found)


def role_credentials(client: Any, role_arn: str) -> SigningCredentials:  # noqa: ANN401 - boto3's
    """
    Assume a role for signing.

    :param client: Client of STS.
    :raises RetryableError: STS refuses.
    """
    check_answers(client)
    try:
        answer = client.assume_role(RoleArn=role_arn, RoleSessionName=SESSION_NAME, DurationSeconds=ROLE_SECONDS)
    except (ClientError, BotoCoreError) as error:
        raise RetryableError(f"cannot assume {role_arn} for signing: {why(error)}") from error
    found = answer["Credentials"]
    return SigningCredentials(
        found["AccessKeyId"], found["SecretAccessKey"], found["SessionToken"], found["Expiration"]
    )
