"""
The keys of a ListObjectsV2 page, taken out of its XML without an object for each.

botocore turns a page of 1,000 keys into 1,000 dictionaries, and parses it twice (``_handle_200_error`` looks for an
error inside the 200). ``take_keys``, on its ``before-parse`` event, takes the keys first and leaves both the few fields
that remain. A body that is not exactly as expected is left alone, whole.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_plus
from xml.etree import ElementTree as ET

KEYS = "PageKeys"
# The wildcard puts a handler in front of those of ``before-parse.s3.*``, ``_handle_200_error`` among them, which come
# before any of ``before-parse.s3.ListObjectsV2`` (botocore/hooks.py, ``_PrefixTrie._get_items``).
EVENT = "before-parse.*.ListObjectsV2"
_XML = rb'(<\?xml version="1\.0"( encoding="(?i:utf-8)")?( standalone="\w+")?\s*\?>)?'
_ROOT = re.compile(rb"\s*" + _XML + rb"\s*<ListBucketResult\b")
_KEY_COUNT = re.compile(rb"<KeyCount>(\d+)</KeyCount>")
_NEXT = re.compile(rb"<NextContinuationToken>([^<&]+)</NextContinuationToken>")
_FIRST = re.compile(r"<Contents>\s*<Key>")
_SEAM = re.compile(r"</Contents>\s*<Contents>\s*<Key>")
_PLAIN_SEAM = "</Contents><Contents><Key>"  # of S3 itself; ten times as fast to split at


def next_token(response_dict: dict[str, Any]) -> str | None:
    """Return the token of the next page, ahead of any parsing; ``None`` where it is not plain to see."""
    body = response_dict["body"]
    if response_dict["status_code"] != 200 or not _ROOT.match(body):  # noqa: PLR2004
        return None
    # S3 writes it before the objects, others behind them.
    first, end = body.find(b"<Contents>"), body.rfind(b"</Contents>")
    found = _NEXT.search(body, 0, max(first, 0)) or _NEXT.search(body, max(end, 0))
    return found[1].decode() if found else None


def take_keys(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """
    Take the keys out of a ListObjectsV2 body (handler of botocore's ``EVENT``).

    Source: botocore/endpoint.py merges ``customized_response_dict`` into the parsed response.

    :param response_dict:            ``status_code`` and ``body``; the body shrinks to what is not ``<Contents>``.
    :param customized_response_dict: Receives the keys under ``KEYS``.
    """
    body = response_dict["body"]
    if response_dict["status_code"] != 200 or not _ROOT.match(body):  # noqa: PLR2004
        return
    first, end = body.find(b"<Contents"), body.rfind(b"</Contents>") + len(b"</Contents>")
    rest = body if first < 0 else body[:first] + body[end:]
    stated = _KEY_COUNT.search(rest)
    ends = b"<IsTruncated>false</IsTruncated>" in rest or b"</NextContinuationToken>" in rest
    if stated is None or not ends or b"\r" in body or b"<CommonPrefixes" in rest:
        return
    if b"!" in body and b"<!" in body:  # a comment or CDATA; the one byte is found at memory speed
        return
    try:
        keys = [] if first < 0 else _decoded(body[first:end].decode(), int(stated[1]), rest)
    except (ValueError, ET.ParseError):  # no UTF-8, no end of a key
        return
    if keys is not None and len(keys) == int(stated[1]):
        customized_response_dict[KEYS] = keys
        response_dict["body"] = rest


def _decoded(objects: str, count: int, rest: bytes) -> list[str] | None:
    """
    Take the keys out of objects that stand side by side, each with its key first, and undo how they are written.

    Entities are XML's; ``EncodingType=url`` is undone as by botocore's ``_decode_list_object``. Whatever stands between
    two objects would be cut out with them, so nothing may.
    """
    opening = _FIRST.match(objects)
    if opening is None or objects.count("</Contents>") != count:
        return None
    objects = objects[opening.end() :]
    parts = objects.split(_PLAIN_SEAM)
    if len(parts) != count:
        parts = _SEAM.split(objects)
    keys = [part[: part.index("</Key>")] for part in parts]
    whole = "\n".join(keys)
    if "" in keys or "<" in whole:
        return None
    if "&" in whole:
        keys = [ET.fromstring(f"<k>{key}</k>").text or "" if "&" in key else key for key in keys]  # noqa: S314
    if b"<EncodingType>url</EncodingType>" in rest and ("%" in whole or "+" in whole or "&" in whole):
        keys = [unquote_plus(key) if "%" in key or "+" in key else key for key in keys]
    return keys
