"""The wheel, installed alone: the README's laptop commands and the Python example, on each Python of this machine."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from dev import sample_objects
from dev.aws import emulator, ministack
from dev.checkout import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

PDFS = 30
SHIPPED = {"processor", "presign_siblings"}
TEMPLATES = "cloudformation"


def pythons() -> dict[str, Path]:
    """Return the supported Pythons of this machine, by version."""
    found = {f"{sys.version_info[0]}.{sys.version_info[1]}": Path(sys.executable)}
    for version in ("3.11", "3.12", "3.13"):
        of_pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        candidates = [*of_pyenv, *(Path(path) for path in [shutil.which(f"python{version}")] if path)]
        for candidate in candidates:
            asked: list[str | Path] = [
                candidate,
                "-c",
                "import sys, venv, ensurepip; print('%d.%d' % sys.version_info[:2])",
            ]
            answered = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
            if answered == version:
                found.setdefault(version, candidate)
    return found


def block(document: str, heading: str, language: str) -> str:
    """Return the first block of a language under a heading."""
    text = (REPOSITORY / document).read_text(encoding="utf-8")
    section = re.split(r"^#+ ", text.split(f"# {heading}\n", 1)[1], maxsplit=1, flags=re.MULTILINE)[0]
    found = re.search(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    assert found, f"{document} has no block under {heading}"
    return found[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel as ``pip install .`` would, from the files of a clone and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    for name in ("setup.py", "pyproject.toml", "README.md", "LICENSE", TEMPLATES, *SHIPPED):
        path = REPOSITORY / name
        if path.is_dir():
            shutil.copytree(path, source / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copyfile(path, source / name)
    build: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--wheel-dir",
        folder,
        source,
    ]
    subprocess.run(build, check=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def account() -> Iterator[dict[str, str]]:
    """Start an AWS with the bucket of the examples; return the environment that reaches it."""
    with emulator.running() as running:
        s3: Any = boto3.client("s3", **running.options)
        s3.create_bucket(Bucket="reports")
        for item in sample_objects.made(PDFS, "inbox/"):
            s3.put_object(Bucket="reports", Key=item.key, Body=item.body)
        yield {
            "AWS_ENDPOINT_URL": running.endpoint,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": ministack.REGION,
            "AWS_DEFAULT_REGION": ministack.REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }


@pytest.mark.parametrize("version", pythons())
def test_the_wheel_alone_runs_the_readmes_commands(
    version: str, wheel: Path, account: dict[str, str], tmp_path: Path
) -> None:
    """In an empty environment and an empty folder: the checkout cannot help."""
    venv = tmp_path / "venv"
    subprocess.run([pythons()[version], "-m", "venv", venv], check=True)
    pip: list[str | Path] = [
        venv / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-compile",
    ]
    subprocess.run([*pip, "--no-deps", "--require-hashes", "-r", REPOSITORY / "requirements" / "run.txt"], check=True)
    subprocess.run([*pip, "--no-index", wheel], check=True)  # fails if the lock lacks a requirement
    desk = tmp_path / "desk"
    desk.mkdir()
    environment = account | {"PATH": f"{venv / 'bin'}:{os.defpath}", "HOME": str(tmp_path)}

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=desk, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    laptop = [line for line in block("README.md", "On a laptop, with your AWS account", "").splitlines() if line]
    assert laptop[:2] == ["make release", f"pipx install dist/{wheel.name.partition('-')[0]}-*.whl"]
    for line in laptop[2:]:
        run("/bin/sh", "-c", line)
    assert {"manifest.jsonl", "index.html"} <= {path.name for path in desk.iterdir()}

    (desk / "example.py").write_text(block("docs/guides/python.md", "Run a job, and read a manifest", "python"))
    output = run("python", "example.py").splitlines()
    assert (output[0].startswith(f"{PDFS} links until "), len(output)) == (True, PDFS + 1)

    where = "from presign_siblings.deploy import package, template; import processor.app"
    where += "; print(len(template.load()['Resources']), all(lock.exists() for lock in package.LOCKS.values()))"
    resources, locks = run("python", "-c", where).split()[-2:]
    assert (int(resources) > 10, locks) == (True, "True")
    assert "--stack" in run("presign-siblings", "deploy", "--help")


def test_each_file_of_the_packages_ships(wheel: Path) -> None:
    """A missing page or lock shows only when a command needs it."""
    with zipfile.ZipFile(wheel) as zipped:
        shipped = {name for name in zipped.namelist() if ".dist-info/" not in name}
    files = [path for name in SHIPPED for path in (REPOSITORY / name).rglob("*")]
    ours = {path.relative_to(REPOSITORY).as_posix() for path in files if path.is_file()}
    templates = {f"presign_siblings/deploy/{TEMPLATES}/{path.name}" for path in (REPOSITORY / TEMPLATES).iterdir()}
    assert shipped == {name for name in ours if "__pycache__" not in name} | templates
