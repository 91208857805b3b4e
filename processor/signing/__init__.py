"""Presigned URLs, a page of keys at a time."""

from processor.signing.cloudfront import CloudFrontSigner, Distribution, private_key
from processor.signing.probe import CAME, FirstByte, asking, first_byte, refusal
from processor.signing.response import Response
from processor.signing.signers import Signer, open_signer

__all__ = [
    "CAME",
    "CloudFrontSigner",
    "Distribution",
    "FirstByte",
    "Response",
    "Signer",
    "asking",
    "first_byte",
    "open_signer",
    "private_key",
    "refusal",
]
