"""Which part answers which path."""

from collections.abc import Iterable
from typing import Final
from wsgiref.types import StartResponse, WSGIEnvironment

from a2wsgi import WSGIMiddleware
from flask import Flask
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from flags.credentials import Credentials
from flags.dashboard import session
from flags.dashboard.pages import pages
from flags.errors import NotFound, Rejected
from flags.live import Live
from flags.rest.routes import install_errors, rest
from flags.sdk.client_side import client_side_routes
from flags.sdk.events import Ingestion, event_routes
from flags.sdk.http import CORS
from flags.sdk.ofrep import ofrep_routes
from flags.sdk.server_side import server_side_routes
from flags.sdk.status import status_routes
from flags.store import Store
from flags.streams.channel import HEARTBEAT
from flags.streams.hub import Hub

MAX_BODY: Final = 1024 * 1024
"""Bytes of one REST or form request."""
THREADS: Final = 8
"""That serve REST and dashboard."""


def application(
    store: Store,
    hub: Hub,
    live: Live,
    ingestion: Ingestion,
    credentials: Credentials,
    host: str,
) -> Starlette:
    flask = Flask(__name__, template_folder="dashboard/templates", static_folder="dashboard/static")
    flask.config.update(MAX_CONTENT_LENGTH=MAX_BODY, SECRET_KEY=credentials.session_secret)
    install_errors(flask)
    session.install(flask, store, host)
    flask.register_blueprint(rest(store))
    flask.register_blueprint(pages(store, live))

    def whole_body(environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """a2wsgi ends the input where the body ends; without this, chunked bodies are ignored."""
        return flask.wsgi_app({**environ, "wsgi.input_terminated": True}, start)

    async def changes(request: Request) -> Response:
        """For the dashboard's pages: what changes, as it does."""
        if session.signed_in(flask, store, request.cookies.get(session.COOKIE)) is None:
            return Response(status_code=401)
        return StreamingResponse(live.follow(HEARTBEAT), media_type="text/event-stream")

    async def rejected(_: Request, error: Exception) -> Response:
        if not isinstance(error, Rejected):
            raise error
        body = {"code": error.code, "message": str(error)}
        return JSONResponse(body, error.status, headers=CORS)

    async def no_route(request: Request, _: Exception) -> Response:
        """A path that is not even Flask's, such as one with a line break in it."""
        return await rejected(request, NotFound("there is no such path"))

    return Starlette(
        routes=[
            *server_side_routes(hub),
            *client_side_routes(hub, ingestion.seen),
            *event_routes(hub, ingestion),
            *ofrep_routes(hub, ingestion.seen, ingestion),
            *status_routes(hub),
            Route("/changes", changes),
            Mount("/", WSGIMiddleware(whole_body, workers=THREADS)),  # type: ignore[arg-type] # a2wsgi has its own ASGI types
        ],
        exception_handlers={Rejected: rejected, 404: no_route},
    )
