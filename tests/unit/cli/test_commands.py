"""The command line: its help, its arguments, its exit codes."""

from __future__ import annotations

import errno
import inspect
import io
import json
import os
import re
import resource
import shlex
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import click
import pytest
from botocore.exceptions import ClientError, NoRegionError
from botocore.parsers import ResponseParserError
from click.testing import CliRunner

from dev.checkout import REPOSITORY
from presign_siblings import defaults
from presign_siblings.cli import console, status
from presign_siblings.cli.main import COMMANDS, main
from presign_siblings.cli.new_file import written_to
from presign_siblings.cli.program import PROGRAM, printable
from presign_siblings.cli.usage import export as usage_export
from presign_siblings.cli.usage import status as usage_status
from presign_siblings.cli.usage.shared import CONNECTION, Seconds
from presign_siblings.errors import EXIT_CODES, NotFoundError, TimedOutError, UnfinishedError, WrongUseError
from presign_siblings.manifests import export
from presign_siblings.version import commit
from presign_siblings.words import span
from processor import job, page
from processor.errors import InvalidEventError, RetryableError
from tests.programs import program
from tests.web import Answer, serving

AWS = {"--profile", "--region", "--endpoint-url", "--json"}


def examples(command: click.Command) -> list[list[str]]:
    """Return the examples of a command's help, as a shell would split them."""
    lines = [line.strip() for line in (command.epilog or "").splitlines()]
    found = [line.removeprefix(f"{PROGRAM} ") for line in lines if line.startswith(PROGRAM)]
    return [shlex.split(re.split(r" [|>] | && ", line)[0]) for line in found]


def options(command: click.Command) -> set[str]:
    """Return the names of a command's options."""
    return {name for each in command.params if isinstance(each, click.Option) for name in each.opts}


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    """With valid examples, AWS's own options, and JSON."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert "Examples:" in result.output
    assert options(command) >= AWS
    assert examples(command)
    for called, *arguments in examples(command):
        assert called == name
        with command.make_context(name, arguments) as context:
            assert context.params
    assert not [each.name for each in command.params if isinstance(each, click.Option) and not each.help]


def test_the_group_names_every_command_and_exit_code() -> None:
    """The first page that a newcomer reads."""
    output = CliRunner().invoke(main, ["--help"]).output
    assert not [name for name in COMMANDS if f"\n  {name} " not in output]
    assert not [command.summary for command in COMMANDS.values() if command.summary not in output]
    assert not [code for code, meaning in EXIT_CODES.items() if f"{code:>3}  {meaning[:60]}" not in output]


def test_help_and_wrong_calls_import_no_aws_library(wrong_calls: list[list[str]]) -> None:
    """A user who asks for help, or mistypes a command, must not wait for the slowest imports."""
    slow = ("boto3", "botocore", "aiobotocore", "aiohttp", "asyncio", "rich", "isal", "yaml", "aws_lambda_powertools")
    calls = [["--version"], ["--help"], *([name, "--help"] for name in COMMANDS), *wrong_calls]
    script = """
import sys
from presign_siblings.cli.main import main
for call in %r:
    try:
        main(call)
    except SystemExit as left:
        print(left.code, call, [name for name in %r if name in sys.modules])
"""
    command = [sys.executable, "-c", script % (calls, slow)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    printed = {line for line in done.stdout.splitlines() if re.match(r"\d+ \[", line)}
    assert printed == {f"{2 if call in wrong_calls else 0} {call} []" for call in calls}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no file that is always full")
@pytest.mark.parametrize(
    "call", [["--help"], ["export", "{}", "--as", "urls", "--output", "-"], ["verify", "{}", "--sample", "0"]]
)
def test_a_full_standard_output_is_reported_in_a_sentence(tmp_path: Path, call: list[str]) -> None:
    """Python would exit with 120 if only the last bytes are left to write, and with a traceback before that."""
    manifest = tmp_path / "m.jsonl"
    manifest.write_text('{"key": "a", "url": "http://127.0.0.1:1/a?X-Amz-Signature=0"}\n')
    command = [sys.executable, "-m", "presign_siblings", *(word.format(manifest) for word in call)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, check=False, cwd=REPOSITORY, timeout=60
        )
    assert done.returncode == 1
    assert done.stderr.count("presign-siblings: standard output: No space left on device\n") == 1
    assert "Traceback" not in done.stderr


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Write a manifest with more links than a pipe holds."""
    made = tmp_path / "m.jsonl"
    made.write_text("".join(f'{{"key": "{n:04}", "url": "https://b/{n:04}?{"x" * 100}"}}\n' for n in range(2_000)))
    return made


