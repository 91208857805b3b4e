"""Which endpoint of S3 the environment names."""

from __future__ import annotations

import pytest

from processor.job import DeploymentSettings

OWN, OF_S3, OF_ALL = "http://own", "http://s3", "http://all"
IGNORED = {"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}


@pytest.mark.parametrize(
    ("environment", "endpoint"),
    [
        ({}, None),
        ({"AWS_ENDPOINT_URL": OF_ALL}, OF_ALL),
        ({"AWS_ENDPOINT_URL": OF_ALL, "AWS_ENDPOINT_URL_S3": OF_S3}, OF_S3),
        ({"AWS_ENDPOINT_URL": OF_ALL, "AWS_ENDPOINT_URL_S3": ""}, OF_ALL),
        ({"AWS_ENDPOINT_URL": OF_ALL, "AWS_ENDPOINT_URL_S3": OF_S3, "S3_ENDPOINT_URL": OWN}, OWN),
        ({"AWS_ENDPOINT_URL": OF_ALL, "AWS_ENDPOINT_URL_S3": OF_S3, **IGNORED}, None),
        ({"S3_ENDPOINT_URL": OWN, **IGNORED}, OWN),
    ],
)
def test_our_variable_precedes_that_of_s3_which_precedes_that_of_all_services(
    environment: dict[str, str], endpoint: str | None
) -> None:
    """The SDK's order, which the contract keeps."""
    assert DeploymentSettings.from_environment(environment, {}).endpoint_url == endpoint
