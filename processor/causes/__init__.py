"""Why a request or a file failed, in words: the service's code and message, or cause and place, then the next step."""

from processor.causes.next_steps import NETWORK, SIGNED_OUT
from processor.causes.text import EQUALS, has_credential, of_file, place, plain
from processor.causes.why import ENDPOINT, FOREIGN, OWNER, is_refusal, why

__all__ = [
    "ENDPOINT",
    "EQUALS",
    "FOREIGN",
    "NETWORK",
    "OWNER",
    "SIGNED_OUT",
    "has_credential",
    "is_refusal",
    "of_file",
    "place",
    "plain",
    "why",
]
