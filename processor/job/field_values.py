"""The values of a job's fields: found in event, config row and environment, checked, and with the date put in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.errors import InvalidEventError
from processor.job import s3_names, sources, template
from processor.job.fields import FIELDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from processor.job.deployment_settings import DeploymentSettings

TEMPLATE = "prefix_template"
NOWHERE = "nowhere"  # the bucket of a manifest that is a file, beside an access point


def found_in(
    event: Mapping[str, Any], config: Mapping[str, Any], environment: Mapping[str, str], deployment: DeploymentSettings
) -> dict[str, tuple[str, Any]]:
    """
    Return each field's value, with the label of the place that holds it.

    :raises InvalidEventError: No bucket is named.
    """
    found = {name: field.find(event, config, environment) for name, field in FIELDS.items()}
    if found["bucket"][1] is None:
        raise InvalidEventError("bucket", None, "is required: in the event, the config row or BUCKET_NAME")
    if found["manifest_bucket"][1] is None:
        found["manifest_bucket"] = found["bucket"]
        if s3_names.is_access_point(found["bucket"][1]):
            if not deployment.manifest_is_file:
                raise InvalidEventError("manifest_bucket", None, "is required beside an access point's ARN")
            found["manifest_bucket"] = "manifest_bucket", NOWHERE
    return found


def with_dates(values: dict[str, Any], label: str) -> dict[str, Any]:
    """
    Return a job's values with the date in the prefixes.

    :param label: Label of the place that holds the prefix.
    :raises InvalidEventError: A prefix breaks its rule, or a stable key would be another job's each day.
    """
    at, written_prefix, several = values["time"], values["prefix"], {}
    if "prefixes" in values:
        written = values["prefixes"]
        dated = tuple(template.expand_dates("prefixes", each, at) for each in written)
        several["prefixes"] = sources.prefixes("prefixes", dated)
        if values.get("manifest_key") and any(map(template.has_placeholders, written)):
            raise InvalidEventError("manifest_key", values["manifest_key"], "needs prefixes without dates")
    prefix = s3_names.key("prefix", template.expand_dates(label, written_prefix, at))
    return values | several | {"prefix": prefix, TEMPLATE: None if prefix == written_prefix else written_prefix}


def checked(found: Mapping[str, tuple[str, Any]]) -> dict[str, Any]:
    """Return the values that exist, each as its rule has checked it."""
    return {name: FIELDS[name].rule.check(*labelled) for name, labelled in found.items() if labelled[1] is not None}
