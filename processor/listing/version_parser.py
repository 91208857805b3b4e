"""
The keys of a ListObjectVersions page, as if it were a page of ListObjectsV2: one object for each key.

Of each key only the latest version counts; where that is a delete marker, the object has no version.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any

from processor.listing.page_parser import BODY, IS_URL, KEYS, TRUNCATED, XML, archived_of, decoded, plainly

UNVERSIONED = "Unversioned"  # the answer is a list of objects
VERSIONS_EVENT = "before-parse.*.ListObjectVersions"
_ROOT = re.compile(rb"\s*" + XML + rb"\s*<ListVersionsResult\b")
_ENTRY = re.compile(rb"<(Version|DeleteMarker)>(.*?)</\1>", re.DOTALL)
_KEY = re.compile(rb"<Key>([^<]+)</Key>")
_VERSION_ID = re.compile(rb"<VersionId>[^<]*</VersionId>")
_LATEST = b"<IsLatest>true</IsLatest>"
_ANY_LATEST = re.compile(rb"<IsLatest>(?:true|false)</IsLatest>")


def take_versions(response_dict: dict[str, Any], customized_response_dict: dict[str, Any], **_: object) -> None:
    """
    Take the keys out of a ListObjectVersions body (handler of botocore's ``VERSIONS_EVENT``).

    :param response_dict:            ``status_code`` and ``body``; the body shrinks to what is not a version.
    :param customized_response_dict: Receives the keys under ``KEYS``, and under ``BODY`` their objects, written as
                                     ListObjectsV2 writes them; and ``UNVERSIONED``: whether the body lists objects.
    """
    if response_dict["status_code"] != HTTPStatus.OK:
        return
    body = response_dict["body"] = TRUNCATED.sub(plainly, response_dict["body"])
    customized_response_dict[UNVERSIONED] = b"<Contents>" in body
    if not _ROOT.match(body) or b"\r" in body or b"<!" in body:
        return
    entries = _ENTRY.findall(body)
    rest = _ENTRY.sub(b"", body)
    whole = body.count(b"<Version>") + body.count(b"<DeleteMarker>") == len(entries)
    if not whole or len(_ANY_LATEST.findall(body)) != len(entries) or b"<CommonPrefixes" in rest:
        return
    objects = [text if kind == b"Version" else _VERSION_ID.sub(b"", text) for kind, text in entries if _LATEST in text]
    written = b"</Contents><Contents>".join(objects)
    found = _KEY.findall(written)
    if len(found) != len(objects):
        return
    try:
        keys = decoded(found, is_encoded=IS_URL.search(rest) is not None)
    except ValueError:  # an entity that XML does not have
        return
    order = sorted(range(len(keys)), key=keys.__getitem__)
    if order != list(range(len(keys))):  # a server that writes delete markers after all versions
        keys, objects = [keys[place] for place in order], [objects[place] for place in order]
        written = b"</Contents><Contents>".join(objects)
    customized_response_dict[KEYS] = keys
    customized_response_dict[BODY] = b"<Contents>" + written + b"</Contents>" if keys else b""
    archived_of(customized_response_dict, keys, objects, written)
    response_dict["body"] = rest
