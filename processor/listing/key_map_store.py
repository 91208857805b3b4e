"""The key map of a prefix in S3: the next run's ranges begin at its keys. Without it they begin at guesses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from aiohttp import ClientPayloadError
from botocore.exceptions import BotoCoreError, ClientError

from processor.errors import cause_code
from processor.listing.ranges.key_map import KeyMap

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

WORTH_PAGES = 64  # a shorter listing is done before a map helps


class KeyMapStore:
    """
    One prefix's map.

    :param client: S3 client.
    :param bucket: Bucket of the manifests.
    :param key:    Place of the map.
    """

    def __init__(self, client: S3Client, bucket: str, key: str) -> None:
        self._client, self._bucket, self._key = client, bucket, key

    async def load(self) -> KeyMap | None:
        """Return the map that an earlier run left; ``None`` where there is no readable one."""
        try:
            stored = await self._client.get_object(Bucket=self._bucket, Key=self._key)
            data = json.loads(await stored["Body"].read())
        except (ClientError, BotoCoreError, ClientPayloadError, ValueError):
            return None
        return KeyMap.from_json(data) if isinstance(data, dict) else None

    async def save(self, key_map: KeyMap) -> str | None:
        """
        Replace the map.

        :return: Why it could not be written, which does no harm to the run; else ``None``.
        """
        body = json.dumps(key_map.to_json()).encode()
        try:
            await self._client.put_object(Bucket=self._bucket, Key=self._key, Body=body, ContentType="application/json")
        except (ClientError, BotoCoreError) as error:
            return cause_code(error)
        return None