def test_a_partial_write_to_standard_output_is_reported(manifest: Path, tmp_path: Path) -> None:
    """Under PYTHONUNBUFFERED, which container images set, Python itself loses the rest without a word."""
    command = [sys.executable, "-m", "presign_siblings", "export", str(manifest), "--as", "urls"]
    links = subprocess.run(command, capture_output=True, check=True, cwd=REPOSITORY).stdout
    with (tmp_path / "links").open("wb") as file:
        done = subprocess.run(
            command,
            stdout=file,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (len(links) - 9, len(links) - 9)),
            check=False,
            cwd=REPOSITORY,
        )
    assert (done.returncode, done.stderr) == (1, b"presign-siblings: standard output: File too large\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_non_blocking_streams_lose_nothing(manifest: Path, unbuffered: str) -> None:
    """Node, Ansible and CI runners leave such pipes: a late manifest was empty, and links were cut with exit code 0."""
    reads, writes = os.pipe(), os.pipe()
    for descriptor in (reads[0], writes[1]):
        os.set_blocking(descriptor, False)
    with subprocess.Popen(
        [sys.executable, "-m", "presign_siblings", "export", "-", "--as", "urls"],
        stdin=reads[0],
        stdout=writes[1],
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        cwd=REPOSITORY,
    ) as process:
        os.close(reads[0])
        os.close(writes[1])
        time.sleep(1)  # the command waits for the manifest
        with os.fdopen(reads[1], "wb") as file:
            file.write(manifest.read_bytes())
        time.sleep(1)  # the command waits for a reader
        with os.fdopen(writes[0], "rb") as file:
            assert len(file.readlines()) == 2_000
    assert process.returncode == 0


def test_a_local_manifest_is_used_without_importing_aws() -> None:
    """boto3, and aiohttp with it, take 0.3 s to load, rich 0.05 s, the rest as much; a script needs none of them."""
    script = "import sys; from presign_siblings.cli import download, export, verify"
    script += "; print([name for name in %r if name in sys.modules])"
    slow = ("botocore", "aiohttp", "asyncio", "rich", "html", "urllib.request", "processor.job")
    done = subprocess.run(
        [sys.executable, "-c", script % (slow,)], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert done.stdout == "[]\n"


ASKS = [["status"], ["stop", "3f2a"], ["watch", "3f2a"], ["invoke"], ["who"], ["revoke"], ["rollback", "--stack", "s"]]
ASKS += [["verify", "s3://reports/m.jsonl"], ["download", "s3://reports/m.jsonl", "to"], ["export", "s3://reports/m"]]
ASKS += [["ls", "s3://reports/2026/"], ["run", "s3://reports/2026/"], ["run", "s3://reports/2026/", "--dry-run"]]
URL = ["url", "s3://reports/may.pdf", "--endpoint-url", "http://127.0.0.1:1"]


@pytest.mark.parametrize("call", [*ASKS, URL, [*URL, "--no-probe"]], ids=" ".join)
def test_a_command_loads_only_what_its_one_request_to_aws_needs(
    call: list[str],
    aws_environment: None,  # noqa: ARG001
    tmp_path: Path,
) -> None:
    """
    The asynchronous client takes 0.1 s to load, a hop as much again, tables 0.03 s, boto3 beside botocore 0.02 s.

    No server answers: only the modules loaded before the first answer count.
    """
    of_others = ("aiohttp", "aiobotocore", "boto3", "sosw", "aws_lambda_powertools", "rich.table", "multiprocessing")
    slow = (*of_others, "cryptography", "processor.chain.hop", "processor.listing", "processor.manifest")
    script = """
import sys
from presign_siblings.cli.main import main
try:
    main(sys.argv[1:])
except SystemExit as left:
    print(left.code, [name for name in %r if name in sys.modules])
"""
    here = {"HTTPS_PROXY": "http://127.0.0.1:1", "NO_PROXY": "", "AWS_MAX_ATTEMPTS": "1", "PYTHONPATH": str(REPOSITORY)}
    command = [sys.executable, "-c", script % (slow,), *call]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, cwd=tmp_path, env={**os.environ, **here}, timeout=60
    )
    code = 1 if URL[0] not in call else 0 if "--no-probe" in call else 3
    assert done.stdout.splitlines()[-1] == f"{code} []", done.stderr


def test_a_download_by_http_of_a_plain_manifest_loads_nothing_else(tmp_path: Path) -> None:
    """TLS, compression and the texts of refusals take a third of the start; few manifests need all of them."""
    manifest = tmp_path / "m.jsonl"
    script = """
import sys
from presign_siblings.cli.main import main
slow = ("ssl", "gzip", "isal", "tempfile", "shutil", "pickle", "presign_siblings.manifests.refusals")
try:
    main(sys.argv[1:])
except SystemExit as left:
    print(left.code, [name for name in slow if name in sys.modules])
"""
    with serving() as web:
        manifest.write_text(json.dumps({"key": "a", "url": web.serve("/a", Answer(b"%PDF"))}) + "\n")
        command = [sys.executable, "-c", script, "download", str(manifest), str(tmp_path / "to")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    assert done.stdout.splitlines()[1:] == ["0 []"]


def test_duplicated_constants_are_equal() -> None:
    """The help, and a download, must not import the job's own modules."""
    assert (defaults.WEEK_SECONDS, defaults.MAX_READ_SECONDS) == (job.WEEK_SECONDS, job.MAX_READ_SECONDS)
    assert page.FACTS == job.FACTS


def test_a_key_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    """Rich would show a picture in place of ``:warning:``, and colours in place of brackets."""
    terminal = console.Terminal(json=False)
    for write in (terminal.say, terminal.note, console.Terminal(json=False, streams=True).say, terminal.out.print):
        write("a:warning:b")
    assert capsys.readouterr() == ("a:warning:b\n" * 2, "a:warning:b\n" * 2)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_accepts_all_of_its_options(name: str) -> None:
    """Its options and its function are in two modules: the names must be the same."""
    command = main.get_command(click.Context(main), name)
    assert command is not None
    assert command.callback is not None
    where = COMMANDS[name]
    work = getattr(import_module(where.module.replace(".usage.", ".")), command.callback.__name__)
    shared = {*CONNECTION, "as_json", "quiet", "verbose"}
    inspect.signature(work).bind(None, **{str(each.name): None for each in command.params if each.name not in shared})


def test_the_choices_of_an_option_match_the_code_behind_it() -> None:
    """They are written twice, since the help must not import that code."""
    assert tuple(export.FORMS) == usage_export.FORMS
    assert tuple(status.COLOURS) == usage_status.STATES


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFoundError("x"), 4),
        (UnfinishedError("x"), 5),
        (TimedOutError("x"), 6),
        (InvalidEventError("prefix", "x", "must"), 2),
        (RetryableError("x"), 1),
        (NoRegionError(), 1),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "Scan"), 1),
        (ResponseParserError("invalid XML received: b'<SecretAccessKey>s3cr3t</'"), 1),
        (PermissionError(13, "denied"), 1),
        (EOFError(), 1),  # from botocore's prompt for an MFA code; click printed "Aborted!", in JSON too
        (KeyboardInterrupt(), 130),
    ],
)
def test_every_error_is_one_line_and_an_exit_code(
    error: BaseException, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Never a traceback."""
    for as_json in (False, True):
        with pytest.raises(SystemExit) as left, console.failures(as_json=as_json):
            raise error
        assert left.value.code == code
        message = capsys.readouterr().err
        assert (len(message.splitlines()), "s3cr3t" in message) == (1, False)
        assert not as_json or json.loads(message)["exit_code"] == code
    assert code in EXIT_CODES


def test_a_refusal_of_aws_names_the_refused_action(capsys: pytest.CaptureFixture[str]) -> None:
    """So the policy can be corrected."""
    refusal = ClientError({"Error": {"Code": "AccessDenied", "Message": "not authorized"}}, "UpdateItem")
    with pytest.raises(SystemExit), console.failures(as_json=False):
        raise refusal
    assert capsys.readouterr().err == (
        "presign-siblings: AWS refused UpdateItem: the service answered AccessDenied: not authorized; the credentials "
        "in use lack the right, or the requester must pay: --request-payer requester (REQUEST_PAYER; the "
        "stack's RequesterPaysBucket)\n"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (0.25, "0.2 s"), (59, "59 s"), (3725, "1 h 2 min"), (200_000, "2 d 7 h")]
)
def test_a_duration_is_shown_in_its_two_largest_units(seconds: float, text: str) -> None:
    """200,000 s means nothing to a reader."""
    assert span(seconds) == text


def test_a_key_does_not_control_the_terminal() -> None:
    """Control characters are escaped; letters of any script stay."""
    assert printable("отчёт \x1b[31m\n.pdf") == "отчёт \\x1b[31m\\n.pdf"


def test_a_key_that_the_terminals_encoding_lacks_is_escaped(monkeypatch: pytest.MonkeyPatch) -> None:
    """``LC_ALL=C``, ``PYTHONIOENCODING=ascii``, or a pipe on Windows."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    monkeypatch.setattr(sys, "stdout", out)
    with pytest.raises(SystemExit):
        main(["--version"])
    console.Terminal(json=False).say("\u00e9.pdf")
    assert out.buffer.getvalue().splitlines()[-1] == b"\\xe9.pdf"


@pytest.mark.parametrize(
    "error", [RuntimeError("can't start new thread"), OSError(errno.EAGAIN, "Resource temporarily unavailable")]
)
def test_a_limit_of_threads_or_processes_is_reported(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    """As in a container; Python raises one of the errors with a traceback, the other without its cause."""
    with pytest.raises(SystemExit) as left, console.failures(as_json=False):
        raise error
    assert left.value.code == 1
    assert "the container's limit of processes" in capsys.readouterr().err


def test_notes_to_a_closed_standard_error_go_nowhere(tmp_path: Path) -> None:
    """A daemon may close it, as by ``2>&-``: no note may be among the links."""
    (tmp_path / "m.jsonl").write_text('{"key": "a/", "url": "https://b/a/"}\n')
    command = f"{shlex.quote(sys.executable)} -m presign_siblings export m.jsonl --as urls 2>&-"
    run = subprocess.run(  # noqa: S602 - only a shell closes a stream
        command, shell=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)}, stdout=-1, check=True
    )
    assert run.stdout == b"https://b/a/\n"


