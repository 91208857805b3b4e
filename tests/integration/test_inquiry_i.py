"""``ls`` and ``url`` on a moto server show what a run lists and signs."""

from __future__ import annotations

import json
import re
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from presign_siblings.cli.main import main
from presign_siblings.manifests import reader

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result
    from types_boto3_s3 import S3Client

KEYS = [f"in/{number % 3}/{number:02}.pdf" for number in range(30)] + ["in/top.pdf", "in/résumé.PDF", "in/note.txt"]


@pytest.fixture
def filled(s3: S3Client, bucket: str) -> str:
    """Fill the bucket; each object is as long as its key."""
    for key in KEYS:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    return bucket


def call(*arguments: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, arguments)


@pytest.mark.parametrize("options", [(), ("--suffix", ".txt"), ("--include", "1/*"), ("--concurrency", "1")])
@pytest.mark.parametrize("page_size", ["4", "1000"])
def test_ls_lists_the_keys_that_a_run_takes(
    filled: str, tmp_path: Path, options: tuple[str, ...], page_size: str
) -> None:
    """The same options give the same keys in the same order; bytes and folders add up."""
    same = (f"s3://{filled}/in/", "--page-size", page_size, *options)
    listed = json.loads(call("ls", *same, "--first", "100", "--json").stdout)
    assert call("run", *same, "--to", str(tmp_path / "m")).exit_code == 0
    with reader.opened(tmp_path / "m", lambda: pytest.fail("no S3 is needed")) as stream:
        keys = [entry.key for entry in reader.entries(stream)]
    assert [each["key"] for each in listed["first"]] == keys
    assert listed["count"] == len(keys)
    assert listed["bytes"] == sum(len(key.encode()) for key in keys) == sum(each["bytes"] for each in listed["folders"])
    assert sum(each["count"] for each in listed["folders"]) == len(keys)


def test_ls_prints_folders_and_the_first_keys(filled: str) -> None:
    """The largest folder comes first; the keys that are not shown are counted."""
    result = call("ls", f"s3://{filled}/in/", "--first", "2").stdout
    assert "32 keys" in result
    assert "10 keys" in result
    assert "(in no folder)" in result
    assert [line for line in result.splitlines() if line.endswith("in/0/00.pdf")]
    assert "and 30 more" in result


