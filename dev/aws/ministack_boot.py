"""
MiniStack with the changes that the tests need; its own interpreter runs it, without this repository's other modules.

It watches its standard input. The other end closes when the starter ends, even by SIGKILL; the emulator then removes
its files and ends its own process group, with every Lambda worker that it spawned.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
import os
import queue
import shutil
import signal
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

from ministack.app import main
from ministack.core import lambda_runtime
from ministack.services import lambda_svc, s3

ROOT = Path.cwd()
LOOK_SECONDS = 0.02
LATEST = "$LATEST"
END = "-- end of the output --"
ANSWERED = "        _real_stdout.flush()\n\nrun()"  # the end of the loop of MiniStack's runtime


def unpack_once() -> None:
    """
    Give each runtime links to one unpacked copy of the package, which also keeps Python's byte code.

    MiniStack unpacks the package for each runtime, which takes longer than all else in a cold start.
    """
    unpack, unpacking = zipfile.ZipFile.extractall, threading.Lock()

    def link(self: zipfile.ZipFile, path: str, members: list[str] | None = None, pwd: bytes | None = None) -> None:
        if Path(self.filename or "").name != "code.zip":
            unpack(self, path, members, pwd)
            return
        listed = repr([(entry.filename, entry.CRC) for entry in self.infolist()])
        tree = ROOT / f"code-{hashlib.sha256(listed.encode()).hexdigest()}"
        with unpacking:
            if not tree.exists():
                unpack(self, f"{tree}.part")
                Path(f"{tree}.part").rename(tree)
        for each in tree.iterdir():
            (Path(path) / each.name).symlink_to(each)

    zipfile.ZipFile.extractall = link  # type: ignore[assignment, method-assign]


def read_all_output() -> None:
    """
    Let a runtime mark the end of an invocation's output, and read up to the mark.

    MiniStack stops at a silence of 5 ms: on a busy machine it loses the last lines of a hop.
    """
    script = lambda_runtime._PYTHON_WORKER_SCRIPT  # noqa: SLF001 - there is no setting for it
    if script.count(ANSWERED) != 1:
        raise RuntimeError("another MiniStack: its runtime's loop ends otherwise")
    ended = f"        print({END!r}, file=sys.stderr, flush=True)\n"
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(ANSWERED, ended + ANSWERED)  # noqa: SLF001 - as above

    def output(self: lambda_runtime.Worker) -> str:
        lines: list[str] = []
        while not lines or lines[-1] != END:
            try:
                lines.append(self._stderr_queue.get(timeout=LOOK_SECONDS))
            except queue.Empty:
                if not self._stderr_thread.is_alive():  # the runtime was killed
                    return "\n".join(lines)
        return "\n".join(lines[:-1])

    lambda_runtime.Worker._drain_stderr_bounded = output  # noqa: SLF001 - as above


def _is_held(what: str) -> bool:
    """Whether the starter holds back a hop or the lists, by a file of that name."""
    return (ROOT / f"held-{what}").exists()


def let_hops_be_held() -> None:
    """Let the event of a hop wait, as it may in Lambda's queue."""
    invoke = lambda_svc.invoke_async_with_retry

    def invoke_when_let_go(func: dict[str, Any], event: object) -> None:
        def wait() -> None:
            while isinstance(event, dict) and _is_held(f"hop-{event.get('hop')}"):
                time.sleep(LOOK_SECONDS)
            invoke(func, event)

        threading.Thread(target=contextvars.copy_context().run, args=(wait,), daemon=True).start()

    lambda_svc.invoke_async_with_retry = invoke_when_let_go


