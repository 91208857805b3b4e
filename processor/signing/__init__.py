from processor.signing.signers import Signer, open_signer

__all__ = [
    "Signer",
    "open_signer",
]
