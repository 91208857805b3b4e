"""Three links are tried before a job is called complete: in the function where it is asked for, at the desk always."""

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
    """Serve objects of a byte."""
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


def test_a_page_in_an_objects_place_is_no_object(s3: ScriptedS3, tmp_path: Path) -> None:
    """It has status 200, and neither ETag nor date."""
    s3.inject("GetObject", Fault.PAGE, 3)
    code, told, _ = run(s3, tmp_path)
    assert (code, told["probe"]["refused"]) == (3, ["no object"])


def test_a_link_that_gives_nothing_is_told_with_s3s_code(s3: ScriptedS3, tmp_path: Path) -> None:
    """The manifest is there all the same; a script sees the exit code."""
    s3.inject("GetObject", Fault.DENIED, 3)
    code, told, err = run(s3, tmp_path)
    assert (code, told["status"], told["probe"]) == (
        3,
        "complete",
        {"tried": len(probes(s3)), "refused": ["AccessDenied"]},
    )
    assert "AccessDenied (HTTP 403): Injected" in told["warning"]
    assert "in/000.pdf" in told["warning"]
    assert "X-Amz" not in json.dumps(told) + err


def test_links_that_browsers_change_are_told_by_the_job(
    handler: Callable[..., dict[str, Any]], s3: ScriptedS3, siblings: Siblings
) -> None:
    """They work for the function; keys of every hop count."""
    s3.keys = sorted(["in/./a.pdf", *KEYS, "in/z/../b.pdf"])
    job = {"bucket": "reports", "prefix": "in/", "page_size": 10}
    assert handler(job, LambdaContext(ticks=[900] * 3 + [0]))["statusCode"] == 202
    app.global_vars.processor = None
    body = handler(siblings.payloads[-1])["body"]
    assert "dots_in_path: 2 keys have . or .. as a path segment" in body["warning"]


def test_an_object_under_its_owners_own_key_is_told_in_words(s3: ScriptedS3, tmp_path: Path) -> None:
    """S3's code for it, InvalidRequest, says nothing."""
    s3.inject("GetObject", Fault.CUSTOMERS_KEY, 3)
    _, told, _ = run(s3, tmp_path)
    assert "no link can give it" in told["warning"]


