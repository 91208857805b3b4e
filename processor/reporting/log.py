"""
Structured logs: one JSON object a line, and no credential in it.

sosw logs through the same Powertools logger, so what is set here holds for its lines too.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from processor.causes import EQUALS

if TYPE_CHECKING:
    from collections.abc import Iterator

# A presigned URL's secrets, anywhere in a line, also of one that is encoded within another (a mail's protected link),
# and credentials under the names that AWS and people give them.
_SECRET = re.compile(
    rf"((?:X-Amz-(?:Signature|Security-Token|Credential)|Signature|AWSAccessKeyId){EQUALS})[^&\"\\\s]+"
    r"|(\"(?:aws_?)?(?:secret_?access_?key|session_?token|security_?token|access_?key_?id|password|task_?token)\\*\"\s*:\s*\\*\")[^\"\\]+",
    re.IGNORECASE,
)


class RedactingFormatter(LambdaPowertoolsFormatter):
    """Powertools' formatter, with credentials cut out of the finished line."""

    def serialize(self, log: Any) -> str:  # noqa: ANN401 - the base class's
        """Return the line."""
        return _SECRET.sub(lambda match: f"{match[1] or match[2]}<redacted>", super().serialize(log))


def of_the_code() -> dict[str, Any]:
    """Return the fields by which every line names the code that wrote it."""
    fields = {"release": os.environ.get("RELEASE"), "function_version": os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")}
    return {name: value for name, value in fields.items() if value}


logger = Logger()


def redact() -> None:
    """Cut credentials out of each line, in Lambda: a program that runs a job by itself keeps its own format."""
    logger.registered_handler.setFormatter(RedactingFormatter(**of_the_code()))


@contextmanager
def level_kept() -> Iterator[None]:
    """Let the level that sosw sets for an event end with that event."""
    level = logger.log_level
    try:
        yield
    finally:
        logger.setLevel(level)
