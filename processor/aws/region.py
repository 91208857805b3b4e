"""The bucket's region: each answer of S3 names it, so a bucket elsewhere is known before a URL is signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.causes import BUCKET_REGION
from processor.errors import SourceRefusedError

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

_REDIRECTS = frozenset({301, 302, 307})


def check_region(client: S3Client, endpoint_url: str | None) -> None:
    """
    Let a client refuse each answer about a bucket of another region: its URLs would be signed for the client's own.

    botocore follows S3 to the other region with its own requests; the browser of a URL's recipient does not.

    :param endpoint_url: A custom endpoint: only its refusals count, since the region that it names may be any.
    """

    def check(
        response: tuple[Any, dict[str, Any]] | None = None, request_dict: dict[str, Any] | None = None, **_: object
    ) -> None:
        if response is None:
            return
        http, parsed = response
        context = (request_dict or {}).get("context", {})
        # An access point's ARN names a region of its own, and aws-global signs for us-east-1.
        signs_for = context.get("signing", {}).get("region", client.meta.region_name)
        named = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get(BUCKET_REGION)
        region = named or parsed.get("Error", {}).get("Region")
        refused = http.status_code in _REDIRECTS or "Region" in parsed.get("Error", {})
        if region and region != signs_for and (refused or endpoint_url is None):
            bucket = context.get("s3_redirect", {}).get("bucket", "")
            raise SourceRefusedError(
                f"the bucket {bucket} is in {region}, but this client signs for {signs_for}: its URLs would not "
                f"work; run in {region} (--region {region}, AWS_REGION={region}, or a stack in that region); lists "
                "of keys and manifests must be in the region of the job's bucket"
            )

    # Before botocore's own handler, which would continue in the other region.
    client.meta.events.register_first("needs-retry.s3", check, unique_id="presign-region")