def let_throttled_events_wait() -> None:
    """
    Let an event wait for concurrency, as for up to six hours in Lambda's queue; with 0 reserved, drop it.

    MiniStack counts a throttle as a failure, and drops the event after two retries, within a second.
    """
    invoke, execute = lambda_svc.invoke_async_with_retry, lambda_svc._execute_function  # noqa: SLF001 - no setting does it
    came_by = contextvars.ContextVar("came_by", default="a call")

    def invoke_queued(func: dict[str, Any], event: object) -> None:
        context = contextvars.copy_context()
        context.run(came_by.set, "the queue")
        context.run(invoke, func, event)

    def execute_when_free(func: dict[str, Any], event: object) -> dict[str, Any]:
        result: dict[str, Any] = execute(func, event)
        while result.get("throttle") and came_by.get() == "the queue" and lambda_svc._reserved_concurrency(func, func):  # noqa: SLF001 - as above
            time.sleep(LOOK_SECONDS)
            result = execute(func, event)
        return result

    lambda_svc.invoke_async_with_retry, lambda_svc._execute_function = invoke_queued, execute_when_free  # noqa: SLF001 - as above


def let_lists_be_held() -> None:
    """Let the function wait for a page, as for a slow S3; its session token distinguishes it from the starter."""
    handle = s3.handle_request

    async def handle_when_let_go(
        method: str, path: str, headers: dict[str, str], body: bytes, query: dict[str, list[str]], **more: object
    ) -> object:
        while "list-type" in query and "x-amz-security-token" in headers and _is_held("lists"):  # noqa: ASYNC110 - a file
            await asyncio.sleep(LOOK_SECONDS)
        return await handle(method, path, headers, body, query, **more)

    s3.handle_request = handle_when_let_go


def let_runtimes_end_as_in_lambda() -> None:
    """
    After a change of a function, end its runtimes as Lambda does: busy ones finish first, and retries get new ones.

    MiniStack kills busy runtimes, and retries an event with the settings of its sending, in a runtime that later events
    then use.
    """
    acquire, release = lambda_runtime.acquire_worker, lambda_runtime.release_worker

    def acquire_current(name: str, config: dict[str, Any], code: bytes, qualifier: str = LATEST) -> object:
        current = lambda_svc._functions.get(name) if qualifier == LATEST else None  # noqa: SLF001 - no call gives it
        if current is not None:
            config, code = current["config"], current["code_zip"]
        return acquire(name, config, code, qualifier)

    def release_or_end(worker: lambda_runtime.Worker | None) -> None:
        release(worker)
        with lambda_runtime._lock:  # noqa: SLF001 - the pool has no call for it
            kept = any(worker in pool for pool in lambda_runtime._workers.values())  # noqa: SLF001 - as above
        if not kept:
            lambda_runtime.kill_workers([worker])

    lambda_svc.acquire_worker, lambda_svc.release_worker = acquire_current, release_or_end
    lambda_svc.invalidate_worker = _end_idle


def _end_idle(name: str, qualifier: str | None = None, account: str | None = None, region: str | None = None) -> None:
    """Take the runtimes of a function out of the pool, and end the idle ones."""
    with lambda_runtime._lock:  # noqa: SLF001 - the pool has no call for it
        taken = [
            worker
            for key in list(lambda_runtime._workers)  # noqa: SLF001 - as above
            if all(
                wanted in {None, part}
                for wanted, part in zip((account, region, name, qualifier), key.split(":"), strict=True)
            )
            for worker in lambda_runtime._workers.pop(key)  # noqa: SLF001 - as above
        ]
        idle = [worker for worker in taken if not worker.in_use]
    lambda_runtime.kill_workers(idle)


def end_with_the_starter() -> None:
    """Wait for the end of standard input, then leave no file and no process."""
    sys.stdin.buffer.read()
    shutil.rmtree(ROOT, ignore_errors=True)
    os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    threading.Thread(target=end_with_the_starter, daemon=True).start()
    unpack_once()
    read_all_output()
    let_throttled_events_wait()
    let_hops_be_held()
    let_lists_be_held()
    let_runtimes_end_as_in_lambda()
    sys.argv = ["ministack"]
    # The workers inherit the environment, where LOG_LEVEL would silence the function's own logger.
    del os.environ["LOG_LEVEL"]
    main()
