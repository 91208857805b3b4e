"""
The package and its requirements, as ranges that leave room for a user's other packages.

The tests run with the versions that the locks in requirements/ pin; docs/development/environments.md describes them.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

VERSION = Path(__file__).parent / "presign_siblings" / "version.py"
TEMPLATES = Path(__file__).parent / "cloudformation"


def commit() -> str:
    """Return commit and date of the checkout; a build from elsewhere gets them from COMMIT, or leaves them out."""
    given, folder = os.environ.get("COMMIT", ""), Path(__file__).parent
    if given or not (folder / ".git").exists():
        return given
    try:
        here = ["git", "-C", str(folder), "log", "-1", "--format=%H %cs"]
        done = subprocess.run(here, capture_output=True, text=True, check=False)  # noqa: S603 - the builder's own git
    except OSError:
        return ""
    return done.stdout.strip()


class BuildWithCheckout(build_py):
    """Adds to the build what only the checkout has: the commit, and the templates of its top level."""

    def run(self) -> None:
        """Build, then add; an editable installation reads both from the checkout."""
        super().run()
        if self.editable_mode:
            return
        built = Path(self.build_lib, "presign_siblings")
        if named := commit():
            (built / "commit.txt").write_text(f"{named}\n", encoding="ascii")
        shutil.copytree(TEMPLATES, built / "deploy" / TEMPLATES.name, dirs_exist_ok=True)


setup(
    name="presign-siblings",
    version=re.search(r'^VERSION = "([^"]+)"', VERSION.read_text(encoding="utf-8"), re.MULTILINE)[1],
    description="A sosw Processor that turns an S3 prefix into one manifest of presigned URLs.",
    long_description=Path(__file__).with_name("README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["processor", "processor.*", "presign_siblings", "presign_siblings.*"]),
    package_data={
        "processor": ["py.typed"],
        "processor.page": ["page.html"],
        "presign_siblings": ["py.typed"],
        "presign_siblings.deploy": ["requirements/*.txt"],
    },
    install_requires=[
        "PyYAML>=6.0.1",
        "aioboto3>=15.2,<16",
        "aiofiles>=23.2.1",
        "aiohttp>=3.14.4,<4",  # before, an upload whose connection is reset waits for the read timeout
        "aws-lambda-powertools>=3.0,<4",
        "boto3>=1.40",
        "click>=8.2,<9",
        "isal>=1.7",
        "rich>=13",
        "sosw>=0.7.51,<4",
    ],
    extras_require={"cloudfront": ["cryptography>=45"], "parquet": ["pyarrow>=15"]},
    cmdclass={"build_py": BuildWithCheckout},
    entry_points={"console_scripts": ["presign-siblings = presign_siblings.__main__:main"]},
)
