"""The service models of botocore, parsed once a process for all its clients: that is most of a client's time."""

from __future__ import annotations

from botocore.loaders import Loader


class _Any(list[str]):
    """The names of all services: a list that holds every name, so that no folder is searched."""

    def __contains__(self, _: object) -> bool:
        return True


class ServiceModels(Loader):
    """
    botocore's loader, without its look through the folders of all 400 services: it takes 15 ms before the first client.

    A service that does not exist is refused all the same, since it has no model.
    """

    def list_available_services(self, type_name: str) -> list[str]:  # noqa: ARG002 - botocore's own
        """Return a list that holds every name."""
        return _Any()


SERVICE_MODELS = ServiceModels(include_default_search_paths=True)
