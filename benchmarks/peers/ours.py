"""Our own handler, through its public contract only: the environment, one event, one context."""

from __future__ import annotations

import json
import time
import uuid
from typing import TYPE_CHECKING, Any

from benchmarks.work import FUNCTION
from processor.app import lambda_handler

if TYPE_CHECKING:
    from benchmarks.work import Work

_HOP_SECONDS = 900.0


class _Context:
    """A Lambda context with 900 seconds from its creation."""

    function_name = FUNCTION
    function_version = "$LATEST"
    memory_limit_in_mb = 1769
    invoked_function_arn = f"arn:aws:lambda:us-east-1:000000000000:function:{FUNCTION}"

    def __init__(self) -> None:
        self.aws_request_id = str(uuid.uuid4())
        self._ends = time.monotonic() + _HOP_SECONDS

    def get_remaining_time_in_millis(self) -> int:
        return int(1000 * (self._ends - time.monotonic()))


def run(work: Work) -> int:
    """Do the work and return the number of signed keys."""
    event = {
        "bucket": work.bucket,
        "prefix": work.prefix,
        "expiry_seconds": work.expiry_seconds,
        "compression": work.compression,
        "concurrency": work.concurrency,
        **({"fields": work.fields.split(",")} if work.fields else {}),
    }
    answer: dict[str, Any] = lambda_handler(event, _Context())
    body = json.loads(answer["body"])
    if answer["statusCode"] != 200 or body["status"] != "complete":  # noqa: PLR2004 HTTP's OK
        raise RuntimeError(f"the handler answered {answer}")
    return int(body["count"])
