"""The Lambda zip: pinned wheels for the target, made once for each input and kept in ``.work``."""

from __future__ import annotations

import argparse
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from presign_siblings.deploy import archive
from presign_siblings.deploy.checkout import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REQUIREMENTS = REPOSITORY / "requirements" / "lambda.txt"
SOURCES = REPOSITORY / "processor"
CACHE = REPOSITORY / ".work" / "package"
DIST = REPOSITORY / "dist"
ARCHITECTURES = {"arm64": "aarch64", "x86_64": "x86_64"}
RUNTIMES = ("python3.11", "python3.12", "python3.13")


@dataclass(frozen=True, slots=True)
class Target:
    """
    Where the zip is to run.

    :param name:     Short, for file names.
    :param python:   Interpreter that runs pip.
    :param options:  pip's options that choose the wheels.
    :param compiled: Whether it is also the interpreter that runs the function: its byte code can come along then.
    """

    name: str
    python: Path
    options: tuple[str, ...]
    compiled: bool = False


def deployment(architecture: str = "arm64", runtime: str = "python3.13") -> Target:
    """
    Return the target of a stack; its defaults are python3.13 on arm64 (Amazon Linux 2023, glibc 2.34).

    :param architecture: One of ``ARCHITECTURES``.
    :param runtime:      One of ``RUNTIMES``; python3.11 runs on Amazon Linux 2 (glibc 2.26).
    """
    machine = ARCHITECTURES[architecture]
    newest = () if runtime == "python3.11" else ("2_28",)
    platforms = [f"manylinux2014_{machine}", *(f"manylinux_{glibc}_{machine}" for glibc in ("2_17", *newest))]
    options = [f"--platform={platform}" for platform in platforms]
    return Target(
        architecture if runtime == RUNTIMES[-1] else f"{architecture}-{runtime}",
        Path(sys.executable),
        (*options, "--only-binary=:all:", "--implementation=cp", f"--python-version={runtime.removeprefix('python')}"),
    )


def build(target: Target) -> Path:
    """
    Build the zip, or return the one that the same input made before.

    :raises subprocess.CalledProcessError: pip failed; its message is on standard error.
    """
    with _one_at_a_time():
        wheels = CACHE / f"{target.name}-{_digest(_what_pip_gets(target))}"
        package = CACHE / f"{wheels.name}-{_digest(_what_we_wrote())}.zip"
        if not wheels.exists():
            _forget(target, keep=wheels)
            _install(target, wheels)
        if not package.exists():
            unfinished = package.with_suffix(".part")
            archive.write(unfinished, wheels, SOURCES)
            unfinished.replace(package)
    return package


def add_target(parser: argparse.ArgumentParser) -> None:
    """Let a command line choose the target; ``make`` hands its variables on."""
    architecture, runtime = os.environ.get("ARCH") or "arm64", os.environ.get("RUNTIME") or RUNTIMES[-1]
    parser.add_argument("--architecture", choices=ARCHITECTURES, default=architecture)
    parser.add_argument("--runtime", choices=RUNTIMES, default=runtime)


def main() -> None:
    """Write the zip for deployment to ``dist/``; print its size and digest."""
    parser = argparse.ArgumentParser(prog="python -m presign_siblings.deploy.package", description=main.__doc__)
    add_target(parser)
    arguments = parser.parse_args()
    target = deployment(arguments.architecture, arguments.runtime)
    package, place = build(target), DIST / f"presign-siblings-{target.name}.zip"
    DIST.mkdir(exist_ok=True)
    shutil.copyfile(package, place)
    content = place.read_bytes()
    Console(soft_wrap=True, highlight=False).print(
        f"{place.relative_to(REPOSITORY)}  {len(content) / 1e6:.1f} MB  sha256 {hashlib.sha256(content).hexdigest()}"
    )


def _install(target: Target, wheels: Path) -> None:
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        tree = Path(name) / "tree"
        # The file is the whole closure, so pip resolves nothing.
        common = ("--quiet", "--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps")
        subprocess.run(
            [target.python, "-m", "pip", "install", *common, "--target", tree, *target.options, "-r", REQUIREMENTS],
            check=True,
        )
        archive.prune(tree)
        if target.compiled:
            # Never looked at against its source again: the emulator unpacks it anew for each cold start, half as long.
            compiling: list[str | Path] = [
                target.python,
                "-m",
                "compileall",
                "-q",
                "--invalidation-mode",
                "unchecked-hash",
                ".",
            ]
            subprocess.run(compiling, cwd=tree, check=True)
        tree.rename(wheels)


def _what_pip_gets(target: Target) -> Iterable[bytes]:
    yield REQUIREMENTS.read_bytes()
    yield Path(archive.__file__).read_bytes()
    yield repr((target.options, target.compiled)).encode()
    describe = "import sys, sysconfig; print(sys.version_info[:2], sysconfig.get_platform())"
    yield subprocess.run([target.python, "-c", describe], check=True, capture_output=True).stdout


def _what_we_wrote() -> Iterable[bytes]:
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(SOURCES).as_posix().encode()
            yield path.read_bytes()


def _digest(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "big") + piece)
    return digest.hexdigest()[:12]


def _forget(target: Target, keep: Path) -> None:
    """Remove what former requirements left: each tree is some tens of megabytes."""
    for path in CACHE.glob(f"{target.name}-*"):
        if path.is_dir() and path != keep:
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_file():
            path.unlink()


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    """Let parallel test processes build one after another: the second finds the first one's work."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
