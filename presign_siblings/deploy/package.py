"""The Lambda zip: locked wheels for the target, made once for each input and kept in a cache."""

from __future__ import annotations

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

import processor
from presign_siblings.deploy import archive
from presign_siblings.deploy.stacks import DeployError
from presign_siblings.deploy.targets import (
    ARCHITECTURES,
    DEFAULT_ARCHITECTURE,
    DEFAULT_RUNTIME,
    DEFAULT_SOSW,
    EXTRAS,
    LOCKS,
)
from presign_siblings.user_folders import user_folder

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SOURCES = Path(processor.__path__[0])
_VERSION = "import sys; print('python' + sys.version)"  # a pyenv shim exists even where it starts no Python


@dataclass(frozen=True, slots=True)
class Target:
    """
    Where the zip is to run.

    :param name:     Short name, for file names.
    :param python:   Interpreter that runs pip.
    :param options:  pip's options that choose the wheels.
    :param lock:     Every package of the zip, with its hashes.
    :param extras:   Further locks.
    :param compiler: An interpreter of the function's version, whose byte code goes into the zip. Without it a cold
                     start compiles all, and takes more than twice as long (1.5 s of CPU instead of 0.6, measured).
    """

    name: str
    python: Path
    options: tuple[str, ...]
    lock: Path = LOCKS[DEFAULT_SOSW]
    compiler: Path | None = None
    extras: tuple[Path, ...] = ()


def deployment(
    architecture: str = DEFAULT_ARCHITECTURE,
    runtime: str = DEFAULT_RUNTIME,
    sosw: str = DEFAULT_SOSW,
    extras: Iterable[str] = (),
) -> Target:
    """
    Return the target of a stack; its defaults are python3.13 on arm64 (Amazon Linux 2023, glibc 2.34).

    :param architecture: One of ``ARCHITECTURES``.
    :param runtime:      One of ``RUNTIMES``; python3.11 runs on Amazon Linux 2 (glibc 2.26).
    :param sosw:         Major version of sosw, one of ``LOCKS``.
    :param extras:       Further libraries of the package, of ``EXTRAS``.
    :raises DeployError: sosw does not run on the runtime.
    """
    named = sorted(set(extras))
    if sosw == "3" and runtime == "python3.11":
        raise DeployError("sosw 3 needs python3.12 or later: choose another --runtime, or --sosw 0")
    machine = ARCHITECTURES[architecture]
    newest = () if runtime == "python3.11" else ("2_28",)
    platforms = [f"manylinux2014_{machine}", *(f"manylinux_{glibc}_{machine}" for glibc in ("2_17", *newest))]
    options = [f"--platform={platform}" for platform in platforms]
    options += ["--only-binary=:all:", "--implementation=cp", f"--python-version={runtime.removeprefix('python')}"]
    parts = [architecture] + [runtime] * (runtime != DEFAULT_RUNTIME) + [f"sosw{sosw}"] * (sosw != DEFAULT_SOSW)
    locks = tuple(EXTRAS[name] for name in named)
    name, python = "-".join([*parts, *named]), Path(sys.executable)
    return Target(name, python, tuple(options), LOCKS[sosw], compiler=interpreter(runtime), extras=locks)


def interpreter(runtime: str) -> Path | None:
    """Return a Python of a runtime's version: the one that runs this, or the PATH's, such as ``python3.13``."""
    if runtime == f"python{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    found = shutil.which(runtime)
    output = found and subprocess.run([found, "-c", _VERSION], capture_output=True, text=True, check=False).stdout
    return Path(found) if found and output and output.startswith(runtime) else None


def cache_folder() -> Path:
    """Return the folder for packages that can be made again (XDG Base Directory Specification)."""
    return user_folder("XDG_CACHE_HOME", ".cache") / "package"


def build(target: Target, cache: Path) -> Path:
    """
    Build the zip, or return the one that the same input made before.

    :param cache: Folder that keeps the zip; made when it does not exist.
    :raises DeployError: pip failed; the message ends with what pip wrote.
    """
    with _one_at_a_time(cache):
        wheels = cache / f"{target.name}-{_digest(_inputs_of_wheels(target))}"
        package = cache / f"{wheels.name}-{_digest(_own_sources())}.zip"
        if not wheels.exists():
            _forget(target, cache, keep=wheels)
            _install(target, wheels)
        if not package.exists():
            _pack(target, wheels, package)
    return package


def _pack(target: Target, wheels: Path, package: Path) -> None:
    unfinished = package.with_suffix(".part")
    with tempfile.TemporaryDirectory(dir=package.parent) as name:
        ours = Path(shutil.copytree(SOURCES, Path(name) / SOURCES.name, ignore=shutil.ignore_patterns("__pycache__")))
        _compile(target, ours.parent)
        archive.write(unfinished, wheels, ours)
    unfinished.replace(package)


def _install(target: Target, wheels: Path) -> None:
    with tempfile.TemporaryDirectory(dir=wheels.parent) as name:
        tree = Path(name) / "tree"
        # The lock is the whole closure, so pip resolves nothing.
        locks = [part for lock in (target.lock, *target.extras) for part in ("-r", lock)]
        common = (
            "--quiet",
            "--no-user",
            "--disable-pip-version-check",
            "--no-compile",
            "--no-deps",
            "--require-hashes",
        )
        _run([target.python, "-m", "pip", "install", *common, "--target", tree, *target.options, *locks])
        archive.prune(tree)
        _compile(target, tree)
        tree.rename(wheels)


def _compile(target: Target, tree: Path) -> None:
    """Add byte code that is never compared with its source; a malformed source gets none."""
    if target.compiler is None:
        return
    compiling = ("-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash", ".")
    same = {**os.environ, "PYTHONHASHSEED": "0"}  # the byte code holds the order of a set's members
    subprocess.run([target.compiler, *compiling], cwd=tree, env=same, capture_output=True, check=False)


def _run(command: list[str | Path]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "No module named pip" in done.stderr:
        raise DeployError(
            f"{command[0]} has no pip, which builds the package for Lambda: install the command with pipx, or with "
            "uv tool install --with pip"
        )
    if done.returncode:
        raise DeployError(
            f"the package for Lambda was not built; {' '.join(map(str, command[:4]))} says:\n{done.stderr}"
        )


def _inputs_of_wheels(target: Target) -> Iterable[bytes]:
    yield target.lock.read_bytes()
    yield from (lock.read_bytes() for lock in target.extras)
    yield Path(archive.__file__).read_bytes()
    yield repr(target.options).encode()
    describe = "import sys, sysconfig; print(sys.version_info[:2], sysconfig.get_platform())"
    yield subprocess.run([target.python, "-c", describe], check=True, capture_output=True).stdout
    if target.compiler is not None:
        yield subprocess.run([target.compiler, "-c", _VERSION], check=True, capture_output=True).stdout


def _own_sources() -> Iterable[bytes]:
    for path in sorted(SOURCES.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(SOURCES).as_posix().encode()
            yield path.read_bytes()


def _digest(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(len(piece).to_bytes(8, "big") + piece)
    return digest.hexdigest()[:12]


def _forget(target: Target, cache: Path, keep: Path) -> None:
    """Remove the trees of former requirements: each has some tens of megabytes."""
    for path in cache.glob(f"{target.name}-*"):
        if path.is_dir() and path != keep:
            shutil.rmtree(path, ignore_errors=True)
        elif path.is_file():
            path.unlink()


@contextmanager
def _one_at_a_time(cache: Path) -> Iterator[None]:
    """Let parallel processes build one after another: the second finds the first one's work."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
