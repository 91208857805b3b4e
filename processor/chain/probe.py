"""The probe of some links of a manifest, before the job is called complete."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from processor.causes import ARCHIVED, GONE
from processor.errors import shown
from processor.signing import first_byte, refusal

if TYPE_CHECKING:
    from types_aiobotocore_s3 import S3Client

    from processor.job import Counts
    from processor.signing import Signer

REFUSED = "links_refused"


@dataclass(frozen=True, slots=True)
class Probe:
    """
    The result of a probe.

    :param tried:   How many links were fetched.
    :param refused: The links that gave nothing, each as code and words.
    """

    tried: int
    refused: tuple[tuple[str, str], ...]

    @property
    def facts(self) -> dict[str, Any]:
        """The fields of the answer."""
        return {"tried": self.tried, "refused": sorted({code for code, _ in self.refused})}

    @property
    def warning(self) -> dict[str, str]:
        """A sentence by its short name; empty where no link was refused."""
        if not self.refused:
            return {}
        first = self.refused[0][1]
        return {REFUSED: f"{len(self.refused)} of {self.tried} links that were tried do not work; the first, {first}"}


async def probed(client: S3Client, signer: Signer, counts: Counts, *, listed: bool) -> Probe:
    """
    Try the first link, the last and a random one, each signed again.

    The answer counts archived objects already, where the listing shows some: their links are not reported here.

    :param listed: Whether the keys come from a listing: what is missing was deleted since. A list may hold wrong keys.
    """
    tried, refused = 0, list[tuple[str, str]]()
    versions = dict(counts.sample.versions) or None
    for key in counts.sample.keys:
        signed = await signer.sign([key], versions=versions)
        for url in signed.urls:
            reason = await refusal(partial(first_byte, client, url))
            tried += 1
            if reason is not None and not (reason[0] == ARCHIVED and counts.archived):
                refused.append((reason[0], f"that of {shown(key)}: {reason[1]}"))
    if listed and len(refused) < tried:  # a deleted object says nothing of other links, unless each that is tried is
        refused = [(code, words) for code, words in refused if code not in GONE]
    return Probe(tried, tuple(refused))