WRONG = [
    ["stop"],
    ["stop", "3f2a", "--all"],
    ["stop", "3f2a", "--now"],
    ["stop", "--all", "--concurrency", "5"],
    ["invoke", "--event", "[]"],
    ["invoke", "--event", "{"],
    ["invoke", "inbox/"],
    ["resume", "a", "b", "--wait"],
    ["run"],
    ["export", "m", "--as", "pdf"],
    ["deploy"],
    ["deploy", "--stack", "", "--bucket", "reports"],
    ["deploy", "--stack", "s"],
    ["deploy", "--stack", "s", "--bucket", ""],
    ["rollback"],
    ["deploy", "--stack", "s", "--bucket", "reports", "--set", "Compression"],
    ["deploy", "--stack", "s", "--bucket", "reports", "--runtime", "python3.8"],
    ["package", "--architecture", "arm"],
]


@pytest.fixture
def wrong_calls() -> list[list[str]]:
    """Return calls that are refused for their arguments alone; the content of `--event` is read later."""
    return [each for each in WRONG if "--event" not in each]


@pytest.mark.parametrize("arguments", WRONG)
def test_a_wrong_call_ends_with_2_before_any_request(arguments: list[str]) -> None:
    """No AWS is reachable here."""
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_a_deployment_without_a_bucket_is_told_which_one_is_missing() -> None:
    """`--bucket is empty` reached also those who had written no `--bucket`, or who had an empty bucket."""
    result = CliRunner().invoke(main, ["deploy", "--stack", "s"])
    assert "--bucket is missing: name the bucket of the objects to sign" in result.stderr


