"""The Lambda zip: its contents, and the same bytes from the same input."""

from __future__ import annotations

import re
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from venv import EnvBuilder

import pytest

from dev.checkout import REPOSITORY
from presign_siblings.deploy import archive, package, targets
from presign_siblings.deploy.stacks import DeployError


def _tree(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return root


def test_pruning_keeps_the_files_that_run_and_that_others_read(tmp_path: Path) -> None:
    """Code, data, versions and licences stay; command lines, tests, stubs, sources and pip's own files go."""
    kept = {
        "sosw/app.py",
        "aiohttp/_http_parser.cpython-313-aarch64-linux-gnu.so",
        "botocore/data/endpoints.json",
        "botocore/data/s3/2006-03-01/service-2.json.gz",
        "botocore/cacert.pem",
        "boto3/data/s3/2006-03-01/resources-1.json",
        "yarl-1.0.dist-info/METADATA",
        "yarl-1.0.dist-info/licenses/LICENSE",
    }
    gone = {
        "bin/jp.py",
        "botocore/data/ec2/2016-11-15/service-2.json.gz",
        "botocore/data/s3/2006-03-01/examples-1.json",
        "boto3/data/ec2/2016-11-15/resources-1.json",
        "boto3/examples/s3.rst",
        "aiohttp/_http_parser.pyx",
        "aiohttp/.hash/hdrs.py.hash",
        "aioitertools/tests/test_it.py",
        "sosw/__pycache__/app.cpython-313.pyc",
        "wrapt/__init__.pyi",
        "yarl-1.0.dist-info/RECORD",
        "yarl-1.0.dist-info/direct_url.json",
    }
    archive.prune(_tree(tmp_path, *kept, *gone))
    assert {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()} == kept


def test_the_same_tree_gives_the_same_bytes(tmp_path: Path) -> None:
    """Whatever the time, the order of files on disk, and their modes: a new digest means new content."""
    first = _tree(tmp_path / "1" / "wheels", "a.py", "b/c.py", "lib.so")
    second = _tree(tmp_path / "2" / "wheels", "lib.so", "b/c.py", "a.py")
    (second / "a.py").chmod(0o755)
    written = []
    for tree in (first, second):
        sources = _tree(tree.parent / "processor", "app.py")
        archive.write(tree.parent / "package.zip", tree, sources)
        written.append((tree.parent / "package.zip").read_bytes())
    assert written[0] == written[1]
    with zipfile.ZipFile(tmp_path / "1" / "package.zip") as zipped:
        assert zipped.namelist() == ["a.py", "b/c.py", "lib.so", "processor/app.py"]
        modes = {entry.filename: entry.external_attr >> 16 & 0o777 for entry in zipped.infolist()}
    assert modes == {"a.py": 0o644, "b/c.py": 0o644, "lib.so": 0o755, "processor/app.py": 0o644}


def test_the_deployed_package_is_for_the_stacks_runtime_and_architecture() -> None:
    """Only wheels, since pip can compile nothing for another machine."""
    options = package.deployment().options
    assert {"--only-binary=:all:", "--python-version=3.13", "--platform=manylinux2014_aarch64"} <= set(options)


def test_byte_code_is_of_the_runtimes_python_or_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current Python, or one of the PATH that reports the version; a shim of pyenv may start none."""
    own = f"python{sys.version_info.major}.{sys.version_info.minor}"
    assert package.interpreter(own) == Path(sys.executable)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert package.interpreter("python3.99") is None
    for says, found in (("exit 127", None), ("echo python3.9", None), ("echo python3.99.1", tmp_path / "python3.99")):
        (tmp_path / "python3.99").write_text(f"#!/bin/sh\n{says}\n")
        (tmp_path / "python3.99").chmod(0o755)
        assert package.interpreter("python3.99") == found


def test_byte_code_is_next_to_every_source_and_the_same_each_time(tmp_path: Path) -> None:
    """The zip's digest is the key of the function's code; a cold start compiles every source without byte code."""
    target = replace(package.deployment(), compiler=Path(sys.executable))
    made = []
    for name in ("first", "second"):
        tree = _tree(tmp_path / name, "a.py", "b/c.py", "broken.py")
        (tree / "a.py").write_text(
            "NAMES = {'x', 'y', 'z'}\ndef is_one(name): return name in {'x', 'y', 'z', 'long'}\n"
        )
        (tree / "broken.py").write_text("print 'of Python 2'\n")
        package._compile(target, tree)
        found = {path.relative_to(tree).as_posix(): path.read_bytes() for path in tree.rglob("*.pyc")}
        assert len(found) == 2
        # PEP 552: flags of 1 mean a hash that is not compared with the source.
        assert {content[4:8] for content in found.values()} == {b"\x01\0\0\0"}
        made.append(found)
    assert made[0] == made[1]
    package._compile(replace(target, compiler=None), _tree(tmp_path / "none", "a.py"))
    assert not list((tmp_path / "none").rglob("*.pyc"))


def test_pips_setting_to_install_for_the_user_is_overruled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``user = true``, which many set for their system's pip, is an error beside a target."""
    monkeypatch.setenv("PIP_USER", "1")
    (tmp_path / "lock.txt").touch()
    target = replace(package.deployment(), lock=tmp_path / "lock.txt", compiler=None)
    assert zipfile.is_zipfile(package.build(target, tmp_path / "cache"))


def test_an_environment_without_pip_is_told_how_to_get_one(tmp_path: Path) -> None:
    """``uv tool install`` makes such environments."""
    EnvBuilder(with_pip=False).create(tmp_path / "venv")
    target = replace(package.deployment(), python=tmp_path / "venv/bin/python", compiler=None)
    with pytest.raises(DeployError, match="has no pip, .*: install the command with pipx, or with uv tool install"):
        package.build(target, tmp_path / "cache")


def test_every_package_of_the_lambda_is_pinned() -> None:
    """Pip resolves nothing when it packages: the lock must be the whole closure, each file with its hash."""
    for lock in targets.LOCKS.values():
        entries = re.split(r"\n(?=\S)", lock.read_text())
        assert len(entries) > 20
        assert not [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]


def test_the_locks_name_the_same_versions() -> None:
    """The tested packages are the deployed ones, and both majors of sosw use the same."""

    def versions(lock: Path) -> set[str]:
        return set(re.findall(r"^\S+==\S+", lock.read_text(), re.MULTILINE))

    requirements = REPOSITORY / "requirements"
    deployed, three = versions(targets.LOCKS["0"]), versions(targets.LOCKS["3"])
    assert deployed <= versions(requirements / "run.txt") <= versions(requirements / "dev.txt")
    assert {name.split("==")[0] for name in deployed ^ three} == {"sosw"}
    assert three <= versions(requirements / "sosw3.txt")


def test_make_least_installs_the_least_versions_that_the_package_asks_for() -> None:
    """``boto3>=1.40`` as 1.40.15: the newest ones of aioboto3's least version allow no other."""
    asked = re.findall(r'"([\w-]+)>=([\d.]+)', (REPOSITORY / "setup.py").read_text())
    pinned = dict(re.findall(r"^(\S+)==(\S+)", (REPOSITORY / "requirements" / "least.txt").read_text(), re.MULTILINE))
    assert len(asked) > 10
    assert not [name for name, least in asked if not f"{pinned[name.lower()]}.".startswith(f"{least}.")]


def test_sosw_3_is_not_packaged_for_a_python_that_it_does_not_support() -> None:
    """The refusal comes before pip runs."""
    assert package.deployment("x86_64", "python3.12", "3").name == "x86_64-python3.12-sosw3"
    with pytest.raises(DeployError, match="sosw 3 needs"):
        package.deployment(runtime="python3.11", sosw="3")


def test_the_models_that_the_function_needs_stay_in_the_package() -> None:
    """For every service of the processor's own clients, and those of sosw's config row."""
    source = "\n".join(path.read_text() for path in (REPOSITORY / "processor").rglob("*.py"))
    used = {name for name in ("s3", "lambda", "events", "cloudwatch", "dynamodb", "sts") if f'"{name}"' in source}
    assert {"s3", "lambda", "events", "cloudwatch"} <= used <= archive.SERVICES
    assert {"dynamodb", "glue"} <= archive.SERVICES
