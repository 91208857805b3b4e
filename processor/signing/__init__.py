"""Presigned URLs, a page of keys at a time."""

from processor.signing.signers import Signer, open_signer
from processor.signing.trial import ARCHIVED, refusal

__all__ = [
    "ARCHIVED",
    "Signer",
    "open_signer",
    "refusal",
]
