"""
What can go wrong, sorted by what Lambda should do next.

::

    PresignSiblingsError
    +-- InvalidEventError     answer 400; nothing was read or written
    |   +-- NewerVersionError     a hop's event waits for the version that knows it
    +-- TerminalError         record the job as failed, delete what it has written, raise
    |   +-- SourceRefusedError    source gone, denied or not as needed: what is written is kept for a ``resume``
    |   +-- CursorRefusedError    S3 does not know the continuation token
    |   +-- ArchivedError         an object cannot be read before it is restored, and the job is to fail then
    |   +-- ManifestTakenError    another job's object is at the manifest's key
    |   +-- ManifestDamagedError  the manifest that S3 shows is not as long as what was committed
    |   +-- ChainFailedError      a chain that works on a range of the job has failed for good
    |   +-- ManifestTooLongError  the manifest does not fit into one S3 object
    |   +-- CheckpointLostError   the checkpoint, or what it names, is gone or damaged
    |       +-- PieceLostError        a piece of the manifest is gone
    +-- RetryableError        leave the job resumable, raise: Lambda delivers the event again
        +-- LeaseLostError        another holder works on the job; this one writes nothing more
        +-- UnderWayError         a retry met a live lease

Standard library only at run time: every other module but ``causes`` imports this one.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from processor.causes import SIGNED_OUT, has_credential, is_refusal, why

SHOWN_CHARACTERS = 80

DENIED_CODES = frozenset(
    {
        "403",
        "404",
        "AccessDenied",
        "AllAccessDisabled",
        "AccountProblem",
        "InvalidBucketName",
        "NoSuchBucket",
        "PermanentRedirect",
    },
)


class PresignSiblingsError(Exception):
    """The root of every error that this package raises itself."""


class InvalidEventError(PresignSiblingsError):
    """
    The event breaks a rule of the contract. Raised before any AWS call.

    :param field: The field's name as the caller wrote it.
    :param value: What the field held; shown shortened, and not at all when it looks like a credential.
    :param rule:  What the field must be.
    """

    def __init__(self, field: str, value: object, rule: str) -> None:
        self.field, self.rule = field, rule
        super().__init__(f"{shown(field)}: {shown(value)} is refused: {rule}")

    def __reduce__(self) -> tuple[Any, ...]:
        """Let a pool of processes return the error: pickle would call ``__init__`` with the message alone."""
        return type(self).__new__, (type(self), *self.args), self.__dict__


class NewerVersionError(InvalidEventError):
    """A newer version of the function wrote the payload, or the record, and can continue with it."""


class TerminalError(PresignSiblingsError):
    """
    The job cannot continue by itself; a retry would end the same way.

    ``is_resumable``: what is written is kept, since an operator may remove the cause, and ``resume`` then continues.
    """

    is_resumable = False


class SourceRefusedError(TerminalError):
    """The bucket or the list of keys is gone or denied, or it gives what cannot be used: damaged, or out of order."""

    is_resumable = True


class CursorRefusedError(TerminalError):
    """S3 refuses the continuation token, and there is no last key to continue from."""


class ArchivedError(TerminalError):
    """An object is archived, and the job says ``archived: fail``."""


class ManifestTakenError(TerminalError):
    """The object at the manifest's key is not this job's; it is never replaced."""


class ManifestDamagedError(TerminalError):
    """The manifest that S3 shows is not as long as what was committed."""


class ChainFailedError(TerminalError):
    """A chain that works on a range of the job has failed for good."""


class ManifestTooLongError(TerminalError):
    """The manifest does not fit into the parts that S3 allows an object."""


class CheckpointLostError(TerminalError):
    """The checkpoint, or what it names, no longer exists, is damaged or belongs to another job."""


class PieceLostError(CheckpointLostError):
    """A piece of the manifest, which the checkpoint names, no longer exists."""


class RetryableError(PresignSiblingsError):
    """A fault that outlived the SDK's own retries; the job continues from its last checkpoint."""


class LeaseLostError(RetryableError):
    """Another holder works on the job; this one stops and writes nothing more."""


class UnderWayError(RetryableError):
    """The event's own job is under way elsewhere; when that holder is gone, a retry continues."""


def error_code(error: Any) -> str:  # noqa: ANN401 - a ClientError, or what has its shape
    """Return the service's error code, e.g. ``NoSuchBucket``."""
    return str(error.response.get("Error", {}).get("Code", ""))


def is_of_server(error: Any) -> bool:  # noqa: ANN401 - as above
    """Whether the fault is the service's own; then it is unknown whether the request had its effect."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return bool(status >= HTTPStatus.INTERNAL_SERVER_ERROR)


def from_client_error(error: Any, doing: str) -> PresignSiblingsError:  # noqa: ANN401 - any library's
    """
    Sort a failed request of AWS into terminal or retryable.

    :param error: A ``ClientError``, or whatever kept the request from being answered.
    :param doing: What was tried, e.g. ``list s3://bucket/prefix``.
    """
    code = error.response.get("Error", {}).get("Code") if is_refusal(error) else None
    kind = SourceRefusedError if code in DENIED_CODES else RetryableError
    return kind(f"cannot {doing}: {why(error)}")


def cause_code(error: BaseException) -> str:
    """Return a short name of what failed a request, for logs and metrics: the service's code, or the error's kind."""
    return error_code(error) if is_refusal(error) else type(error).__name__


def is_signed_out(error: BaseException) -> bool:
    """Return whether a request failed because the session of its credentials has ended, as every other one would."""
    return error.__cause__ is not None and cause_code(error.__cause__) in SIGNED_OUT


def shown(value: object) -> str:
    """Show a caller's value in a message: shortened, and withheld when it may hold a credential."""
    if value is None:
        return "null"
    text = repr(value) if type(value) in (str, int) else f"{type(value).__name__} {value!r}"
    if has_credential(text):
        return "<withheld: it looks like a credential>"
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}..."
