"""The flag server process: one port for streams, REST and dashboard.

Starlette serves the streams on the event loop; Flask serves REST and dashboard on a few threads.
"""

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from wsgiref.types import StartResponse, WSGIEnvironment

import uvicorn
from a2wsgi import WSGIMiddleware
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from flags.credentials import Credentials
from flags.dashboard import session
from flags.dashboard.pages import pages
from flags.errors import FlagsError, Rejected
from flags.hub import Hub
from flags.rest.routes import install_errors, rest
from flags.sdk_endpoints import HEARTBEAT, sdk_routes
from flags.store import Change, Store

logger = logging.getLogger(__name__)
MAX_BODY = 1024 * 1024
"""Bytes of one REST or form request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    host: str = "127.0.0.1"
    port: int = 8765
    """0 takes a free one."""
    database: Path
    credentials: Path


@contextlib.asynccontextmanager
async def running_server(settings: ServerSettings) -> AsyncIterator[str]:
    """Serve until the block ends; yields the origin, such as `http://127.0.0.1:8765`.

    Raises `FlagsError` before anything is served: bad credentials, database, or port.
    """
    credentials = Credentials.load(settings.credentials)
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(_bind(settings.host, settings.port))
        store = stack.enter_context(contextlib.closing(Store(settings.database)))
        hub = Hub(store.flags())
        loop = asyncio.get_running_loop()

        def publish(change: Change) -> None:
            loop.call_soon_threadsafe(hub.publish, change)

        store.listen(publish)
        server = _Server(
            uvicorn.Config(
                _application(store, hub, credentials, settings.host),
                lifespan="off",
                log_level="warning",
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=1,
            )
        )
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            while not server.started:
                if serving.done():
                    await serving
                    raise FlagsError("the flag server ended while it started")
                await asyncio.sleep(0.005)
            yield _origin(settings.host, listener.getsockname()[1])
        finally:
            hub.close()
            server.should_exit = True
            await serving


def serve(settings: ServerSettings) -> int:
    """Serve until SIGTERM or SIGINT; the exit code. Raises `FlagsError`."""

    async def until_stopped() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        async with running_server(settings) as origin:
            logger.warning("flag server listens on %s", origin)
            await stop.wait()

    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s %(message)s")
    import uvloop

    uvloop.run(until_stopped())
    return 0


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """`serve` handles signals; in tests nobody does."""
        yield


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(1024)
    except (OSError, OverflowError) as error:
        listener.close()
        why = error.strerror if isinstance(error, OSError) else "a port is a number up to 65535"
        raise FlagsError(
            f"cannot listen on {host}:{port}: {why}",
            hint="choose another port, or stop the program that has it",
        ) from None
    return listener


def _origin(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _application(store: Store, hub: Hub, credentials: Credentials, host: str) -> Starlette:
    flask = Flask(__name__, template_folder="dashboard/templates", static_folder="dashboard/static")
    flask.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    install_errors(flask)
    session.install(flask, credentials, host)
    flask.register_blueprint(rest(store, credentials))
    flask.register_blueprint(
        pages(store, lambda: hub.connections, credentials.project, credentials.environment)
    )

    def whole_body(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """a2wsgi ends the input where the body ends; without this, chunked bodies are ignored."""
        return flask.wsgi_app({**environ, "wsgi.input_terminated": True}, start)

    async def healthy(_: Request) -> Response:
        return JSONResponse({"status": "ok", "sdks": hub.connections})

    async def changes(request: Request) -> Response:
        """For the dashboard's pages: the keys of flags that change, as they do."""
        if not session.signed_in(flask, credentials, request.cookies.get(session.COOKIE)):
            return Response(status_code=401)
        return StreamingResponse(hub.watch(HEARTBEAT), media_type="text/event-stream")

    async def rejected(_: Request, error: Exception) -> Response:
        if not isinstance(error, Rejected):
            raise error
        return JSONResponse({"code": error.code, "message": str(error)}, error.status)

    return Starlette(
        routes=[
            *sdk_routes(hub, credentials),
            Route("/healthz", healthy),
            Route("/readyz", healthy),
            Route("/changes", changes),
            Mount("/", WSGIMiddleware(whole_body, workers=8)),  # type: ignore[arg-type] # a2wsgi has its own ASGI types
        ],
        exception_handlers={Rejected: rejected},
    )
