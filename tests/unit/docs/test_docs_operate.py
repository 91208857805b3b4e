"""The blocks of the guide for operators, typed into a shell that goes on after an error, as an operator's does."""

from __future__ import annotations

import json
import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from dev.checkout import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

OPERATE = (REPOSITORY / "docs" / "guides" / "operate.md").read_text(encoding="utf-8")
MESSAGE = json.dumps({"Messages": [{"Body": "{}", "ReceiptHandle": "h"}]})
# Says what it was asked, and fails where the test wants it.
AWS = """#!/bin/sh
echo "$1 $2" >> asked.txt
case "$2" in "$FAILS") exit 255 ;; receive-message) printf %s "$RECEIVED" ;; esac
"""


def asked(heading: str, folder: Path, *, received: str = MESSAGE, fails: str = "") -> list[str]:
    """Run all blocks under a heading with an ``aws`` that only records its calls, and return these."""
    section = OPERATE.split(f"### {heading}\n", 1)[1].split("\n#", 1)[0]
    (folder / "aws").write_text(AWS)
    (folder / "aws").chmod(0o755)
    environment = {"PATH": f"{folder}:{os.environ['PATH']}", "RECEIVED": received, "FAILS": fails}
    text = "".join(re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL))
    subprocess.run(["/bin/bash", "-c", text], cwd=folder, env=environment, capture_output=True, check=False)
    return (folder / "asked.txt").read_text().splitlines()


REPLAYS = {"An event that Lambda has given up": "lambda invoke", "A message that failed": "sqs send-message"}


@pytest.mark.parametrize("heading", REPLAYS)
def test_an_event_is_deleted_once_it_was_sent(heading: str, tmp_path: Path) -> None:
    """In this order."""
    assert asked(heading, tmp_path)[-2:] == [REPLAYS[heading], "sqs delete-message"]


@pytest.mark.parametrize("heading", REPLAYS)
def test_an_event_that_was_not_sent_stays_in_its_queue(heading: str, tmp_path: Path) -> None:
    """A refused invocation lost the event: the next line deleted it."""
    assert asked(heading, tmp_path, fails=REPLAYS[heading].split()[1])[-1] == REPLAYS[heading]


def test_nothing_is_sent_from_an_empty_queue(tmp_path: Path) -> None:
    """The empty record was an event: it started the stack's own job."""
    assert asked("An event that Lambda has given up", tmp_path, received="")[-1] == "sqs receive-message"


def test_the_line_of_a_failed_job_is_the_one_with_the_cause(tmp_path: Path) -> None:
    """The newest is that of Lambda's last retry, which only repeats that the job has failed."""
    reasons = ("cannot list s3://reports/: AccessDenied", *2 * ("job j has failed: SourceRefusedError",))
    lines = "\t".join(f'{{"event":"failed","reason":"{reason}"}}' for reason in reasons)
    (tmp_path / "aws").write_text(f"#!/bin/sh\ncat <<'END'\n{lines}\nEND\n")
    (tmp_path / "aws").chmod(0o755)
    section = OPERATE.split("### presign_siblings_errors\n", 1)[1]
    block = section.split("```sh\n", 1)[1].split("```", 1)[0]
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    shown = subprocess.run(["/bin/bash", "-c", block], env=environment, capture_output=True, check=True, text=True)
    assert "AccessDenied" in shown.stdout


def test_no_element_of_a_list_of_many_pages_is_taken_as_text() -> None:
    """The AWS CLI takes it from each page, and prints ``None`` for the others; log groups have empty pages."""
    assert re.findall(r"\| \[-?\d\]", OPERATE) == []
