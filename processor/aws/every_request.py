"""What every request carries, and what is noted of every answer, whichever client sends it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from processor.causes import ENDPOINT, OWNER, place

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from types_aiobotocore_s3 import S3Client

    from processor.job import DeploymentSettings

PAYER, REQUESTER = "x-amz-request-payer", "requester"


def apply_settings(client: S3Client, deployment: DeploymentSettings) -> None:
    """
    Add the deployment's demands to every request of a client: owner, encryption, ACL, who pays.

    Presigned URLs carry none of these headers, because the recipient of a URL would have to send them. The
    requester-pays setting is in the query of a URL, where S3 reads it too.

    :param deployment: The settings; an absent setting adds nothing.
    """
    register, key, acl = client.meta.events.register, deployment.manifest_kms_key, deployment.manifest_acl
    if deployment.requester_pays:
        register("before-sign.s3", _pay, unique_id="presign-payer")
        register("before-call.s3", _adder({PAYER: REQUESTER}), unique_id="presign-everywhere")
    _expect_owner(register, deployment)
    # Parts inherit encryption and ACL of their upload.
    begins = _adder({**(_encryption(key) if key else {}), **({"x-amz-acl": acl} if acl else {})})
    for operation in ("PutObject", "CreateMultipartUpload"):
        register(f"before-call.s3.{operation}", begins, unique_id=f"presign-begins-{operation}")


def _encryption(key: str) -> dict[str, str]:
    """Return the headers that a key needs, or S3's own keys: some policies demand that a request names them."""
    if key == "AES256":
        return {"x-amz-server-side-encryption": key}
    return {
        "x-amz-server-side-encryption": "aws:kms",
        "x-amz-server-side-encryption-aws-kms-key-id": key,
        "x-amz-server-side-encryption-bucket-key-enabled": "true",
    }


def _adder(headers: dict[str, str]) -> Callable[..., None]:
    def add(params: dict[str, Any], **_: object) -> None:
        params["headers"].update(headers)

    return add


def _expect_owner(register: Callable[..., None], deployment: DeploymentSettings) -> None:
    """Name the account that must own a request's bucket, to S3 and in errors: that of manifests may be another one."""

    def owner(context: Mapping[str, Any]) -> str | None:
        is_manifests = context["s3_redirect"]["bucket"] == deployment.manifest_bucket
        return deployment.manifest_bucket_owner if is_manifests else deployment.bucket_owner

    def ask(params: dict[str, Any], context: Mapping[str, Any], **_: object) -> None:
        if (account := owner(context)) is not None:
            params["headers"]["x-amz-expected-bucket-owner"] = account

    def note(parsed: dict[str, Any], context: Mapping[str, Any], **_: object) -> None:
        parsed.setdefault("ResponseMetadata", {})[OWNER] = owner(context)

    register("before-call.s3", ask, unique_id="presign-owner")
    register("after-call.s3", note, unique_id="presign-owner-noted")


def _pay(request: Any, signature_version: str, **_: object) -> None:  # noqa: ANN401 - botocore's request
    """Put the payer into a presigned URL's query, because botocore would sign a header, which no browser sends."""
    if str(signature_version).endswith("-query"):
        request.params[PAYER] = REQUESTER


def name_endpoint(http_response: Any, parsed: dict[str, Any], **_: object) -> None:  # noqa: ANN401 - botocore's
    """Note who answered in the answer's metadata, where an error's message finds it."""
    if http_response.status_code >= HTTPStatus.MULTIPLE_CHOICES:
        parsed.setdefault("ResponseMetadata", {})[ENDPOINT] = place(http_response.url)
