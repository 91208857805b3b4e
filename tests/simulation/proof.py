"""Invariants at the end of a history: the manifests, to the last key."""

from __future__ import annotations

import json
import zlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from tests.simulation.plan import PREFIX

if TYPE_CHECKING:
    from tests.simulation.world import World

GZIP = 31  # zlib's wbits for one gzip member
CHECKPOINTS = ".checkpoints/"


def manifests(world: World) -> dict[str, bytes]:
    """Return each manifest object, by key."""
    return {key: body for key, body in world.bucket.objects.items() if CHECKPOINTS not in key}


def prove(world: World) -> None:
    """Check each manifest, and that each complete run has its own."""
    found = manifests(world)
    beside = [] if world.plan.beside is None else [world.plan.beside[0]]
    for key, body in found.items():  # a complete run's must also be of its own prefix
        if breaches := min((_breaches(world, body, prefix) for prefix in (PREFIX, *beside)), key=len):
            world.watch.complain(None, f"{key}: {breaches[0]}")
    for job_id, item in world.watch.completed.items():
        result = json.loads(item["result"]["S"])
        if result["manifest_key"] not in found:
            world.watch.complain(None, f"run {job_id} is complete, but has no manifest")
            continue
        body = found.pop(result["manifest_key"])
        prefix = json.loads(item["place"]["S"])["job"]["prefix"]
        for breach in _breaches(world, body, prefix) + _says(world, result["manifest_key"], body, result):
            world.watch.complain(None, f"run {job_id}: {breach}")
        _compare(world, job_id, result, int(item["expires_at"]["N"]) / 1000, _lines(world, body))
    if len(found) > len(world.watch.begun):
        world.watch.complain(None, f"manifests of no run: {sorted(found)}")


def _lines(world: World, body: bytes) -> list[dict[str, Any]]:
    if world.plan.config["compression"] == "gzip":
        inflate = zlib.decompressobj(GZIP)
        body = inflate.decompress(body) + inflate.flush()
        if inflate.unused_data or not inflate.eof:
            raise ValueError("is not one gzip member")
    return [json.loads(line) for line in body.splitlines()]


def _breaches(world: World, body: bytes, prefix: str) -> list[str]:
    try:
        keys = [line["key"] for line in _lines(world, body)]
    except (ValueError, zlib.error) as error:
        return [str(error)]
    wanted = world.plan.wanted(prefix)
    if keys == wanted:
        return []
    missing, extra = set(wanted) - set(keys), len(keys) - len(set(keys))
    return [f"{len(keys)} lines, {len(missing)} keys missing, {extra} twice, order {keys == sorted(keys)}"]


def _says(world: World, key: str, body: bytes, result: dict[str, Any]) -> list[str]:
    """Compare the manifest's metadata with its bytes, and the record with both."""
    metadata = world.bucket.metadata[key]
    known = {"count": str(len(_lines(world, body))), "size": str(len(body)), "crc32": f"{zlib.crc32(body):08x}"}
    breaches = [
        f"metadata has {name} {metadata.get(name)}, not {value}"
        for name, value in known.items()
        if metadata.get(name) != value
    ]
    recorded = {name: str(result[name]) for name in known}
    return breaches + [f"record says {name} {recorded[name]}" for name in known if recorded[name] != metadata.get(name)]


def _compare(world: World, job_id: str, result: dict[str, Any], expires_at: float, lines: list[dict[str, Any]]) -> None:
    """Compare the record with the manifest: its count, and the first expiry of a URL."""
    if result["count"] != len(lines):
        world.watch.complain(None, f"run {job_id} counts {result['count']}, its manifest {len(lines)}")
    deaths = [_death(line["url"]) for line in lines]
    if deaths and min(deaths).timestamp() < expires_at:
        late = expires_at - min(deaths).timestamp()
        world.watch.complain(None, f"run {job_id} is recorded to live {late:.0f} s longer than its first URL")


def _death(url: str) -> datetime:
    query = parse_qs(urlsplit(url).query)
    signed = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    return signed + timedelta(seconds=int(query["X-Amz-Expires"][0]))
