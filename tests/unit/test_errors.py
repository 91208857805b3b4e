"""Errors: what a caller's own processes do with them."""

from __future__ import annotations

import copy
import pickle

import pytest

from processor.errors import InvalidEventError, NewerVersionError


@pytest.mark.parametrize("kind", [InvalidEventError, NewerVersionError])
def test_a_refusal_passes_from_one_process_to_another(kind: type[InvalidEventError]) -> None:
    """A pool of processes breaks at an error that pickle cannot make again."""
    error = kind("expiry_seconds", 0, "must be positive")

    for found in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301 - made here
        assert type(found) is kind
        assert (str(found), found.field, found.rule) == (str(error), error.field, error.rule)


def test_a_refused_credential_does_not_pass_to_another_process() -> None:
    """The message leaves it out, and so does what is pickled."""
    url = "https://reports.s3.amazonaws.com/a.pdf?X-Amz-Signature=5ec4e7&X-Amz-Security-Token=FwoGZXIvYXdz"

    assert b"5ec4e7" not in pickle.dumps(InvalidEventError("bucket", url, "must be a bucket's name"))
