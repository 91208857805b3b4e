"""Structured logs without any credential."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from processor.reporting import logger
from processor.reporting.log import RedactingFormatter, of_the_code

if TYPE_CHECKING:
    from tests.output import Output

URL = (
    "https://b.s3.amazonaws.com/k.pdf?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=ASIASECRETKEY%2F20260401"
    "&X-Amz-Security-Token=FwoSECRETTOKEN&X-Amz-Signature=5ec4e7"
)


def test_every_line_names_the_version_of_the_code_that_wrote_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator sees a rollback in the log."""
    monkeypatch.setenv("RELEASE", "0.1.0 1a2b3c4d5e6f 2026-04-01")
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_VERSION", "7")
    line = RedactingFormatter(**of_the_code()).format(logging.makeLogRecord({"msg": "said"}))
    assert {"release": "0.1.0 1a2b3c4d5e6f 2026-04-01", "function_version": "7"}.items() <= json.loads(line).items()
    monkeypatch.delenv("RELEASE")
    assert of_the_code() == {"function_version": "7"}


@pytest.mark.parametrize(
    "written",
    [
        URL,
        f"https://safelinks.example/?url={quote(URL, safe='')}&data=1",
        quote(quote(URL)),
        {"nested": {"url": URL}},
        [json.dumps({"url": URL})],
        {"aws_secret_access_key": "SECRETKEY", "SessionToken": "SECRETTOKEN", "accessKeyId": "SECRETKEY"},
        json.dumps({"SecretAccessKey": "SECRETKEY"}),
    ],
)
def test_a_credential_never_reaches_a_log_line(written: object, output: Output) -> None:
    """Whatever logs it: sosw's lines pass the same formatter."""
    logger.info(written)
    logger.info("x", extra={"field": written})
    line = output.getvalue()
    assert "redacted" in line
    assert "SECRET" not in line.replace("aws_secret_access_key", "").replace("SecretAccessKey", "")
    assert "5ec4e7" not in line


@pytest.mark.parametrize(
    ("module", "is_redacted"), [("presign_siblings.laptop.lambda_stand_ins", False), ("processor.app", True)]
)
def test_only_the_function_changes_the_format_of_its_process(module: str, *, is_redacted: bool) -> None:
    """A program with Powertools' logger that ran a job here lost the fields of all its later lines."""
    code = (
        "from aws_lambda_powertools import Logger; host = Logger(); host.append_keys(mine='host'); "
        f"import {module}; host.info('X-Amz-Signature=5ec4e7')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    line = json.loads(done.stdout.splitlines()[-1])
    assert ("<redacted>" in line["message"], "mine" in line) == (is_redacted, not is_redacted)
