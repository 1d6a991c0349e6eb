"""What server-side SDKs call: streams, polls and event posts (first protocol generation).

Source: reference of the endpoints in launchdarkly-server-sdk 9.18 and the Relay Proxy.
"""

import gzip
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from flags.auth import require_sdk
from flags.credentials import Credentials
from flags.hub import Hub

HEARTBEAT: Final = 30.0
"""Seconds; SDKs give up a stream that is silent for 5 minutes."""
MAX_EVENTS: Final = 4 * 1024 * 1024
"""Bytes of one post of events."""


def sdk_routes(hub: Hub, credentials: Credentials) -> list[Route]:
    headers = {"X-LD-EnvID": credentials.client_side_id}

    async def stream(request: Request) -> Response:
        require_sdk(credentials, request.headers)
        return StreamingResponse(
            hub.subscribe(HEARTBEAT),
            media_type="text/event-stream",
            headers={**headers, "Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        )

    async def poll(request: Request) -> Response:
        require_sdk(credentials, request.headers)
        body, etag = hub.poll()
        given = {**headers, "ETag": etag, "Vary": "Accept-Encoding"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=given)
        if "gzip" in request.headers.get("accept-encoding", ""):
            body, given["Content-Encoding"] = gzip.compress(body, 5), "gzip"
        return Response(body, media_type="application/json", headers=given)

    async def events(request: Request) -> Response:
        """Take and drop: counts per flag are not kept yet, but an SDK must not retry for ever."""
        require_sdk(credentials, request.headers)
        size = 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > MAX_EVENTS:
                return JSONResponse({"code": "invalid_request", "message": "too large"}, 413)
        return Response(status_code=202)

    return [
        Route("/all", stream),
        Route("/sdk/latest-all", poll),
        Route("/bulk", events, methods=["POST"]),
        Route("/diagnostic", events, methods=["POST"]),
    ]
