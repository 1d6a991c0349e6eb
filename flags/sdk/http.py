"""What answers to SDKs have in common: letting browsers ask, and not sending what is known."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

Endpoint = Callable[[Request], Awaitable[Response]]
CORS: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS, REPORT",
    "Access-Control-Allow-Headers": (
        "Accept, Authorization, Content-Type, Content-Length, Accept-Encoding, If-None-Match, "
        "X-LaunchDarkly-Event-Schema, X-LaunchDarkly-Payload-ID, X-LaunchDarkly-User-Agent, "
        "X-LaunchDarkly-Wrapper, X-LaunchDarkly-Tags"
    ),
    "Access-Control-Expose-Headers": "Date, ETag, X-LD-EnvID",
    "Access-Control-Max-Age": "300",
}


def preflighted(endpoint: Endpoint, headers: Mapping[str, str] = CORS) -> Endpoint:
    """`endpoint`, with OPTIONS answered before it: a browser asks so whether it may."""

    async def answer(request: Request) -> Response:
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
        return await endpoint(request)

    return answer


def is_known(request: Request, etag: str) -> bool:
    """Whether the client has this already (`If-None-Match`, RFC 9110, section 13.1.2)."""
    return etag in request.headers.get("if-none-match", "")
