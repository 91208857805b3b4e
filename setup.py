"""
The package and what it needs, as ranges that leave room for a user's other packages.

The tests run the lower bounds' newest neighbours from the locks in requirements/; docs/development/environments.md says
how the lower bounds were tried.
"""

from pathlib import Path

from setuptools import find_packages, setup

setup(
    name="presign-siblings",
    version="0.1.0",
    description="A sosw Processor that turns an S3 prefix into one manifest of presigned URLs.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["processor", "processor.*", "presign_siblings", "presign_siblings.*"]),
    package_data={
        "processor": ["py.typed"],
        "presign_siblings": ["py.typed"],
        "presign_siblings.manifests": ["page.html"],
        "presign_siblings.deploy": ["cloudformation/*.yaml", "requirements/*.txt"],
    },
    install_requires=[
        "PyYAML>=6.0.1",
        "aioboto3>=14.1,<16",
        "aiofiles>=23.2.1",
        "aiohttp>=3.10,<4",
        "aws-lambda-powertools>=3.0,<4",
        "boto3>=1.37",
        "click>=8.1,<9",
        "isal>=1.7",
        "rich>=13",
        "sosw>=0.7.51,<4",
        "yarl>=1.12",
    ],
    entry_points={"console_scripts": ["presign-siblings = presign_siblings.cli.main:main"]},
)
