"""Presigned URLs, a page of keys at a time."""

from processor.signing.signers import Signer, open_signer

__all__ = [
    "Signer",
    "open_signer",
]
