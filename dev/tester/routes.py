"""The server's addresses: the page's files, the stream of events, and the user's requests."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from botocore.exceptions import BotoCoreError, ClientError

from dev.tester import access, objects, settings, view
from dev.tester.controller import BusyError
from processor.errors import InvalidEventError, error_code
from processor.job import validation

if TYPE_CHECKING:
    from collections.abc import Callable

    from dev.tester.access import Handler, Session
    from dev.tester.controller import Controller

STATIC = Path(__file__).parent / "static"
MEDIA = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
CONTROLLER: web.AppKey[Controller] = web.AppKey("controller")
LOOK_SECONDS, SILENCE_SECONDS = 0.2, 15.0
PAGE_LINES = 50
GONE = 499  # as nginx calls it: the client has closed the connection


def application(controller: Controller, session: Session) -> web.Application:
    """Return the server's application."""
    app = web.Application(middlewares=[access.guard(session), answered], client_max_size=objects.MAX_UPLOAD_BYTES)
    app[CONTROLLER] = controller
    app.add_routes(
        [
            web.get("/", page),
            web.get("/static/{name}", page),
            web.get("/events", events),
            web.post("/api/pdfs", make),
            web.put("/api/pdfs", upload),
            web.delete("/api/pdfs", clear),
            web.post("/api/run", start),
            *(web.post(f"/api/{name}", partial(act, name)) for name in ("stop", "kill", "resume")),
            *(web.post(f"/api/{name}", partial(switch, name)) for name in ("rule", "throttle")),
            web.get("/api/manifest", manifest),
            web.get("/manifest", open_manifest),
        ]
    )
    return app


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn the user's errors, and AWS's refusals, into an answer."""
    try:
        return await handler(request)
    except InvalidEventError as error:
        return web.json_response({"field": error.field, "message": error.rule}, status=400)
    except BusyError as error:
        return web.json_response({"message": str(error)}, status=409)
    except ClientError as error:
        return web.json_response({"message": f"the emulated AWS refuses: {error_code(error)}"}, status=502)
    except BotoCoreError as error:
        return web.json_response({"message": f"the emulated AWS fails: {type(error).__name__}"}, status=502)
    except ConnectionResetError:  # the tab was closed: nobody reads this
        return web.Response(status=GONE)


async def page(request: web.Request) -> web.Response:
    """Answer with one of the page's own files."""
    name = request.match_info.get("name", "index.html")
    path = STATIC / name
    if path.parent != STATIC or path.suffix not in MEDIA or not path.is_file():
        raise web.HTTPNotFound(reason="no such page")
    return web.Response(body=path.read_bytes(), content_type=MEDIA[path.suffix], charset="utf-8")


async def events(request: web.Request) -> web.StreamResponse:
    """Stream events: ``state`` whenever it changes, ``lines`` as they arrive; a late client gets all of them."""
    controller = request.app[CONTROLLER]
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **access.HEADERS})
    await response.prepare(request)
    await _stream(controller, response)
    return response


async def _stream(controller: Controller, response: web.StreamResponse) -> None:
    silent, before, number, sent = 0.0, "", 0, 0
    while not controller.closing.is_set():
        run, now = controller.run, json.dumps(view.state(controller))
        news = []
        if now != before:
            news.append(f"event: state\ndata: {now}\n\n")
            before = now
        if run is not None and (run.number != number or len(run.lines) > sent):
            sent = sent if run.number == number else 0
            lines = view.lines(run, sent)
            data = json.dumps({"run": run.number, "start": sent, "lines": lines})
            number, sent = run.number, sent + len(lines)
            news.append(f"event: lines\ndata: {data}\n\n")
        silent = 0.0 if news else silent + LOOK_SECONDS
        if silent >= SILENCE_SECONDS:
            news, silent = [": still here\n\n"], 0.0
        for each in news:
            await response.write(each.encode())
        await asyncio.sleep(LOOK_SECONDS)


async def make(request: web.Request) -> web.Response:
    """Make PDFs."""
    controller, count = request.app[CONTROLLER], settings.pdf_count(await form(request))
    await asyncio.to_thread(controller.fill, lambda progress: objects.make(controller.services.s3, count, progress))
    return web.json_response({"count": controller.held.count})


async def upload(request: web.Request) -> web.Response:
    """Upload one file: its name in the query, its bytes in the body."""
    controller, name = request.app[CONTROLLER], validation.text("name", request.query.get("name"))
    objects.key_of(name)
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge:
        limit = f"must be at most {objects.MAX_UPLOAD_BYTES // 1024 // 1024} MiB"
        raise InvalidEventError("file", name, limit) from None
    await asyncio.to_thread(controller.fill, lambda _progress: objects.put(controller.services.s3, name, body))
    return web.json_response({"count": controller.held.count})


async def clear(request: web.Request) -> web.Response:
    """Remove every PDF."""
    controller = request.app[CONTROLLER]
    await asyncio.to_thread(controller.fill, lambda progress: objects.clear(controller.services.s3, progress))
    return web.json_response({"count": controller.held.count})


async def start(request: web.Request) -> web.Response:
    """Start a run."""
    number = await asyncio.to_thread(request.app[CONTROLLER].start, await form(request))
    return web.json_response({"run": number}, status=202)


async def act(name: str, request: web.Request) -> web.Response:
    """Stop, kill or resume."""
    controller = request.app[CONTROLLER]
    acts: dict[str, Callable[[], None]] = {
        "stop": controller.stop,
        "kill": controller.kill,
        "resume": controller.resume,
    }
    await asyncio.to_thread(acts[name])
    return web.json_response({}, status=202)


async def switch(name: str, request: web.Request) -> web.Response:
    """Switch the rule or the throttle."""
    on = settings.switch(await form(request))
    await asyncio.to_thread(request.app[CONTROLLER].switch, name, on)
    return web.json_response({})


async def manifest(request: web.Request) -> web.Response:
    """Answer with lines of the manifest, which hold live URLs, so the browser must not store the answer."""
    offset = validation.integer("offset", request.query.get("offset", "0"), 0, 10**9)
    text = validation.text("text", request.query.get("text", ""))
    return web.json_response(await asyncio.to_thread(request.app[CONTROLLER].manifest, text, offset, PAGE_LINES))


async def open_manifest(request: web.Request) -> web.Response:
    """Redirect to the manifest's own URL, as the function's answer gives it."""
    run = request.app[CONTROLLER].run
    if run is None or run.manifest_key() is None:
        raise BusyError("there is no manifest yet")
    return web.Response(status=303, headers={"Location": await asyncio.to_thread(run.manifest_url)})


async def form(request: web.Request) -> Any:  # noqa: ANN401 (any JSON)
    """
    Read a form, sent as JSON.

    :raises InvalidEventError: The body is not a JSON object.
    """
    body = await request.read()
    try:
        return json.loads(body)
    except ValueError:
        raise InvalidEventError("form", body[:80].decode(errors="replace"), "must be JSON") from None