def test_a_dry_run_prints_what_ls_prints_and_writes_nothing(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the same options."""
    monkeypatch.chdir(tmp_path)
    place, options = f"s3://{filled}/in/", ("--suffix", ".pdf", "--json")
    results = [CliRunner().invoke(main, [*call, place, *options]) for call in (["ls"], ["run", "--dry-run"])]
    assert {each.exit_code for each in results} == {0}
    assert results[0].stdout == results[1].stdout
    assert not any(tmp_path.iterdir())


def test_a_dry_run_leaves_out_the_keys_that_the_run_leaves_out(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Manifests in the bucket are never listed."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    result = call("run", f"s3://{filled}/", "--to", f"s3://{filled}/in/0/", "--suffix", "", "--dry-run", "--json")
    assert json.loads(result.stdout)["count"] == len(KEYS) - 10
    assert not any(tmp_path.iterdir())


def test_a_dry_run_of_a_list_of_keys_counts_them(filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is listed, so sizes are known only where the list has them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "keys.txt").write_text("in/0/00.pdf\nin/1/01.pdf\nin/1/04.pdf\n")
    (tmp_path / "keys.csv").write_text("Key,Size\nin/0/00.pdf,11\nin/1/01.pdf,11\n")
    before = sorted(tmp_path.iterdir())
    run = ("run", f"s3://{filled}/", "--dry-run", "--keys-from")
    result = json.loads(call(*run, "keys.txt", "--json").stdout)
    assert (result["count"], result["bytes"], result["unsized"]) == (3, 0, 3)
    result = json.loads(call(*run, "keys.csv", "--json").stdout)
    assert (result["count"], result["bytes"], result["unsized"]) == (2, 22, 0)
    assert "3 keys of unknown size" in call(*run, "keys.txt").stdout
    assert sorted(tmp_path.iterdir()) == before


def test_a_dry_refresh_counts_the_keys_of_the_manifest_and_writes_nothing(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file, and of a manifest in S3."""
    monkeypatch.chdir(tmp_path)
    assert call("run", f"s3://{filled}/in/", "--fields", "size").exit_code == 0
    assert call("run", f"s3://{filled}/in/", "--to", f"s3://{filled}/old/").exit_code == 0
    before = sorted(tmp_path.iterdir())
    result = call("refresh", "manifest.jsonl", "--to", "new.jsonl", "--dry-run")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "manifest.jsonl: 32 keys, 355 bytes")
    assert "nothing is written" in result.stderr
    (in_s3,) = (
        each["key"] for each in json.loads(call("ls", f"s3://{filled}/old/", "--suffix", "", "--json").stdout)["first"]
    )
    result = call("refresh", f"s3://{filled}/{in_s3}", "--to", "new.jsonl", "--dry-run", "--json")
    assert json.loads(result.stdout)["count"] == 32
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("command", ["run", "refresh"])
def test_a_dry_run_refuses_what_the_run_refuses(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """A file that exists, a missing folder, a checkpoint of a stopped run."""
    monkeypatch.chdir(tmp_path)
    assert call("run", f"s3://{filled}/in/", "--to", "old.jsonl").exit_code == 0
    source = f"s3://{filled}/in/" if command == "run" else "old.jsonl"

    def refused(*options: str) -> tuple[int, str, str]:
        dry, real = (call(command, source, *options, *more) for more in (("--dry-run",), ()))
        assert (dry.exit_code, dry.stderr) == (real.exit_code, real.stderr)
        assert dry.exit_code
        return dry.exit_code, dry.stdout, dry.stderr

    assert "exists already" in refused("--to", "old.jsonl")[2]
    assert "does not exist" in refused("--to", "none/")[2]
    assert "names a file" in refused("--to", f"s3://{filled}/x.jsonl")[2]
    assert "standard output keeps no checkpoint" in refused("--to", "-", "--resume")[2]
    (tmp_path / "new.jsonl.checkpoint").write_text("{}")
    assert refused("--to", "new.jsonl")[0] == 5


def test_a_listing_without_keys_exits_with_3(filled: str) -> None:
    """As the run would."""
    assert call("ls", f"s3://{filled}/none/").exit_code == 3
    assert call("ls", "s3://autotest-not-there/").exit_code == 1


def test_a_prefix_within_a_name_counts_the_folders_below_it(filled: str) -> None:
    """A prefix need not end with a slash."""
    result = json.loads(call("ls", f"s3://{filled}/i", "--json").stdout)
    assert [each["folder"] for each in result["folders"]] == ["in/"]


def test_the_url_is_the_only_line_on_standard_output(filled: str) -> None:
    """It gives the object, with the response headers that were asked for."""
    options = ("--expiry-seconds", "12h", "--filename", "{n} {name}", "--content-type", "text/plain")
    result = call("url", f"s3://{filled}/in/résumé.PDF", *options)
    assert result.exit_code == 0
    (url,) = result.stdout.splitlines()
    assert "X-Amz-Expires=43200" in url
    with urllib.request.urlopen(url) as answer:
        assert answer.read().decode() == "in/résumé.PDF"
        assert answer.headers["Content-Type"] == "text/plain"
        assert answer.headers["Content-Disposition"].startswith("attachment;")


def test_a_url_expires_with_its_credentials_where_their_end_is_known(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A credential process says when its session ends; ``--expiry-seconds 7d`` cannot extend that."""
    end = (datetime.now(UTC) + timedelta(hours=1)).replace(microsecond=0)
    given = {"Version": 1, "AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t"}
    (tmp_path / "given").write_text(json.dumps(given | {"Expiration": end.isoformat()}))
    (tmp_path / "config").write_text(f"[profile work]\ncredential_process = cat {tmp_path / 'given'}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    options = ("--profile", "work", "--expiry-seconds", "7d", "--no-probe", "--json")
    result = json.loads(call("url", f"s3://{filled}/in/top.pdf", *options).stdout)
    assert (datetime.fromisoformat(result["expires_at"]), result["ends_with_session"]) == (end, True)


def test_verbose_logs_each_request_without_a_credential_and_quiet_prints_only_results(filled: str) -> None:
    """Of the blocking client and of the pipeline's."""
    place = f"s3://{filled}/in/top.pdf"
    result = call("url", place, "--verbose", "--no-probe").stderr
    assert "X-Amz" not in result
    result = call("ls", f"s3://{filled}/in/", "-v").stderr
    assert re.search(r"^s3 ListObjectsV2 at http://127\.0\.0\.1:\d+: 200$", result, re.MULTILINE)
    quiet = call("url", place, "-q")
    assert (quiet.stderr, len(quiet.stdout.splitlines())) == ("", 1)
    assert call("ls", "s3://autotest-not-there/", "-q").stderr.startswith("presign-siblings: ")


def test_a_url_that_fails_the_probe_is_printed_and_exits_with_3(filled: str) -> None:
    """--no-probe skips the check."""
    result = call("url", f"s3://{filled}/none.pdf")
    assert (result.exit_code, "NoSuchKey" in result.stderr, result.stderr.count("X-Amz")) == (3, True, 0)
    assert result.stdout.startswith("http")
    assert call("url", f"s3://{filled}/none.pdf", "--no-probe").exit_code == 0
    as_json = call("url", f"s3://{filled}/none.pdf", "--json")
    assert "NoSuchKey" in json.loads(as_json.stdout)["refused"]


@pytest.mark.parametrize("wrong", ["s3://{}/", "in/top.pdf", "s3://"])
def test_a_place_without_a_key_is_refused(filled: str, wrong: str) -> None:
    """Nothing is signed."""
    result = call("url", wrong.format(filled))
    assert (result.exit_code, result.stdout) == (2, "")


@pytest.mark.parametrize("command", [("run", "in/"), ("ls", "in/"), ("url", "in/top.pdf")])
def test_a_refusal_shows_the_option_as_it_was_typed(filled: str, command: tuple[str, str]) -> None:
    """Not as the job has it: 172800 or PT172800S."""
    wrong = ["--modified-since", "1d", "--modified-before", "2d"] if command[0] != "url" else ["--expiry-seconds", "8d"]
    refused = call(command[0], f"s3://{filled}/{command[1]}", *wrong)
    assert (refused.exit_code, f"'{wrong[-1]}' is refused" in refused.stderr) == (2, True), refused.stderr
