"""
Seeded histories of downloads: faulty responses, changed objects, kills, other options, damaged files.

``HISTORIES=500`` plays 500; each name ends with its seed.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager
from random import Random
from typing import TYPE_CHECKING

import pytest

from dev.checkout import REPOSITORY
from presign_siblings.errors import DONE, FAILED, UNTRUE
from presign_siblings.manifests.entry import Entry
from presign_siblings.manifests.export import FORMS
from tests.lying_store import FAULTS, Object, Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HISTORIES = int(os.environ.get("HISTORIES", "4"))
SIZES = (0, 1, 1000, 1 << 16, 1 << 19, 1 << 21)
# Waits are short; the sizes from which an object is split, or its beginning kept, are small enough for a test.
RUN = (
    "from presign_siblings.cli import download, main; "
    "from presign_siblings.manifests import attempts, part_file, parts; "
    "attempts.FIRST_WAIT_SECONDS = 0.01; parts.SPLIT, parts.PART, part_file.CONTINUED = 1 << 18, 1 << 16, 1 << 12; "
    "download.how_many = lambda *_: {processes}; main.main()"
)


@contextmanager
def serving(random: Random) -> Iterator[Store]:
    """Serve some objects, whose keys are their paths."""
    with Store(Random(random.random())) as store:  # its own, or the order of the requests would change the plan
        for path in random.sample(["/a", "/b", "/c.pdf", "/d/e", "/d/f", "/g"], 4):
            store.objects[path] = Object(is_md5=random.random() < 0.5)
            store.objects[path].put(random, random.choice(SIZES) + random.randrange(9))
        threading.Thread(target=store.serve_forever, args=(0.01,), daemon=True).start()
        yield store
        store.shutdown()


def command(random: Random, store: Store, folder: Path, *, script: bool) -> list[str]:
    """Write a manifest, or the script, with fresh links; return the command that downloads it, with some options."""
    query = f"X-Amz-Date=20990401T063015Z&X-Amz-Expires=900&X-Amz-Signature={random.getrandbits(64)}"
    url = f"http://127.0.0.1:{store.server_address[1]}"
    entries = [Entry(path[1:], f"{url}{path}?{query}") for path in sorted(store.objects)]
    if script:
        text = "".join(FORMS["script"](iter(entries)))
        (folder / "d.py").write_text(text.replace("0.5 * 2**number", "0.01").replace("timeout=60", "timeout=1"))
        return [sys.executable, "-I", "-S", "d.py", "to", "--jobs", random.choice("18")]
    lines = [json.dumps({"key": each.key, "url": each.url}) + "\n" for each in entries]
    (folder / "m.jsonl").write_text("".join(random.sample(lines, len(lines))))
    run, parallel = RUN.format(processes=random.choice([1, 1, 2])), random.choice(["1", "4", "16"])
    return [sys.executable, "-c", run, "download", "m.jsonl", "to", "--read-timeout", "1", "--parallel", parallel]


def called(arguments: list[str], folder: Path, end: tuple[float, signal.Signals] | None = None) -> int:
    """Run a command, and send it a signal after some seconds; return its exit code."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(arguments, cwd=folder, env=environment, text=True, **pipes) as process:  # type: ignore[call-overload]
        if end is not None:
            threading.Timer(end[0], process.send_signal, end[1:]).start()
        output = process.communicate(timeout=60)[0]  # until its workers have ended, too
    assert end is not None or "Traceback" not in output, (
        output
    )  # Python itself prints one when it is interrupted as it starts
    assert "Signature=" not in output, (
        output
    )  # of a link; Python, interrupted as it starts, may print its own class Signature
    code: int = process.returncode
    assert end is not None or code in {DONE, FAILED if "d.py" in arguments else UNTRUE}, output
    return code


def files(folder: Path) -> dict[str, bytes]:
    """Return the files by name, unfinished ones too."""
    to = folder / "to"
    return {f"/{path.relative_to(to).as_posix()}": path.read_bytes() for path in to.rglob("*") if path.is_file()}


def damage(random: Random, store: Store, folder: Path) -> None:
    """Delete some files, whole or not, or cut them, or change a byte where a checksum reveals it."""
    for name, body in sorted(files(folder).items()):
        path, one = folder / f"to{name}", store.objects.get(name)
        how = random.choice(["", "", "", "delete", "cut", "change"])
        if how == "delete":
            path.unlink()
        elif how == "cut" and not name.endswith("etag"):
            os.truncate(path, len(body) // 2)
        elif how == "change" and one is not None and one.is_md5 and body:
            path.write_bytes(body[:-1] + bytes([body[-1] ^ 1]))


@pytest.mark.parametrize("script", [False, True], ids=["download", "script"])
@pytest.mark.parametrize("seed", range(HISTORIES))
def test_a_file_is_one_version_of_its_object_whatever_happened(tmp_path: Path, seed: int, *, script: bool) -> None:
    """Or it is missing, and the exit code says so; a run without faults completes, and leaves no other file."""
    random = Random(seed)
    with serving(random) as store:
        for _ in range(random.randint(1, 4)):
            store.rate, store.faults = random.choice([0.1, 0.4, 0.8]), random.sample(FAULTS, 4)
            before, end = files(tmp_path), None
            if random.random() < 0.5:
                end = random.uniform(0.1, 0.8), random.choice([signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
            code = called(command(random, store, tmp_path, script=script), tmp_path, end)
            found = {name: body for name, body in files(tmp_path).items() if name in store.objects}
            wrong = [name for name, body in found.items() if body not in dict(store.objects[name].versions)]
            assert not [name for name in wrong if before.get(name) != found[name]]
            assert code != DONE or (not wrong and found.keys() == store.objects.keys())
            damage(random, store, tmp_path)
        store.rate = 0
        assert called(command(random, store, tmp_path, script=script), tmp_path) == DONE
        found = files(tmp_path)
        assert found.keys() == store.objects.keys()
        for path, one in store.objects.items():  # without a checksum, a file of the right size is kept
            kept = [body for body, _ in one.versions if not one.is_md5 and len(body) == len(one.versions[-1][0])]
            assert found[path] in [one.versions[-1][0], *kept]
