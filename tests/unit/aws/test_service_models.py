"""A client is made without reading the names of all services."""

from __future__ import annotations

import botocore.session
import pytest
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

from processor.aws import SERVICE_MODELS


@pytest.mark.parametrize("service", ["s3", "dynamodb", "lambda", "sts"])
def test_the_models_are_botocores_own(service: str) -> None:
    """The latest version of each."""
    # A loader of its own: a client that is made elsewhere may change the content of a shared one.
    found, own = (kind(include_default_search_paths=True) for kind in (type(SERVICE_MODELS), Loader))
    assert found.load_service_model(service, "service-2") == own.load_service_model(service, "service-2")


def test_an_unknown_service_is_refused() -> None:
    """By its name, as in botocore."""
    session = botocore.session.Session()
    session.register_component("data_loader", SERVICE_MODELS)
    with pytest.raises(DataNotFoundError, match="nosuch"):
        session.create_client("nosuch", region_name="eu-central-1")
