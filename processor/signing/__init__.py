"""Presigned URLs, a page of keys at a time."""

from processor.signing.cloudfront import CloudFrontSigner, Distribution, private_key
from processor.signing.response import Response
from processor.signing.signers import Signer, open_signer
from processor.signing.trial import ARCHIVED, refusal

__all__ = [
    "ARCHIVED",
    "CloudFrontSigner",
    "Distribution",
    "Response",
    "Signer",
    "open_signer",
    "private_key",
    "refusal",
]
