"""Why a request or a file failed, in words: the service's code and message, or cause and place, then the next step."""

from processor.causes.next_steps import NETWORK, SIGNED_OUT
from processor.causes.store_answer import (
    ARCHIVED,
    BUCKET_REGION,
    GONE,
    OF_OWNERS_KEY,
    OF_STORES,
    READ_BYTES,
    code_and_message,
    is_of_kms,
    is_of_owners_key,
)
from processor.causes.text import EQUALS, has_credential, place, plain
from processor.causes.why import ENDPOINT, FOREIGN, OWNER, is_refusal, why

__all__ = [
    "ARCHIVED",
    "BUCKET_REGION",
    "ENDPOINT",
    "EQUALS",
    "FOREIGN",
    "GONE",
    "NETWORK",
    "OF_OWNERS_KEY",
    "OF_STORES",
    "OWNER",
    "READ_BYTES",
    "SIGNED_OUT",
    "code_and_message",
    "has_credential",
    "is_of_kms",
    "is_of_owners_key",
    "is_refusal",
    "place",
    "plain",
    "why",
]
