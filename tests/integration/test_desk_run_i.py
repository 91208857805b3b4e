"""``run`` on a moto server, as a process that is really interrupted and really killed."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import pwd
import signal
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import boto3
import pytest
from click.testing import CliRunner

from dev.checkout import REPOSITORY
from presign_siblings.cli.main import main
from presign_siblings.errors import NO_THREADS
from presign_siblings.laptop.processes import METHOD
from presign_siblings.manifests import reader

if TYPE_CHECKING:
    from collections.abc import Callable

    from types_boto3_s3 import S3Client

    from presign_siblings.manifests.entry import Entry

pytestmark = pytest.mark.no_cover  # whole jobs, again and again, of lines that other tests run, too
COUNT = 48
KEYS = sorted(f"in/{number % 7}/{number:04}.pdf" for number in range(COUNT))
SECONDS = 60.0


@dataclass
class Shell:
    """
    A folder in which commands run.

    :param bucket: A bucket that holds the keys.
    """

    folder: Path
    bucket: str

    def start(
        self,
        *arguments: str,
        program: str | None = None,
        stdin: int | None = None,
        stderr: int = subprocess.PIPE,
    ) -> subprocess.Popen[str]:
        """Start a command in a process of its own, which can be killed."""
        command = ["-m", "presign_siblings"] if program is None else ["-c", program]
        return subprocess.Popen(
            [sys.executable, *command, *arguments],
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            cwd=self.folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            start_new_session=True,
        )

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command in this process; return its exit code and its output."""
        result = CliRunner().invoke(main, arguments)
        return result.exit_code, result.stdout, result.stderr

    def run_apart(self, *arguments: str) -> tuple[int, str, str]:
        """Run a command in a process of its own: this one has threads, and must not fork."""
        process = self.start(*arguments)
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err

    def json(self, *arguments: str) -> dict[str, Any]:
        """Run a command that succeeds; return its result."""
        code, out, err = self.run(*arguments, "--json")
        assert code == 0, err
        result: dict[str, Any] = json.loads(out)
        return result

    def interrupted(self, number: signal.Signals, checkpoint: Path, *arguments: str) -> tuple[int, str, str]:
        """Start a command, and send it a signal once it has saved a checkpoint."""
        process = self.start(*arguments)
        saved(process, checkpoint)
        process.send_signal(number)
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err

    def source(self) -> str:
        """Return the source that the runs list."""
        return f"s3://{self.bucket}/in/"


def saved(process: subprocess.Popen[str], checkpoint: Path) -> None:
    """Wait until a run has saved a checkpoint."""
    deadline = time.monotonic() + SECONDS
    while not checkpoint.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(scope="module")
