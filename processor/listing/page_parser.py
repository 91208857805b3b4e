"""
The keys of a ListObjectsV2 page, taken out of its XML without an object for each.

botocore turns a page of 1,000 keys into 1,000 dictionaries, and parses it twice (``_handle_200_error`` looks for an
error inside the 200). ``take_keys``, on the ``before-parse`` event, takes the keys first and leaves the few other
fields to both. A body that is not exactly as expected is left whole.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote_to_bytes

from processor.hindrances import ARCHIVE_CLASSES

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS, ARCHIVED, BODY = "PageKeys", "ArchivedKeys", "PageBody"
FIRST_VERSION = "FirstVersion"  # the answer is one of ListObjects, which S3 had before ListObjectsV2
URL: Final = "url"
# The wildcard puts a handler in front of those of ``before-parse.s3.*``, ``_handle_200_error`` among them, which come
# before any of ``before-parse.s3.ListObjectsV2`` (botocore/hooks.py, ``_PrefixTrie._get_items``).
EVENT = "before-parse.*.ListObjectsV2"
XML = rb'(<\?xml version="1\.0"( encoding="(?i:utf-8)")?( standalone="\w+")?\s*\?>)?'
_ROOT = re.compile(rb"\s*" + XML + rb"\s*<ListBucketResult\b")
_KEY_COUNT = re.compile(rb"<KeyCount>(\d+)</KeyCount>")
_KEY = re.compile(rb"<Key>([^<]+)</Key>")
# What S3 writes after a key, a date, an ETag and a size, is longer than what is passed over here, without a look at it.
_KEY_AND_MORE = re.compile(_KEY.pattern + rb"(?s:.{0,140})")
_NEXT = re.compile(rb"<NextContinuationToken>([^<&]+)</NextContinuationToken>")
_FIELD = re.compile(rb"<(\w+)(?:/>|>([^<]*)</\1>)\s*")
_END = re.compile(rb"</ListBucketResult>\s*\Z")
# A field with a character that XML forbids, for which botocore calls the whole page a 500. Ceph writes a key with a
# control character so in a token, and in the echo of a parameter: EncodingType applies to neither.
_NO_XML = re.compile(
    rb"<(\w+)>[^<]*(?:[\x00-\x08\x0b\x0c\x0e-\x1f]|&#(?:x0*(?:[0-8bcefBCEF]|1[0-9a-fA-F])|0*(?:[0-8]|1[124-9]|2\d|3[01]));)"
    rb"[^<]*</\1>"
)
_BOOLEANS = {b"true": True, b"false": False}
_REFERENCE = re.compile(r"&(?:#x([0-9a-fA-F]{1,6})|#([0-9]{1,7})|(amp|lt|gt|quot|apos));|&")
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}
_ARCHIVE = re.compile(f"<StorageClass>(?:{'|'.join(ARCHIVE_CLASSES)})</StorageClass>".encode())
_RESTORED = re.compile(
    rb"<IsRestoreInProgress>false</IsRestoreInProgress>\s*<RestoreExpiryDate>|<RestoreExpiryDate>[^<]+</RestoreExpiryDate>\s*<IsRestoreInProgress>false<"
)
IS_URL = re.compile(rb"<EncodingType>\s*url\s*</EncodingType>", re.IGNORECASE)
TRUNCATED = re.compile(rb"<(?P<tag>(?:\w+:)?IsTruncated)>\s*([^<]*?)\s*</(?P=tag)>")
_TRUE, _FALSE = frozenset({b"true", b"1", b"yes"}), frozenset({b"false", b"0", b"no"})
_SEAM = re.compile(rb"</Contents>\s*<Contents>")
_USUAL_SEAM = b"<StorageClass>STANDARD</StorageClass></Contents><Contents><Key>"


def next_token(response_dict: dict[str, Any]) -> str | None:
    """Return the token of the next page, ahead of any parsing; ``None`` where it is not plain to see."""
    body = response_dict["body"]
    if response_dict["status_code"] != HTTPStatus.OK or not _ROOT.match(body):
        return None
    # S3 writes it before the objects, other servers after them.
    first, end = body.find(b"<Contents>"), body.rfind(b"</Contents>")
    found = _NEXT.search(body, 0, max(first, 0)) or _NEXT.search(body, max(end, 0))
    return found[1].decode() if found else None


def take_keys(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """
    Take the keys out of a ListObjectsV2 body (handler of botocore's ``EVENT``).

    Source: botocore/endpoint.py merges ``customized_response_dict`` into the parsed response.

    :param response_dict:            ``status_code`` and ``body``; the body shrinks to what is not ``<Contents>``.
    :param customized_response_dict: Receives the keys under ``KEYS``, and the body as it came under ``BODY``.
    """
    body = response_dict["body"]
    if response_dict["status_code"] != HTTPStatus.OK:
        return
    if not _ROOT.match(body):
        response_dict["body"] = TRUNCATED.sub(plainly, body)
        return
    first, end = body.find(b"<Contents>"), body.rfind(b"</Contents>") + len(b"</Contents>")
    rest = body if first < 0 else body[:first] + body[end:]
    if b"<Marker" in rest:
        customized_response_dict[FIRST_VERSION] = True
    stated = _KEY_COUNT.search(rest)
    ends = b"<IsTruncated>false</IsTruncated>" in rest or b"</NextContinuationToken>" in rest
    if not ends:
        response_dict["body"] = body = TRUNCATED.sub(plainly, body)
    if stated is None or not ends or b"\r" in body or b"<CommonPrefixes" in rest or b"<Contents" in rest:
        return
    if b"!" in body and b"<!" in body:  # a comment or CDATA; the one byte is found at memory speed
        return
    try:
        found = _found(body, first, end, int(stated[1])) if first >= 0 else []
        keys = decoded(found, is_encoded=IS_URL.search(rest) is not None)
    except ValueError:  # an entity that XML does not have
        return
    # Anything between two objects would be cut out with them, so there must be nothing.
    seams = max(len(keys) - 1, 0)
    is_usual = body.count(_USUAL_SEAM) == seams  # S3's order and its first class: then the last alone may be archived
    unbroken = is_usual or body.count(b"</Contents><Contents>") == seams or len(_SEAM.findall(body)) == seams
    if unbroken and len(keys) == int(stated[1]):
        customized_response_dict[KEYS] = keys
        customized_response_dict[BODY] = body
        if _ARCHIVE.search(body, body.rfind(b"<Contents>") if is_usual else 0):  # else each page would be split
            archived_of(customized_response_dict, keys, body[first:end].split(b"</Contents>"), body)
        response_dict["body"] = _NO_XML.sub(b"", rest)  # without its token, a listing continues after its last key


def _found(body: bytes, first: int, end: int, count: int) -> list[bytes]:
    """Return the keys between two places, as written; with more than one look where there are not as many at first."""
    found = _KEY_AND_MORE.findall(body, first, end)
    return found if len(found) == count else _KEY.findall(body, first, end)


def is_page(body: bytes) -> bool:
    """Whether a body is an answer to ListObjectsV2, whatever its fields are."""
    return _ROOT.match(body) is not None


def page_of(response_dict: dict[str, Any]) -> dict[str, Any] | None:
    """
    Return what botocore would return of a page, without the echo of the request.

    :param response_dict: As for ``take_keys``.
    :return: ``None`` where botocore must read it: the body is not a page as S3 writes it.
    """
    found: dict[str, Any] = {}
    take_keys(response_dict, found)
    fields = _fields(response_dict["body"]) if KEYS in found else None
    if fields is None:
        return None
    found["KeyCount"] = len(found[KEYS])  # ``take_keys`` has compared the two
    token, goes_on = fields.get(b"NextContinuationToken"), fields.get(b"IsTruncated")
    if token is not None:
        found["NextContinuationToken"] = token.decode()
    if goes_on is not None:
        found["IsTruncated"] = _BOOLEANS.get(goes_on)
    return None if (token and b"&" in token) or goes_on not in {None, *_BOOLEANS} else found


def _fields(rest: bytes) -> dict[bytes, bytes] | None:
    """Return a page's fields besides its objects, as written; ``None`` where they nest, or a name comes twice."""
    root, end = _ROOT.match(rest), _END.search(rest)
    start = rest.find(b">", root.end()) + 1 if root is not None else 0
    if not start or end is None or _FIELD.sub(b"", rest[start : end.start()]).strip():
        return None
    found = _FIELD.findall(rest, start, end.start())
    fields = dict(found)
    return fields if len(fields) == len(found) else None


def archived_of(
    customized_response_dict: dict[str, Any], keys: Sequence[str], objects: Sequence[bytes], whole: bytes
) -> None:
    """
    Put the keys of objects that must be restored before they can be read under ``ARCHIVED``.

    :param objects: The XML of each key's object, and perhaps of more.
    :param whole:   The XML of all objects.
    """
    if _ARCHIVE.search(whole):
        customized_response_dict[ARCHIVED] = [
            key
            for key, each in zip(keys, objects, strict=False)
            if _ARCHIVE.search(each) and not _RESTORED.search(each)
        ]


def plainly(match: re.Match[bytes]) -> bytes:
    """Write ``IsTruncated`` as botocore reads it: botocore takes any value but ``true`` for an end."""
    value = match[2].lower()
    if value not in _TRUE | _FALSE:
        return b""  # without it, the server is asked until it has no more keys
    return b"<%b>%b</%b>" % (match["tag"], b"true" if value in _TRUE else b"false", match["tag"])


def is_url(key: str) -> bool:
    """Whether a key may have been percent-encoded."""
    return key.isascii() and " " not in key


def url_decoded(key: str) -> str:
    """Undo ``EncodingType=url``; bytes that are not UTF-8 become lone surrogates."""
    return unquote_to_bytes(key.replace("+", " ").encode(errors="surrogateescape")).decode(errors="surrogateescape")


def unescaped(text: str) -> str:
    """
    Undo XML's entities and character references.

    :raises ValueError: XML does not have one of them.
    """
    return _REFERENCE.sub(_unescaped, text) if "&" in text else text


def _unescaped(match: re.Match[str]) -> str:
    """
    Return the character of a reference, one that XML forbids too: keys may hold it.

    :raises ValueError: It is not a reference.
    """
    hexadecimal, decimal, name = match.groups()
    if name is not None:
        return _NAMED[name]
    return chr(int(hexadecimal, 16) if hexadecimal is not None else int(decimal or "none"))


def decoded(found: list[bytes], *, is_encoded: bool) -> list[str]:
    """
    Decode UTF-8, undo XML's entities, then ``EncodingType=url`` as botocore's ``_decode_list_object`` does.

    :raises ValueError: XML does not have an entity, or a key is not percent-encoded.
    """
    whole = b"\n".join(found).decode(errors="surrogateescape")
    has_entities = "&" in whole
    if not is_encoded or not (has_entities or "%" in whole or "+" in whole):
        written = _apart(whole, found)
        return [unescaped(key) for key in written] if has_entities else written
    if not is_url(whole):
        raise ValueError("not percent-encoded")
    if not has_entities:
        written = url_decoded(whole).split("\n")
        if len(written) == len(found):  # else a key holds a line's end
            return written
    return [url_decoded(unescaped(key)) for key in _apart(whole, found)]


def _apart(whole: str, found: list[bytes]) -> list[str]:
    """Take apart what was decoded at once."""
    written = whole.split("\n")
    return written if len(written) == len(found) else [key.decode(errors="surrogateescape") for key in found]
