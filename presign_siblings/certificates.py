"""Certificates to trust, without botocore: loading it takes longer than fetching a small file by its link."""

from __future__ import annotations

import os
import ssl
from functools import partial
from pathlib import Path

from presign_siblings.errors import WrongUseError

# Files that may name a bundle, each with the variable that names another file.
_FILES = (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials"))


def tls() -> ssl.SSLContext:
    """
    Return the certificates to trust: the system's, and those of the bundle that AWS's clients are told to trust.

    ``AWS_CA_BUNDLE``, then ``ca_bundle`` of the profile, then ``REQUESTS_CA_BUNDLE``, as botocore has it.
    """
    context, named = ssl.create_default_context(), bundle()
    # Python 3.13 refuses the certificates of many inspecting proxies, which browsers, curl and boto3 accept.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if named and Path(named).is_dir():
        context.load_verify_locations(capath=named)
    elif named:
        _load(context, named)
    return context


def bundle() -> str | None:
    """
    Return the path of the CA bundle that is named, if any.

    :raises WrongUseError: The bundle does not exist, or its name is empty: the libraries would report an errno without
                           the file, and accept any certificate where the name is empty.
    """
    sources = (partial(os.environ.get, "AWS_CA_BUNDLE"), _of_profile, partial(os.environ.get, "REQUESTS_CA_BUNDLE"))
    named = next((found for source in sources if (found := source()) is not None), None)
    if named is not None and not (named and Path(named).exists()):
        raise WrongUseError(f"there is no CA bundle {named!r}: --ca-bundle, AWS_CA_BUNDLE, or ca_bundle of the profile")
    return named


def _of_profile() -> str | None:
    if not any(_names_one(os.environ.get(name) or usual) for name, usual in _FILES):
        return None
    from presign_siblings.session import bundle_of_profile  # noqa: PLC0415 - botocore, which knows what a profile is

    return bundle_of_profile()


def _names_one(file: str) -> bool:
    try:
        return b"ca_bundle" in Path(file).expanduser().read_bytes()
    except (OSError, RuntimeError):
        return False  # no such file, or no home folder: botocore reads none either, or reports the fault


def _load(context: ssl.SSLContext, named: str) -> None:
    try:
        context.load_verify_locations(cafile=named)
    except ssl.SSLError as error:
        raise WrongUseError(f"{named} is not a CA bundle: {error.reason or 'no certificate in it'}") from error
