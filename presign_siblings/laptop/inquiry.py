"""Questions about a bucket that write nothing: what a job would take, and the cookies of a prefix."""

from __future__ import annotations

import heapq
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from presign_siblings import connections
from presign_siblings.laptop.cloudfront import distribution
from presign_siblings.laptop.reach import deployment, endpoint_of
from processor.aws import apply_settings
from processor.errors import TerminalError
from processor.job import CLOUDFRONT, PREFIX, SIZE, Job, SiblingPayload
from processor.signing import CloudFrontSigner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from types_aiobotocore_s3 import S3Client
    from types_boto3_s3 import S3Client as BlockingClient

    from processor.job import DeploymentSettings
    from processor.listing import Page

FOLDERS, QUEUE_KEYS = 10_000, 20_000
OTHERS = "(other folders)"


@dataclass(slots=True)
class Taken:
    """
    What a job would take.

    :param base:     The prefix up to its last slash: folders are counted below it.
    :param most:     How many of the first keys are kept.
    :param in_order: Whether the pages come in the manifest's order; else it is S3's.
    :param size:     Bytes of all objects whose size is known.
    :param unsized:  How many objects have a size that the source does not give.
    :param first:    The manifest's first keys, each with its bytes where they are known.
    :param folders:  Number of keys and bytes of each folder below the prefix; ``""`` holds what lies in none.
    :param skipped:  How many keys were left out, by reason.
    :param unsignable: How many keys cannot be signed.
    """

    base: str
    most: int
    in_order: bool = False
    count: int = 0
    size: int = 0
    unsized: int = 0
    archived: int = 0
    unsignable: int = 0
    first: list[tuple[str, int | None]] = field(default_factory=list)
    folders: dict[str, tuple[int, int]] = field(default_factory=dict)
    skipped: dict[str, int] = field(default_factory=dict)

    def add(self, page: Page) -> None:
        """Count a page."""
        sizes = [(key, page.facts[key][0]) for key in page.keys]
        found = [(key, None if size is None else int(size)) for key, size in sizes]
        self.count += len(found)
        self.size += sum(size or 0 for _, size in found)
        self.unsized += sum(size is None for _, size in found)
        self.archived += page.archived
        self.unsignable += len(page.unsignable)
        for reason, number in page.skipped.items():
            self.skipped[reason] = self.skipped.get(reason, 0) + number
        first = [*self.first, *found[: self.most]]
        self.first = first[: self.most] if self.in_order else heapq.nsmallest(self.most, first, key=itemgetter(0))
        for key, size in found:
            self._add_to_folder(key, size or 0)

    def _add_to_folder(self, key: str, size: int) -> None:
        name, slash, _ = key[len(self.base) :].partition("/")
        folder = name + slash if slash else ""
        if folder not in self.folders and len(self.folders) >= FOLDERS:
            folder = OTHERS  # a bucket may have a folder for each key
        count, before = self.folders.get(folder, (0, 0))
        self.folders[folder] = count + 1, before + size


async def taken(job: Job, settings: DeploymentSettings, most: int, on_progress: Callable[[int], None]) -> Taken:
    """
    List what a job takes, or read it where its source is no listing.

    :param settings:    From ``deployment``.
    :param most:        How many of the first keys to return.
    :param on_progress: Called with the number of keys so far.
    :raises PresignSiblingsError: S3 refuses the listing, or the source is damaged.
    """
    from processor.listing import Lister, open_listing  # noqa: PLC0415 - one URL needs no listing

    job = replace(job, fields=(SIZE,), chains=1)
    found = Taken(job.prefix[: job.prefix.rfind("/") + 1], most, in_order=job.keys_place is not None)
    place = SiblingPayload.first(job, "ls", job.time)
    ranges = [written.range for written in place.begin().ranges]
    async with _client(settings, job.concurrency) as client:
        lister = Lister(client, job, job.manifest_places(settings))
        async with open_listing(lister, ranges, QUEUE_KEYS, lambda _: None) as listing:
            while not listing.ended and (page := await listing.next(None)) is not None:
                found.add(page.page)
                listing.written(page)
                on_progress(found.count)
    return found


def cookies(
    s3: BlockingClient, event: Mapping[str, Any], key_file: str | None, variables: Mapping[str, str]
) -> tuple[dict[str, str], datetime]:
    """
    Return the cookies that open a prefix of a CloudFront distribution to a browser, and when they end.

    :raises PresignSiblingsError: A field breaks its rule, or there is no key.
    """
    asked = {**event, "signer": CLOUDFRONT, "policy": PREFIX, "concurrency": 1}
    job, settings = job_of(s3, asked, variables)
    signs = distribution(settings, job, key_file)
    if signs is None:
        raise TerminalError("there is no distribution to sign for")
    now = datetime.now(UTC).replace(microsecond=0)
    made = CloudFrontSigner(signs, job.expiry_seconds, lambda: now).cookies()
    return made, now + timedelta(seconds=job.expiry_seconds)


def job_of(
    s3: BlockingClient, event: Mapping[str, Any], variables: Mapping[str, str] | None = None
) -> tuple[Job, DeploymentSettings]:
    """
    Return a job that writes nothing, and the settings that reach its bucket.

    :param event:     The job's fields.
    :param variables: Variables of the function that options name.
    :raises PresignSiblingsError: A field breaks its rule.
    """
    settings = deployment(endpoint_of(s3, event["bucket"]), None, variables)
    now = datetime.now(UTC)
    return Job.from_event(event, config={}, environment={}, deployment=settings, now=now), settings


@asynccontextmanager
async def _client(settings: DeploymentSettings, concurrency: int) -> AsyncIterator[S3Client]:
    opened = connections.connections().s3(settings.endpoint_url, concurrency, None, settings.reach)
    async with opened as (client, _):
        apply_settings(client, settings)
        yield client
