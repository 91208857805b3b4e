"""The versions of a function: what each is, which one is live, and which are too old to keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from presign_siblings.deploy.stacks import DeployError
from processor.errors import error_code

if TYPE_CHECKING:
    from collections.abc import Sequence

    from types_boto3_lambda import LambdaClient

ALIAS, PREVIOUS = "live", "previous"
LATEST = "$LATEST"
KEPT = 10  # versions; Lambda gives an account 75 GB for all code
_SHORTEST = 7  # characters of a commit that name it


@dataclass(frozen=True, slots=True)
class Version:
    """
    A version of the function.

    :param number:   Lambda's number.
    :param release:  Version of this package, commit and its date, as the deployment described it.
    :param made_at:  When it was published, ISO 8601.
    """

    number: str
    release: str
    made_at: str


def of_function(functions: LambdaClient, function: str) -> list[Version]:
    """Return the versions of a function, the newest first."""
    pages = functions.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    found = [
        Version(each["Version"], each.get("Description", ""), each.get("LastModified", ""))
        for page in pages
        for each in page["Versions"]
        if each["Version"] != LATEST
    ]
    return sorted(found, key=lambda version: -int(version.number))


def live(functions: LambdaClient, function: str) -> str:
    """Return the version that the alias names, which may have been moved by hand from the stack's version."""
    return functions.get_alias(FunctionName=function, Name=ALIAS)["FunctionVersion"]


def aim(functions: LambdaClient, function: str, version: str) -> bool:
    """
    Move the alias to a version, and all requests with it, if it was moved by hand.

    CloudFormation does not read the alias: it changes nothing where the stack's own parameter is that version.

    :return: Whether the alias named another version, or gave one a share.
    """
    now = functions.get_alias(FunctionName=function, Name=ALIAS)
    shares = now.get("RoutingConfig", {}).get("AdditionalVersionWeights", {})
    if now["FunctionVersion"] == version and not shares:
        return False
    functions.update_alias(
        FunctionName=function, Name=ALIAS, FunctionVersion=version, RoutingConfig={"AdditionalVersionWeights": {}}
    )
    return True


def chosen(found: Sequence[Version], named: str, live: str) -> Version:
    """
    Return the version that a name means.

    :param found: All versions, the newest first.
    :param named: A number, the beginning of a commit, or ``previous``: the newest that is older than the live one.
    :param live:  Number of the live version.
    :raises DeployError: There is no such version; the message lists the versions.
    """
    if named == PREVIOUS:
        fits = [each for each in found if live.isdigit() and int(each.number) < int(live)]
    else:
        fits = [each for each in found if each.number == named or _is_of_commit(each, named)]
    if not fits:
        versions = "; ".join(f"{each.number} {each.release}".rstrip() for each in found)
        raise DeployError(f"the function has no version {named}: it has {versions or 'none'}")
    return fits[0]


def _is_of_commit(version: Version, named: str) -> bool:
    return len(named) >= _SHORTEST and any(
        word.startswith(named) or named.startswith(word)
        for word in version.release.split()
        if len(word) >= _SHORTEST and "-" not in word
    )


def prune(functions: LambdaClient, function: str, live: str) -> list[str]:
    """
    Delete old versions; the live one, the newest, and those that an alias of somebody's names stay.

    :return: Numbers of the deleted versions.
    """
    old = [each.number for each in of_function(functions, function)[KEPT:] if each.number != live]
    return [number for number in old if _deleted(functions, function, number)]


def _deleted(functions: LambdaClient, function: str, number: str) -> bool:
    try:
        functions.delete_function(FunctionName=function, Qualifier=number)
    except ClientError as error:
        if error_code(error) != "ResourceConflictException":
            raise
        return False
    return True
