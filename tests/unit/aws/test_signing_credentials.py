"""The current keys, from whatever source."""

from __future__ import annotations

import traceback
from types import SimpleNamespace

import pytest
from botocore.exceptions import CredentialRetrievalError
from botocore.parsers import ResponseParserError

from processor.aws import frozen


@pytest.mark.parametrize(
    "error",
    [ResponseParserError("invalid XML received: b'<SecretAccessKey>s3cr3t</SecretAccessKey'"), KeyError("Expiration")],
)
def test_an_answer_without_credentials_is_reported_and_never_shown(error: Exception) -> None:
    """A truncated answer of STS for a profile with a role was in a traceback, with the role's secret key."""

    def ask() -> None:
        raise error

    found = SimpleNamespace(method="assume-role", get_frozen_credentials=ask)
    with pytest.raises(CredentialRetrievalError, match="assume-role: its answer holds no credentials") as raised:
        frozen(found)
    assert "s3cr3t" not in "".join(traceback.format_exception(raised.value, chain=False))
    assert raised.value.__suppress_context__
