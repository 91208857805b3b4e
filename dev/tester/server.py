"""The local tester: the whole stack on an emulated AWS, and a page to run it, break it and look at it."""

from __future__ import annotations

import argparse
import asyncio
import signal
import socket

from aiohttp import web
from rich.console import Console

from dev.aws import emulator, stack
from dev.tester import baseline, routes
from dev.tester.access import HOSTS, Session
from dev.tester.controller import Controller
from dev.tester.faults import Faults
from dev.tester.services import Services
from dev.tester.settings import RESERVED

EXPECTED_ERRORS = stack.ERRORS
SHUTDOWN_SECONDS = 1.0


def main() -> int:
    """Serve until Ctrl-C; after that nothing is left running, and every URL is dead."""
    port = _arguments().port
    console = Console(highlight=False, soft_wrap=True)
    with emulator.running() as running:
        console.print("emulated AWS started; creating the stack from its CloudFormation template")
        services = Services.of(running, stack.create(running, {"ReservedConcurrency": str(RESERVED)}))
        baseline.deploy(services)
        asyncio.run(_serve(Controller(services, Faults(services)), port, console))
    console.print("the emulated AWS is gone, every URL is dead, and nothing is left running")
    return 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m dev tester", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="loopback port of the page (a free one)")
    arguments = parser.parse_args()
    if not 0 <= arguments.port < 2**16:
        parser.error(f"--port: {arguments.port} is refused: it must be from 0 to 65535")
    return arguments


async def _serve(controller: Controller, port: int, console: Console) -> None:
    ended = asyncio.Event()
    for each in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(each, ended.set)
    session, runner = await serve(controller, port)
    # Python's own print: a terminal may take the whole line as a link.
    print(f"\nthe tester is at  {session.url}\nCtrl-C ends the tester and the emulated AWS", flush=True)
    try:
        await ended.wait()
    finally:
        console.print("\nstopping")
        controller.close()
        await runner.cleanup()


async def serve(controller: Controller, port: int) -> tuple[Session, web.AppRunner]:
    """
    Listen on the loopback interface.

    :param port: 0 for a free one.
    :raises OSError: The port is taken.
    """
    listener = socket.create_server((HOSTS[0], port))
    session = Session(listener.getsockname()[1])
    # The access log would print the token.
    runner = web.AppRunner(routes.application(controller, session), access_log=None, shutdown_timeout=SHUTDOWN_SECONDS)
    await runner.setup()
    await web.SockSite(runner, listener).start()
    return session, runner