@pytest.mark.parametrize(
    "arguments", [["run", "s3://b", "--expiry", "1"], ["nothing"], ["run"], ["run", "s3://b", "--page-size", "0"]]
)
def test_a_wrong_call_with_json_is_reported_as_json(arguments: list[str]) -> None:
    """One line with the message and the exit code; otherwise the usual usage text."""
    result = CliRunner().invoke(main, [*arguments, "--json"])
    (line,) = result.stderr.splitlines()
    assert (result.exit_code, json.loads(line)["exit_code"], result.stdout) == (2, 2, "")
    plain = CliRunner().invoke(main, arguments)
    assert (plain.exit_code, "Usage:" in plain.stderr) == (2, True)


def test_a_time_is_a_number_of_seconds_or_a_duration() -> None:
    """As in the fields of a job."""
    option = click.Option(["--every"], type=Seconds(0.1))
    for written in ("90", "90s", "PT1M30S"):
        assert option.type_cast_value(click.Context(main), written) == 90
    result = CliRunner().invoke(main, ["watch", "3f2a", "--every", "soon"])
    assert (result.exit_code, "or a duration such as 90s" in result.stderr) == (2, True)


def test_a_shell_completes_commands_options_and_files() -> None:
    """By the variable that the guide names; otherwise a shell's own completion of files would be lost."""

    def completed(words: str, number: int) -> list[str]:
        asked = {"COMP_WORDS": words, "COMP_CWORD": str(number), "_PRESIGN_SIBLINGS_COMPLETE": "bash_complete"}
        command = [sys.executable, "-m", "presign_siblings"]
        done = subprocess.run(
            command, cwd=REPOSITORY, env=os.environ | asked, capture_output=True, text=True, check=False
        )
        return done.stdout.split()

    assert completed(f"{PROGRAM} ver", 1) == ["plain,verify"]
    assert completed(f"{PROGRAM} verify --sam", 2) == ["plain,--sample"]
    for words in ("verify mani", "download april.jsonl ma", "export m.jsonl --output in", "run s3://b/ --keys-from ke"):
        assert completed(f"{PROGRAM} {words}", len(words.split())) == [f"file,{words.split()[-1]}"]
    guide = (REPOSITORY / "docs" / "guides" / "command-line.md").read_text(encoding="utf-8")
    assert f"_PRESIGN_SIBLINGS_COMPLETE=bash_source {PROGRAM}" in guide


