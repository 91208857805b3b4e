"""Downloads on a machine that lets a process open few files."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

from dev.checkout import REPOSITORY
from tests.programs import program
from tests.web import Answer, serving

if TYPE_CHECKING:
    from pathlib import Path

FEW, COUNT = 40, 120


def limited(limit: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Download many files at once, under a limit set by the shell."""
    with serving() as web:
        urls = {f"{at:03}.pdf": web.serve(f"/{at}", Answer(b"%PDF" * 50_000)) for at in range(COUNT)}
        manifest = folder / "m.jsonl"
        manifest.write_text("".join(json.dumps({"key": key, "url": url}) + "\n" for key, url in urls.items()))
        command = f'{limit}; exec "$@"'
        call = [sys.executable, "-m", "presign_siblings", "download", str(manifest), str(folder / "to"), "--json"]
        return subprocess.run(
            [program("sh"), "-c", command, "sh", *call, "--parallel", "120"],
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
            timeout=60,
        )


def test_too_many_open_files_end_a_download_with_the_limit_and_advice(tmp_path: Path) -> None:
    """Neither a file nor a connection is blamed, and nothing is tried again."""
    done = limited(f"ulimit -n {FEW}", tmp_path)
    assert done.returncode == 1
    (error,) = done.stderr.splitlines()
    assert json.loads(error)["error"] == (
        f"too many open files: this system lets a process open {FEW} (ulimit -n), and each file takes up to 3; "
        "lower --parallel"
    )


def test_a_soft_limit_is_raised(tmp_path: Path) -> None:
    """As on macOS, where it is 256."""
    done = limited(f"ulimit -Sn {FEW}", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["fetched"] == COUNT