def filled(moto_endpoint: str) -> str:
    """Fill a bucket with keys, once: no test changes them."""
    s3 = boto3.client(
        "s3", endpoint_url=moto_endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    name = f"autotest-{uuid.uuid4().hex}"
    s3.create_bucket(Bucket=name)
    for key in (*KEYS, "in/no.txt"):
        s3.put_object(Bucket=name, Key=key, Body=key.encode())
    return name


@pytest.fixture
def shell(aws: str, filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:  # noqa: ARG001
    """Return a shell in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return Shell(tmp_path, filled)


def eventually(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def keys(path: Path) -> list[str]:
    """Return the keys of a manifest file; each of its lines is checked."""
    with reader.opened(path, lambda: pytest.fail("no S3 is needed")) as stream:
        return [entry.key for entry in reader.entries(stream)]


# One key a page, and frequent checkpoints: slow enough to be stopped in the middle, on any machine.
PAGES = ("--page-size", "1")
SLOW = (*PAGES, "--checkpoint-seconds", "0.1")


def test_a_run_writes_a_manifest_to_the_working_directory(shell: Shell) -> None:
    """It holds each key once; only its owner may read it; no other file remains."""
    reported = shell.json("run", shell.source())
    assert (reported["status"], reported["count"], reported["errors"], reported["manifest"]) == (
        "complete",
        COUNT,
        0,
        "manifest.jsonl",
    )
    path = shell.folder / "manifest.jsonl"
    assert keys(path) == KEYS
    assert path.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in shell.folder.iterdir()] == ["manifest.jsonl"]
    code, _, err = shell.run("run", shell.source())
    assert (code, "never replaced" in err) == (2, True)


def test_a_pipe_gets_the_manifest_and_nothing_else(shell: Shell) -> None:
    """The result goes to standard error, JSON too; no file remains."""
    for place in ("-", "/dev/stdout"):
        code, out, err = shell.run("run", shell.source(), "--to", place)
        assert (code, [json.loads(line)["key"] for line in out.splitlines()]) == (0, KEYS)
        assert f"standard output: {COUNT} keys" in err
    code, out, err = shell.run("run", shell.source(), "--to", "-", "--json", "--compression", "gzip")
    assert (code, json.loads(err)["manifest"]) == (0, "standard output")
    assert list(shell.folder.iterdir()) == []
    code, out, err = shell.run("run", shell.source(), "--to", "-", "--resume")
    assert (code, out, "--resume needs a file" in err) == (2, "", True)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_pipe_that_is_closed_early_leaves_no_link_in_a_file(
    shell: Shell, number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when a terminal closes over a pager: the rest of the manifest stayed in the temporary folder."""
    monkeypatch.setenv("TMPDIR", str(shell.folder))
    process = shell.start("run", shell.source(), "--to", "-")
    with process:
        assert process.stdout is not None
        fcntl.fcntl(process.stdout, fcntl.F_SETPIPE_SZ, 4096)  # less than the manifest
        assert process.stdout.read(1) == "{"
        process.send_signal(number)
    assert (process.returncode, list(shell.folder.iterdir())) == (128 + number, [])


def test_a_manifest_goes_into_a_folder_that_exists(shell: Shell) -> None:
    """No file with live links lies beside the folder; a missing folder is refused, not taken for a file name."""
    (shell.folder / "out").mkdir()
    assert shell.json("run", shell.source(), "--to", "out")["manifest"] == "out/manifest.jsonl"
    assert shell.json("run", shell.source(), "--to", "out/", "--compression", "gzip")["count"] == COUNT
    assert sorted(each.name for each in shell.folder.rglob("*.*")) == ["manifest.jsonl", "manifest.jsonl.gz"]
    code, _, err = shell.run("run", shell.source(), "--to", "other/")
    assert (code, "other/ does not exist" in err) == (2, True)


def test_an_s3_target_without_a_final_slash_is_a_folder_too(shell: Shell, s3: S3Client) -> None:
    """The manifest lies under it, not beside it; a target that looks like a file is refused."""
    reported = shell.json("run", shell.source(), "--to", f"s3://{shell.bucket}/links")
    assert reported["manifest"].startswith(f"s3://{shell.bucket}/links/")
    found = s3.list_objects_v2(Bucket=shell.bucket, Prefix="links")["Contents"]
    assert all(each["Key"].startswith("links/") for each in found)
    code, _, err = shell.run("run", shell.source(), "--to", f"s3://{shell.bucket}/links.jsonl")
    assert (code, "names a file" in err) == (2, True)


def test_manifests_in_another_bucket_hide_no_key_of_this_one(shell: Shell, bucket: str) -> None:
    """The same prefix there was refused, with the advice to name another bucket, or keys were left out."""
    to = ("--to", f"s3://{bucket}/in/")
    assert shell.json("run", shell.source(), *to)["count"] == COUNT
    assert shell.json("run", f"s3://{shell.bucket}/", *to)["count"] == COUNT


def test_links_of_a_session_are_not_promised_for_seven_days(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """They expire with it, at the latest after AWS's longest session; those of an IAM user's keys live on."""
    reported = shell.json("run", shell.source(), "--expiry-seconds", "7d", "--to", "a.jsonl")
    left = datetime.fromisoformat(reported["expires_at"]) - datetime.now(UTC)
    assert (reported["ends_with_session"], left < timedelta(hours=36.1)) == (True, True)
    assert "die with the session" in shell.run("run", shell.source(), "--expiry-seconds", "7d", "--to", "b.jsonl")[1]
    monkeypatch.delenv("AWS_SESSION_TOKEN")
    reported = shell.json("run", shell.source(), "--expiry-seconds", "7d", "--to", "c.jsonl")
    left = datetime.fromisoformat(reported["expires_at"]) - datetime.now(UTC)
    assert (reported["ends_with_session"], left > timedelta(days=6.9)) == (False, True)


@pytest.mark.parametrize(
    ("minutes", "reported"),
    [
        (-10, "this machine's clock is 10 min ahead of the server's: links signed here may answer 403 at first"),
        (10, "this machine's clock is 10 min behind the server's: links signed here die that much earlier"),
        (0, None),
        ("today", None),
        ("Mon, 01 Jan 99999999999999999999 00:00:00 GMT", None),
    ],
)
def test_a_wrong_clock_is_reported_once(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, minutes: int | str, reported: str | None
) -> None:
    """WSL's clock stops while the machine sleeps; S3 accepts requests that are up to 15 minutes off."""

    def date(*_: object) -> str:
        if isinstance(minutes, str):
            return minutes
        return format_datetime(datetime.now(UTC) + timedelta(minutes=minutes), usegmt=True)

    monkeypatch.setattr("http.server.BaseHTTPRequestHandler.date_time_string", date)
    code, _, err = shell.run("run", shell.source(), "--to", "m.jsonl", *PAGES)
    assert (code, err.count("clock")) == (0, int(reported is not None)), err
    assert (reported or "") in err


def test_a_clock_that_falls_behind_during_a_run_is_reported(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slept for 14 minutes of the run wrote links of 15 minutes that were all dead; it exited with 0."""
    answers = count()

    def date(*_: object) -> str:
        late = timedelta(minutes=14 if next(answers) > COUNT // 2 else 0)
        return format_datetime(datetime.now(UTC) + late, usegmt=True)

    monkeypatch.setattr("http.server.BaseHTTPRequestHandler.date_time_string", date)
    code, _, err = shell.run("run", shell.source(), "--to", "m.jsonl", *PAGES, "--no-probe")
    assert (code, err.count("this machine's clock is 14 min behind the server's")) == (0, 1), err


def test_a_manifest_without_keys_has_an_exit_code_of_its_own(shell: Shell) -> None:
    """A script sees it; a glob is named; --allow-empty accepts it."""
    code, _, err = shell.run("run", f"s3://{shell.bucket}/in/*.pdf")
    assert (code, "use include" in err) == (3, True)
    code, out, _ = shell.run("run", f"s3://{shell.bucket}/nothing/", "--to", "b.jsonl", "--allow-empty", "--json")
    assert (code, json.loads(out)["count"]) == (0, 0)
    assert "no key under" in json.loads(out)["warning"]
    _, out, _ = shell.run("run", f"s3://{shell.bucket}/nothing/", "--to", "c.jsonl")
    assert "URLs" not in out


def test_no_url_is_printed(shell: Shell) -> None:
    """Neither in words nor as JSON: URLs are in the manifest alone."""
    for arguments in (("--to", "a.jsonl"), ("--to", "b.jsonl", "--json"), ("--to", f"s3://{shell.bucket}/m/")):
        _, out, err = shell.run("run", shell.source(), *arguments)
        assert "X-Amz" not in out + err


def test_ctrl_c_leaves_a_checkpoint_and_resume_continues(shell: Shell) -> None:
    """A real SIGINT; nothing is written twice, and the file is one gzip stream."""
    name = "links.jsonl.gz"
    checkpoint = shell.folder / f"{name}.checkpoint"
    run = ("run", shell.source(), "--to", name)
    code, out, err = shell.interrupted(signal.SIGINT, checkpoint, *run, *SLOW)
    assert code == 130, err
    assert "stopped after" in out
    assert not (shell.folder / name).exists()
    assert checkpoint.stat().st_mode & 0o777 == 0o600
    first = json.loads(checkpoint.read_bytes().splitlines()[-1])["counts"][0]
    assert 0 < first < COUNT

    code, _, err = shell.run(*run, *PAGES)
    assert (code, "resume it (--resume" in err) == (5, True)

    reported = shell.json(*run, *PAGES, "--resume")
    assert (reported["status"], reported["count"]) == ("complete", COUNT)
    assert keys(shell.folder / name) == KEYS
    assert sorted(each.name for each in shell.folder.iterdir()) == [name]


def test_a_killed_run_continues_from_its_last_checkpoint(shell: Shell) -> None:
    """SIGKILL leaves no time to save anything."""
    checkpoint = shell.folder / "links.jsonl.checkpoint"
    run = ("run", shell.source(), "--to", "links.jsonl")
    code, _, _ = shell.interrupted(signal.SIGKILL, checkpoint, *run, *SLOW)
    assert code == -signal.SIGKILL
    reported = shell.json(*run, *PAGES, "--resume")
    assert reported["count"] == COUNT
    assert reported["hops"] > 1
    assert keys(shell.folder / "links.jsonl") == KEYS


def test_a_run_to_s3_continues_too(shell: Shell, s3: S3Client) -> None:
    """Its checkpoints lie in S3, as the function's do; SIGTERM has the effect of Ctrl-C."""
    state = shell.folder / "state" / "presign-siblings"
    state.mkdir(parents=True)
    run = ("run", shell.source(), "--to", f"s3://{shell.bucket}/m/", "--compression", "gzip")

    class CheckpointFile:
        """The checkpoint, whatever its name is."""

        def exists(self) -> bool:
            return bool(list(state.glob("*.checkpoint")))

    saved: Any = CheckpointFile()
    code, _, err = shell.interrupted(signal.SIGTERM, saved, *run, *SLOW)
    assert code == 143, err
    reported = shell.json(*run, *PAGES, "--resume")
    assert reported["count"] == COUNT
    place = str(reported["manifest"]).removeprefix(f"s3://{shell.bucket}/")
    (shell.folder / "m.gz").write_bytes(s3.get_object(Bucket=shell.bucket, Key=place)["Body"].read())
    assert keys(shell.folder / "m.gz") == KEYS
    assert not saved.exists()


def test_resume_without_a_checkpoint_begins_a_new_run(shell: Shell) -> None:
    """So a script may always give it."""
    code, out, err = shell.run("run", shell.source(), "--resume")
    assert (code, "this is a new run" in err) == (0, True), err
    assert f"{COUNT} keys" in out


def test_a_checkpoint_of_another_job_is_refused(shell: Shell) -> None:
    """Its keys would be mixed with this job's."""
    checkpoint = shell.folder / "manifest.jsonl.checkpoint"
    code, _, _ = shell.interrupted(signal.SIGKILL, checkpoint, "run", shell.source(), *SLOW)
    assert code == -signal.SIGKILL
    code, _, err = shell.run("run", f"s3://{shell.bucket}/", "--resume")
    assert (code, "checkpoint of another job: prefix '' contradicts its 'in/'" in err) == (2, True)
    for option, contradiction in (
        (("--expiry-seconds", "7d"), "expiry_seconds 604800 contradicts its 900"),
        (("--page-size", "7"), "page_size 7 contradicts its 1;"),
        (("--suffix", ".txt"), "suffix '.txt' contradicts its '.pdf'"),
        (("--suffix", ".txt", "--suffix", ".pdf"), "suffix '.pdf', '.txt' contradicts its '.pdf'"),
        (("--fields", "size"), "fields 'size' contradicts its none"),
    ):
        code, _, err = shell.run("run", shell.source(), "--resume", *option)
        assert (code, contradiction in err) == (2, True), err
    assert checkpoint.exists()
    assert shell.run("run", shell.source(), "--resume")[0] == 0


def test_a_resume_without_an_option_of_the_first_run_is_refused_by_name(shell: Shell) -> None:
    """It would continue with other links."""
    checkpoint = shell.folder / "manifest.jsonl.checkpoint"
    shell.interrupted(signal.SIGKILL, checkpoint, "run", shell.source(), "--expiry-seconds", "1h", *SLOW)
    code, _, err = shell.run("run", shell.source(), "--resume")
    assert (code, "expiry_seconds (not given, so 900) contradicts its 3600" in err) == (2, True), err


@pytest.mark.parametrize("saved", [b"", b"[]", b"garbage", b'{"hop": 1}'])
def test_a_file_that_is_not_a_checkpoint_is_refused(shell: Shell, saved: bytes) -> None:
    """It is not removed; the message names the file and says what to do."""
    checkpoint = shell.folder / "manifest.jsonl.checkpoint"
    checkpoint.write_bytes(saved)
    code, _, err = shell.run("run", shell.source(), "--resume")
    assert code in {1, 2}
    assert err.startswith("presign-siblings: manifest.jsonl.checkpoint")
    assert "remove it, and the run begins again" in err
    assert checkpoint.read_bytes() == saved


def test_a_second_run_into_the_same_file_is_refused(shell: Shell) -> None:
    """The first continues."""
    checkpoint = shell.folder / "manifest.jsonl.checkpoint"
    first = shell.start("run", shell.source(), *SLOW)
    saved(first, checkpoint)
    code, _, err = shell.run("run", shell.source(), "--resume")
    assert (code, "another process" in err) == (5, True)
    first.communicate(timeout=SECONDS)
    assert first.returncode == 0
    assert keys(shell.folder / "manifest.jsonl") == KEYS


def test_a_dangling_link_at_the_target_is_refused_before_anything_is_listed(shell: Shell) -> None:
    """The manifest could not appear there: the run failed at its end, after all of its work."""
    (shell.folder / "manifest.jsonl").symlink_to("nowhere")
    code, _, err = shell.run("run", shell.source())
    assert (code, "exists already" in err and "name another" in err) == (2, True)


@pytest.mark.parametrize("more", [(), ("--processes", "2")])
def test_an_error_that_leaves_a_checkpoint_says_how_to_continue(shell: Shell, more: tuple[str, ...]) -> None:
    """As on a full disk, once there is space again; with several processes the message blamed the memory."""
    call = ["run", shell.source(), "--resume", *more, *SLOW]
    shell.interrupted(signal.SIGKILL, shell.folder / "manifest.jsonl.checkpoint", *call)
    limit = f"import resource as r; r.setrlimit(r.RLIMIT_FSIZE, ({COUNT * 100}, r.RLIM_INFINITY)); "
    process = shell.start(program=f"{limit}from presign_siblings.cli.main import main; main({call!r})")
    _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, "File too large" in err, "with --resume continues" in err) == (1, True, True), err
    assert shell.run(*call)[0] == 0
    assert keys(shell.folder / "manifest.jsonl") == KEYS


def test_a_soft_limit_of_open_files_is_raised_to_what_the_concurrency_needs(shell: Shell) -> None:
    """Each reader has a connection and a piece: with 64 of them a run ended where ``download`` did not."""
    call = ["run", shell.source(), "--concurrency", "64"]
    limits = "import atexit, resource as r; few = r.RLIMIT_NOFILE; r.setrlimit(few, (64, r.getrlimit(few)[1])); "
    shown = "atexit.register(lambda: print(r.getrlimit(few)[0] > 2 * 64)); "
    process = shell.start(program=f"{limits}{shown}from presign_siblings.cli.main import main; main({call!r})")
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, out.splitlines()[-1]) == (0, "True"), err


DENIED = """
from unittest.mock import AsyncMock
from presign_siblings.cli.main import main
from processor.errors import SourceRefusedError
from processor.listing import Lister

Lister.fetch = AsyncMock(side_effect=SourceRefusedError("cannot list it: S3 answered AccessDenied"))
main({call})
"""


@pytest.mark.parametrize(("to", "more"), [("links.jsonl", ()), ("s3", ()), ("links.jsonl", ("--processes", "2"))])
def test_a_run_that_s3_refuses_keeps_its_checkpoint_and_continues_once_access_is_back(
    shell: Shell, to: str, more: tuple[str, ...]
) -> None:
    """A session's policy was wrong for a minute, and everything written by then was deleted."""
    place = f"s3://{shell.bucket}/links/" if to == "s3" else to
    call = ["run", shell.source(), "--to", place, "--resume", *more, *SLOW]
    process = shell.start(*call)
    eventually(lambda: bool(list(shell.folder.rglob("*.checkpoint"))))
    process.kill()
    process.communicate()
    (checkpoint,) = shell.folder.rglob("*.checkpoint")
    before = checkpoint.read_bytes()

    denied = shell.start(program=DENIED.format(call=call))
    _, err = denied.communicate(timeout=SECONDS)
    assert (denied.returncode, "AccessDenied" in err, "with --resume continues" in err) == (1, True, True), err
    assert more or checkpoint.read_bytes() == before
    code, out, err = shell.run_apart(*call, "--json")
    assert (code, json.loads(out)["count"]) == (0, COUNT), err


def test_a_link_in_place_of_the_lock_file_is_not_followed(shell: Shell) -> None:
    """In a folder that others write to, the file that it led to was emptied."""
    (shell.folder / "other").write_text("kept")
    (shell.folder / "manifest.jsonl.checkpoint.lock").symlink_to("other")
    code, _, err = shell.run("run", shell.source())
    assert (code, "manifest.jsonl.checkpoint.lock" in err, (shell.folder / "other").read_text()) == (1, True, "kept")


def test_a_user_without_a_home_folder_can_run_into_a_file(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """As a container's user that is only a number; a run into S3 names the variable that it needs."""
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", MagicMock(side_effect=KeyError))
    assert shell.json("run", shell.source())["count"] == COUNT
    code, _, err = shell.run("run", shell.source(), "--to", f"s3://{shell.bucket}/links/")
    assert (code, "set HOME, or XDG_STATE_HOME" in err) == (2, True), err


def test_a_home_folder_that_cannot_be_written_is_reported_with_advice(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container with a read-only file system."""
    (shell.folder / "home").write_text("no folder")
    monkeypatch.setenv("HOME", str(shell.folder / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    code, _, err = shell.run("run", shell.source(), "--to", f"s3://{shell.bucket}/links/")
    assert (code, "or where XDG_STATE_HOME says" in err) == (2, True), err


def test_a_second_ctrl_c_stops_at_once(shell: Shell) -> None:
    """The last checkpoint still counts."""
    process = shell.start("run", shell.source(), *SLOW)
    checkpoint = shell.folder / "manifest.jsonl.checkpoint"
    saved(process, checkpoint)
    # Two signals at once arrive as one; after a moment the first has been handled, and may have had its effect.
    process.send_signal(signal.SIGINT)
    time.sleep(0.002)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=SECONDS)
    # Python restores the signal's default action as it ends; shells report 130 then, too.
    assert process.returncode in {130, -signal.SIGINT}
    assert shell.json("run", shell.source(), "--resume")["count"] == COUNT


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("in/",), 2, "not s3://bucket/prefix"),
        (("s3://nobody-has-this-bucket/",), 1, "NoSuchBucket"),
        (("s3://reports/", "--expiry-seconds", "604801"), 2, "expiry_seconds"),
        (("s3://reports/", "--to", "https://example.org/"), 2, "goes to a file"),
        (("s3://reports/", "--to", "no/such/folder.jsonl"), 2, "not a folder"),
        (("s3://reports/", "--compression", "zip"), 2, "--compression"),
    ],
)
def test_an_error_is_reported_with_its_exit_code(shell: Shell, arguments: tuple[str, ...], code: int, why: str) -> None:
    """On standard error; no file remains."""
    found, out, err = shell.run("run", *arguments)
    assert (found, out) == (code, ""), err
    assert why in err
    assert "Traceback" not in err
    assert list(shell.folder.iterdir()) == []


def test_an_error_is_json_for_scripts(shell: Shell) -> None:
    """It holds the exit code of the process."""
    code, _, err = shell.run("run", "in/", "--json")
    assert json.loads(err)["exit_code"] == code == 2


def entries(path: Path) -> list[Entry]:
    """Return the lines of a manifest file."""
    with reader.opened(path, lambda: pytest.fail("no S3 is needed")) as stream:
        return list(reader.entries(stream))


def test_refresh__a_manifest_is_signed_again_from_a_file_and_from_s3(shell: Shell, moto_endpoint: str) -> None:
    """Without a listing: keys, order and facts are the manifest's."""
    reported = shell.json("run", shell.source(), "--fields", "size,etag", "--exclude", "0/*", "--to", "first.jsonl")
    assert reported["skipped"] == {"suffix": 1, "exclude": sum(key.startswith("in/0/") for key in KEYS)}
    first = entries(shell.folder / "first.jsonl")
    assert [entry.key for entry in first] == [key for key in KEYS if not key.startswith("in/0/")]
    assert {entry.size for entry in first} == {len(KEYS[0])}
    shell.json("refresh", "first.jsonl", "--to", "second.jsonl.gz", "--expiry-seconds", "7d")
    second = entries(shell.folder / "second.jsonl.gz")
    assert [(each.key, each.size, each.etag) for each in second] == [(each.key, each.size, each.etag) for each in first]
    assert all("X-Amz-Expires=604800" in entry.url for entry in second)
    s3 = boto3.client(
        "s3", endpoint_url=moto_endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    s3.upload_file(str(shell.folder / "second.jsonl.gz"), shell.bucket, "old/second.jsonl.gz")
    code, _, err = shell.run("refresh", f"s3://{shell.bucket}/old/second.jsonl.gz", "--to", "third.jsonl", *SLOW)
    assert code == 0, err
    assert [entry.key for entry in entries(shell.folder / "third.jsonl")] == [entry.key for entry in first]


def test_a_file_that_appears_at_the_target_during_a_run_does_not_cost_its_work(shell: Shell) -> None:
    """It is not replaced; the manifest lies beside it, and no other file remains."""
    target = shell.folder / "links.jsonl"
    process = shell.start("run", shell.source(), "--to", "links.jsonl", *SLOW)
    saved(process, shell.folder / "links.jsonl.checkpoint")
    target.write_text("another's")
    _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, "the manifest is links.jsonl.1" in err, "--resume" in err) == (1, True, False), err
    assert target.read_text() == "another's"
    assert keys(shell.folder / "links.jsonl.1") == KEYS
    assert sorted(each.name for each in shell.folder.iterdir()) == ["links.jsonl", "links.jsonl.1"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no file that is always full")
def test_a_message_that_cannot_be_written_ends_no_work(shell: Shell) -> None:
    """A cron job whose log was on a full disk lost its run, and each exit code was 120."""
    for arguments, code in ((("run", shell.source(), "-v"), 0), (("verify", "none.jsonl"), 4), (("bogus",), 2)):
        with Path("/dev/full").open("w") as full, shell.start(*arguments, stderr=full.fileno()) as process:
            assert process.wait(SECONDS) == code
    assert keys(shell.folder / "manifest.jsonl") == KEYS


def piped(shell: Shell, written: bytes | None, *arguments: str) -> tuple[int, str, str]:
    """Run a command whose standard input is a pipe, or is closed."""
    done = subprocess.run(
        [sys.executable, "-m", "presign_siblings", *arguments],
        input=written,
        preexec_fn=None if written is not None else lambda: os.close(0),
        capture_output=True,
        cwd=shell.folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "TMPDIR": str(shell.folder)},
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_standard_input_is_a_manifest_for_every_command_and_a_list_of_keys_for_run(shell: Shell) -> None:
    """It can be read only once: no useless checkpoint remains, and no copy of its links."""
    shell.json("run", shell.source(), "--to", "first.jsonl")
    manifest = (shell.folder / "first.jsonl").read_bytes()
    assert piped(shell, manifest, "verify", "-")[0] == 0
    assert piped(shell, gzip.compress(manifest), "refresh", "-", "--to", "second.jsonl")[0] == 0
    for place, to in (("-", "third.jsonl"), ("/dev/stdin", "4.jsonl")):
        taken = ("run", f"s3://{shell.bucket}", "--keys-from", place, "--to", to)
        assert piped(shell, b"in/no.txt\n", *taken)[0] == 0
    assert keys(shell.folder / "second.jsonl") == KEYS
    assert keys(shell.folder / "third.jsonl") == keys(shell.folder / "4.jsonl") == ["in/no.txt"]
    code, _, err = piped(shell, manifest, "refresh", "-", "--to", "5.jsonl", "--resume")
    assert (code, "--resume needs a file" in err) == (2, True)
    names = ["4.jsonl", "first.jsonl", "second.jsonl", "third.jsonl"]
    assert sorted(each.name for each in shell.folder.iterdir()) == names


def test_refresh__a_manifest_in_a_file_or_a_pipe_is_signed_again_into_s3(shell: Shell) -> None:
    """The source of the keys does not decide where the manifest goes; a function reads no local files."""
    shell.json("run", shell.source(), "--to", "first.jsonl")
    reported = shell.json("refresh", "first.jsonl", "--to", f"s3://{shell.bucket}/fresh/")
    assert (reported["count"], reported["manifest"].startswith(f"s3://{shell.bucket}/fresh/")) == (COUNT, True)
    manifest = (shell.folder / "first.jsonl").read_bytes()
    assert piped(shell, manifest, "refresh", "-", "--to", f"s3://{shell.bucket}/fresh/")[0] == 0


@pytest.mark.parametrize(
    "command", [("verify", "-"), ("download", "-", "d"), ("refresh", "-", "--to", "new.jsonl"), ("export", "-")]
)
def test_standard_input_that_is_closed_or_empty_holds_no_key(shell: Shell, command: tuple[str, ...]) -> None:
    """As in a daemon, or after a command that failed."""
    for written in (None, b""):
        code, _, err = piped(shell, written, *command)
        assert (code, err.count("\n"), "holds no key" in err) == (3, 1, True), err


def test_refresh__a_stopped_run_from_a_pipe_leaves_nothing(shell: Shell) -> None:
    """--resume could not read the pipe again."""
    url = f"https://{shell.bucket}.s3.amazonaws.com"
    lines = (json.dumps({"key": f"{n:05}", "url": f"{url}/{n:05}?X-Amz-Signature=0"}) + "\n" for n in range(20_000))
    command = ("refresh", "-", "--to", "new.jsonl", "--no-probe", "--page-size", "1", *SLOW[2:])
    process = shell.start(*command, stdin=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write("".join(lines))
    process.stdin.close()
    process.stdin = None
    saved(process, shell.folder / "new.jsonl.checkpoint")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, "nothing was written" in out, "--resume" in out + err) == (130, True, False), out + err
    assert list(shell.folder.iterdir()) == []


def test_refresh__a_killed_run_continues(shell: Shell) -> None:
    """At its place in the manifest."""
    many = [f"in/{number:04}.pdf" for number in range(2500)]
    url = f"https://{shell.bucket}.s3.amazonaws.com"
    lines = (json.dumps({"key": key, "url": f"{url}/{key}?X-Amz-Signature=0"}) + "\n" for key in many)
    (shell.folder / "first.jsonl").write_text("".join(lines))
    command = ("refresh", "first.jsonl", "--to", "second.jsonl", "--no-probe", *SLOW)
    shell.interrupted(signal.SIGKILL, shell.folder / "second.jsonl.checkpoint", *command)
    code, _, err = shell.run(*command, "--resume")
    assert (code, "new run" in err) == (0, False)
    assert keys(shell.folder / "second.jsonl") == many


def test_keys_from__a_list_of_keys_is_signed_without_a_filter(shell: Shell, moto_endpoint: str) -> None:
    """Whatever suffix the keys have."""
    s3 = boto3.client(
        "s3", endpoint_url=moto_endpoint, region_name="us-east-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    s3.put_object(Bucket=shell.bucket, Key="lists/keys.txt", Body=b"in/0/0000.pdf\nin/no.txt\n")
    place = f"s3://{shell.bucket}/lists/keys.txt"
    shell.json("run", f"s3://{shell.bucket}/", "--keys-from", place, "--to", "some.jsonl")
    assert keys(shell.folder / "some.jsonl") == ["in/0/0000.pdf", "in/no.txt"]


def test_keys_from__an_inventory_report_on_this_machine_is_looked_for_in_s3(shell: Shell) -> None:
    """Its files are there; it was a traceback."""
    place = shell.folder / "manifest.json"
    place.write_text("{}")
    code, _, err = shell.run("run", f"s3://{shell.bucket}/", "--keys-from", str(place), "--to", "some.jsonl")
    assert (code, "name the report there, s3://bucket/.../manifest.json" in err) == (1, True), err


TWO = ("--processes", "2")


def test_processes__two_write_the_same_manifest_as_one(shell: Shell, s3: S3Client) -> None:
    """In key order, into a file and into S3; no file of theirs remains."""
    code, out, err = shell.run_apart("run", shell.source(), "--to", "links.jsonl.gz", "--page-size", "10", *TWO)
    assert (code, f"{COUNT} keys" in out) == (0, True), err
    assert keys(shell.folder / "links.jsonl.gz") == KEYS
    assert [each.name for each in shell.folder.iterdir()] == ["links.jsonl.gz"]
    place = f"s3://{shell.bucket}/shared/"
    code, out, err = shell.run_apart("run", shell.source(), "--to", place, "--page-size", "10", *TWO, "--json")
    assert code == 0, err
    key = str(json.loads(out)["manifest"]).removeprefix(f"s3://{shell.bucket}/")
    (shell.folder / "m").write_bytes(s3.get_object(Bucket=shell.bucket, Key=key)["Body"].read())
    assert keys(shell.folder / "m") == KEYS
    assert list((shell.folder / "state" / "presign-siblings").iterdir()) == []


# As the command, with one range for all processes, which do not wait for one another and print each time they begin.
# Each list request takes a while: else the first process may list all keys before the others have started.
IMPATIENT = """
import asyncio
import sys
from presign_siblings.laptop import local_fan_out, processes
from presign_siblings.__main__ import main
from processor.listing.list_requests import ListRequests
send = ListRequests.send
async def slowly(*arguments):
    await asyncio.sleep(0.05)
    return await send(*arguments)
ListRequests.send = slowly
local_fan_out.EFFORT = local_fan_out.Effort(ranges=1, requests=0, least=1)
local_fan_out.IDLE_SECONDS, run = 0.001, processes.Processes.run
def counted(*arguments):
    print("began", file=sys.stderr)
    return run(*arguments)
processes.Processes.run = counted
main()
"""


@pytest.mark.parametrize("concurrency", ["1", "4"])
def test_processes__the_rest_of_a_range_is_divided_when_another_process_has_no_work(
    shell: Shell, concurrency: str
) -> None:
    """
    Again and again, down to the last keys; each of them is in the manifest once.

    A listing by tokens, with one reader, cannot be divided: it continues where it was stopped.
    """
    run = ("run", shell.source(), "--to", "links.jsonl", "--processes", "3", "--concurrency", concurrency, *PAGES)
    process = shell.start(*run, program=IMPATIENT)
    _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, err.count("began") > 1) == (0, True), err
    assert keys(shell.folder / "links.jsonl") == KEYS
    assert [each.name for each in shell.folder.iterdir()] == ["links.jsonl"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_processes__a_signal_to_all_stops_them_and_resume_continues(shell: Shell, number: signal.Signals) -> None:
    """As Ctrl-C, ``timeout`` and systemd send it; resumed in as many processes, no finished range is listed again."""
    checkpoint = shell.folder / "links.jsonl.checkpoint"
    run = ("run", shell.source(), "--to", "links.jsonl", *TWO)
    process = shell.start(*run, *SLOW)
    saved(process, checkpoint)
    os.killpg(process.pid, number)
    out, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, "stopped after" in out) == (128 + number, True), err
    assert list(shell.folder.glob("links.jsonl.checkpoint.ranges/*"))
    code, _, err = shell.run(*run, *PAGES)
    assert (code, "resume it (--resume" in err) == (5, True)
    code, _, err = shell.run_apart("run", shell.source(), "--to", "links.jsonl", *PAGES, "--resume")
    assert code == 0, err
    assert keys(shell.folder / "links.jsonl") == KEYS
    assert [each.name for each in shell.folder.iterdir()] == ["links.jsonl"]


def test_processes__a_run_continues_after_any_of_its_processes_was_killed(shell: Shell) -> None:
    """A worker: the run reports it. The first process: the workers end by themselves."""
    checkpoint = shell.folder / "links.jsonl.checkpoint"
    run = ("run", shell.source(), "--to", "links.jsonl", *TWO)
    first = shell.start(*run, *SLOW)
    eventually(checkpoint.exists)
    children = Path(f"/proc/{first.pid}/task/{first.pid}/children").read_text(encoding="ascii").split()
    assert len(children) == 2
    os.kill(int(children[0]), signal.SIGKILL)
    _, err = first.communicate(timeout=SECONDS)
    assert (first.returncode, "ended unexpectedly" in err) == (1, True), err
    code, _, _ = shell.interrupted(signal.SIGKILL, checkpoint, *run, *SLOW, "--resume")
    assert code == -signal.SIGKILL
    eventually(lambda: shell.run_apart(*run, *PAGES, "--resume")[0] == 0)
    assert keys(shell.folder / "links.jsonl") == KEYS


def test_processes__a_system_that_starts_no_more_processes_is_reported(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The message was "Resource temporarily unavailable"."""
    monkeypatch.setattr(
        f"multiprocessing.context.{METHOD.title()}Process._Popen", MagicMock(side_effect=BlockingIOError)
    )
    code, _, err = shell.run("run", shell.source(), "--to", "links.jsonl", *TWO)
    assert (code, err) == (1, f"presign-siblings: {NO_THREADS}\n")
    assert list(shell.folder.iterdir()) == []


# As the command, where the processes that it starts get no thread: either from their beginning, or at their end.
THREADLESS = """
import asyncio
import os
import threading
from presign_siblings.__main__ import main
first = os.getpid()
def refused_to(kept):
    def call(*arguments, **named):
        if os.getpid() != first:
            raise RuntimeError("can't start new thread")
        return kept(*arguments, **named)
    return call
{0} = refused_to({0})
main()
"""


@pytest.mark.skipif(METHOD != "fork", reason="only a forked process has the test's patches")
@pytest.mark.parametrize(
    ("what", "ends"), [("threading.Thread.start", 1), ("asyncio.BaseEventLoop.shutdown_default_executor", 0)]
)
def test_processes__a_system_that_starts_no_more_threads_is_reported_in_one_message(
    shell: Shell, what: str, ends: int
) -> None:
    """A container with a limit: tracebacks of the processes came first, also of those that had finished."""
    run = ("run", shell.source(), "--to", "links.jsonl", *TWO)
    process = shell.start(*run, *PAGES, program=THREADLESS.format(what))
    _, err = process.communicate(timeout=SECONDS)
    assert (process.returncode, "Traceback" in err) == (ends, False), err
    if ends:
        assert err.splitlines() == ["the same command with --resume continues", f"presign-siblings: {NO_THREADS}"]
        assert shell.run_apart(*run, *PAGES, "--resume")[0] == 0
    assert keys(shell.folder / "links.jsonl") == KEYS


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (
            ("--keys-from", "s3://reports/keys.txt"),
            "'keys_from': 's3://reports/keys.txt' is refused: needs --processes 1",
        ),
        (("--filename", "{n}.pdf", "--concurrency", "1"), "only with concurrency 1 and --processes 1"),
        (("--processes", "65"), "--processes"),
    ],
)
def test_processes__a_job_that_cannot_be_shared_is_refused_by_name(
    shell: Shell, arguments: tuple[str, ...], why: str
) -> None:
    """Nothing has been read or written by then; the message does not speak of a function's chains."""
    code, _, err = shell.run("run", f"s3://{shell.bucket}/", *TWO, *arguments)
    assert (code, why in err) == (2, True), err
    assert list(shell.folder.iterdir()) == []