def test_the_manual_page_has_every_command_and_is_valid_roff() -> None:
    """By groff's own warnings, where groff is installed."""
    page = CliRunner().invoke(main, ["--man"]).stdout
    assert page.startswith(".TH PRESIGN-SIBLINGS 1 ")
    assert not [name for name in COMMANDS if f'.SS "{name}'.replace("-", r"\-") not in page]
    assert not [line for line in page.splitlines() if line.startswith("'")]
    groff = subprocess.run(
        [program("groff"), "-man", "-ww", "-z", "-Tutf8"], input=page, capture_output=True, text=True, check=True
    )
    assert groff.stderr == ""


def test_the_version_names_the_commit(tmp_path: Path) -> None:
    """A wheel has it as a file, a checkout asks git, and a copy of the sources reports it as unknown."""
    result = CliRunner().invoke(main, ["--version"])
    assert re.fullmatch(rf"{PROGRAM}, version \d+\.\d+\.\d+ \(commit ([0-9a-f]{{12}}|unknown)\)\n", result.stdout)
    assert commit(tmp_path) == "unknown"
    (tmp_path / "commit.txt").write_text("1a2b3c\n")
    assert commit(tmp_path) == "1a2b3c"


def test_a_dry_download_writes_nothing_and_counts(tmp_path: Path) -> None:
    """Existing files, missing files, and bytes where the manifest has them."""
    manifest, folder = tmp_path / "m", tmp_path / "pdfs"
    lines = [{"key": "a", "size": 5, "url": "https://x/a"}, {"key": "b/c", "url": "https://x/b/c"}]
    manifest.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def dry() -> dict[str, Any]:
        result = CliRunner().invoke(main, ["download", str(manifest), str(folder), "--dry-run", "--json"])
        assert result.exit_code == 0, result.output
        counts: dict[str, Any] = json.loads(result.stdout)
        return counts

    assert dry() == {"dry_run": True, "missing": 2, "present": 0, "size": 5, "unsized": 1}
    assert not folder.exists()
    folder.mkdir()
    (folder / "a").write_text("12345")
    assert dry() == {"dry_run": True, "missing": 1, "present": 1, "size": 0, "unsized": 1}


