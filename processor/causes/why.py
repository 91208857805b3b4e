"""The reason of an error in words, for Lambda's log and answer and for the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from processor.causes.connection import by_proxy, connection
from processor.causes.next_steps import BETWEEN, ELSEWHERE, NEXT_STEPS, REGION, UNSENT
from processor.causes.store_answer import BUCKET_REGION
from processor.causes.text import of_file, place, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT = "Endpoint"  # in a ClientError's ResponseMetadata: who answered, put there by processor.aws
OWNER = "ExpectedOwner"  # likewise: the account that must own the request's bucket
FOREIGN = "Foreign"  # in a ClientError's Error: it is not the service's own, put there by processor.answers
_SENT_ELSEWHERE = frozenset({"301", "302", "303", "307", "308"})
_DENIED = frozenset({"403", "AccessDenied"})
_PROCESS = "custom-process"
_SILENCED = "the profile's credential_process gave no credentials (what it printed may hold a secret, and is not shown)"
_OF_PROXY = frozenset({"ProxyConnectionError", "ClientProxyConnectionError", "ClientHttpProxyError"})


def is_refusal(error: BaseException) -> bool:
    """Whether a service has answered: such an error has a code."""
    return isinstance(getattr(error, "response", None), dict)


def why(error: BaseException) -> str:
    """Return why a request, or work on a file, failed, and the next step where there is one."""
    if is_refusal(error):
        return _refused(error)
    names = [kind.__name__ for kind in type(error).__mro__]
    known = next((UNSENT[name] for name in names if name in UNSENT), None)
    if getattr(error, "kwargs", {}).get("provider") == _PROCESS:
        return f"{_SILENCED}; {UNSENT[names[0]][1]}" if names[0] in UNSENT else _SILENCED
    if known is not None:
        return f"{known[0] or plain(str(error))}; {known[1]}"
    if not _OF_PROXY.isdisjoint(names):
        return by_proxy(error)
    return connection(error) or _otherwise(error)


def _otherwise(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return of_file(error)
    name = type(error).__name__
    if name == "ResponseParserError":
        return f"the answer is not from this service; {BETWEEN}"
    return f"{plain(str(error))} ({name})" if str(error) else f"{name}, without a message"


def _refused(error: Any) -> str:  # noqa: ANN401 - a ClientError, known by its shape
    fault, meta = error.response.get("Error", {}), error.response.get("ResponseMetadata", {})
    code, message = str(fault.get("Code", "")), plain(str(fault.get("Message") or ""))
    who, status = meta.get(ENDPOINT), meta.get("HTTPStatusCode")
    text = f"{who or 'the service'} answered {code or f'status {status} without a code'}"
    text += f": {message}" if message and message not in {code, "Unknown"} else ""
    step = _step(code, fault, meta)
    return f"{text}; {step}" if step else text


def _step(code: str, fault: Mapping[str, Any], meta: Mapping[str, Any]) -> str | None:
    headers, owner = meta.get("HTTPHeaders", {}), meta.get(OWNER)
    step, region, elsewhere = NEXT_STEPS.get(code), headers.get(BUCKET_REGION), headers.get("location")
    region = region or fault.get("Region")
    if step == REGION and region:
        return f"the bucket is in {region}: --region {region}, AWS_REGION={region}"
    if code in _DENIED and owner:
        settings = "EXPECTED_BUCKET_OWNER, MANIFEST_BUCKET_OWNER; the stack's BucketOwner, ManifestBucketOwner"
        step = f"{step}; or another account than {owner} owns the bucket ({settings})"
    if code in _SENT_ELSEWHERE and elsewhere:
        return f"it redirects to {place(elsewhere)}, {ELSEWHERE}"
    return BETWEEN if fault.get(FOREIGN) else step
