"""What goes into the Lambda zip, and how it is written: the same tree gives the same bytes."""

from __future__ import annotations

import shutil
import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# The models of the services that the function or sosw may call; botocore carries some 400, which are half its size.
SERVICES = frozenset(
    {
        "cloudwatch",
        "dynamodb",
        "events",
        "glue",
        "lambda",
        "s3",
        "scheduler",
        "secretsmanager",
        "sns",
        "sqs",
        "ssm",
        "stepfunctions",
        "sts",
    }
)
# Sources of extension modules and stubs for type checkers.
UNUSED_SUFFIXES = frozenset({".c", ".h", ".pxd", ".pxi", ".pyc", ".pyi", ".pyx"})
UNUSED_DIRECTORIES = frozenset({"__pycache__", "tests", "examples", ".hash"})
# pip's own files that other tools read: versions (for security scanners) and licences.
KEPT_METADATA = ("METADATA", "LICENSE", "LICENCE", "NOTICE", "COPYING")
EPOCH = (1980, 1, 1, 0, 0, 0)


def prune(tree: Path) -> None:
    """Remove from an installed tree what never runs in Lambda."""
    shutil.rmtree(tree / "bin", ignore_errors=True)
    for package in ("botocore", "boto3"):
        for service in (tree / package / "data").glob("*/"):
            if service.name not in SERVICES:
                shutil.rmtree(service)
    for path in sorted(tree.rglob("*"), reverse=True):
        if path.is_dir():
            if path.name in UNUSED_DIRECTORIES:
                shutil.rmtree(path)
        elif _unused(path):
            path.unlink()


def _unused(path: Path) -> bool:
    if any(parent.suffix == ".dist-info" for parent in path.parents):
        return not path.name.upper().startswith(KEPT_METADATA)
    return path.suffix in UNUSED_SUFFIXES or path.name.startswith("examples-1.json")


def write(package: Path, wheels: Path, sources: Path) -> None:
    """
    Write the zip: sorted names, one timestamp, modes by kind.

    :param wheels:  Tree whose content goes to the top of the zip.
    :param sources: Package that goes beside the wheels, under its own name.
    """
    members = {path.relative_to(wheels).as_posix(): path for path in wheels.rglob("*")}
    members |= {path.relative_to(sources.parent).as_posix(): path for path in sources.rglob("*")}
    with zipfile.ZipFile(package, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, path in sorted(members.items()):
            if path.is_file():
                entry = zipfile.ZipInfo(name, EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                entry.create_system = 3  # Unix on every machine, so that the modes below count
                entry.external_attr = (0o100755 if path.suffix == ".so" else 0o100644) << 16
                zipped.writestr(entry, path.read_bytes())