def test_a_store_that_is_busy_refuses_no_link(s3: ScriptedS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says "not now": the link is asked again."""
    monkeypatch.setattr(probe, "WAIT_SECONDS", 0.0)
    s3.inject("GetObject", Fault.SLOW_DOWN, 2)
    code, told, _ = run(s3, tmp_path)
    assert (code, told["probe"]["refused"]) == (0, [])


def test_an_object_without_a_byte_has_come(s3: ScriptedS3, tmp_path: Path) -> None:
    """S3 says of it that it has no first byte."""
    s3.objects = dict.fromkeys(KEYS, b"")
    code, told, _ = run(s3, tmp_path)
    assert (code, told["probe"]["refused"]) == (0, [])


def test_links_that_work_are_called_so(s3: ScriptedS3, tmp_path: Path) -> None:
    """The first, the last and any other, with one byte of each."""
    code, told, _ = run(s3, tmp_path, "--page-size", "7")
    assert (code, told["probe"]["refused"], "warning" in told) == (0, [], False)
    assert told["probe"]["tried"] in {2, 3}
    asked = [headers["range"] for operation, headers in s3.sent if operation == "GetObject" and "range" in headers]
    assert asked == ["bytes=0-0"] * told["probe"]["tried"]


def test_nothing_is_tried_where_nobody_wants_it(s3: ScriptedS3, tmp_path: Path) -> None:
    """A store may be out of this machine's reach by the links' own host."""
    code, told, _ = run(s3, tmp_path, "--no-probe")
    assert (code, "probe" in told, probes(s3)) == (0, False, [])


def test_the_function_tries_links_when_it_is_asked_to(
    handler: Callable[..., dict[str, Any]], s3: ScriptedS3, siblings: Siblings
) -> None:
    """Keys of every hop count: the first one was written by another."""
    s3.objects = {}
    job = {"bucket": "reports", "prefix": "in/", "page_size": 10, "probe": True}
    assert handler(job, LambdaContext(ticks=[900] * 3 + [0]))["statusCode"] == 202
    app.global_vars.processor = None
    body = handler(siblings.payloads[-1])["body"]
    assert (body["status"], body["probe"]["refused"]) == ("complete", ["NoSuchKey"])
    assert "links_refused: " in body["warning"]
    assert "in/000.pdf" in body["warning"]


def test_an_object_that_went_meanwhile_is_no_fault_of_the_links(s3: ScriptedS3, tmp_path: Path) -> None:
    """A bucket lives on while it is listed."""
    del s3.objects[KEYS[0]]
    code, told, _ = run(s3, tmp_path)
    assert (code, told["probe"]["refused"]) == (0, [])


def test_a_key_of_a_list_that_is_not_there_is_told(s3: ScriptedS3, tmp_path: Path) -> None:
    """Nothing has listed it: it was misspelled, or is long gone."""
    (tmp_path / "keys.txt").write_text(f"{KEYS[0]}\n{KEYS[1]}\nin/nothing.pdf\n")
    code, told, _ = run(s3, tmp_path, "--keys-from", str(tmp_path / "keys.txt"), source="s3://reports")
    assert (code, told["count"], told["probe"]["refused"]) == (3, 3, ["NoSuchKey"])


def test_a_manifest_in_the_order_of_its_list_is_verified_and_exported(s3: ScriptedS3, tmp_path: Path) -> None:
    """Which is not S3's; a key that comes twice is told, however far apart."""
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


def test_the_only_link_of_a_manifest_is_never_left_out(s3: ScriptedS3, tmp_path: Path) -> None:
    """Another host may answer there, which has none of the objects."""
    s3.keys, s3.objects = KEYS[:1], {}
    code, told, _ = run(s3, tmp_path)
    assert (code, told["probe"]["refused"]) == (3, ["NoSuchKey"])


def test_the_function_tries_nothing_of_itself(handler: Callable[..., dict[str, Any]], s3: ScriptedS3) -> None:
    """It costs requests."""
    body = handler({"bucket": "reports", "prefix": "in/"})["body"]
    assert (body["status"], "probe" in body, probes(s3)) == ("complete", False, [])


def test_a_connection_that_breaks_is_told_and_fails_nothing(s3: ScriptedS3, tmp_path: Path) -> None:
    """The manifest is whole; why nothing came is said."""
    s3.inject("GetObject", Fault.RESET, 3)
    code, told, _ = run(s3, tmp_path)
    assert (code, told["status"]) == (3, "complete")
    assert "connection" in told["warning"]


def test_an_error_that_breaks_off_fails_nothing_either(
    s3: ScriptedS3, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Aiobotocore lets aiohttp's own error through; the job ended with it at each try, all of its keys listed."""
    assert s3.keys

    async def broken(*_: object) -> None:
        raise ClientPayloadError("Response payload is not completed")

    monkeypatch.setattr("processor.chain.probe.first_byte", broken)
    code, told, _ = run(s3, tmp_path)
    assert (code, told["status"], told["probe"]["refused"]) == (3, "complete", ["ClientPayloadError"])


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_a_page_that_is_there_is_refused_before_the_run(s3: ScriptedS3, tmp_path: Path, more: list[str]) -> None:
    """It ended the run with 2 once all of its work was done: with a manifest, and without a word of it."""
    (tmp_path / "manifest.html").touch()
    place = ["--to", str(tmp_path / "manifest.jsonl"), "--page", "--endpoint-url", s3.endpoint]
    refused = CliRunner().invoke(main, ["run", "s3://reports/in/", *place, *more])
    assert (refused.exit_code, "manifest.html exists already" in refused.stderr) == (2, True), refused.output
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.html"]


def test_a_page_lies_beside_the_manifest_at_the_desk_too(s3: ScriptedS3, tmp_path: Path) -> None:
    """Readable by its owner alone; standard output has no place for one."""
    code, told, err = run(
        s3,
        tmp_path,
        "--page",
        "--page-title",
        "Ann's \u06a9\u062a\u0627\u0628\u200c\u0647\u0627",
        "--page-contact",
        "Ann",
    )
    page = tmp_path / "manifest.html"
    assert (code, told["count"], page.stat().st_mode & 0o777) == (0, len(KEYS), 0o600)
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
