"""The session of this process: profile, settings and credentials, which are found once."""

from __future__ import annotations

import functools
import os
import sys
from typing import Any

import botocore.credentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound
from botocore.parsers import ResponseParserError
from botocore.session import Session

from presign_siblings.defaults import CHOSEN_PROFILE
from presign_siblings.errors import CommandError
from processor.aws import SERVICE_MODELS, frozen
from processor.causes import plain, why

CAN_LOG_IN = hasattr(botocore.credentials, "LoginProvider")


def session() -> Session:
    """
    Return the session of this process, which looks for credentials only once.

    The session is botocore's, since boto3 would load its file transfers before the first S3 client. A caller of the
    Python API may have set boto3's default session, which then takes precedence.
    """
    theirs = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    found: Session = _own_session() if theirs is None else theirs._session  # noqa: SLF001 - boto3 has no public access
    return found


@functools.cache
def _own_session() -> Session:
    core = Session(profile=os.environ.get(CHOSEN_PROFILE))
    core.register_component("data_loader", SERVICE_MODELS)
    return core


def forget_session() -> None:
    """Let the next client read the environment again, which a session remembers."""
    _own_session.cache_clear()
    if "boto3" in sys.modules:
        sys.modules["boto3"].DEFAULT_SESSION = None  # type: ignore[attr-defined]


def credentials() -> Any:  # noqa: ANN401 - of any provider
    """
    Return the credentials of this command; ``None`` where there are none.

    :raises CommandError: Their provider's output is malformed, which boto3 reports as a Python error, or a key is empty
                          or not a string.
    """
    try:
        found = session().get_credentials()
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        if isinstance(error, BotoCoreError):
            raise
        raise CommandError(
            f"the credentials cannot be read: {plain(str(error))}; run the profile's credential_process, or its "
            "sign-in, by hand to see more"
        ) from None
    if found is None:
        return None
    keys = frozen(found)
    if not (keys.access_key and keys.secret_key):
        raise CommandError(f"the credentials hold an empty key: look at profile {_profile()}")
    if not all(isinstance(each, str) for each in (keys.access_key, keys.secret_key, keys.token or "")):
        raise CommandError(f"the credentials hold a key or token that is no text: look at profile {_profile()}")
    if not keys.token:
        found.token = None  # "aws_session_token =" in a file: botocore would sign an empty token into each link
    return found


def is_of_session() -> bool:
    """Return whether a session signs: its links die with it, whatever expiry they state."""
    found = credentials()
    return found is not None and bool(frozen(found).token)


def no_credentials() -> str:
    """Return what to do where there are no credentials."""
    login = "login_session" in session().get_scoped_config()
    if login and not CAN_LOG_IN:
        return (
            f"profile {_profile()} signs in by aws login, which this botocore ({botocore.__version__}) cannot read: "
            f"install botocore 1.41 or later with awscrt, or {_by_environment()}"
        )
    return why(NoCredentialsError())


def _profile() -> str:
    return session().profile or "default"


def _by_environment() -> str:
    export = f"aws configure export-credentials --profile {_profile()} --format env"
    return f'put its credentials into the environment: eval "$({export})"'


def words_of_aws(error: Exception) -> str | None:
    """Return what an error of AWS's clients says; ``None`` for any other."""
    if isinstance(error, ClientError):
        return f"AWS refused {error.operation_name}: {why(error)}"
    if isinstance(error, NoCredentialsError):
        return no_credentials()
    if isinstance(error, EOFError):  # botocore has asked for input
        return f"profile {_profile()} wants an MFA code, and there is no terminal to ask at: {_by_environment()}"
    return why(error) if isinstance(error, BotoCoreError | ResponseParserError) else None


def bundle_of_profile() -> str | None:
    """Return the path of the CA bundle that the profile names, if any."""
    try:
        return session().get_config_variable("ca_bundle")  # type: ignore[no-any-return]
    except ProfileNotFound:
        return None  # a manifest needs no profile
