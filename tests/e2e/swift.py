"""OpenStack Swift with its S3 interface on free loopback ports: a second real store that verifies signatures."""

from __future__ import annotations

import http.client
import os
import pwd
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ports import free_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
ACCESS_KEY, SECRET_KEY, REGION = "test:tester", "testing", "us-east-1"
START_SECONDS = 30.0
ATTEMPTS = 3
STORES = ("account", "container", "object")

# Builds a ring of one device for each store, then starts the four servers. Each creates a session of its own, so it is
# ended by its process, never by the group. Standard input is a lifeline: when its other end closes, however the
# starter ended, all four end; they also end when any one of them does.
_BOOT = """
import os, subprocess, sys, threading
from swift.common.ring import RingBuilder

root, *ports = sys.argv[1:]
stores = ("account", "container", "object")
for store, port in zip(stores, map(int, ports)):
    ring = RingBuilder(2, 1, 0)
    place = {"ip": "127.0.0.1", "port": port, "replication_ip": "127.0.0.1", "replication_port": port}
    ring.add_dev({"id": 0, "region": 1, "zone": 1, "device": "d1", "weight": 1.0, "meta": "", **place})
    ring.rebalance()
    ring.get_ring().save(f"{root}/{store}.ring.gz")
ended = threading.Event()

def watch(wait):
    wait()
    ended.set()

threading.Thread(target=watch, args=(sys.stdin.buffer.read,), daemon=True).start()
programs = os.path.dirname(sys.executable)
servers = []
for name in (*stores, "proxy"):
    command = [sys.executable, f"{programs}/swift-{name}-server", f"{root}/{name}-server.conf"]
    servers.append(subprocess.Popen(command, stdin=subprocess.DEVNULL))
    threading.Thread(target=watch, args=(servers[-1].wait,), daemon=True).start()
ended.wait()
for server in servers:
    server.kill()
for server in servers:
    server.wait()
os._exit(0)
"""
_COMMON = """
[DEFAULT]
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
user = {user}
swift_dir = {root}
devices = {root}/nodes
mount_check = false
disable_fallocate = true
log_level = WARNING
log_address = {root}/no-syslog
"""
_STORE = """
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
_PROXY = """
[pipeline:main]
pipeline = catch_errors gatekeeper healthcheck listing_formats s3api tempauth slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_test_tester = testing .admin
"""
_FILTERS = ("catch_errors", "gatekeeper", "healthcheck", "listing_formats", "slo", "dlo")
_SWIFT = """
[swift-hash]
swift_hash_path_prefix = presign
swift_hash_path_suffix = siblings
[storage-policy:0]
name = only
default = yes
"""


class SwiftError(RuntimeError):
    """Swift is not installed, or did not start."""


@dataclass(frozen=True, slots=True)
class Swift:
    """
    A running Swift.

    :param endpoint: Endpoint of its S3 interface; path style.
    :param ports:    Ports of all its servers.
    """

    endpoint: str
    ports: tuple[int, ...]


@contextmanager
def running() -> Iterator[Swift]:
    """
    Start Swift, and end all its processes.

    :raises SwiftError: It does not answer in time; the message holds the end of its log.
    """
    python = Path(os.environ.get("SWIFT_VENV", REPOSITORY / ".venv-swift")) / "bin" / "python"
    if not python.exists():
        raise SwiftError(f"no Swift at {python}: run `make install` first")
    with tempfile.TemporaryDirectory(prefix="swift-", dir=_place(), ignore_cleanup_errors=True) as name:
        root = Path(name)
        process, ports = _start(python, root)
        try:
            yield Swift(f"http://127.0.0.1:{ports[-1]}", tuple(ports))
        finally:
            _end(process)


def _place() -> Path:
    """Return a directory whose file system supports user xattrs, where Swift stores its metadata."""
    work = REPOSITORY / ".work"
    for place in (Path(tempfile.gettempdir()), work):
        place.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place) as probe, suppress(OSError):
            os.setxattr(probe.name, "user.swift.probe", b"1")
            return place
    raise SwiftError(f"neither the temporary directory nor {work} keeps user xattrs")


def _start(python: Path, root: Path) -> tuple[subprocess.Popen[bytes], list[int]]:
    for _ in range(ATTEMPTS):
        ports = free_ports(len(STORES) + 1)
        _configure(root, ports)
        process = _spawn(python, root, ports)
        try:
            if _answers(process, ports):
                return process, ports
        except BaseException:
            _end(process)
            raise
        _end(process)
    lines = (root / "swift.log").read_text(encoding="utf-8", errors="replace").splitlines()
    raise SwiftError("Swift did not start:\n" + "\n".join(lines[-20:]))


def _configure(root: Path, ports: list[int]) -> None:
    user = pwd.getpwuid(os.getuid()).pw_name
    filters = "".join(f"[filter:{name}]\nuse = egg:swift#{name}\n" for name in _FILTERS)
    (root / "nodes" / "d1").mkdir(parents=True, exist_ok=True)
    (root / "swift.conf").write_text(_SWIFT)
    for name, port in zip((*STORES, "proxy"), ports, strict=True):
        own = _PROXY + filters if name == "proxy" else _STORE.format(name=name)
        (root / f"{name}-server.conf").write_text(_COMMON.format(port=port, user=user, root=root) + own)


def _spawn(python: Path, root: Path, ports: list[int]) -> subprocess.Popen[bytes]:
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(root),
        "TMPDIR": str(root),
        "SWIFT_DIR": str(root),
        "PYTHONWARNINGS": "ignore",
    }
    with (root / "swift.log").open("ab") as log:
        return subprocess.Popen(
            [python, "-c", _BOOT, root, *map(str, ports[:-1])],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=environment,
            cwd=root,
            start_new_session=True,  # a Ctrl-C is for the starter
        )


def _answers(process: subprocess.Popen[bytes], ports: list[int]) -> bool:
    """Wait for all four servers; ``False`` if one ended (another process took its port) or does not answer."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            for port in ports:
                socket.create_connection(("127.0.0.1", port), 1).close()
            proxy = http.client.HTTPConnection("127.0.0.1", ports[-1], timeout=5)
            proxy.request("GET", "/healthcheck")
            healthy = proxy.getresponse().status == 200
            proxy.close()
            if healthy:
                return True
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Close the lifeline, and wait until all servers have ended."""
    if process.stdin is not None:
        process.stdin.close()
    process.wait(START_SECONDS)