def test_verify_and_download_show_a_key_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So a user can search for it; control characters stay escaped."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://nowhere")
    (tmp_path / "m").write_text('{"key": "caf\\u00e9\\u001b[2J", "url": "https://x.invalid/a"}\n')
    seen = CliRunner().invoke(main, ["verify", str(tmp_path / "m")]).stdout
    assert "wrong: caf\u00e9\\x1b[2J: socks5://nowhere" in seen


@pytest.mark.parametrize(("variable", "value"), [("TERM", "dumb"), ("NO_COLOR", "1")])
def test_a_terminal_without_colours_gets_none(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words have the same information."""
    for name in ("TERM", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert console.coloured("ok", "green") != "ok"
    monkeypatch.setenv(variable, value)
    assert console.coloured("ok", "green") == "ok"


@pytest.mark.parametrize("folder", ["s3://reports/copies/", "https://reports.example/", ""])
def test_a_download_refuses_a_destination_that_is_no_folder_of_this_machine(
    folder: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects came into a new folder ``s3:``; and a script's unset variable does not mean the working folder."""
    monkeypatch.chdir(tmp_path)
    Path("m").write_text('{"key": "a", "url": "https://x/a"}\n')
    result = CliRunner().invoke(main, ["download", "m", folder])
    assert (result.exit_code, "must be a folder of this machine" in result.stderr) == (2, True), result.output
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize(
    "link",
    [
        "https://x/m?X-Amz-Signature=0123&a=b",
        "https://x/m?url=https%3A%2F%2Fx%2Fm%3FX-Amz-Signature%3D0123",
        "https://x/m?url=https%3a%2f%2fx%2fm%3fX-Amz-Signature%3d0123",
        "https://x/m/https%3A%2F%2Fx%2Fm%3FX-Amz-Signature%3D0123",
    ],
)
@pytest.mark.parametrize("json_", [[], ["--json"]])
def test_a_wrong_call_shows_no_link(json_: list[str], link: str) -> None:
    """Its arguments may be in a log; a mail program may also have put the link into one of its own."""
    result = CliRunner().invoke(main, ["verify", "m", link, *json_])
    assert (result.exit_code, "https://x/m" in result.stderr, "0123" in result.stderr) == (2, True, False)


@pytest.mark.parametrize(
    "call",
    [
        "verify empty",
        "export empty --output to",
        "export - --output to --dry-run",
        "download empty to",
        "download - to --dry-run",
        "download full to --exclude * --include A",
        "download full to --exclude a --dry-run",
    ],
)
def test_a_manifest_without_a_key_ends_with_3_unless_allowed(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command before the pipe has failed, or the pattern is mistyped: nothing was done, which is no success."""
    monkeypatch.chdir(tmp_path)
    Path("empty").write_text("")
    Path("full").write_text('{"key": "a", "url": "https://x/a?X-Amz-Signature=0"}\n')
    result = CliRunner().invoke(main, call.split())
    assert (result.exit_code, result.stdout, "the manifest holds no key" in result.stderr) == (3, "", True)
    assert not Path("to").is_file()
    assert CliRunner().invoke(main, [*call.split(), "--allow-empty"]).exit_code == 0


def test_a_missing_manifest_ends_with_4(tmp_path: Path) -> None:
    """For each command that reads a manifest."""
    missing = str(tmp_path / "none.jsonl")
    for arguments in (["verify", missing], ["download", missing, str(tmp_path / "d")], ["export", missing]):
        done = CliRunner().invoke(main, arguments)
        assert (done.exit_code, "no file" in done.stderr) == (4, True), done.output


def test_an_export_never_replaces_a_file_and_leaves_no_partial_one(tmp_path: Path) -> None:
    """The file is readable by its owner alone."""
    good, bad, out = tmp_path / "good.jsonl", tmp_path / "bad.jsonl", tmp_path / "out"
    good.write_text('{"key": "a", "url": "https://x/a?X-Amz-Signature=0"}\n')
    bad.write_text(good.read_text() + "garbage\n")

    def export(path: Path, *arguments: str) -> Any:
        return CliRunner().invoke(main, ["export", str(path), "--output", str(out), *arguments])

    assert export(bad).exit_code == 1
    assert not out.exists()
    assert json.loads(export(good, "--json").stdout)["count"] == 1
    assert out.stat().st_mode & 0o777 == 0o600
    assert export(good).exit_code == 2
    assert CliRunner().invoke(main, ["export", str(good)]).stdout == "https://x/a?X-Amz-Signature=0\n"


def test_an_export_has_its_name_only_once_it_is_complete(tmp_path: Path) -> None:
    """A closed terminal left a part: as a script, that downloaded its own files and exited with 0."""
    out = tmp_path / "out"
    with written_to(str(out)) as file:
        file.write("https://x/a")
        file.flush()
        assert not out.exists()
        (begun,) = tmp_path.iterdir()
        assert (begun.name.startswith("out."), begun.stat().st_mode & 0o777) == (True, 0o600)
    assert out.read_text() == "https://x/a"
    other = tmp_path / "other"
    with pytest.raises(WrongUseError, match="exists already"), written_to(str(other)):
        other.write_text("of somebody else")
    assert other.read_text() == "of somebody else"
    with pytest.raises(FileNotFoundError, match="'none/out'"), written_to("none/out"):
        pass
    for unnamed in ("", f"{tmp_path}/new/"):
        with pytest.raises(WrongUseError, match="names no file"), written_to(unnamed):
            pass
    for no_file in (os.devnull, str(tmp_path)):  # "or remove it" was the advice
        with pytest.raises(WrongUseError, match="is not a new file; - is standard output"), written_to(no_file):
            pass
    assert sorted(tmp_path.iterdir()) == [other, out]


@pytest.mark.parametrize("letter", ["a", "\N{GRINNING FACE}"])
def test_an_export_may_have_the_longest_possible_file_name(letter: str, tmp_path: Path) -> None:
    """The name of the unfinished file is longer."""
    out = tmp_path / (letter * (255 // len(letter.encode())))
    with written_to(str(out)) as file:
        file.write("https://x/a")
    assert out.read_text() == "https://x/a"


def test_every_command_that_changes_or_writes_something_has_a_dry_run() -> None:
    """The others only read and print."""
    context = click.Context(main)
    found = {name: main.get_command(context, name) for name in COMMANDS}
    without = [name for name, each in found.items() if each and "dry_run" not in {param.name for param in each.params}]
    assert without == ["ls", "url", "cookies", "status", "watch", "verify", "who"]


def test_ls_has_the_options_that_choose_keys_alone() -> None:
    """It writes nothing, so a page, its title or a key for the manifest would do nothing."""
    command = main.get_command(click.Context(main), "ls")
    assert command is not None
    of_jobs = {f"--{name.replace('_', '-')}" for name in job.FIELDS} & options(command)
    assert of_jobs == {
        *("--suffix", "--page-size", "--concurrency", "--archived", "--start-after", "--end-at"),
        *("--include", "--exclude", "--modified-since", "--modified-before", "--min-size", "--max-size"),
        *("--storage-classes", "--prefixes"),
    }
