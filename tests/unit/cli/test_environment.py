"""The options that say how AWS is reached go before what the environment and the files say."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from presign_siblings import connections
from presign_siblings.cli import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def aws_settings() -> dict[str, str]:
    """Return what the environment says of AWS."""
    return {name: value for name, value in os.environ.items() if name.startswith("AWS_")}


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the test's own settings stand, and look that the command leaves them."""
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    before = aws_settings()
    yield
    assert aws_settings() == before


@pytest.mark.usefixtures("settings")
def test_a_profile_goes_before_the_environments_credentials() -> None:
    """As with the AWS CLI; boto3 alone would take the environment's."""
    with environment.aws_environment("work", None, None):
        assert os.environ["AWS_PROFILE"] == "work"
        assert not {name for name in environment.CREDENTIALS if name in os.environ}
    with environment.aws_environment(None, None, None):
        assert "AWS_PROFILE" not in os.environ
        assert {name for name in environment.CREDENTIALS if name in os.environ} == set(environment.CREDENTIALS)


@pytest.mark.usefixtures("settings")
def test_a_profile_goes_before_web_identity_and_container_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pod the environment names a role; whoever names a profile means another."""
    for name in environment.OTHER_CREDENTIALS:
        monkeypatch.setenv(name, "x")
    with environment.aws_environment("work", None, None):
        assert not {name for name in environment.OTHER_CREDENTIALS if name in os.environ}
    for name in environment.OTHER_CREDENTIALS:
        assert os.environ[name] == "x"
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("settings")
def test_an_endpoint_that_is_said_goes_before_every_configured_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with the AWS CLI; what gives the credentials keeps its own endpoint."""
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


def test_a_profile_of_the_files_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Region and endpoint of it count too."""
    settings = "region = ap-south-1\nendpoint_url = http://127.0.0.1:2\n"
    (tmp_path / "config").write_text(
        f"[profile work]\n{settings}aws_access_key_id = AKIAWORK\naws_secret_access_key = x\n"
    )
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        monkeypatch.delenv(name)
    with environment.aws_environment("work", None, None):
        client: Any = connections.client("sqs")
        assert (client.meta.region_name, client.meta.endpoint_url) == ("ap-south-1", "http://127.0.0.1:2")
        assert client._request_signer._credentials.access_key == "AKIAWORK"


@pytest.mark.usefixtures("settings")
def test_the_region_is_found_where_the_aws_cli_finds_it() -> None:
    """The option, AWS_REGION, AWS_DEFAULT_REGION."""
    with environment.aws_environment(None, None, None):
        assert connections.client("sqs").meta.region_name == "eu-central-1"
    with environment.aws_environment(None, "us-west-2", "http://127.0.0.1:1"):
        client = connections.client("sqs")
        assert (client.meta.region_name, client.meta.endpoint_url) == ("us-west-2", "http://127.0.0.1:1")
