"""A client is made without a look at the names of all services."""

from __future__ import annotations

import botocore.session
import pytest
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader

from processor.aws import SERVICE_MODELS


@pytest.mark.parametrize("service", ["s3", "dynamodb", "lambda", "sts"])
def test_the_models_are_botocores_own(service: str) -> None:
    """The latest of each."""
    own = Loader(include_default_search_paths=True)
    assert SERVICE_MODELS.load_service_model(service, "service-2") == own.load_service_model(service, "service-2")


def test_a_service_that_there_is_none_of_is_refused() -> None:
    """By its name, as botocore does."""
    session = botocore.session.Session()
    session.register_component("data_loader", SERVICE_MODELS)
    with pytest.raises(DataNotFoundError, match="nosuch"):
        session.create_client("nosuch", region_name="eu-central-1")
