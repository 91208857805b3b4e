"""The package for this machine runs without anything else."""

from __future__ import annotations

import io
import subprocess
import zipfile
from typing import TYPE_CHECKING

import pytest

from dev.aws import ministack, stack
from dev.checkout import PACKAGES
from presign_siblings.deploy import archive, package

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.e2e

# A cold start as Lambda makes it, with only the package and the standard library on the path; then a
# client of each service that the function or sosw may call.
COLD_START = """
import sys
sys.path.insert(0, sys.argv[1])
from processor.app import lambda_handler
import aioboto3, asyncio, boto3
for service in "cloudwatch dynamodb events glue lambda s3 scheduler secretsmanager sns sts".split():
    boto3.client(service, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x")
async def open_s3():
    session = aioboto3.Session(aws_access_key_id="x", aws_secret_access_key="x", region_name="eu-west-1")
    async with session.client("s3") as s3:
        return await s3.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
assert "Signature" in asyncio.run(open_s3())
strangers = {name for name, module in sys.modules.items() if "site-packages" in (getattr(module, "__file__", "") or "")}
assert not strangers, strangers
print(lambda_handler.__name__)
"""


def test_the_handler_starts_from_the_package_alone(tmp_path: Path) -> None:
    """No module that pruning removed is needed, and none comes from this machine."""
    with zipfile.ZipFile(package.build(stack.host(), PACKAGES)) as zipped:
        zipped.extractall(tmp_path)
    environment = {"AWS_REGION": "eu-west-1", "AWS_LAMBDA_FUNCTION_NAME": "presign_siblings", "SOSW_CONFIG": "none"}
    started = subprocess.run(
        [ministack.interpreter(), "-I", "-S", "-c", COLD_START, tmp_path],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert started.returncode == 0, started.stderr
    assert started.stdout.splitlines()[-1] == "lambda_handler"


def test_a_package_is_built_once_for_the_same_input() -> None:
    """The second call returns the first one's file."""
    first = package.build(stack.host(), PACKAGES)
    written = first.stat().st_mtime_ns
    assert package.build(stack.host(), PACKAGES) == first
    assert first.stat().st_mtime_ns == written


def test_the_same_input_gives_the_same_bytes_and_a_small_package(tmp_path: Path) -> None:
    """The package for Lambda, built twice from nothing: each builder gets the published digest."""
    made = [package.build(package.deployment(), tmp_path / name).read_bytes() for name in ("first", "second")]
    assert made[0] == made[1]
    # Lambda accepts an upload of 50 MB; a cold start reads all of it.
    assert len(made[0]) < 20_000_000
    with zipfile.ZipFile(io.BytesIO(made[0])) as zipped:
        names = zipped.namelist()
    # Either each source has its byte code, where this machine has a Python of the runtime, or none has.
    sources = [name for name in names if name.endswith(".py")]
    assert sum(name.endswith(".cpython-313.pyc") for name in names) == (
        len(sources) if package.deployment().compiler else 0
    )
    compiled = [name for name in names if name.endswith(".so")]
    assert compiled
    assert all("aarch64" in name or "abi3" in name for name in compiled), compiled
    roots = {name.split("/")[0] for name in names}
    assert not roots & {"presign_siblings", "dev", "tests", "benchmarks", "rich", "moto", "pytest"}
    services = {name.split("/")[2] for name in names if name.startswith("botocore/data/") and name.count("/") > 2}
    assert services <= archive.SERVICES
