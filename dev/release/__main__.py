"""
``make release``: wheel, Lambda zips, bills of materials, licences, release notes and checksums, in dist/.

The same commit gives the same bytes: the wheel is built from what git holds, by one version of setuptools, and every
date is that of the commit.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from dev.checkout import REPOSITORY
from presign_siblings.deploy import contents, package, stacks, targets
from presign_siblings.version import VERSION

DIST = REPOSITORY / "dist"
BUILT_BY = "setuptools==80.9.0\n"
NAME = f"presign-siblings-{VERSION}"


class ReleaseError(Exception):
    """The release was not made."""


def main() -> int:
    """Make the release; the exit code says whether it was made."""
    try:
        made = release(DIST)
    except (ReleaseError, stacks.DeployError, ValueError, OSError) as error:
        print(f"failed: {error}", file=sys.stderr)
        return 1
    for path in made:
        print(f"{path.stat().st_size:>12,} bytes  {path.relative_to(REPOSITORY)}")
    return 0


def release(to: Path) -> list[Path]:
    """
    Write the files of a release, and return them.

    :param to: The folder; files of these names in it are replaced.
    :raises ReleaseError: There is no commit, or the checkout has changes that no commit holds, or a tool failed.
    """
    if not (REPOSITORY / ".git").exists():
        raise ReleaseError("a release is made from a commit, and this folder is no clone: get it by git clone")
    if changed := _git("status", "--porcelain"):
        raise ReleaseError(f"the checkout has changes that no commit holds:\n{changed}")
    named, made_at = _git("log", "-1", "--format=%H %cs"), int(_git("log", "-1", "--format=%ct"))
    to.mkdir(exist_ok=True)
    made, found = [_wheel(to, named, made_at)], []
    for architecture in targets.ARCHITECTURES:
        # Byte code depends on the build of Python: without it the zip is the same on every machine.
        target = replace(package.deployment(architecture), compiler=None)
        built = package.build(target, package.cache_folder())
        archive = Path(shutil.copyfile(built, to / f"{NAME}-lambda-{architecture}.zip"))
        inside = contents.packages(archive)
        bill = contents.bill_of_materials(archive, VERSION, inside, made_at)
        made += [archive, _written(archive.with_suffix(".cdx.json"), bill)]
        found += inside
    made.append(_written(to / f"{NAME}-licences.txt", contents.licence_list(found)))
    made.append(_written(to / f"{NAME}-changes.md", changes((REPOSITORY / "CHANGELOG.md").read_text(encoding="utf-8"))))
    sums = "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in made)
    return [*made, _written(to / f"{NAME}-SHA256SUMS", sums)]


def changes(changelog: str, version: str = VERSION) -> str:
    """
    Return what a changelog says of a version: its own section, or before the tag the unreleased one.

    :raises ReleaseError: There is neither section.
    """
    for heading in (f"## [{version}]", "## [Unreleased]"):
        _, found, rest = changelog.partition(f"\n{heading}")
        if found:
            return f"## [{version}]{rest.partition(chr(10) + '## ')[0].rstrip()}\n"
    raise ReleaseError(f"the changelog has no section of {version}")


def _wheel(to: Path, named: str, made_at: int) -> Path:
    os.umask(0o022)  # the wheel holds file modes
    with tempfile.TemporaryDirectory() as name:
        sources, constraint = Path(name, "sources"), Path(name, "constraint.txt")
        _git("archive", f"--output={name}/sources.zip", "HEAD")
        shutil.unpack_archive(f"{name}/sources.zip", sources)  # tarfile lacks `filter` before 3.11.4
        constraint.write_text(BUILT_BY)
        more = {
            "COMMIT": named,
            "SOURCE_DATE_EPOCH": str(made_at),
            "PIP_CONSTRAINT": str(constraint),
        }
        _call([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", f"--wheel-dir={name}/out", sources], more)
        (built,) = Path(name, "out").iterdir()
        return Path(shutil.copyfile(built, to / built.name))


def _git(*arguments: str) -> str:
    return _call(["git", "-C", REPOSITORY, *arguments], {})


def _call(command: list[str | Path], more: dict[str, str]) -> str:
    environment = {**os.environ, **more}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ReleaseError(f"{' '.join(map(str, command[:4]))} says:\n{done.stderr}")
    return done.stdout.strip()


def _written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


if __name__ == "__main__":
    sys.exit(main())
