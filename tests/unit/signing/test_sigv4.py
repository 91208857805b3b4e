"""The canonical request of a URL follows AWS's rules."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime

from processor.job.s3_names import MAX_KEY_BYTES
from processor.signing.sigv4 import Dated, Template, quoted

AT = datetime(2026, 4, 1, 6, 30, 15, tzinfo=UTC)


def test_the_canonical_query_is_sorted_by_name_then_by_value() -> None:
    """Sorted as whole pairs, ``a-b=`` would come before ``a=``: the hyphen is less than the equals sign."""
    template = Template("https://h/", "/", "h", "a-b=1&a=2&a=1&X-Amz-Date={date}", "eu-west-1", AT)
    (url,) = Dated(template, "secret", AT).urls(["k"])
    canonical = "GET\n/k\nX-Amz-Date=20260401T063015Z&a=1&a=2&a-b=1\nhost:h\n\nhost\nUNSIGNED-PAYLOAD"
    digest, scope = hashlib.sha256(canonical.encode()).hexdigest(), "20260401/eu-west-1/s3/aws4_request"
    key = b"AWS4secret"
    for step in scope.split("/"):
        key = hmac.digest(key, step.encode(), "sha256")
    to_sign = f"AWS4-HMAC-SHA256\n20260401T063015Z\n{scope}\n{digest}"
    assert url.endswith(hmac.digest(key, to_sign.encode(), "sha256").hex())


def test_the_greatest_length_of_a_url_is_that_of_the_longest_key() -> None:
    """It is known without a look at any URL; in the longest, each byte of the key is percent-encoded."""
    template = Template("https://h/b/", "/b/", "h", "X-Amz-Date={date}&X-Amz-Credential={day}", "us-east-1", AT)
    short, longest = (Dated(template, "secret", AT).urls(quoted([key])) for key in ("k", "%" * MAX_KEY_BYTES))
    assert short.most == longest.most == len(longest[0])
    assert longest.may_exceed(len(longest[0]) - 1)
    assert not short.may_exceed(len(longest[0]))
