"""The connection options precede the environment and the configuration files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from presign_siblings import connections, session
from presign_siblings.cli import environment
from presign_siblings.manifests.network import proxy_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def aws_settings() -> dict[str, str]:
    """Return the environment variables of AWS."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set the test's own variables, and check that the command restores them."""
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    before = aws_settings()
    yield
    assert aws_settings() == before


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write a config file with one profile of keys, and one of a role that uses the environment's."""
    file = tmp_path / "config"
    file.write_text(
        "[profile work]\nregion = ap-south-1\nendpoint_url = http://127.0.0.1:2\n"
        "aws_access_key_id = AKIAWORK\naws_secret_access_key = x\n"
        "[profile role]\nrole_arn = arn:aws:iam::123456789012:role/r\ncredential_source = Environment\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    return file


def signer() -> str:
    """Return the access key that signs."""
    return str(session.credentials().access_key)


@pytest.mark.usefixtures("config")
@pytest.mark.parametrize("name", ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI"])
def test_a_profile_precedes_the_environments_credentials(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the AWS CLI; boto3 alone would take the environment's, or a role's in a pod."""
    own = os.environ["AWS_ACCESS_KEY_ID"]
    with monkeypatch.context() as pod:
        for each in (name, "AWS_ROLE_ARN", "AWS_DEFAULT_PROFILE"):
            pod.setenv(each, "x")
        with environment.aws_environment("work"):
            assert signer() == "AKIAWORK"
    with environment.aws_environment():
        assert signer() == own


@pytest.mark.usefixtures("config")
def test_a_profiles_role_uses_the_environments_credentials_where_configured() -> None:
    """``credential_source = Environment``, as on CI runners: the profile precedes them, and needs them."""
    with environment.aws_environment("role"):
        assert session.session().get_credentials().method == "assume-role"  # type: ignore[union-attr]


@pytest.mark.usefixtures("config")
def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipeline passes on unset ones so; with an empty bundle, botocore would accept every certificate."""
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_PROFILE", "work")
    for name in ("AWS_DEFAULT_PROFILE", "AWS_DEFAULT_REGION", "AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, "")
    with environment.aws_environment():
        made = connections.client("s3")
        assert (made.meta.region_name, made._endpoint.http_session._verify) == ("ap-south-1", True)
    assert os.environ["REQUESTS_CA_BUNDLE"] == ""


def test_blanks_around_a_proxy_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy whose variable ended with a line end was no HTTP proxy; an empty small name still means none."""
    written, url = " http://proxy.example:3128\r\n", "https://reports.example/a"
    monkeypatch.delenv("https_proxy", raising=False)
    monkeypatch.setenv("HTTPS_PROXY", written)
    with environment.aws_environment():
        assert proxy_of(url) == "http://proxy.example:3128"
        connections.check_proxy(url)
    assert os.environ["HTTPS_PROXY"] == written
    monkeypatch.setenv("https_proxy", " ")
    with environment.aws_environment():
        assert proxy_of(url) is None


@pytest.mark.usefixtures("settings")
def test_an_endpoint_option_precedes_every_configured_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the AWS CLI; the services that give credentials keep their own endpoint."""
    others = {"AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:8"}
    for name, value in {**others, environment.IGNORE_ENDPOINTS: "true"}.items():
        monkeypatch.setenv(name, value)
    with environment.aws_environment(None, None, "http://127.0.0.1:1"):
        s3: Any = connections.client("s3")
        sts: Any = connections.client("sts")
        assert (s3.meta.endpoint_url, sts.meta.endpoint_url) == ("http://127.0.0.1:1", others["AWS_ENDPOINT_URL_STS"])
    for name in (*others, environment.IGNORE_ENDPOINTS):
        assert name in os.environ
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("config")
def test_a_profile_of_the_files_signs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its region and its endpoint count too."""
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    with environment.aws_environment("work", None, None):
        client: Any = connections.client("sqs")
        assert (client.meta.region_name, client.meta.endpoint_url) == ("ap-south-1", "http://127.0.0.1:2")
        assert client._request_signer._credentials.access_key == "AKIAWORK"


@pytest.mark.usefixtures("settings")
def test_the_region_is_found_where_the_aws_cli_finds_it() -> None:
    """From the option, AWS_REGION, AWS_DEFAULT_REGION."""
    with environment.aws_environment(None, None, None):
        assert connections.client("sqs").meta.region_name == "eu-central-1"
    with environment.aws_environment(None, "us-west-2", "http://127.0.0.1:1"):
        client = connections.client("sqs")
        assert (client.meta.region_name, client.meta.endpoint_url) == ("us-west-2", "http://127.0.0.1:1")
