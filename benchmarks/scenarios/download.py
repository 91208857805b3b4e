"""The recipient's download, compared with s5cmd, rclone and curl: many small files, and some large ones."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.objects import BUCKET, GIGABIT, SHARED, key_of
from benchmarks.peers.s5cmd_batch import binary
from benchmarks.results import Findings, Sample, pair_rows, pairs, ratio_goal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.bench import Bench

PARALLEL = 16  # our own default; curl's and rclone's are set to it, s5cmd's own is 256
LEAST_TIMES_CURL = 0.5
LEAST_OF_A_NETWORK = 0.95  # where the network is the bound, all are equally fast, except for their starts
CHECKED = "ours"
# All but rclone copy count bytes and compare no checksum: ours does both, and is measured without it too.
OURS = {CHECKED: (), "ours --ignore-checksum": ("--ignore-checksum",)}
BOUND = "MD5 alone"
# The lower bound of a process that compares MD5: nothing is fetched, and nothing written.
_HASHES = "import hashlib; body = bytes({size}); [hashlib.md5(body, usedforsecurity=False) for _ in range({count})]"
RCLONE = Path(".venv-stores/bin/rclone")
_QUERY = (
    "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIASTUB%2F20260401%2Fus-east-1%2Fs3%2Faws4_request"
    "&X-Amz-Date=20260401T063015Z&X-Amz-Expires=43200&X-Amz-SignedHeaders=host&X-Amz-Signature="
)
_CREDENTIALS = {"AWS_ACCESS_KEY_ID": "stub", "AWS_SECRET_ACCESS_KEY": "stub", "AWS_REGION": "us-east-1"}


class WrongFilesError(Exception):
    """A contestant fetched files other than the objects."""


@dataclass(frozen=True, slots=True)
class Case:
    """
    Objects on a running server, and the input of each contestant.

    :param rate:   Bytes a second of the network; 0 where there is no limit.
    :param folder: Holds the lists, and the downloaded files.
    """

    endpoint: str
    count: int
    size: int
    rate: int
    folder: Path

    @property
    def name(self) -> str:
        """The case in words."""
        return f"{self.count:,} x {self.size // 1000:,} KB" + f", {self.rate / GIGABIT:g} Gbit/s" * bool(self.rate)

    def write(self) -> None:
        """Write the list of each contestant that takes links."""
        keys = [key_of(number) for number in range(self.count)]
        links = {key: f"{self.endpoint}/{BUCKET}/{key}?{_QUERY}{number:064x}" for number, key in enumerate(keys)}
        lines = {
            "manifest.jsonl": [json.dumps({"key": key, "url": url}) for key, url in links.items()],
            "files.csv": [f"{url},{key}" for key, url in links.items()],
            "files.curl": [
                *("create-dirs", "fail", "globoff", "path-as-is", "parallel", f"parallel-max = {PARALLEL}"),
                *(f'url = "{url}"\noutput = "{key}"' for key, url in links.items()),
            ],
        }
        for name, written in lines.items():
            (self.folder / name).write_text("\n".join(written) + "\n", encoding="utf-8")

    def commands(self) -> dict[str, list[str]]:
        """Return each contestant's command, without those that are not installed."""
        s5cmd, rclone, curl = binary(), RCLONE.resolve() if RCLONE.exists() else None, shutil.which("curl")
        at, to = str(self.folder), str(self.folder / "files")
        parallel = ["--transfers", str(PARALLEL)]
        settings = "provider=Other,list_version=2,no_check_bucket=true,env_auth=true"
        store = f":s3,{settings},endpoint='{self.endpoint}':{BUCKET}"
        ours = [sys.executable, "-m", "presign_siblings", "download", f"{at}/manifest.jsonl", to, "--quiet"]
        found = {
            **{name: [*ours, "--parallel", str(PARALLEL), *more] for name, more in OURS.items()},
            "s5cmd cp": [str(s5cmd), "--endpoint-url", self.endpoint, "cp", f"s3://{BUCKET}/*", f"{to}/"],
            "rclone copy": [str(rclone), "copy", "--fast-list", *parallel, store, to],
            "rclone copyurl": [str(rclone), "copyurl", "--urls", *parallel, f"{at}/files.csv", to],
            "curl --parallel": [str(curl), "--silent", "--config", f"{at}/files.curl"],
        }
        missing = {"s5cmd cp": s5cmd, "rclone copy": rclone, "rclone copyurl": rclone, "curl --parallel": curl}
        return {name: command for name, command in found.items() if missing.get(name, name)}

    def run(self, command: list[str]) -> Sample:
        """
        Download all into an empty folder, and check the files.

        :raises WrongFilesError: Files are missing, or have another size.
        """
        to = self.folder / "files"
        to.mkdir()
        sample = self._timed([command], to)
        came = [path.stat().st_size for path in to.rglob("*") if path.is_file()]
        shutil.rmtree(to)
        if came != [self.size] * self.count:
            raise WrongFilesError(f"{command[0]}: {len(came)} files of {sum(came):,} bytes came")
        return sample

    def hashed(self) -> Sample:
        """Compute the MD5 of as many bytes, in one process per core."""
        cores = len(os.sched_getaffinity(0))
        code = _HASHES.format(size=self.size, count=-(-self.count // cores))
        return self._timed([[sys.executable, "-c", code]] * cores, self.folder)

    def _timed(self, commands: list[list[str]], at: Path) -> Sample:
        environment = os.environ | _CREDENTIALS | {"PYTHONPATH": str(Path.cwd())}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed has been compiled, as the others have
        words = [sys.executable, "-m", "benchmarks.timed", json.dumps(commands)]
        done = subprocess.run(words, cwd=at, env=environment, stdout=subprocess.PIPE, check=True)
        report = json.loads(done.stdout)
        for command, code in zip(commands, report["codes"], strict=True):
            if code:
                raise WrongFilesError(f"{command[0]} ended with {code}")
        return Sample(self.count, report["seconds"], report["cpu_seconds"], report["peak_bytes"])


@contextlib.contextmanager
def _serving(count: int, size: int, rate: int) -> Iterator[Case]:
    command = [sys.executable, "-m", "benchmarks.objects", str(count), str(size), "--rate", str(rate)]
    with tempfile.TemporaryDirectory(dir=SHARED) as folder, subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            assert server.stdout is not None  # noqa: S101 a pipe was asked for
            yield Case(f"http://127.0.0.1:{int(server.stdout.readline())}", count, size, rate, Path(folder))
        finally:
            server.terminate()


def measure(bench: Bench) -> Findings:
    """Measure whole processes in pairs, each with all cores: the time that a user waits."""
    findings, missing = Findings(), set[str]()
    for download in bench.sizes.downloads:
        with _serving(*download) as case:
            case.write()
            for own in OURS:
                findings.add(_case(case, own, bench.sizes.rounds))
            missing = {"s5cmd", "rclone", "curl"} - {name.partition(" ")[0] for name in case.commands()}
    findings.notes += [f"{name} is not installed here, and left out of the downloads." for name in sorted(missing)]
    return findings


def _case(case: Case, own: str, rounds: int) -> Findings:
    commands = case.commands()
    case.run(commands[own])  # compiles what a checkout has not compiled yet

    def runner(name: str) -> Callable[[], Sample]:
        return lambda: case.run(commands[name])

    others = {name: runner(name) for name in commands if name not in OURS}
    if own == CHECKED:
        others[BOUND] = case.hashed
    measured = pairs(runner(own), others, rounds)
    least = LEAST_OF_A_NETWORK if case.rate else 1.0
    goals = [
        ratio_goal(f"download, {case.name}, {own}, times {name}", ratios, LEAST_TIMES_CURL if "curl" in name else least)
        for name, (_, ratios) in measured[1].items()
        if name != BOUND
    ]
    return Findings(pair_rows(f"download {case.name}", own, case.count, measured), goals)
