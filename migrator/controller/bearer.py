"""Who may ask the controller: bearer tokens (RFC 6750)."""

import secrets
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

Handler = Callable[[Request], Awaitable[Response]]


def guarded(handler: Handler, *tokens: str) -> Handler:
    """`handler` for those who present one of `tokens`; 401 for everybody else."""

    async def check(request: Request) -> Response:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        known = [
            secrets.compare_digest(given.encode(), token.encode()) for token in tokens if token
        ]
        if scheme.lower() != "bearer" or not any(known):
            said = {"code": "unauthorized", "message": "the bearer token is missing or wrong"}
            return JSONResponse({**said, "hint": None}, 401)
        return await handler(request)

    return check
