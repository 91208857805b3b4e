"""Three links are probed before a job is called complete: in the function on request, at the desk always."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import ClientPayloadError
from click.testing import CliRunner

from presign_siblings.cli.main import main
from processor import app
from processor.signing import probe
from tests.fakes import LambdaContext
from tests.scripted_s3 import Fault, serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fakes import Siblings
    from tests.scripted_s3 import ScriptedS3

KEYS = [f"in/{number:03}.pdf" for number in range(60)]


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, aws_environment: None) -> Iterator[ScriptedS3]:  # noqa: ARG001
    """Serve objects of one byte."""
    with serving() as server:
        monkeypatch.setenv("S3_ENDPOINT_URL", server.endpoint)
        server.keys = list(KEYS)
        server.objects = dict.fromkeys(KEYS, b"%")
        yield server


def probes(s3: ScriptedS3) -> list[dict[str, str]]:
    """Return the queries of requests that came by a link."""
    return [query for operation, query in s3.queries if operation == "GetObject" and "X-Amz-Signature" in query]


def run(
    s3: ScriptedS3, folder: Path, *options: str, source: str = "s3://reports/in/"
) -> tuple[int, dict[str, Any], str]:
    """Run a job at the desk."""
    where = ["--to", str(folder / "manifest.jsonl"), "--endpoint-url", s3.endpoint, "--json"]
    result = CliRunner().invoke(main, ["run", source, *where, *options])
    return result.exit_code, json.loads(result.stdout), result.stderr


def test_a_page_in_place_of_an_object_is_refused(s3: ScriptedS3, tmp_path: Path) -> None:
    """It has status 200, and neither ETag nor date."""
    s3.inject("GetObject", Fault.PAGE, 3)
    code, result, _ = run(s3, tmp_path)
    assert (code, result["probe"]["refused"]) == (3, ["no object"])


def test_a_link_that_fails_is_reported_with_s3s_code(s3: ScriptedS3, tmp_path: Path) -> None:
    """The manifest is there all the same; a script sees the exit code."""
    s3.inject("GetObject", Fault.DENIED, 3)
    code, result, err = run(s3, tmp_path)
    assert (code, result["status"], result["probe"]) == (
        3,
        "complete",
        {"tried": len(probes(s3)), "refused": ["AccessDenied"]},
    )
    assert "AccessDenied (HTTP 403): Injected" in result["warning"]
    assert "in/000.pdf" in result["warning"]
    assert "X-Amz" not in json.dumps(result) + err


def test_links_that_browsers_change_are_reported_by_the_job(
    handler: Callable[..., dict[str, Any]], s3: ScriptedS3, siblings: Siblings
) -> None:
    """They work in the function; the keys of each hop count."""
    s3.keys = sorted(["in/./a.pdf", *KEYS, "in/z/../b.pdf"])
    job = {"bucket": "reports", "prefix": "in/", "page_size": 10}
    assert handler(job, LambdaContext(ticks=[900] * 3 + [0]))["statusCode"] == 202
    app.global_vars.processor = None
    body = handler(siblings.payloads[-1])["body"]
    assert "dots_in_path: 2 keys have . or .. as a path segment" in body["warning"]


def test_an_object_encrypted_with_its_owners_own_key_is_reported_in_words(s3: ScriptedS3, tmp_path: Path) -> None:
    """S3's code for it, InvalidRequest, explains nothing."""
    s3.inject("GetObject", Fault.CUSTOMERS_KEY, 3)
    _, result, _ = run(s3, tmp_path)
    assert "no link can give it" in result["warning"]


