"""Where services push metrics to: OTLP by HTTP, binary.

Behind a token of its own, which services have and which opens nothing else. Only takes what comes;
what of it matters is decided in migrator/analysis/otlp.py.
"""

import asyncio
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from flags.errors import Rejected
from flags.sdk.body import limited_body
from migrator.analysis.otlp import Received, parse_points
from migrator.controller.bearer import guarded
from migrator.errors import InvalidInput

MAX_BODY: Final = 4 * 1024 * 1024
"""Bytes of one push, after decompression."""


def metrics_route(received: Received, token: str) -> Route:
    """`token` is what services must present."""

    async def take(request: Request) -> Response:
        try:
            body = await limited_body(request, MAX_BODY)
            # Megabytes take a while, in which the controller looks at its rollouts.
            points = await asyncio.to_thread(lambda: list(parse_points(body, received.names)))
        except Rejected as error:
            return _refused(error.status, error.code, error)
        except InvalidInput as error:
            return _refused(400, "invalid_request", error)
        received.add(points, now=time.time())
        return Response(media_type="application/x-protobuf")

    return Route("/v1/metrics", guarded(take, token), methods=["POST"])


def _refused(status: int, code: str, error: Rejected | InvalidInput) -> Response:
    return JSONResponse({"code": code, "message": str(error), "hint": error.hint}, status)
