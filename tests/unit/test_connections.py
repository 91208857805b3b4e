"""A command's connections to AWS: the same certificates, credentials and settings for every client."""

from __future__ import annotations

import asyncio
import hashlib
import os
import pwd
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import MagicMock

import boto3
import botocore.credentials
import botocore.tokens
import pytest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import CredentialRetrievalError
from botocore.httpsession import get_cert_path
from click.testing import CliRunner

from presign_siblings import certificates, connections
from presign_siblings.cli import environment
from presign_siblings.cli.main import main
from presign_siblings.errors import CommandError, WrongUseError
from presign_siblings.manifests.network import proxy_of
from presign_siblings.session import forget_session
from processor.aws import SharedCredentials, open_s3
from processor.causes import place, why
from processor.errors import InvalidEventError

if TYPE_CHECKING:
    from pathlib import Path

BUNDLE = str(get_cert_path(verify=True))


def calls_of(folder: Path) -> int:
    """Return how often the credential process ran."""
    return len((folder / "asked").read_text().splitlines())


@pytest.fixture
def credential_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a profile whose credentials come from a program, which records each call."""
    program = tmp_path / "give.py"
    program.write_text(
        f"open({str(tmp_path / 'asked')!r}, 'a').write('asked\\n')\n"
        'print(\'{"Version": 1, "AccessKeyId": "AKIAPROCESS", "SecretAccessKey": "s"}\')\n'
    )
    (tmp_path / "config").write_text(
        f"[profile work]\nregion = eu-west-1\ncredential_process = {sys.executable} {program}\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("hello", "the credentials cannot be read: .*credential_process"),
        ('{"Version": 1, "AccessKeyId": 5, "SecretAccessKey": "s"}', "no text: look at profile work"),
        ('{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": 5}', "no text: look at profile work"),
        ('{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "SessionToken": 5}', "no text"),
        ('{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "Expiration": 5}', "cannot be read: .*process"),
        ('{"Version": 1, "AccessKeyId": "A", "SecretAccessKey": "s", "Expiration": "2020-01-01T00:00:00Z"}', "expired"),
    ],
)
def test_a_credential_process_without_credentials_is_reported_in_words(
    credential_process: Path, given: str, message: str
) -> None:
    """boto3 raises a Python error that does not mention credentials; for a number, at the first signature."""
    (credential_process / "give.py").write_text(f"print({given!r})\n")
    with (
        environment.aws_environment(profile="work"),
        pytest.raises((CommandError, CredentialRetrievalError), match=message),
    ):
        connections.client("s3")


@pytest.mark.parametrize("given", ["", f"{sys.executable} -c 'print([])'"])
def test_a_credential_process_that_breaks_boto3_is_reported_in_words(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For an empty line, and JSON that is no object, boto3 raises an IndexError and an AttributeError."""
    (tmp_path / "config").write_text(f"[profile work]\nregion = eu-west-1\ncredential_process = {given}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    with environment.aws_environment(profile="work"), pytest.raises(CommandError, match="credentials cannot be read"):
        connections.client("s3")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home folder for a config file and a credentials file, whose default profile signs."""
    (tmp_path / ".aws" / "sso" / "cache").mkdir(parents=True)
    monkeypatch.setenv("HOME", str(tmp_path))
    for module in (botocore.credentials.SSOProvider, botocore.tokens.SSOTokenProvider):  # each has read HOME already
        monkeypatch.setattr(module, "_SSO_TOKEN_CACHE_DIR", str(tmp_path / ".aws" / "sso" / "cache"))
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", *environment.CREDENTIALS):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / ".aws"


@pytest.mark.parametrize("written", ["", "{", "null", '{"accessToken": "t", "expiresAt": "soon"}'])
def test_a_sign_in_file_that_is_being_written_is_reported_in_words(home: Path, written: str) -> None:
    """The AWS CLI replaces it in place, without a lock; botocore then raises a KeyError or a TypeError."""
    sso = "sso_session = s\nsso_account_id = 1\nsso_role_name = r\n[sso-session s]\nsso_start_url = u\nsso_region = x\n"
    (home / "config").write_text(f"[default]\nregion = eu-west-1\n{sso}")
    name = hashlib.sha1(b"s", usedforsecurity=False).hexdigest()
    (home / "sso" / "cache" / f"{name}.json").write_text(written)
    with environment.aws_environment(), pytest.raises(CredentialRetrievalError) as failed:
        connections.client("s3")
    assert "its sign-in, by hand" in why(failed.value)


@pytest.mark.parametrize("secret", ["s", ""])
def test_an_empty_line_of_a_credentials_file_counts_as_missing(home: Path, secret: str) -> None:
    """As ``aws_session_token =``: botocore signed an empty token into each link, which S3 refuses."""
    keys = f"aws_access_key_id = A\naws_secret_access_key = {secret}\naws_session_token =\n"
    (home / "credentials").write_text(f"[default]\n{keys}")
    with environment.aws_environment(region="eu-west-1"):
        if not secret:
            with pytest.raises(CommandError, match="an empty key: look at profile default"):
                connections.client("s3")
            return
        url = connections.client("s3").generate_presigned_url("get_object", {"Bucket": "reports", "Key": "a.pdf"})
        assert "Security-Token" not in url


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("s3 = addressing_style = path", "indented lines after 's3 ='"),
        ("s3 =", "indented lines after 's3 ='"),
        ("max_attempts = many", "is not valid"),
        ("max_attempts = 0", "correct ~/.aws/config"),
        ("retry_mode = often", "correct ~/.aws/config"),
        ("defaults_mode = none", "correct ~/.aws/config"),
        ("request_checksum_calculation = never", "correct ~/.aws/config"),
        ('region = "eu-west-1"', "name a region"),
    ],
)
def test_an_invalid_setting_of_a_profile_is_reported_with_its_place(
    line: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 raises an error of its own, and names no file."""
    (tmp_path / "config").write_text(f"[default]\n{line}\n")
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    result = CliRunner().invoke(main, ["ls", "s3://reports/"])
    assert (result.exit_code in {1, 2}, message in result.stderr) == (True, True), result.output


def test_the_output_of_a_failing_credential_process_is_not_shown(credential_process: Path) -> None:
    """Such programs may print tokens."""
    (credential_process / "give.py").write_text("raise SystemExit('hunter2 is no password')\n")
    with environment.aws_environment(profile="work"), pytest.raises(CredentialRetrievalError) as failed:
        connections.client("s3")
    assert "hunter2" not in why(failed.value)
    assert "credential_process" in why(failed.value)


@pytest.mark.parametrize("password", ["hunter2/more", "2/more", "hunter2?", "hunter2#"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_password_that_breaks_the_proxys_url_is_reported_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, password: str, scheme: str
) -> None:
    """A slash ends the host: the part before it was shown, after many tries, as an unusable URL."""
    monkeypatch.setenv("HTTPS_PROXY", f"{scheme}name:{password}@127.0.0.1:1080")
    with pytest.raises(WrongUseError, match="special characters as %2F") as refused:
        connections.check_proxy("https://s3.eu-west-1.amazonaws.com")
    assert "hunter2" not in str(refused.value) + place(f"http://name:{password}@127.0.0.1:1080")


@pytest.mark.parametrize("variable", ["HTTPS_PROXY", "https_proxy"])
def test_a_socks_proxy_is_reported_as_unsupported(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """Aiohttp ignores it in silence, and boto3 calls a host named ``socks5``; its password is not shown."""
    monkeypatch.setenv(variable, "socks5h://name:hunter2@127.0.0.1:1080")
    with pytest.raises(WrongUseError, match="^socks5h://127.0.0.1:1080 is not an HTTP proxy") as refused:
        connections.check_proxy("https://s3.eu-west-1.amazonaws.com")
    assert "hunter2" not in str(refused.value)
    connections.check_proxy("http://s3.example")
    monkeypatch.setenv("NO_PROXY", "amazonaws.com")
    connections.check_proxy("https://s3.eu-west-1.amazonaws.com")


def test_an_invalid_setting_is_not_reported_as_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the settings of AWS's clients."""
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "many")
    with (
        environment.aws_environment(region="eu-west-1"),
        pytest.raises(WrongUseError, match="a setting of AWS's clients"),
    ):
        connections.client("s3")


def test_credentials_are_requested_once_for_all_clients(credential_process: Path) -> None:
    """boto3's clients, and the pipeline's of each hop: one code of an MFA device is enough."""

    async def signed() -> str:
        async with opened.s3(None, 1, None, connections.reaching().reach) as (client, _):
            return str(await client.generate_presigned_url("get_object", Params={"Bucket": "reports", "Key": "a"}))

    with environment.aws_environment(profile="work"):
        opened = connections.connections()
        assert all("AKIAPROCESS" in asyncio.run(signed()) for _ in range(3))
        connections.client("sts").meta.events  # noqa: B018 - a client of boto3 uses the same
        assert calls_of(credential_process) == 1


def test_line_ends_around_credentials_and_settings_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline's secret has them: signatures were wrong, or a header was refused after many tries."""
    written = {"AWS_ACCESS_KEY_ID": "AKIDPIPED", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
    written |= {"AWS_REGION": "eu-central-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    for name, value in written.items():
        monkeypatch.setenv(name, f"{value}\r\n")
    with environment.aws_environment():
        client = connections.client("s3")
        assert client._request_signer._credentials.get_frozen_credentials()[:3] == ("AKIDPIPED", "secret", "token")
        assert (client.meta.region_name, client.meta.endpoint_url) == ("eu-central-1", "http://127.0.0.1:9")
    assert os.environ["AWS_ACCESS_KEY_ID"] == "AKIDPIPED\r\n"


def test_a_session_that_the_caller_has_set_is_used(aws_environment: None) -> None:  # noqa: ARG001
    """In a notebook the Python interface uses boto3's default session; a command makes its own."""
    try:
        theirs: Any = {"aws_access_key_id": "AKIATHEIRS", "aws_secret_access_key": "x"}
        boto3.setup_default_session(region_name="eu-central-1", **theirs)
        client = connections.client("s3")
        assert client._request_signer._credentials.access_key == "AKIATHEIRS"
        assert client.meta.region_name == "eu-central-1"
        with environment.aws_environment():
            assert connections.client("s3").meta.region_name == "eu-west-1"
    finally:
        forget_session()


class Rotating:
    """boto3's credentials from a source that gives new ones each time, all expiring at once."""

    def __init__(self, left: timedelta) -> None:
        self._expiry_time, self.given = datetime.now(UTC) + left, 0

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Return new credentials."""
        self.given += 1
        return ReadOnlyCredentials(f"AKIA{self.given}", "s", "t")


def test_expiring_credentials_are_not_requested_for_each_key() -> None:
    """boto3 refreshes at each request in the last ten minutes; 300 keys took 330 calls of a credential process."""
    found = Rotating(timedelta(minutes=5))
    shared = SharedCredentials(found)
    assert {asyncio.run(shared.get_frozen_credentials()).access_key for _ in range(3)} == {"AKIA1"}
    assert shared._expiry_time == found._expiry_time
    spent = Rotating(timedelta(seconds=-1))
    shared = SharedCredentials(spent)
    assert asyncio.run(shared.get_frozen_credentials()).access_key == "AKIA2"


def test_expiring_credentials_are_renewed_once_half_of_their_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links that are signed in the last minutes of a session die with it."""
    began, passed = datetime.now(UTC), timedelta()
    shared = SharedCredentials(Rotating(timedelta(hours=1)))
    clock = SimpleNamespace(now=lambda _: began + passed)
    monkeypatch.setattr("processor.aws.shared_credentials.datetime", clock)
    passed = timedelta(minutes=29)
    assert asyncio.run(shared.get_frozen_credentials()).access_key == "AKIA1"
    passed = timedelta(minutes=31)
    assert asyncio.run(shared.get_frozen_credentials()).access_key == "AKIA2"


def test_the_credentials_are_refreshed_by_boto3(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pipeline signs with the current keys, and knows when they expire."""
    found = boto3.Session().get_credentials()
    shared = SharedCredentials(found)
    monkeypatch.setattr(found, "secret_key", "new")
    assert asyncio.run(shared.get_frozen_credentials()).secret_key == "new"


def test_lasting_credentials_need_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each list request reads them: two threads a page slowed a run by several percent."""

    async def awaited() -> object:
        return await SharedCredentials(boto3.Session().get_credentials()).get_frozen_credentials()

    monkeypatch.setattr(asyncio, "to_thread", None)
    assert asyncio.run(awaited())


def test_a_command_without_credentials_names_their_sources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before anything is listed."""
    for name in environment.CREDENTIALS:
        monkeypatch.delenv(name)
    with environment.aws_environment(), pytest.raises(CommandError, match="AWS_ACCESS_KEY_ID"):
        connections.connections()


@pytest.mark.parametrize("how", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "profile", "option"])
def test_a_bundle_that_boto3_trusts_is_trusted_for_links_too(
    how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Beside the system's certificates: links may lead to other hosts."""
    monkeypatch.setattr(ssl, "create_default_context", lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
    if how == "profile":
        (tmp_path / "config").write_text(f"[default]\nca_bundle = {BUNDLE}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    elif how != "option":
        monkeypatch.setenv(how, BUNDLE)
    with environment.aws_environment(ca_bundle=BUNDLE if how == "option" else None):
        assert certificates.tls().get_ca_certs()
    assert os.environ.get("AWS_CA_BUNDLE") == (BUNDLE if how == "AWS_CA_BUNDLE" else None)


def test_certificates_for_links_need_no_aws(tmp_path: Path) -> None:
    """Unless a profile may name some: botocore takes longer to load than a small download."""
    script = (
        "import sys; from presign_siblings import certificates; certificates.tls(); print('botocore' in sys.modules)"
    )
    for config, loaded in (("[default]\nregion = eu-west-1\n", False), (f"[default]\nca_bundle = {BUNDLE}\n", True)):
        (tmp_path / "config").write_text(config)
        environment = os.environ | {"AWS_CONFIG_FILE": str(tmp_path / "config")}
        command = [sys.executable, "-c", script]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        assert done.stdout == f"{loaded}\n"


def test_certificates_for_links_need_no_home_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's user may have only a number."""
    for name in ("HOME", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", MagicMock(side_effect=KeyError))
    assert certificates.bundle() is None


def test_a_missing_or_invalid_bundle_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an errno and without a traceback; for a manifest, a missing profile does not matter."""
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with environment.aws_environment(), pytest.raises(WrongUseError, match=r"no CA bundle .*none\.pem"):
        certificates.tls()
    with environment.aws_environment(), pytest.raises(WrongUseError, match=r"no CA bundle .*none\.pem"):
        connections.client("s3")
    monkeypatch.setenv("AWS_CA_BUNDLE", "")  # as in run_job: botocore would accept every certificate
    with pytest.raises(WrongUseError, match="no CA bundle ''"):
        connections.client("s3")
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "none.pem"))
    (tmp_path / "none.pem").write_text("nothing")
    with environment.aws_environment(), pytest.raises(WrongUseError, match="is not a CA bundle"):
        certificates.tls()


def test_an_invalid_endpoint_is_refused_wherever_it_is_configured(monkeypatch: pytest.MonkeyPatch) -> None:
    """boto3 would end with a traceback."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "minio:9000")
    with environment.aws_environment():
        with pytest.raises(InvalidEventError, match="endpoint_url.*http://host:port"):
            connections.client("s3")
        with pytest.raises(WrongUseError, match="http://host:port"):
            connections.client("lambda")


@pytest.mark.parametrize(("endpoint", "hosts"), [(None, "reports.s3."), ("http://store.example", "reports.store")])
def test_the_profiles_style_is_obeyed(
    endpoint: str | None, hosts: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For another endpoint too; the variable precedes the profile."""

    async def url() -> str:
        async with open_s3(endpoint, 1, None, connections.reaching().reach) as (client, _):
            return str(await client.generate_presigned_url("get_object", Params={"Bucket": "reports", "Key": "a"}))

    (tmp_path / "config").write_text("[default]\ns3 =\n  addressing_style = virtual\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    assert asyncio.run(url()).partition("://")[2].startswith(hosts)
    monkeypatch.setenv("S3_ADDRESSING_STYLE", "path")
    assert "/reports/a?" in asyncio.run(url())


OF_VPC = "https://bucket.vpce-1a2b3c4d-5e6f.s3.eu-west-1.vpce.amazonaws.com"
READERS = "arn:aws:s3:eu-west-1:123456789012:accesspoint/readers"


@pytest.mark.parametrize(
    ("endpoint", "bucket", "expected"),
    [
        (None, "reports", "https://reports.s3.eu-west-1.amazonaws.com/a"),
        (None, "my.reports", "https://s3.eu-west-1.amazonaws.com/my.reports/a"),
        ("https://s3.eu-west-1.amazonaws.com", "reports", "https://s3.eu-west-1.amazonaws.com/reports/a"),
        ("https://s3.eu-west-1.amazonaws.com", READERS, "https://readers-123456789012.s3.eu-west-1.amazonaws.com/a"),
        (OF_VPC, "reports", f"{OF_VPC}/reports/a"),
        ("http://store.example", "reports", "http://store.example/reports/a"),
    ],
)
def test_all_clients_put_the_bucket_in_the_same_place(endpoint: str | None, bucket: str, expected: str) -> None:
    """As boto3, but never on S3's global host: ``url`` and ``run`` gave other links for one key."""
    asked: dict[str, Any] = {"Params": {"Bucket": bucket, "Key": "a"}}

    async def of_run() -> str:
        async with open_s3(None, 1) as (client, _):
            return str(await client.generate_presigned_url("get_object", **asked))

    with environment.aws_environment(region="eu-west-1", endpoint_url=endpoint):
        of_url = connections.client("s3").generate_presigned_url("get_object", **asked)
        assert [url.partition("?")[0] for url in (of_url, asyncio.run(of_run()))] == [expected, expected]


def test_a_clients_payer_and_timeout_are_those_of_the_options() -> None:
    """As in the AWS CLI; without them boto3's own 60 seconds."""
    with environment.aws_environment(read_timeout=300, request_payer="requester"):
        assert connections.reaching().requester_pays
        client = connections.client("s3")
        assert client.meta.config.read_timeout == 300
        sent: list[dict[str, str]] = []

        def stop(request: Any, **_: object) -> None:
            sent.append(dict(request.headers))
            raise InterruptedError

        client.meta.events.register("before-send", stop)
        with pytest.raises(InterruptedError):
            client.head_object(Bucket="reports", Key="a")
        assert sent[0]["x-amz-request-payer"] in {"requester", b"requester"}
    with environment.aws_environment():
        assert connections.client("s3").meta.config.read_timeout == 60


def test_the_profile_option_precedes_the_one_that_botocore_prefers(monkeypatch: pytest.MonkeyPatch) -> None:
    """It reads AWS_DEFAULT_PROFILE before AWS_PROFILE."""
    monkeypatch.setenv("AWS_DEFAULT_PROFILE", "other")
    with environment.aws_environment(profile="work"):
        assert "AWS_DEFAULT_PROFILE" not in os.environ
    assert os.environ["AWS_DEFAULT_PROFILE"] == "other"


def test_links_go_through_the_proxy_of_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """By scheme, and not to hosts in NO_PROXY; ~/.netrc is ignored."""
    for name in ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert proxy_of("https://reports.example/a") is None
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:3128")
    monkeypatch.setenv("no_proxy", "store.example")
    assert proxy_of("https://reports.example/a") == "http://127.0.0.1:3128"
    assert proxy_of("https://reports.store.example/a") is None
    assert proxy_of("http://reports.example/a") is None
    for host, excluded in (("minio:9000", "minio:9000"), ("minio:9000", "minio"), ("[::1]:9000", "::1")):
        monkeypatch.setenv("no_proxy", excluded)
        assert proxy_of(f"https://{host}/a") is None
    monkeypatch.setenv("no_proxy", "minio:9000")
    assert proxy_of("https://minio/a") is not None
