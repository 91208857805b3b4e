"""What a Lambda zip holds, from the metadata of its packages: the bill of materials (CycloneDX) and the licences."""

from __future__ import annotations

import hashlib
import json
import uuid
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from email.parser import HeaderParser
from typing import TYPE_CHECKING, Any

from processor.instant import ISO

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from email.message import Message
    from pathlib import Path

_LICENCE = "License :: "
_SAYS_NOTHING = frozenset({"", "UNKNOWN", "OSI Approved"})


@dataclass(frozen=True, slots=True, order=True)
class Package:
    """
    A package of the zip.

    :param licence: SPDX expression or the name that its metadata gives.
    """

    name: str
    version: str
    licence: str

    @property
    def purl(self) -> str:
        """The package URL: the name that vulnerability scanners look up."""
        return f"pkg:pypi/{self.name.lower().replace('_', '-')}@{self.version}"


def packages(archive: Path) -> list[Package]:
    """
    Return the packages of a Lambda zip, by name.

    :raises ValueError: A package names no licence.
    """
    with zipfile.ZipFile(archive) as zipped:
        names = [name for name in zipped.namelist() if name.endswith(".dist-info/METADATA")]
        return sorted(_package(HeaderParser().parsestr(zipped.read(name).decode())) for name in names)


def _package(metadata: Message) -> Package:
    """Read a package's metadata: the expression first, then the classifiers, then the free text."""
    named = [each.rpartition(" :: ")[2] for each in metadata.get_all("Classifier", []) if each.startswith(_LICENCE)]
    classified = " AND ".join(each for each in named if each not in _SAYS_NOTHING)
    free = (metadata.get("License") or "").strip().partition("\n")[0]
    licence = (metadata.get("License-Expression") or classified or free).strip()
    if licence in _SAYS_NOTHING:
        raise ValueError(f"{metadata['Name']} names no licence")
    return Package(metadata["Name"], metadata["Version"], licence)


def bill_of_materials(archive: Path, version: str, found: Sequence[Package], made_at: int | None = None) -> str:
    """
    Return the bill of materials of a zip as CycloneDX 1.5 JSON.

    :param made_at: Unix time of a release; without it the bill has no date. The same input gives the same text.
    """
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    bill: dict[str, Any] = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_OID, digest)}",
        "version": 1,
        "metadata": {
            **({} if made_at is None else {"timestamp": datetime.fromtimestamp(made_at, UTC).strftime(ISO)}),
            "component": {
                "type": "application",
                "name": archive.name,
                "version": version,
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "licenses": [{"license": {"id": "MIT"}}],
            },
        },
        "components": [_component(each) for each in found],
    }
    return json.dumps(bill, indent=2) + "\n"


def _component(package: Package) -> dict[str, Any]:
    return {
        "type": "library",
        "bom-ref": package.purl,
        "name": package.name,
        "version": package.version,
        "purl": package.purl,
        "licenses": [{"license": {"name": package.licence}}],
    }


def licence_list(found: Iterable[Package]) -> str:
    """Return a line for each package: name, version, licence."""
    return "".join(f"{each.name}\t{each.version}\t{each.licence}\n" for each in sorted(set(found)))
