"""The session of this process, or of a call: profile, settings and credentials, which are found once."""

from __future__ import annotations

import functools
import os
import sys
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import botocore.credentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, ProfileNotFound
from botocore.parsers import ResponseParserError
from botocore.session import Session

from presign_siblings.defaults import CHOSEN_PROFILE
from presign_siblings.errors import CommandError
from processor.aws import SERVICE_MODELS, frozen
from processor.causes import plain, why

if TYPE_CHECKING:
    from collections.abc import Iterator

_OF_CALL: ContextVar[Session | None] = ContextVar("session", default=None)
CAN_LOG_IN = hasattr(botocore.credentials, "LoginProvider")


def session() -> Session:
    """
    Return the session of this call or else of this process; each looks for credentials only once, while the
    variables of AWS stay as they are.

    The session is botocore's, since boto3 would load its file transfers before the first S3 client. A caller of the
    Python API may have set boto3's default session, which then takes precedence.
    """
    of_call = _OF_CALL.get()
    if of_call is not None:
        return of_call
    theirs = getattr(sys.modules.get("boto3"), "DEFAULT_SESSION", None)
    found: Session = _own_session(_variables()) if theirs is None else theirs._session  # noqa: SLF001 - boto3 has no public access
    return found


def _variables() -> tuple[tuple[str, str], ...]:
    """Return what a session reads at different times: the keys of one profile would sign for the region of another."""
    return tuple(item for item in os.environ.items() if item[0].startswith("AWS_"))


@functools.lru_cache(maxsize=1)
def _own_session(_: tuple[tuple[str, str], ...]) -> Session:
    core = Session(profile=os.environ.get(CHOSEN_PROFILE))
    core.register_component("data_loader", SERVICE_MODELS)
    if "AWS_DEFAULT_REGION" not in os.environ and (region := os.environ.get("AWS_REGION")):
        core.set_config_variable("region", region)  # Lambda, the AWS CLI and other SDKs read it, and botocore does not
    return core


@contextmanager
def using(theirs: Any) -> Iterator[None]:  # noqa: ANN401 - boto3 has no types
    """
    Let a session make all clients while the block runs, whatever other threads do meanwhile.

    :param theirs: boto3's; ``None`` for the one that would be used now.
    """
    token = _OF_CALL.set(session() if theirs is None else theirs._session)  # noqa: SLF001 - boto3 has no public access
    try:
        yield
    finally:
        _OF_CALL.reset(token)


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
