"""How S3 is reached: what is written as an endpoint, in which order variables count, and their rules."""

from __future__ import annotations

import pytest

from processor.errors import InvalidEventError
from processor.job import DeploymentSettings, endpoint


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("http://127.0.0.1:9000/", "http://127.0.0.1:9000"),
        ("HTTPS://Minio.EXAMPLE:9000", "https://minio.example:9000"),
        ("https://store.example:443", "https://store.example"),
        ("http://store.example:80/", "http://store.example"),
        ("https://store.example:80", "https://store.example:80"),
        ("http://[::1]:9000/", "http://[::1]:9000"),
        ("https://store.example/s3/", "https://store.example/s3"),
        (" https://store.example ", "https://store.example"),
    ],
)
def test_an_endpoint_is_normalised_to_the_form_that_every_library_signs(written: str, taken: str) -> None:
    """Case does not count in host names, and no Host header has the scheme's own port."""
    assert endpoint("--endpoint-url", written) == taken


@pytest.mark.parametrize(
    "written",
    [
        "127.0.0.1:9000",
        "localhost:9000",
        "store.example",
        "ftp://store.example",
        "http://",
        "http://[::1",
        "http://a:b",
        "http://store.example/?x=1",
        "http://store.example/#x",
        "http://user:pass@store.example",
        "user:pass@store.example",
    ],
)
def test_a_value_that_is_no_endpoint_is_refused_with_its_variable_and_form(written: str) -> None:
    """Nothing is sent; a password in it is not shown."""
    with pytest.raises(InvalidEventError, match=r"S3_ENDPOINT_URL': .* must be written as http://host:port") as refused:
        DeploymentSettings.from_environment({"S3_ENDPOINT_URL": written}, {})
    assert "pass" not in str(refused.value)


@pytest.mark.parametrize("written", ["http://my_minio:9000", "https://b\u00fccher.example"])
def test_a_host_that_the_sdk_takes_for_no_endpoint_is_refused_before_a_job_begins(written: str) -> None:
    """A service of Docker Compose may be named so; each try of the function ended with a ValueError."""
    with pytest.raises(InvalidEventError, match="URL_ENDPOINT.* no underscore, and no accent"):
        DeploymentSettings.from_environment({"URL_ENDPOINT": written}, {})


def test_style_and_read_timeout_have_defaults() -> None:
    """60 seconds, as in boto3."""
    reach = DeploymentSettings.from_environment({}, {}).reach
    assert (reach.style, reach.read_seconds) == (None, 60.0)
    environment = {"S3_ADDRESSING_STYLE": "virtual", "S3_READ_TIMEOUT": "5m"}
    reach = DeploymentSettings.from_environment(environment, {}).reach
    assert (reach.style, reach.read_seconds) == ("virtual", 300.0)
    assert DeploymentSettings.from_environment({"S3_ADDRESSING_STYLE": "auto"}, {}).reach.style is None


@pytest.mark.parametrize(
    ("name", "value"), [("S3_ADDRESSING_STYLE", "host"), ("S3_READ_TIMEOUT", "0"), ("S3_READ_TIMEOUT", "901")]
)
def test_other_settings_are_refused_by_name(name: str, value: str) -> None:
    """As every other variable."""
    with pytest.raises(InvalidEventError, match=name):
        DeploymentSettings.from_environment({name: value}, {})