def test_a_busy_store_refuses_no_link(s3: ScriptedS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The link is tried again."""
    monkeypatch.setattr(probe, "WAIT_SECONDS", 0.0)
    s3.inject("GetObject", Fault.SLOW_DOWN, 2)
    code, result, _ = run(s3, tmp_path)
    assert (code, result["probe"]["refused"]) == (0, [])


def test_a_run_whose_links_die_before_its_end_ends_with_3(
    s3: ScriptedS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The probe signs its links anew; a script went on with a manifest of dead ones."""
    s3.inject("GetObject", Fault.SLOW_DOWN, 2)
    monkeypatch.setattr(probe, "WAIT_SECONDS", 1.1)
    code, result, warnings = run(s3, tmp_path, "--expiry-seconds", "1")
    assert (code, result["probe"]["refused"]) == (3, [])
    assert warnings.count("the first links died at") == 1


def test_an_empty_object_passes_the_probe(s3: ScriptedS3, tmp_path: Path) -> None:
    """S3 answers that it has no first byte."""
    s3.objects = dict.fromkeys(KEYS, b"")
    code, result, _ = run(s3, tmp_path)
    assert (code, result["probe"]["refused"]) == (0, [])


def test_working_links_pass_the_probe(s3: ScriptedS3, tmp_path: Path) -> None:
    """The first, the last and a random one, with one byte of each."""
    code, result, _ = run(s3, tmp_path, "--page-size", "7")
    assert (code, result["probe"]["refused"], "warning" in result) == (0, [], False)
    assert result["probe"]["tried"] in {2, 3}
    asked = [headers["range"] for operation, headers in s3.sent if operation == "GetObject" and "range" in headers]
    assert asked == ["bytes=0-0"] * result["probe"]["tried"]


def test_no_probe_tries_no_link(s3: ScriptedS3, tmp_path: Path) -> None:
    """The host of the links may be out of reach for this machine."""
    code, result, _ = run(s3, tmp_path, "--no-probe")
    assert (code, "probe" in result, probes(s3)) == (0, False, [])


def test_the_function_probes_links_on_request(
    handler: Callable[..., dict[str, Any]], s3: ScriptedS3, siblings: Siblings
) -> None:
    """The keys of each hop count: the first key was written by another hop."""
    s3.objects = {}
    job = {"bucket": "reports", "prefix": "in/", "page_size": 10, "probe": True}
    assert handler(job, LambdaContext(ticks=[900] * 3 + [0]))["statusCode"] == 202
    app.global_vars.processor = None
    body = handler(siblings.payloads[-1])["body"]
    assert (body["status"], body["probe"]["refused"]) == ("complete", ["NoSuchKey"])
    assert "links_refused: " in body["warning"]
    assert "in/000.pdf" in body["warning"]


def test_an_object_deleted_since_the_listing_is_no_fault_of_the_links(s3: ScriptedS3, tmp_path: Path) -> None:
    """A bucket changes while it is listed."""
    del s3.objects[KEYS[0]]
    code, result, _ = run(s3, tmp_path)
    assert (code, result["probe"]["refused"]) == (0, [])


def test_a_missing_key_of_a_list_is_reported(s3: ScriptedS3, tmp_path: Path) -> None:
    """No listing has seen it: it is misspelled, or was deleted."""
    (tmp_path / "keys.txt").write_text(f"{KEYS[0]}\n{KEYS[1]}\nin/nothing.pdf\n")
    code, result, _ = run(s3, tmp_path, "--keys-from", str(tmp_path / "keys.txt"), source="s3://reports")
    assert (code, result["count"], result["probe"]["refused"]) == (3, 3, ["NoSuchKey"])


def test_a_manifest_in_the_order_of_its_list_is_verified_and_exported(s3: ScriptedS3, tmp_path: Path) -> None:
    """That is not S3's order; a repeated key is reported, however far apart."""
    (tmp_path / "keys.txt").write_text("\n".join(reversed(KEYS)))
    listed = ("--keys-from", str(tmp_path / "keys.txt"), "--page")
    code, _, err = run(s3, tmp_path, *listed, source="s3://reports")
    assert (code, "manifest.html" in err) == (0, True)
    manifest = tmp_path / "manifest.jsonl"
    verified = CliRunner().invoke(main, ["verify", str(manifest), "--sample", "0"])
    assert (verified.exit_code, "59 lines go back" in verified.stdout) == (0, True)
    urls = CliRunner().invoke(main, ["export", str(manifest), "--as", "urls"])
    assert [url.partition("?")[0].rpartition("/")[2] for url in urls.stdout.split()] == [key[3:] for key in KEYS]
    manifest.write_bytes(manifest.read_bytes() * 2)
    twice = CliRunner().invoke(main, ["verify", str(manifest), "--sample", "0"])
    assert (twice.exit_code, "60 keys come twice" in twice.stdout) == (3, True)


def test_the_only_link_of_a_manifest_is_always_probed(s3: ScriptedS3, tmp_path: Path) -> None:
    """The links may name a host that has none of the objects."""
    s3.keys, s3.objects = KEYS[:1], {}
    code, result, _ = run(s3, tmp_path)
    assert (code, result["probe"]["refused"]) == (3, ["NoSuchKey"])


def test_the_function_probes_nothing_by_default(handler: Callable[..., dict[str, Any]], s3: ScriptedS3) -> None:
    """A probe costs requests."""
    body = handler({"bucket": "reports", "prefix": "in/"})["body"]
    assert (body["status"], "probe" in body, probes(s3)) == ("complete", False, [])


def test_a_broken_connection_is_reported_and_does_not_fail_the_job(s3: ScriptedS3, tmp_path: Path) -> None:
    """The manifest is whole; the warning names the cause."""
    s3.inject("GetObject", Fault.RESET, 3)
    code, result, _ = run(s3, tmp_path)
    assert (code, result["status"]) == (3, "complete")
    assert "connection" in result["warning"]


def test_an_error_within_a_response_does_not_fail_the_job_either(
    s3: ScriptedS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aiobotocore raises aiohttp's own error; the job failed with it at each try, after all of its listing."""
    assert s3.keys

    async def broken(*_: object) -> None:
        raise ClientPayloadError("Response payload is not completed")

    monkeypatch.setattr("processor.chain.probe.first_byte", broken)
    code, result, _ = run(s3, tmp_path)
    assert (code, result["status"], result["probe"]["refused"]) == (3, "complete", ["ClientPayloadError"])


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_an_existing_page_is_refused_before_the_run(s3: ScriptedS3, tmp_path: Path, more: list[str]) -> None:
    """It ended the run with 2 after all of its work: with a manifest, but without a word of it."""
    (tmp_path / "manifest.html").touch()
    place = ["--to", str(tmp_path / "manifest.jsonl"), "--page", "--endpoint-url", s3.endpoint]
    refused = CliRunner().invoke(main, ["run", "s3://reports/in/", *place, *more])
    assert (refused.exit_code, "manifest.html exists already" in refused.stderr) == (2, True), refused.output
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.html"]


def test_the_desk_writes_a_page_beside_the_manifest(s3: ScriptedS3, tmp_path: Path) -> None:
    """Only its owner may read it; standard output has no place for a page."""
    code, result, err = run(
        s3,
        tmp_path,
        "--page",
        "--page-title",
        "Ann's \u06a9\u062a\u0627\u0628\u200c\u0647\u0627",
        "--page-contact",
        "Ann",
    )
    page = tmp_path / "manifest.html"
    assert (code, result["count"], page.stat().st_mode & 0o777) == (0, len(KEYS), 0o600)
    written = page.read_text()
    assert written.count("X-Amz-Signature=") == len(KEYS)
    assert "<title>Ann&#x27;s \u06a9\u062a\u0627\u0628\u200c\u0647\u0627</title>" in written
    assert "Contact: <bdi>Ann</bdi>" in written
    assert str(page) in err
    to = ["--to", "-", "--page", "--endpoint-url", s3.endpoint]
    refused = CliRunner().invoke(main, ["run", "s3://reports/in/", *to])
    assert (refused.exit_code, "has no page beside it" in refused.stderr) == (2, True)
    refused = CliRunner().invoke(main, ["run", "s3://reports/in/", "--page-title", "April"])
    assert (refused.exit_code, "--page-title needs --page" in refused.stderr) == (2, True)
