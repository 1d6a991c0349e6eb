"""The controller's HTTP API: status, events as they happen, verbs.

On loopback, behind a bearer token (RFC 6750). Translates between HTTP and the controller; decides
nothing.
"""

import json
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from migrator.controller.bearer import guarded
from migrator.controller.loop import Controller
from migrator.controller.status import status
from migrator.errors import InvalidInput, StateError
from migrator.plan.model import Stage
from migrator.plan.units import FULL_SHARE, Share
from migrator.rollout.events import Event
from migrator.rollout.verbs import Details, IllegalVerb, Verb

MAX_BODY: Final = 16 * 1024
PAGE: Final = 500
"""Events read from the log at once."""

MAX_DIGITS: Final = 18
"""Of an event's number; more do not fit SQLite's integers."""


class Order(BaseModel):
    """Body of a verb: who and why, and what `Details` has."""

    model_config = ConfigDict(extra="forbid")

    by: str = Field(min_length=1, max_length=100)
    reason: str = Field(default="", max_length=500)
    full: bool = False
    to: str = Field(default="", max_length=40)
    stage: Stage | None = None
    share: Share = FULL_SHARE

    def details(self) -> Details:
        return Details(full=self.full, to=self.to, stage=self.stage, share=self.share)


def application(controller: Controller, token: str, *more: Route) -> Starlette:
    """`token` is what callers must present; `more` look after themselves."""

    async def healthy(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def show(_: Request) -> Response:
        return JSONResponse(status(controller, time.time()))

    async def events(request: Request) -> Response:
        """Server-sent events: every event after number `after`, then those to come."""
        text = request.headers.get("last-event-id") or request.query_params.get("after", "0")
        if not text.isdecimal() or len(text) > MAX_DIGITS:
            return _error(400, "invalid_request", f"after: {text!r} is not an event's number")
        return StreamingResponse(_stream(controller, int(text)), media_type="text/event-stream")

    async def act(request: Request) -> Response:
        name, verb = request.path_params["name"], request.path_params["verb"]
        try:
            order = Order.model_validate_json(await _body(request))
            controller.act(
                name, Verb(verb), by=order.by, reason=order.reason, details=order.details()
            )
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(map(str, first["loc"])) or "body"
            return _error(400, "invalid_request", f"{place}: {first['msg']}")
        except ValueError:
            return _error(404, "not_found", f"no verb {verb!r}; there are: {', '.join(Verb)}")
        except StateError as error:
            return _error(500, "state", str(error), error.hint)
        except InvalidInput as error:
            return _error(404, "not_found", str(error), error.hint)
        except IllegalVerb as error:
            return _error(409, "conflict", str(error), error.hint)
        shown = status(controller, time.time())["capabilities"]
        return JSONResponse(next(each for each in shown if each["name"] == name))

    return Starlette(
        routes=[
            Route("/healthz", healthy),
            Route("/readyz", healthy),
            Route("/v1/status", guarded(show, token)),
            Route("/v1/events", guarded(events, token)),
            Route("/v1/capabilities/{name}/{verb}", guarded(act, token), methods=["POST"]),
            *more,
        ]
    )


async def _stream(controller: Controller, after: int) -> AsyncIterator[str]:
    yield ": hello\n\n"
    while True:
        news = controller.news
        page = controller.log.read(after=after, limit=PAGE)
        for event in page:
            after = event.seq
            yield f"id: {event.seq}\ndata: {json.dumps(event_json(event))}\n\n"
        if page:
            continue
        if controller.stopping:
            return
        await news.wait()


def event_json(event: Event) -> dict[str, Any]:
    """The event for people and scripts: counters stay in the log."""
    hidden = ("base", "metrics", "old", "steps")
    return {
        "seq": event.seq,
        "at": event.at,
        "capability": event.capability,
        "kind": event.kind,
        "by": event.by,
        "why": event.why,
        "data": {name: value for name, value in event.data.items() if name not in hidden},
    }


async def _body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY:
            return b""
    return body


def _error(code: int, name: str, message: str, hint: str | None = None) -> Response:
    return JSONResponse({"code": name, "message": message, "hint": hint}, code)
